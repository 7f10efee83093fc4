"""Counts of FPGA resources, and how memories map on block RAM."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import astuple, dataclass

__all__ = ["PLACED", "Resources", "bram_18k", "total"]

_RAMB18_SHAPES = ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36))
"""(depth, width) of one RAMB18 (UG473 table 1-7, UG573 table 1-9)."""


PLACED = ("lut", "ff", "dsp", "bram_18k", "uram")
"""The resources a device has so many of."""


@dataclass(frozen=True)
class Resources:
    """Resource counts; BRAM in 18 Kbit halves.

    Attributes:
        lut: after implementation, what a device must have.
        csynth_lut: as the report of C synthesis counts them, several times as many.
    """

    lut: int = 0
    ff: int = 0
    dsp: int = 0
    bram_18k: int = 0
    uram: int = 0
    csynth_lut: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def scaled(self, factor: float) -> Resources:
        """Every count times ``factor``, rounded down."""
        return Resources(*(math.floor(count * factor) for count in astuple(self)))

    def exceeding(self, limit: Resources) -> list[str]:
        """Names of the resources of which there are more than in ``limit``."""
        return [name for name in PLACED if getattr(self, name) > getattr(limit, name)]

    def share(self, limit: Resources) -> float:
        """Sum over the resources of used / available: the price of an option in one number."""
        return sum(getattr(self, name) / max(1, getattr(limit, name)) for name in PLACED)


def total(parts: Iterable[Resources]) -> Resources:
    """Sum of all parts."""
    result = Resources()
    for part in parts:
        result = result + part
    return result


def bram_18k(depth: int, width: int) -> int:
    """RAMB18 blocks of a memory of ``depth`` words of ``width`` bits, in the best single shape."""
    if depth <= 0 or width <= 0:
        return 0
    return min(math.ceil(depth / d) * math.ceil(width / w) for d, w in _RAMB18_SHAPES)
