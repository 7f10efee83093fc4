"""Semantics of sums, products, concatenation, tables and changes of type."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gatewright.compiler.integer.layers import Add, Concat, Multiply, Requantize, Table
from gatewright.compiler.integer.requantization import requantize, rounding_half
from gatewright.compiler.integer.semantics.operator import Interval, Operator, Proof, no_accumulator, proof_of
from gatewright.compiler.integer.tensor import IntArray, TensorType

__all__ = ["ADD", "CONCAT", "MULTIPLY", "REQUANTIZE", "TABLE"]


def _broadcast(layer: object, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return np.broadcast_shapes(*shapes)


def _clamped(layer: Add | Multiply | Concat | Requantize, ranges: Sequence[Interval]) -> Interval:
    return Interval(*layer.clamp)


def _centred(types: Sequence[TensorType], ranges: Sequence[Interval]) -> list[Interval]:
    return [r.shifted(-t.zero_point).hull(0) for t, r in zip(types, ranges, strict=True)]


def _add_shape(layer: Add, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    if layer.multiplier.shape != (len(shapes),):
        raise ValueError(f"{len(shapes)} operands want as many multipliers, not {layer.multiplier.shape}")
    return _broadcast(layer, shapes)


def _add(layer: Add, types: Sequence[TensorType], operands: Sequence[IntArray]) -> IntArray:
    terms = ((x - t.zero_point) * m for x, t, m in zip(operands, types, layer.multiplier.astype(np.int64), strict=True))
    return requantize(np.asarray(sum(terms), np.int64), 1, layer.shift, layer.output.zero_point, layer.clamp)


def _add_proof(layer: Add, types: Sequence[TensorType], ranges: Sequence[Interval]) -> Proof:
    low = high = 0
    for (a, b), multiplier in zip(_centred(types, ranges), layer.multiplier, strict=True):
        products = (a * int(multiplier), b * int(multiplier))
        low, high = low + min(products), high + max(products)
    acc = Interval(low, high)
    return Proof(acc, acc.magnitude + int(rounding_half(np.array(layer.shift, np.int64))))


def _multiply(layer: Multiply, types: Sequence[TensorType], operands: Sequence[IntArray]) -> IntArray:
    acc = (operands[0] - types[0].zero_point) * (operands[1] - types[1].zero_point)
    return requantize(acc, layer.multiplier, layer.shift, layer.output.zero_point, layer.clamp)


def _multiply_proof(layer: Multiply, types: Sequence[TensorType], ranges: Sequence[Interval]) -> Proof:
    (a, b), (c, d) = _centred(types, ranges)
    corners = (a * c, a * d, b * c, b * d)
    acc = Interval(min(corners), max(corners))
    return proof_of(acc, [acc.magnitude], layer.multiplier, layer.shift)


def _concat_shape(layer: Concat, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    if layer.multiplier.shape != (len(shapes),) or layer.shift.shape != (len(shapes),):
        raise ValueError(f"{len(shapes)} operands want as many multipliers and shifts")
    first, axis = shapes[0], layer.axis
    if not 0 <= axis < len(first):
        raise ValueError(f"axis {axis} is outside {first}")
    for shape in shapes:
        if shape[:axis] != first[:axis] or shape[axis + 1 :] != first[axis + 1 :]:
            raise ValueError(f"shapes {first} and {shape} differ outside axis {axis}")
    return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])


def _concat(layer: Concat, types: Sequence[TensorType], operands: Sequence[IntArray]) -> IntArray:
    parts = [
        requantize(x - t.zero_point, m, n, layer.output.zero_point, layer.clamp)
        for x, t, m, n in zip(operands, types, layer.multiplier, layer.shift, strict=True)
    ]
    return np.concatenate(parts, axis=layer.axis)


def _concat_proof(layer: Concat, types: Sequence[TensorType], ranges: Sequence[Interval]) -> Proof:
    centred = _centred(types, ranges)
    acc = Interval(min(r.low for r in centred), max(r.high for r in centred))
    return proof_of(acc, [r.magnitude for r in centred], layer.multiplier, layer.shift)


def _same_shape(layer: object, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return shapes[0]


def _table(layer: Table, types: Sequence[TensorType], operands: Sequence[IntArray]) -> IntArray:
    return layer.table.astype(np.int64)[operands[0] - types[0].qmin]


def _table_result(layer: Table, ranges: Sequence[Interval]) -> Interval:
    return Interval(int(layer.table.min()), int(layer.table.max()))


def _requantize(layer: Requantize, types: Sequence[TensorType], operands: Sequence[IntArray]) -> IntArray:
    acc = operands[0] - types[0].zero_point
    return requantize(acc, layer.multiplier, layer.shift, layer.output.zero_point, layer.clamp)


def _requantize_proof(layer: Requantize, types: Sequence[TensorType], ranges: Sequence[Interval]) -> Proof:
    (acc,) = _centred(types, ranges)
    return proof_of(acc, [acc.magnitude], layer.multiplier, layer.shift)


ADD = Operator(
    formula="q = clamp((sum((q_i - z_i) * M[i]) + half >> n) + z)",
    padding="",
    arity=(1, 1 << 16),
    shape=_add_shape,
    evaluate=_add,
    proof=_add_proof,
    result=_clamped,
)

MULTIPLY = Operator(
    formula="q = clamp(((q_0 - z_0) * (q_1 - z_1) * M + half >> n) + z)",
    padding="",
    arity=(2, 2),
    shape=_broadcast,
    evaluate=_multiply,
    proof=_multiply_proof,
    result=_clamped,
)

CONCAT = Operator(
    formula="q = clamp(((q_i - z_i) * M[i] + half >> n[i]) + z) for operand i",
    padding="",
    arity=(1, 1 << 16),
    shape=_concat_shape,
    evaluate=_concat,
    proof=_concat_proof,
    result=_clamped,
)

TABLE = Operator(
    formula="q = table[q_x - qmin_x]",
    padding="",
    arity=(1, 1),
    shape=_same_shape,
    evaluate=_table,
    proof=no_accumulator,
    result=_table_result,
)

REQUANTIZE = Operator(
    formula="q = clamp(((q_x - z_x) * M + half >> n) + z)",
    padding="",
    arity=(1, 1),
    shape=_same_shape,
    evaluate=_requantize,
    proof=_requantize_proof,
    result=_clamped,
)
