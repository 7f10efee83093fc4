"""One row of the semantics table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gatewright.compiler.integer.requantization import rounding_half
from gatewright.compiler.integer.tensor import IntArray, TensorType

__all__ = ["Interval", "Operator", "Proof", "no_accumulator", "proof_of", "same_values"]


class Interval(NamedTuple):
    """Least and greatest integer, inclusive."""

    low: int
    high: int

    def shifted(self, offset: int) -> Interval:
        """Both ends plus ``offset``."""
        return Interval(self.low + offset, self.high + offset)

    def hull(self, *others: int) -> Interval:
        """The smallest interval that also holds ``others``."""
        return Interval(min(self.low, *others), max(self.high, *others))

    @property
    def bits(self) -> int:
        """Width of the two's complement integer that holds both ends."""
        return max(self.high.bit_length(), (-self.low - 1).bit_length() if self.low < 0 else 0) + 1

    @property
    def magnitude(self) -> int:
        """Greatest absolute value."""
        return max(abs(self.low), abs(self.high))


@dataclass(frozen=True)
class Proof:
    """What was proven of one layer from its constants and the ranges of its operands.

    Attributes:
        accumulator: holds every partial sum of every channel, in any order of summation, bias included or not.
        magnitude: greatest possible ``|acc * M| + half``; must stay below 2**63.
    """

    accumulator: Interval
    magnitude: int


@dataclass(frozen=True)
class Operator:
    """Semantics of one layer type.

    Attributes:
        formula: the arithmetic in one line, for documents and messages.
        padding: what stands outside the tensor, or "" where there is no padding.
        arity: (least, greatest) number of operands.
        shape: (layer, operand shapes) -> output shape; raises ValueError with the reason where impossible.
        evaluate: (layer, operand types, operands as int64) -> result as int64. The leading axis of the operands may be
            a multiple of the declared batch.
        proof: (layer, operand types, operand ranges) -> Proof, or None where nothing is accumulated.
        result: (layer, operand ranges) -> range of the result.
    """

    formula: str
    padding: str
    arity: tuple[int, int]
    shape: Callable[[Any, Sequence[tuple[int, ...]]], tuple[int, ...]]
    evaluate: Callable[[Any, Sequence[TensorType], Sequence[IntArray]], IntArray]
    proof: Callable[[Any, Sequence[TensorType], Sequence[Interval]], Proof | None]
    result: Callable[[Any, Sequence[Interval]], Interval]


def proof_of(accumulator: Interval, magnitudes: IntArray | Sequence[int], multiplier: object, shift: object) -> Proof:
    """Proof of a plain requantization: ``magnitudes`` = greatest |acc|, by channel where multiplier and shift are.

    Python integers throughout: the proof itself must not overflow.
    """
    m, n, top = np.broadcast_arrays(
        np.asarray(multiplier, np.int64), np.asarray(shift, np.int64), np.asarray(magnitudes, object)
    )
    half = rounding_half(n)
    worst = max((int(a) * abs(int(b)) + int(h) for a, b, h in zip(top.flat, m.flat, half.flat, strict=True)), default=0)
    return Proof(accumulator, worst)


def no_accumulator(layer: object, types: Sequence[TensorType], ranges: Sequence[Interval]) -> Proof | None:
    """Proof of a layer that only moves values."""
    return None


def same_values(layer: object, ranges: Sequence[Interval]) -> Interval:
    """Range of a layer that only moves the values of its first operand."""
    return ranges[0]
