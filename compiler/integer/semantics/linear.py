"""Semantics of convolution and matrix product."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gatewright.compiler.integer.layers import Conv2d, Dense
from gatewright.compiler.integer.requantization import requantize
from gatewright.compiler.integer.semantics.operator import Interval, Operator, Proof, proof_of
from gatewright.compiler.integer.tensor import IntArray, TensorType
from gatewright.compiler.numeric.convolution import convolve2d
from gatewright.compiler.numeric.windows import output_size

__all__ = ["CONV2D", "DENSE", "centred_weight"]


def centred_weight(layer: Conv2d | Dense) -> IntArray:
    """Weights minus their zero points, int64, the weight's shape."""
    zero = layer.weight_zero_point.reshape(-1, *(1,) * (layer.weight.ndim - 1))
    return layer.weight.astype(np.int64) - zero.astype(np.int64)


def _conv_shape(layer: Conv2d, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    (shape,) = shapes
    if len(shape) != 4 or layer.weight.ndim != 4:
        raise ValueError(f"conv2d wants (N, C, H, W), not {shape}")
    o, per_group, kh, kw = layer.weight.shape
    if layer.groups < 1 or shape[1] != per_group * layer.groups or o % layer.groups:
        raise ValueError(f"{shape[1]} channels, {layer.groups} groups and weights {layer.weight.shape} do not match")
    top, left, bottom, right = layer.padding
    height = output_size(shape[2], kh, layer.strides[0], top + bottom, layer.dilation[0])
    width = output_size(shape[3], kw, layer.strides[1], left + right, layer.dilation[1])
    if min(height, width) < 1:
        raise ValueError(f"the kernel {(kh, kw)} does not fit into {shape[2:]} with padding {layer.padding}")
    return shape[0], o, height, width


def _dense_shape(layer: Dense, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    (shape,) = shapes
    if layer.weight.ndim != 2 or not shape or shape[-1] != layer.weight.shape[1]:
        raise ValueError(f"the last axis of {shape} and weights {layer.weight.shape} do not match")
    return (*shape[:-1], layer.weight.shape[0])


def _conv(layer: Conv2d, types: Sequence[TensorType], operands: Sequence[IntArray]) -> IntArray:
    x, w = operands[0] - types[0].zero_point, centred_weight(layer)
    # Magnitudes are bounded without regard to sign: below 2**53 the float64 products and sums are exact integers.
    exact = int(np.abs(x).max(initial=0)) * int(np.abs(w).sum(axis=(1, 2, 3)).max(initial=0)) < 1 << 53
    dtype = np.float64 if exact else np.int64
    acc = convolve2d(
        x.astype(dtype), w.astype(dtype), layer.strides, layer.padding, layer.dilation, layer.groups
    ).astype(np.int64)
    column = (1, -1, 1, 1)
    acc += layer.bias.reshape(column)
    return requantize(
        acc, layer.multiplier.reshape(column), layer.shift.reshape(column), layer.output.zero_point, layer.clamp
    )


def _dense(layer: Dense, types: Sequence[TensorType], operands: Sequence[IntArray]) -> IntArray:
    x, w = operands[0] - types[0].zero_point, centred_weight(layer)
    exact = int(np.abs(x).max(initial=0)) * int(np.abs(w).sum(axis=1).max(initial=0)) < 1 << 53
    dtype = np.float64 if exact else np.int64
    acc = (x.astype(dtype) @ w.astype(dtype).T).astype(np.int64) + layer.bias
    return requantize(acc, layer.multiplier, layer.shift, layer.output.zero_point, layer.clamp)


def _proof(layer: Conv2d | Dense, types: Sequence[TensorType], ranges: Sequence[Interval]) -> Proof:
    # Padding and absent terms contribute 0, so every subset of the terms lies between the sums of the least and of
    # the greatest products, once the operand's range is widened to hold 0.
    low, high = ranges[0].shifted(-types[0].zero_point).hull(0)
    w = centred_weight(layer).reshape(layer.weight.shape[0], -1)
    # Weights have at most 32 bits, so sums of up to 2**30 of them fit 64; products with operands need not.
    positive = np.maximum(w, 0).sum(axis=1).astype(object)
    negative = np.minimum(w, 0).sum(axis=1).astype(object)
    greatest, least = positive * high + negative * low, positive * low + negative * high
    bias = layer.bias.astype(object)
    channels = [
        Interval(int(a), int(b)).hull(int(a + c), int(b + c), int(c))
        for a, b, c in zip(least, greatest, bias, strict=True)
    ]
    total = Interval(min((c.low for c in channels), default=0), max((c.high for c in channels), default=0))
    return proof_of(total, [c.magnitude for c in channels], layer.multiplier, layer.shift)


def _result(layer: Conv2d | Dense, ranges: Sequence[Interval]) -> Interval:
    return Interval(*layer.clamp)


CONV2D = Operator(
    formula="q = clamp(((sum((q_x - z_x) * (w - z_w)) + bias[o]) * M[o] + half >> n[o]) + z)",
    padding="q_x = z_x",
    arity=(1, 1),
    shape=_conv_shape,
    evaluate=_conv,
    proof=_proof,
    result=_result,
)

DENSE = Operator(
    formula="q = clamp(((sum((q_x - z_x) * (w - z_w)) + bias[o]) * M[o] + half >> n[o]) + z)",
    padding="",
    arity=(1, 1),
    shape=_dense_shape,
    evaluate=_dense,
    proof=_proof,
    result=_result,
)
