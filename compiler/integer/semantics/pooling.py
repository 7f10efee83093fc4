"""Semantics of window maximum and window average."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gatewright.compiler.integer.layers import AvgPool2d, MaxPool2d
from gatewright.compiler.integer.requantization import requantize
from gatewright.compiler.integer.semantics.operator import Interval, Operator, Proof, no_accumulator, proof_of
from gatewright.compiler.integer.tensor import IntArray, TensorType
from gatewright.compiler.numeric.windows import output_size, pad_spatial, positions

__all__ = ["AVG_POOL2D", "MAX_POOL2D"]


def _window_shape(
    shape: tuple[int, ...], layer: MaxPool2d | AvgPool2d, dilation: tuple[int, int]
) -> tuple[int, int, int, int]:
    if len(shape) != 4:
        raise ValueError(f"pooling wants (N, C, H, W), not {shape}")
    top, left, bottom, right = layer.padding
    height = output_size(shape[2], layer.kernel[0], layer.strides[0], top + bottom, dilation[0])
    width = output_size(shape[3], layer.kernel[1], layer.strides[1], left + right, dilation[1])
    if min(height, width) < 1:
        raise ValueError(f"the window {layer.kernel} does not fit into {shape[2:]} with padding {layer.padding}")
    return shape[0], shape[1], height, width


def _max_shape(layer: MaxPool2d, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return _window_shape(shapes[0], layer, layer.dilation)


def _max(layer: MaxPool2d, types: Sequence[TensorType], operands: Sequence[IntArray]) -> IntArray:
    padded = pad_spatial(operands[0], layer.padding, types[0].qmin)
    windows = (window for _, _, window in positions(padded, layer.kernel, layer.strides, layer.dilation))
    result = next(windows)
    for window in windows:
        result = np.maximum(result, window)
    return np.clip(result, *layer.clamp)


def _max_result(layer: MaxPool2d, ranges: Sequence[Interval]) -> Interval:
    # A window that lies in the padding alone yields qmin, which clamp then bounds: clamp is all that can be promised.
    if any(layer.padding):
        return Interval(*layer.clamp)
    low, high = layer.clamp
    return Interval(min(max(ranges[0].low, low), high), max(min(ranges[0].high, high), low))


def _avg_shape(layer: AvgPool2d, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    n, c, height, width = _window_shape(shapes[0], layer, (1, 1))
    if layer.multiplier.shape not in ((1, 1), (height, width)) or layer.multiplier.shape != layer.shift.shape:
        raise ValueError(f"the divisor table {layer.multiplier.shape} is neither (1, 1) nor {(height, width)}")
    return n, c, height, width


def _avg(layer: AvgPool2d, types: Sequence[TensorType], operands: Sequence[IntArray]) -> IntArray:
    padded = pad_spatial(operands[0] - types[0].zero_point, layer.padding, 0)
    acc = sum(window for _, _, window in positions(padded, layer.kernel, layer.strides))
    return requantize(np.asarray(acc, np.int64), layer.multiplier, layer.shift, layer.output.zero_point, layer.clamp)


def _avg_proof(layer: AvgPool2d, types: Sequence[TensorType], ranges: Sequence[Interval]) -> Proof:
    low, high = ranges[0].shifted(-types[0].zero_point).hull(0)
    count = layer.kernel[0] * layer.kernel[1]
    acc = Interval(low * count, high * count)
    return proof_of(acc, [acc.magnitude], layer.multiplier, layer.shift)


def _avg_result(layer: AvgPool2d, ranges: Sequence[Interval]) -> Interval:
    return Interval(*layer.clamp)


MAX_POOL2D = Operator(
    formula="q = clamp(max(q_x))",
    padding="qmin",
    arity=(1, 1),
    shape=_max_shape,
    evaluate=_max,
    proof=no_accumulator,
    result=_max_result,
)

AVG_POOL2D = Operator(
    formula="q = clamp((sum(q_x - z_x) * M[y,x] + half >> n[y,x]) + z)",
    padding="q_x = z_x",
    arity=(1, 1),
    shape=_avg_shape,
    evaluate=_avg,
    proof=_avg_proof,
    result=_avg_result,
)
