"""The one rounding of the integer graph: ``q = clamp(((acc * M + half) >> n) + z)`` (design section 2).

``half = 1 << (n - 1)`` (0 when n = 0), ``>>`` is arithmetic, the product has 64 bits: round half up, once. A
multiplier of width m is 0 or lies in [2**(m-1), 2**m); 0 <= n <= 62.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import QuantizeError
from gatewright.compiler.integer.tensor import IntArray

__all__ = ["MAX_SHIFT", "common_multipliers", "multiplier_of", "multipliers_of", "requantize", "rounding_half"]

MAX_SHIFT = 62


def rounding_half(shift: IntArray) -> IntArray:
    """``1 << (n - 1)``, and 0 where n = 0."""
    return (np.int64(1) << np.asarray(shift, np.int64)) >> 1


def requantize(
    accumulator: IntArray,
    multiplier: IntArray | int,
    shift: IntArray | int,
    zero_point: int,
    clamp: tuple[int, int],
) -> IntArray:
    """Scale, round half up, add the zero point, clamp.

    Args:
        accumulator: int64 of any shape.
        multiplier: M, broadcast against ``accumulator``.
        shift: n, broadcast against ``accumulator``.
        zero_point: of the result.
        clamp: (low, high) of the result, inclusive.

    Returns:
        int64, the shape of the accumulator.
    """
    n = np.asarray(shift, np.int64)
    product = np.asarray(accumulator, np.int64) * np.asarray(multiplier, np.int64)
    return np.clip(((product + rounding_half(n)) >> n) + zero_point, clamp[0], clamp[1])


def multiplier_of(real: float, bits: int, place: str) -> tuple[int, int]:
    """The pair (M, n) nearest to ``real`` = M / 2**n.

    Args:
        real: the factor, >= 0 and finite, e.g. ``s_x * s_w / s_y``.
        bits: m, the width of the multiplier.
        place: layer name for the error.

    Returns:
        (M, n): M in [2**(m-1), 2**m) and 0 <= n <= 62; (0, 0) when n would exceed 62.

    Raises:
        QuantizeError: GW3002 when ``real`` is negative, not finite, or 2**m and more.
    """
    if not (math.isfinite(real) and real >= 0):
        raise QuantizeError("GW3002", place, f"the requantization factor {real!r} is not a finite, non-negative number",
                            "check the scales of the model; recalibrate with representative data")  # fmt: skip
    if real == 0:
        return 0, 0
    fraction, exponent = math.frexp(real)  # real = fraction * 2**exponent, fraction in [0.5, 1)
    multiplier = math.floor(math.ldexp(fraction, bits) + 0.5)
    if multiplier == 1 << bits:
        multiplier, exponent = multiplier >> 1, exponent + 1
    shift = bits - exponent
    if shift > MAX_SHIFT:
        return 0, 0
    if shift < 0:
        raise QuantizeError("GW3002", place, f"the requantization factor {real!r} needs a left shift",
                            "recalibrate: the output range is far too small for the input range")  # fmt: skip
    return multiplier, shift


def multipliers_of(reals: npt.ArrayLike, bits: int, place: str) -> tuple[IntArray, IntArray]:
    """:func:`multiplier_of` of every element: two int64 arrays of the same shape."""
    factors = np.asarray(reals, np.float64)
    pairs = [multiplier_of(float(real), bits, place) for real in factors.ravel()]
    table = np.array(pairs, np.int64).reshape(-1, 2)
    return table[:, 0].reshape(factors.shape), table[:, 1].reshape(factors.shape)


def common_multipliers(reals: Sequence[float], bits: int, place: str) -> tuple[IntArray, int]:
    """Multipliers under one shift: the largest normalised, the others rounded to it (Add; signs are kept).

    Returns:
        (M, n): M[i] / 2**n is nearest to ``reals[i]``, 0 <= |M[i]| < 2**m.

    Raises:
        QuantizeError: GW3002 as :func:`multiplier_of`.
    """
    largest = max(abs(real) for real in reals)
    top, shift = multiplier_of(largest, bits, place)
    limit = (1 << bits) - 1
    if top == 0:
        return np.zeros(len(reals), np.int64), 0
    scaled = [min(math.floor(math.ldexp(abs(real), shift) + 0.5), limit) for real in reals]
    return np.array(
        [int(math.copysign(value, real)) for value, real in zip(scaled, reals, strict=True)], np.int64
    ), shift
