"""hls4ml's fixed-point types as integers: what a cast does to a raw value, exactly as Xilinx's ap_types do it.

A raw value v with ``fraction`` f stands for ``v * 2**-f``. f may be negative or exceed the width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Fixed", "Unsupported", "quantized", "rounded"]


class Unsupported(Exception):
    """A layer that cannot become stages: the reason, and what to do.

    Args:
        reason: one sentence.
        action: one thing the user can do.
    """

    def __init__(self, reason: str, action: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.action = action


@dataclass(frozen=True)
class Fixed:
    """``ap_[u]fixed<width, width - fraction, rounding, saturation>`` (names as in hls4ml, without ``AP_``)."""

    width: int
    fraction: int
    signed: bool
    rounding: str = "TRN"
    saturation: str = "WRAP"

    @classmethod
    def of(cls, precision: Any) -> Fixed:
        """From a precision object of hls4ml.

        Raises:
            Unsupported: it is neither fixed-point nor integer.
        """
        from hls4ml.model.types import FixedPrecisionType, IntegerPrecisionType

        if not isinstance(precision, FixedPrecisionType | IntegerPrecisionType):
            raise Unsupported(
                f"the type {precision} ({type(precision).__name__}) is not fixed-point", "give an ap_fixed type"
            )
        return cls(
            int(precision.width),
            int(precision.width - precision.integer),
            bool(precision.signed),
            str(precision.rounding_mode),
            str(precision.saturation_mode),
        )

    @property
    def low(self) -> int:
        """Least raw value."""
        if not self.signed:
            return 0
        return -(1 << (self.width - 1)) + (self.saturation == "SAT_SYM")

    @property
    def high(self) -> int:
        """Greatest raw value."""
        return (1 << (self.width - self.signed)) - 1

    def fits(self, low: int, high: int) -> bool:
        """Whether nothing in [low, high] overflows."""
        return self.low <= low and high <= self.high

    def cast(self, value: int, fraction: int) -> int:
        """Raw value of ``value * 2**-fraction`` in this type."""
        return self.overflowed(rounded(value, fraction - self.fraction, self.rounding))

    def overflowed(self, value: int) -> int:
        """``value``, rounded already, after saturation or wrap-around."""
        if self.low <= value <= self.high:
            return value
        if self.saturation == "SAT_ZERO":
            return 0
        if self.saturation in ("SAT", "SAT_SYM"):
            return self.low if value < self.low else self.high
        value &= (1 << self.width) - 1
        return value - (1 << self.width) if self.signed and value >> (self.width - 1) else value

    def cast_float(self, value: float) -> int:
        """Raw value of a float."""
        numerator, denominator = float(value).as_integer_ratio()  # the denominator is a power of two
        return self.cast(numerator, denominator.bit_length() - 1)


def rounded(value: int, shift: int, mode: str) -> int:
    """``value * 2**-shift`` as an integer; exact where ``shift <= 0``.

    The modes are those of Xilinx UG1399, "Quantization modes".
    """
    if shift <= 0:
        return value << -shift
    floor, half = value >> shift, 1 << (shift - 1)
    match mode:
        case "TRN":
            return floor
        case "TRN_ZERO":
            return -(-value >> shift) if value < 0 else floor
        case "RND":
            return (value + half) >> shift
        case "RND_MIN_INF":
            return (value + half - 1) >> shift
        case "RND_INF":
            return (value + half - (value < 0)) >> shift
        case "RND_ZERO":
            return (value + half - (value >= 0)) >> shift
        case "RND_CONV":
            return (value + half - 1 + (floor & 1)) >> shift
    raise ValueError(mode)


def quantized(values: npt.NDArray[Any], kind: Fixed) -> npt.NDArray[np.int64]:
    """Raw values of floats, as hls4ml converts inputs: with the type's own modes.

    Args:
        values: finite floats.
        kind: of at most 53 bits, so that float64 holds every raw value.
    """
    scaled = np.ldexp(np.asarray(values, np.float64), kind.fraction)
    floor = np.floor(scaled)
    rest = scaled - floor
    match kind.rounding:
        case "TRN":
            up = np.zeros(rest.shape, bool)
        case "TRN_ZERO":
            up = (scaled < 0) & (rest > 0)
        case "RND":
            up = rest >= 0.5
        case "RND_MIN_INF":
            up = rest > 0.5
        case "RND_INF":
            up = np.where(scaled < 0, rest > 0.5, rest >= 0.5)
        case "RND_ZERO":
            up = np.where(scaled < 0, rest >= 0.5, rest > 0.5)
        case "RND_CONV":
            up = (rest > 0.5) | ((rest == 0.5) & (np.fmod(floor, 2) != 0))
        case _:
            raise ValueError(kind.rounding)
    raw = floor + up
    over = (raw < kind.low) | (raw > kind.high)
    if kind.saturation == "SAT_ZERO":
        raw = np.where(over, 0, raw)
    elif kind.saturation in ("SAT", "SAT_SYM"):
        raw = np.clip(raw, kind.low, kind.high)
    elif over.any():
        raw = np.mod(raw, float(1 << kind.width))
        raw = np.where(raw > kind.high, raw - float(1 << kind.width), raw)
    return raw.astype(np.int64)
