"""A histogram that grows with the data: one pass over the calibration batches is enough for every method."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["Histogram"]

_HALF = 4096
"""Bins on each side of zero. The range is at most twice the data's, so a value of 8 bits spans 8 bins and more."""


class Histogram:
    """Counts of one tensor's values over a range [-R, R] that doubles when a value exceeds it.

    R is a power of two and bins are merged in pairs on doubling, so the result does not depend on how the data was
    cut into batches.

    Attributes:
        low, high: least and greatest value seen, exactly; 0 is always within.
        counts: (2 * 4096,).
        total: number of values.
    """

    def __init__(self) -> None:
        self.low = 0.0
        self.high = 0.0
        self.total = 0
        self.counts = np.zeros(2 * _HALF, np.int64)
        self._exponent: int | None = None

    def add(self, x: npt.NDArray[np.generic], weight: int = 1) -> None:
        """Count the values of ``x``, which are finite, ``weight`` times."""
        kind: type[np.floating] = np.float32 if x.dtype == np.float32 else np.float64
        values = np.asarray(x, kind).ravel()
        if not values.size:
            return
        low, high = float(values.min()), float(values.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self._reach(max(abs(low), abs(high)))
        self.total += values.size * weight
        if self._exponent is None:  # nothing but zeros so far
            self.counts[_HALF] += values.size * weight
            return
        shift = 12 - self._exponent
        if abs(shift) < 100:  # a product with a power of two is exact in any type, while it stays a normal number
            scaled = values * values.dtype.type(2.0**shift)
        else:
            scaled = np.ldexp(values.astype(np.float64), shift)
        index = np.floor(scaled, out=scaled).astype(np.intp)
        index += _HALF
        self.counts += weight * np.bincount(np.minimum(index, 2 * _HALF - 1, out=index), minlength=2 * _HALF)

    def merge(self, other: Histogram) -> None:
        """Add the counts of another histogram."""
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        if other._exponent is not None:
            self._reach(math.ldexp(1.0, other._exponent))
            counts, steps = other.counts, (self._exponent or 0) - other._exponent
            for _ in range(steps):
                counts = _halved(counts)
            self.counts = self.counts + counts
        else:
            self.counts[_HALF] += other.total
        self.total += other.total

    def _reach(self, magnitude: float) -> None:
        if magnitude == 0:
            return
        mantissa, exponent = math.frexp(magnitude)
        exponent -= mantissa == 0.5  # 2**e itself lies within [-2**e, 2**e]
        if self._exponent is None:
            self._exponent = exponent
        while self._exponent < exponent:
            self.counts = _halved(self.counts)
            self._exponent += 1

    @property
    def centres(self) -> npt.NDArray[np.float64]:
        """(2 * 4096,) value each bin stands for: its middle, cut to [low, high]; the bin of zero stands for 0 where
        nothing negative was seen."""
        edges = np.ldexp(np.arange(-_HALF, _HALF, dtype=np.float64) + 0.5, (self._exponent or 0) - 12)
        return np.clip(edges, self.low, self.high)

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        """(2 * 4096 + 1,) bin edges, ascending."""
        return np.ldexp(np.arange(-_HALF, _HALF + 1, dtype=np.float64), (self._exponent or 0) - 12)


def _halved(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Counts over a range twice as wide: pairs of bins merge around zero."""
    merged = np.zeros_like(counts)
    merged[_HALF // 2 : _HALF // 2 * 3] = counts.reshape(-1, 2).sum(axis=1)
    return merged
