"""Integer Relax expressions for the body of one layer: widening, centring, requantization."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from tvm import relax

from gatewright.compiler.integer.layers import Conv2d, Dense, Layer
from gatewright.compiler.integer.semantics import Interval, Proof
from gatewright.compiler.integer.semantics.linear import centred_weight
from gatewright.compiler.integer.tensor import IntArray, TensorType

__all__ = ["Expr", "Expressions", "integer"]

Expr = Any
"""A Relax expression: tvm carries no type information."""

_INT32_MAGNITUDE = (1 << 31) - 1


class Expressions:
    """Writes the body of one composite function.

    Both operands of an arithmetic Relax operator must have one dtype, and ``relax.const`` of an int64 array narrows to
    int32 unless told: hence the explicit dtypes everywhere.

    Args:
        builder: inside the composite function's dataflow block.
        layer, types: the layer and the types of its operands.
        proof: what was proven of its accumulator, None where nothing is accumulated.
        ranges: proven ranges of the operands.
    """

    def __init__(
        self,
        builder: relax.BlockBuilder,
        layer: Layer,
        types: Sequence[TensorType],
        proof: Proof | None,
        ranges: Sequence[Interval],
    ) -> None:
        self._builder = builder
        self.layer = layer
        self.types = tuple(types)
        self._ranges = tuple(ranges)
        self._proof = proof

    @property
    def accumulator_dtype(self) -> str:
        """int32 where every operand, centred operand, constant and partial sum provably fits, else int64."""
        intervals = [*self._operand_intervals(), *_constant_intervals(self.layer)]
        if self._proof is not None:
            intervals.append(self._proof.accumulator)
        return _dtype_of(intervals)

    @property
    def operand_dtype(self) -> str:
        """int32 where every operand and centred operand fits, whatever the accumulator, else int64."""
        return _dtype_of(self._operand_intervals())

    def _operand_intervals(self) -> list[Interval]:
        centred = [r.shifted(-t.zero_point).hull(0) for r, t in zip(self._ranges, self.types, strict=True)]
        return [*self._ranges, *centred]

    def emit(self, expression: Expr) -> Expr:
        """Bind ``expression`` to a variable."""
        return self._builder.emit(expression)

    def cast(self, x: Expr, dtype: str) -> Expr:
        """``x`` in ``dtype``."""
        return x if x.ty.dtype == dtype else self.emit(relax.op.astype(x, dtype))

    def shift_by(self, x: Expr, value: int) -> Expr:
        """``x + value`` in the dtype of ``x``."""
        return x if value == 0 else self.emit(relax.op.add(x, relax.const(value, str(x.ty.dtype))))

    def centred(self, x: Expr, index: int, dtype: str) -> Expr:
        """``q - z`` of operand ``index``, in ``dtype``."""
        return self.shift_by(self.cast(x, dtype), -self.types[index].zero_point)

    def column(self, constant: Expr, dtype: str, shape: Sequence[int]) -> Expr:
        """A constant parameter in ``dtype``, reshaped to broadcast against a tensor."""
        return self.emit(relax.op.reshape(self.cast(constant, dtype), shape))

    def requantize(self, accumulator: Expr, multiplier: Expr, shift: Expr, clamp: tuple[int, int]) -> Expr:
        """``clamp(((acc * M + half) >> n) + z)`` in int64, then the storage dtype.

        Args:
            accumulator: int32 or int64.
            multiplier: int64, broadcasts against it.
            shift: likewise.
            clamp: (low, high).
        """
        product = self.emit(relax.op.multiply(self.cast(accumulator, "int64"), multiplier))
        return self.round_shift(product, shift, clamp)

    def round_shift(self, product: Expr, shift: Expr, clamp: tuple[int, int]) -> Expr:
        """The second half of :meth:`requantize`: ``clamp(((product + half) >> n) + z)``."""
        one = relax.const(1, "int64")
        half = self.emit(relax.op.right_shift(self.emit(relax.op.left_shift(one, shift)), one))
        rounded = self.emit(relax.op.right_shift(self.emit(relax.op.add(product, half)), shift))
        return self.clamped(self.shift_by(rounded, self.layer.output.zero_point), clamp)

    def clamped(self, x: Expr, clamp: tuple[int, int]) -> Expr:
        """``clamp(x)`` in the output's storage dtype."""
        bounded = self.emit(relax.op.clip(x, *clamp))
        return self.cast(bounded, str(self.layer.output.dtype))


def integer(value: int) -> Expr:
    """An int64 scalar constant."""
    return relax.const(value, "int64")


def _dtype_of(intervals: Sequence[Interval]) -> str:
    return "int32" if all(interval.magnitude <= _INT32_MAGNITUDE for interval in intervals) else "int64"


def _constant_intervals(layer: Layer) -> Iterator[Interval]:
    if isinstance(layer, Conv2d | Dense):
        arrays: tuple[IntArray, ...] = (layer.weight, layer.weight_zero_point, layer.bias, centred_weight(layer))
        for array in arrays:
            yield Interval(int(np.min(array, initial=0)), int(np.max(array, initial=0)))
