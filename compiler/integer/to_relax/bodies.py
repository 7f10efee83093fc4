"""The body of every layer type: the docstring's formula in Relax operators (design section 2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
from tvm import relax

from gatewright.compiler.integer.layers import (
    Add,
    AvgPool2d,
    Concat,
    Conv2d,
    Dense,
    MaxPool2d,
    Multiply,
    Pad,
    Requantize,
    Slice,
    Table,
    Transpose,
)
from gatewright.compiler.integer.to_relax.expressions import Expr, Expressions, integer

__all__ = ["BODIES", "Body"]

Body = Callable[[Expressions, Sequence[Expr], Mapping[str, Expr]], Expr]
"""(expressions, activations, constants by field name) -> the result."""


def _conv2d(e: Expressions, inputs: Sequence[Expr], constants: Mapping[str, Expr]) -> Expr:
    layer, dtype = cast(Conv2d, e.layer), e.accumulator_dtype
    convolution = relax.op.nn.conv2d(
        e.centred(inputs[0], 0, dtype),
        _centred_weight(e, constants, dtype, (-1, 1, 1, 1)),
        strides=layer.strides,
        padding=layer.padding,
        dilation=layer.dilation,
        groups=layer.groups,
        out_dtype=dtype,
    )
    column = (1, len(layer.bias), 1, 1)
    accumulator = e.emit(relax.op.add(e.emit(convolution), e.column(constants["bias"], dtype, column)))
    multiplier, shift = (e.column(constants[field], "int64", column) for field in ("multiplier", "shift"))
    return e.requantize(accumulator, multiplier, shift, layer.clamp)


def _dense(e: Expressions, inputs: Sequence[Expr], constants: Mapping[str, Expr]) -> Expr:
    layer, dtype = cast(Dense, e.layer), e.accumulator_dtype
    weight = e.emit(relax.op.permute_dims(_centred_weight(e, constants, dtype, (-1, 1))))
    product = e.emit(relax.op.matmul(e.centred(inputs[0], 0, dtype), weight, out_dtype=dtype))
    accumulator = e.emit(relax.op.add(product, e.cast(constants["bias"], dtype)))
    multiplier, shift = (e.cast(constants[field], "int64") for field in ("multiplier", "shift"))
    return e.requantize(accumulator, multiplier, shift, layer.clamp)


def _centred_weight(e: Expressions, constants: Mapping[str, Expr], dtype: str, column: tuple[int, ...]) -> Expr:
    zero_point = e.column(constants["weight_zero_point"], dtype, column)
    return e.emit(relax.op.subtract(e.cast(constants["weight"], dtype), zero_point))


def _add(e: Expressions, inputs: Sequence[Expr], constants: Mapping[str, Expr]) -> Expr:
    layer = cast(Add, e.layer)
    multipliers = e.cast(constants["multiplier"], "int64")
    total = None
    for index, x in enumerate(inputs):
        centred = e.cast(e.centred(x, index, e.operand_dtype), "int64")
        term = e.emit(relax.op.multiply(centred, _element(e, multipliers, index)))
        total = term if total is None else e.emit(relax.op.add(total, term))
    return e.round_shift(total, integer(layer.shift), layer.clamp)


def _multiply(e: Expressions, inputs: Sequence[Expr], constants: Mapping[str, Expr]) -> Expr:
    layer, dtype = cast(Multiply, e.layer), e.accumulator_dtype
    product = e.emit(relax.op.multiply(e.centred(inputs[0], 0, dtype), e.centred(inputs[1], 1, dtype)))
    return e.requantize(product, integer(layer.multiplier), integer(layer.shift), layer.clamp)


def _concat(e: Expressions, inputs: Sequence[Expr], constants: Mapping[str, Expr]) -> Expr:
    layer = cast(Concat, e.layer)
    multipliers, shifts = (e.cast(constants[field], "int64") for field in ("multiplier", "shift"))
    parts = []
    for index, x in enumerate(inputs):
        multiplier, shift = _element(e, multipliers, index), _element(e, shifts, index)
        parts.append(e.requantize(e.centred(x, index, e.operand_dtype), multiplier, shift, layer.clamp))
    return e.emit(relax.op.concat(parts, axis=layer.axis))


def _element(e: Expressions, vector: Expr, index: int) -> Expr:
    """``vector[index]`` as a tensor of one element and no axes."""
    element = e.emit(relax.op.strided_slice(vector, axes=[0], begin=[index], end=[index + 1]))
    return e.emit(relax.op.reshape(element, ()))


def _requantize(e: Expressions, inputs: Sequence[Expr], constants: Mapping[str, Expr]) -> Expr:
    layer = cast(Requantize, e.layer)
    accumulator = e.centred(inputs[0], 0, e.operand_dtype)
    return e.requantize(accumulator, integer(layer.multiplier), integer(layer.shift), layer.clamp)


def _max_pool2d(e: Expressions, inputs: Sequence[Expr], constants: Mapping[str, Expr]) -> Expr:
    layer, x = cast(MaxPool2d, e.layer), inputs[0]
    top, left, bottom, right = layer.padding
    if any(layer.padding):
        # Padded here and not by max_pool2d: that pads with the least value of the storage type, not with qmin.
        width = (0, 0, 0, 0, top, bottom, left, right)
        x = e.emit(relax.op.nn.pad(x, width, pad_value=e.types[0].qmin))
    pooled = e.emit(relax.op.nn.max_pool2d(x, pool_size=layer.kernel, strides=layer.strides, dilation=layer.dilation))
    return e.clamped(pooled, layer.clamp)


def _avg_pool2d(e: Expressions, inputs: Sequence[Expr], constants: Mapping[str, Expr]) -> Expr:
    layer, dtype = cast(AvgPool2d, e.layer), e.accumulator_dtype
    x = e.centred(inputs[0], 0, dtype)
    if layer.kernel == e.types[0].shape[2:] and not any(layer.padding):
        accumulator = e.emit(relax.op.sum(x, axis=(2, 3), keepdims=True))
    else:  # Relax's average pooling divides; a depthwise convolution with ones is the sum alone.
        channels = e.types[0].shape[1]
        ones = relax.const(np.ones((channels, 1, *layer.kernel), dtype), dtype)
        convolution = relax.op.nn.conv2d(
            x, ones, strides=layer.strides, padding=layer.padding, groups=channels, out_dtype=dtype
        )
        accumulator = e.emit(convolution)
    table = (1, 1, *layer.multiplier.shape)
    multiplier, shift = (e.column(constants[field], "int64", table) for field in ("multiplier", "shift"))
    return e.requantize(accumulator, multiplier, shift, layer.clamp)


def _table(e: Expressions, inputs: Sequence[Expr], constants: Mapping[str, Expr]) -> Expr:
    layer = cast(Table, e.layer)
    entries = e.cast(constants["table"], str(layer.output.dtype))
    index = e.shift_by(e.cast(inputs[0], "int32"), -e.types[0].qmin)
    return e.emit(relax.op.take(entries, index, axis=0, mode="clip"))


def _resize(e: Expressions, inputs: Sequence[Expr], constants: Mapping[str, Expr]) -> Expr:
    rows = e.emit(relax.op.take(inputs[0], e.cast(constants["rows"], "int32"), axis=2, mode="clip"))
    return e.emit(relax.op.take(rows, e.cast(constants["columns"], "int32"), axis=3, mode="clip"))


def _reshape(e: Expressions, inputs: Sequence[Expr], constants: Mapping[str, Expr]) -> Expr:
    return e.emit(relax.op.reshape(inputs[0], e.layer.output.shape))


def _transpose(e: Expressions, inputs: Sequence[Expr], constants: Mapping[str, Expr]) -> Expr:
    return e.emit(relax.op.permute_dims(inputs[0], cast(Transpose, e.layer).permutation))


def _pad(e: Expressions, inputs: Sequence[Expr], constants: Mapping[str, Expr]) -> Expr:
    layer = cast(Pad, e.layer)
    width = tuple(end for pair in layer.pads for end in pair)
    return e.emit(relax.op.nn.pad(inputs[0], width, pad_value=layer.value))


def _slice(e: Expressions, inputs: Sequence[Expr], constants: Mapping[str, Expr]) -> Expr:
    layer, sizes = cast(Slice, e.layer), e.types[0].shape
    ends = []
    for begin, step, count, size in zip(layer.begin, layer.step, layer.output.shape, sizes, strict=True):
        end = begin + (count - 1) * step + (1 if step > 0 else -1)
        ends.append(end if end >= 0 else -size - 1)  # one before the first element; -1 would mean the last
    axes = list(range(len(sizes)))
    return e.emit(relax.op.strided_slice(inputs[0], axes, list(layer.begin), ends, list(layer.step)))


BODIES: Mapping[str, Body] = {
    "conv2d": _conv2d,
    "dense": _dense,
    "add": _add,
    "multiply": _multiply,
    "concat": _concat,
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "table": _table,
    "requantize": _requantize,
    "reshape": _reshape,
    "transpose": _transpose,
    "pad": _pad,
    "slice": _slice,
    "resize": _resize,
}
"""Body of every operator name but ``input``."""
