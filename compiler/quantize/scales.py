"""From ranges to scales and zero points of activations."""

from __future__ import annotations

import math

import numpy as np

from gatewright.compiler.quantize.calibrate import Histogram, range_of
from gatewright.compiler.quantize.calibrate.mse import error_of
from gatewright.compiler.quantize.options import QuantizeOptions
from gatewright.compiler.quantize.parameters import Parameters

__all__ = ["choose_parameters", "power_of_two_at_least"]

# Exponents that keep every product of two scales and a shift of 62 far from the ends of float32.
_LEAST_EXPONENT, _GREATEST_EXPONENT = -60, 60


def power_of_two_at_least(value: float) -> float:
    """The least power of two >= ``value`` (1 for 0), within 2**-60 .. 2**60."""
    if value <= 0:
        return 1.0
    mantissa, exponent = math.frexp(value)
    exponent -= mantissa == 0.5
    return math.ldexp(1.0, min(max(exponent, _LEAST_EXPONENT), _GREATEST_EXPONENT))


def choose_parameters(histogram: Histogram, bits: int, options: QuantizeOptions) -> Parameters:
    """Scale and zero point of a tensor.

    A tensor without negative values is unsigned with zero point 0. In profile ``fixed`` the scale is the power of two
    with the least squared error, not just the one that covers the range.
    """
    low, high = range_of(histogram, bits, options)
    if low == high == 0.0:  # nothing but zeros: any scale is exact
        return Parameters(bits, False, 1.0, 0)
    signed = low < 0
    if options.profile == "fixed":
        return _fixed(histogram, bits, signed, low, high, options)
    if not signed or options.symmetric:
        limit = (1 << bits - 1) - 1 if signed else (1 << bits) - 1
        return Parameters(bits, signed, _float32(max(high, -low) / limit), 0)
    scale = _float32((high - low) / ((1 << bits) - 1))
    least = -(1 << bits - 1)
    zero = int(np.clip(np.rint(least - low / scale), least, -least - 1))
    return Parameters(bits, True, scale, zero)


def _fixed(
    histogram: Histogram, bits: int, signed: bool, low: float, high: float, options: QuantizeOptions
) -> Parameters:
    limits = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    # -2**(b-1) is a value too, so a range that just touches a power of two on the negative side needs no wider scale.
    ceiling = power_of_two_at_least(max(high / limits[1], low / limits[0] if signed else 0.0))
    if options.calibration == "minmax":
        return Parameters(bits, signed, ceiling, 0)
    candidates = [ceiling * 2.0**e for e in (1, 0, -1, -2)]
    best = min(candidates, key=lambda scale: error_of(histogram, scale, *limits))
    return Parameters(bits, signed, best, 0)


def _float32(value: float) -> float:
    """The nearest float32 that is a usable scale."""
    return float(np.float32(min(max(value, math.ldexp(1.0, _LEAST_EXPONENT)), math.ldexp(1.0, _GREATEST_EXPONENT))))
