"""Semantics of layers that move values without arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gatewright.compiler.integer.layers import Input, Pad, Reshape, Resize, Slice, Transpose
from gatewright.compiler.integer.semantics.operator import Interval, Operator, no_accumulator, same_values
from gatewright.compiler.integer.tensor import IntArray, TensorType

__all__ = ["INPUT", "PAD", "RESHAPE", "RESIZE", "SLICE", "TRANSPOSE"]


def _input_shape(layer: Input, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return layer.output.shape


def _input(layer: Input, types: Sequence[TensorType], operands: Sequence[IntArray]) -> IntArray:
    raise TypeError("an input is fed, not evaluated")


def _input_range(layer: Input, ranges: Sequence[Interval]) -> Interval:
    return Interval(layer.output.qmin, layer.output.qmax)


def _reshape_shape(layer: Reshape, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    if math.prod(shapes[0]) != math.prod(layer.output.shape):
        raise ValueError(f"{shapes[0]} and {layer.output.shape} hold different numbers of elements")
    return layer.output.shape


def _reshape(layer: Reshape, types: Sequence[TensorType], operands: Sequence[IntArray]) -> IntArray:
    (x,), shape = operands, layer.output.shape
    if x.shape == types[0].shape:
        return x.reshape(shape)
    return x.reshape(x.shape[0] * shape[0] // types[0].shape[0], *shape[1:])


def _transpose_shape(layer: Transpose, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    if sorted(layer.permutation) != list(range(len(shapes[0]))):
        raise ValueError(f"{layer.permutation} is no permutation of the axes of {shapes[0]}")
    return tuple(shapes[0][axis] for axis in layer.permutation)


def _transpose(layer: Transpose, types: Sequence[TensorType], operands: Sequence[IntArray]) -> IntArray:
    return operands[0].transpose(layer.permutation)


def _pad_shape(layer: Pad, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    if len(layer.pads) != len(shapes[0]) or any(end < 0 for pair in layer.pads for end in pair):
        raise ValueError(f"{layer.pads} does not pad {shapes[0]}")
    return tuple(before + size + after for size, (before, after) in zip(shapes[0], layer.pads, strict=True))


def _pad(layer: Pad, types: Sequence[TensorType], operands: Sequence[IntArray]) -> IntArray:
    return np.pad(operands[0], layer.pads, constant_values=layer.value)


def _pad_result(layer: Pad, ranges: Sequence[Interval]) -> Interval:
    return ranges[0].hull(layer.value)


def _slice_shape(layer: Slice, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    (shape,), out = shapes, layer.output.shape
    if not len(shape) == len(out) == len(layer.begin) == len(layer.step):
        raise ValueError(f"begin {layer.begin} and step {layer.step} do not match {shape}")
    for size, begin, step, count in zip(shape, layer.begin, layer.step, out, strict=True):
        if step == 0 or count < 1 or not (0 <= begin < size and 0 <= begin + (count - 1) * step < size):
            raise ValueError(f"begin {begin}, step {step}, {count} elements: outside an axis of {size}")
    return out


def _slice(layer: Slice, types: Sequence[TensorType], operands: Sequence[IntArray]) -> IntArray:
    (x,) = operands
    batch_multiple = x.shape[0] // types[0].shape[0] if x.ndim else 1
    index = []
    for axis, (begin, step, count) in enumerate(zip(layer.begin, layer.step, layer.output.shape, strict=True)):
        length = count * batch_multiple if axis == 0 else count
        index.append(begin + step * np.arange(length))
    return x[np.ix_(*index)] if index else x


def _resize_shape(layer: Resize, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    (shape,) = shapes
    if len(shape) != 4:
        raise ValueError(f"resize wants (N, C, H, W), not {shape}")
    for index, size in ((layer.rows, shape[2]), (layer.columns, shape[3])):
        if index.ndim != 1 or not index.size or index.min() < 0 or index.max() >= size:
            raise ValueError(f"an index lies outside an axis of {size}")
    return shape[0], shape[1], len(layer.rows), len(layer.columns)


def _resize(layer: Resize, types: Sequence[TensorType], operands: Sequence[IntArray]) -> IntArray:
    return operands[0][:, :, layer.rows[:, None], layer.columns[None, :]]


INPUT = Operator("", "", (0, 0), _input_shape, _input, no_accumulator, _input_range)
RESHAPE = Operator("the same values, row-major", "", (1, 1), _reshape_shape, _reshape, no_accumulator, same_values)
TRANSPOSE = Operator(
    "axis i is axis permutation[i]", "", (1, 1), _transpose_shape, _transpose, no_accumulator, same_values
)
PAD = Operator("q_x, value outside", "value", (1, 1), _pad_shape, _pad, no_accumulator, _pad_result)
SLICE = Operator("q_x[begin + k * step]", "", (1, 1), _slice_shape, _slice, no_accumulator, same_values)
RESIZE = Operator("q_x[rows[y], columns[x]]", "", (1, 1), _resize_shape, _resize, no_accumulator, same_values)
