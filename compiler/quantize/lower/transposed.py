"""Transposed convolution, exactly, as an ordinary convolution followed by a reordering.

Every output pixel of a transposed convolution with strides (sy, sx) belongs to one of sy * sx phases, and each phase
is an ordinary convolution with a part of the kernel (W. Shi et al., "Is the deconvolution layer the same as a
convolutional layer?", 2016). One convolution computes all phases as channels; reshape and transpose interleave them; a
slice cuts off what the padding removes.

    (N, C, H, W) -> conv (N, O*sy*sx, H+a, W+b) -> (N, O, sy, sx, ., .) -> (N, O, ., sy, ., sx) -> (N, O, ., .) -> slice
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.operators.types import integer, integers
from gatewright.compiler.integer.layers import Conv2d, Reshape, Slice, Transpose
from gatewright.compiler.quantize.blocks import Block
from gatewright.compiler.quantize.lower.context import Lowering
from gatewright.compiler.quantize.lower.linear import LinearConstants, linear_constants, weights_and_bias
from gatewright.compiler.quantize.weights import IntegerWeights

__all__ = ["lower_conv2d_transpose", "phases"]


def phases(kernel: npt.NDArray[Any], strides: tuple[int, int]) -> npt.NDArray[Any]:
    """(O, C, KH, KW) weights of the scattering form -> (O * sy * sx, C, TH, TW) weights of the gathering form.

    Output row ``y = i * sy + u`` receives input row i through kernel row u. With ``u = t * sy + p`` phase p of output
    row block ``m`` sums ``x[m - t] * kernel[t * sy + p]``; the taps stand in reverse order because a convolution reads
    forwards.
    """
    o, c, kh, kw = kernel.shape
    sy, sx = strides
    taps = -(-kh // sy), -(-kw // sx)
    padded = np.zeros((o, c, taps[0] * sy, taps[1] * sx), kernel.dtype)
    padded[:, :, :kh, :kw] = kernel
    split = padded.reshape(o, c, taps[0], sy, taps[1], sx)[:, :, ::-1, :, ::-1]
    return np.ascontiguousarray(split.transpose(0, 3, 5, 1, 2, 4).reshape(o * sy * sx, c, *taps))


def lower_conv2d_transpose(block: Block, context: Lowering) -> None:
    """Conv2d, Reshape, Transpose, Reshape, Slice."""
    attributes, (source,) = block.anchor.attributes, block.inputs
    sy, sx = strides = _pair(integers(attributes["strides"]))
    dilation, groups = _pair(integers(attributes["dilation"])), integer(attributes["groups"])
    top, left, _, _ = _four(integers(attributes["padding"]))

    def scattering(weight: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Relax (C, O / groups, KH, KW) -> (O, C / groups, KH, KW) with dilation written out as zeros."""
        c, per_group, kh, kw = weight.shape
        w = np.swapaxes(weight.reshape(groups, c // groups, per_group, kh, kw), 1, 2)
        w = w.reshape(groups * per_group, c // groups, kh, kw)
        wide = np.zeros((*w.shape[:2], (kh - 1) * dilation[0] + 1, (kw - 1) * dilation[1] + 1), w.dtype)
        wide[:, :, :: dilation[0], :: dilation[1]] = w
        return wide

    weights, bias = weights_and_bias(block, context, scattering)
    constants = _by_phase(linear_constants(block, context, weights, bias), strides)
    n, _, height, width = context.program.shapes[source]
    th, tw = constants.weights.q.shape[2:]
    rows, columns = height + th - 1, width + tw - 1
    o = len(weights.q)

    def typed(*shape: int) -> Any:
        return context.type_of(block.name, shape)

    # Rows beyond the last tap (output padding) hold the bias alone: more zeros below the input.
    more = max(0, -(-(top + block.shape[2]) // sy) - rows), max(0, -(-(left + block.shape[3]) // sx) - columns)
    rows, columns = rows + more[0], columns + more[1]
    name = context.emit(
        Conv2d(
            f"{block.name}.phases", (source,), typed(n, o * sy * sx, rows, columns), **constants.fields(),
            padding=(th - 1, tw - 1, th - 1 + more[0], tw - 1 + more[1]), groups=groups,
        )
    )  # fmt: skip
    if strides != (1, 1):
        split = context.emit(Reshape(f"{block.name}.split", (name,), typed(n, o, sy, sx, rows, columns)))
        order = (0, 1, 4, 2, 5, 3)
        woven = context.emit(Transpose(f"{block.name}.woven", (split,), typed(n, o, rows, sy, columns, sx), order))
        name = context.emit(Reshape(f"{block.name}.joined", (woven,), typed(n, o, rows * sy, columns * sx)))
    context.emit(Slice(block.name, (name,), typed(*block.shape), (0, 0, top, left), (1, 1, 1, 1)))


def _by_phase(constants: LinearConstants, strides: tuple[int, int]) -> LinearConstants:
    """Every channel becomes its phases; scale, bias and multiplier are the channel's.

    Taps that a phase does not have stand for 0, which is the weight's zero point.
    """
    weights, count = constants.weights, strides[0] * strides[1]
    zero = weights.zero_point.reshape(-1, 1, 1, 1)
    centred = phases(weights.q.astype(np.int64) - zero, strides)
    repeated = np.repeat(weights.zero_point, count)
    q = (centred + repeated.reshape(-1, 1, 1, 1)).astype(weights.q.dtype)
    split = IntegerWeights(q, np.repeat(weights.scale, count), repeated, weights.bits, weights.signed)
    return LinearConstants(
        split, np.repeat(constants.bias, count), np.repeat(constants.multiplier, count),
        np.repeat(constants.shift, count), constants.clamp,
    )  # fmt: skip


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])


def _four(padding: tuple[int, ...]) -> tuple[int, ...]:
    return {1: padding * 4, 2: padding * 2}.get(len(padding), padding)
