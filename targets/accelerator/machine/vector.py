"""VECTOR: pooling, depthwise convolution, sums, products, tables, and the one rounding."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gatewright.compiler.integer.requantization import requantize
from gatewright.schedules.accelerator.isa.encoding import Instruction
from gatewright.schedules.accelerator.isa.fields import SPACES, VECTOR_OPS
from gatewright.schedules.accelerator.spec import Spec
from gatewright.targets.accelerator.machine.matrix import wrapped
from gatewright.targets.accelerator.machine.memories import Memories, window

__all__ = ["vector"]

Lanes = npt.NDArray[np.int64]
"""(blocks, height, width, C) int64."""


def vector(spec: Spec, memories: Memories, i: Instruction) -> None:
    """One operation on every channel c of block b and pixel (y, x), over the positions (u, v) of the window.

    =========  =======================================================
    rescale    t = a
    depthwise  t = sum over (u, v) of a * (w[b, (u, v), c] - weight_zero), modulo 2**32
    sum        t = sum over (u, v) of a, modulo 2**32
    max        q = clamp(max over (u, v) of a)
    add        q = clamp(((a * multiplier + b * multiplier_b + addend) >> shift) + output_zero)
    multiply   t = (a - a_zero) * (b - b_zero)
    table      q = table[a as an unsigned byte]
    =========  =======================================================

    Where t is made: ``q = clamp(((t * multiplier + addend) >> shift) + output_zero)``, or by channel
    ``q = clamp((((t + bias[c]) * M[c] + half) >> n[c]) + output_zero)`` with t + bias modulo 2**32.
    """
    operation, columns = i["operation"], spec.matrix.columns
    clamp = (i["clamp_low"], i["clamp_high"])
    if operation == VECTOR_OPS["table"]:
        table = window(memories.scratchpads[SPACES["constant"]], i["weight_address"], (256,), (1,), "vector")
        result = table[_operand(memories, i, columns)[..., 0, 0, :].astype(np.int64) & 0xFF].astype(np.int64)
    elif operation == VECTOR_OPS["max"]:
        result = np.clip(_operand(memories, i, columns).max(axis=(3, 4)).astype(np.int64), *clamp)
    elif operation == VECTOR_OPS["add"]:
        a = _operand(memories, i, columns)[..., 0, 0, :].astype(np.int64) * i["multiplier"]
        total = a + _second(memories, i, columns) * i["multiplier_b"]
        result = np.clip(((total + i["addend"]) >> i["shift"]) + i["output_zero"], *clamp)
    else:
        result = _rescaled(spec, memories, i, _sum(memories, i, columns))
    shape = (i["blocks"], i["height"], i["width"], columns)
    strides = (i["output_block_stride"], i["output_row_stride"], i["output_pixel_stride"], 1)
    pad = memories.scratchpads[SPACES["activation"]]
    window(pad, i["output_address"], shape, strides, "vector")[...] = (result & 0xFF).astype(np.uint8)


def _operand(memories: Memories, i: Instruction, columns: int) -> npt.NDArray[np.integer]:
    """Operand a under its window: (blocks, height, width, kernel_height, kernel_width, C)."""
    shape = (i["blocks"], i["height"], i["width"], i["kernel_height"], i["kernel_width"])
    strides = (
        i["a_block_stride"], i["a_row_stride"], i["a_pixel_stride"], i["a_kernel_row_stride"],
        i["a_kernel_pixel_stride"],
    )  # fmt: skip
    if i["from_accumulator"]:
        return window(memories.accumulators, i["a_address"], shape, strides, "vector").view(np.int32)
    pad = memories.scratchpads[SPACES["activation"]]
    a = window(pad, i["a_address"], (*shape, columns), (*strides, 1), "vector")
    return a.view(np.int8 if i["a_signed"] else np.uint8)


def _second(memories: Memories, i: Instruction, columns: int) -> Lanes:
    shape = (i["blocks"], i["height"], i["width"], columns)
    strides = (i["b_block_stride"], i["b_row_stride"], i["b_pixel_stride"], 1)
    b = window(memories.scratchpads[SPACES["activation"]], i["b_address"], shape, strides, "vector")
    return b.view(np.int8 if i["b_signed"] else np.uint8).astype(np.int64)


def _sum(memories: Memories, i: Instruction, columns: int) -> Lanes:
    """T of the operations that are rescaled."""
    a = _operand(memories, i, columns)
    if i["operation"] == VECTOR_OPS["depthwise"]:
        positions = i["kernel_height"] * i["kernel_width"]
        shape, strides = (i["blocks"], positions, columns), (positions * columns, columns, 1)
        w = window(memories.scratchpads[SPACES["constant"]], i["weight_address"], shape, strides, "vector")
        centred = (w.view(np.int8) if i["weight_signed"] else w).astype(np.int64) - i["weight_zero"]
        taps = centred.reshape(i["blocks"], 1, 1, i["kernel_height"], i["kernel_width"], columns)
        total: Lanes = np.zeros((*a.shape[:3], columns), np.int64)
        for u in range(i["kernel_height"]):
            for v in range(i["kernel_width"]):
                total += a[:, :, :, u, v].astype(np.int64) * taps[:, :, :, u, v]
        return wrapped(total).astype(np.int64)
    if i["operation"] == VECTOR_OPS["sum"]:
        return wrapped(a.sum(axis=(3, 4), dtype=np.int64)).astype(np.int64)
    first = a[..., 0, 0, :].astype(np.int64)
    if i["operation"] == VECTOR_OPS["multiply"]:
        return (first - i["a_zero"]) * (_second(memories, i, columns) - i["b_zero"])
    return first


def _rescaled(spec: Spec, memories: Memories, i: Instruction, t: Lanes) -> Lanes:
    clamp, columns = (i["clamp_low"], i["clamp_high"]), spec.matrix.columns
    if not i["per_channel"]:
        return np.clip(((t * i["multiplier"] + i["addend"]) >> i["shift"]) + i["output_zero"], *clamp)
    size = spec.parameter_bytes
    shape, strides = (i["blocks"], size), (size, 1)
    raw = window(memories.scratchpads[SPACES["constant"]], i["parameter_address"], shape, strides, "vector")
    records = np.ascontiguousarray(raw).view(np.uint8)
    # A record is C biases, C multipliers (4 bytes each), C shifts (1 byte each).
    words = records[:, : 8 * columns].copy().view("<i4").reshape(-1, 2, columns).astype(np.int64)
    bias, multiplier = (words[:, k, None, None, :] for k in (0, 1))
    shift = records[:, 8 * columns :].astype(np.int64)[:, None, None, :]
    return requantize(wrapped(t + bias).astype(np.int64), multiplier, shift, i["output_zero"], clamp)
