"""MATMUL: every window of a tile times every fold of the weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gatewright.schedules.accelerator.isa.encoding import Instruction
from gatewright.schedules.accelerator.isa.fields import SPACES
from gatewright.schedules.accelerator.spec import Spec
from gatewright.targets.accelerator.machine.memories import Memories, window

__all__ = ["matmul", "wrapped"]


def wrapped(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Integers modulo 2**32 as two's complement: what an accumulator of 32 bits keeps."""
    return values.astype(np.uint64).astype(np.uint32).view(np.int32)


def matmul(spec: Spec, memories: Memories, i: Instruction) -> None:
    """``acc[nb*P + p, c] (+)= sum over (u, v, kb, r) of x[p, u, v, kb*R + r] * (w[nb, (u, v, kb), r, c] - zero)``.

    P = height * width pixels p = (y, x); a pixel of the window lies at ``activation_address + y*row_stride +
    x*pixel_stride + u*kernel_row_stride + v*kernel_pixel_stride``; a fold of weights is R rows of C bytes, folds lie
    one behind the other, (u, v, kb) innermost. Sums are kept modulo 2**32.
    """
    rows, columns = spec.matrix.rows, spec.matrix.columns
    height, width, kernel_height, kernel_width = i["height"], i["width"], i["kernel_height"], i["kernel_width"]
    depth = i["input_blocks"] * rows
    shape = (height, width, kernel_height, kernel_width, depth)
    strides = (i["row_stride"], i["pixel_stride"], i["kernel_row_stride"], i["kernel_pixel_stride"], 1)
    activations = memories.scratchpads[SPACES["activation"]]
    x = window(activations, i["activation_address"], shape, strides, "matmul")
    x = x.view(np.int8) if i["activation_signed"] else x
    length, blocks = kernel_height * kernel_width * depth, i["output_blocks"]
    weights = memories.scratchpads[SPACES["weight"]]
    w = window(weights, i["weight_address"], (blocks, length, columns), (length * columns, columns, 1), "matmul")
    centred = (w.view(np.int8) if i["weight_signed"] else w).astype(np.float64) - i["weight_zero"]
    # Products of 9-bit operands: below 2**53 for any length the instruction can say, so float64 sums are exact.
    product = x.reshape(height * width, length).astype(np.float64) @ centred
    first = i["accumulator_address"]
    pixels = height * width
    out = window(memories.accumulators, first, (blocks, pixels), (pixels, 1), "matmul")
    total = product.astype(np.int64)
    if i["accumulate"]:
        total += out.view(np.int32)
    out[...] = wrapped(total)
