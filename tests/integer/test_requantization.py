"""The one rounding, against exact rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.compiler.errors import QuantizeError
from gatewright.compiler.integer.requantization import (
    MAX_SHIFT,
    common_multipliers,
    multiplier_of,
    multipliers_of,
    requantize,
    rounding_half,
)

REALS = st.floats(min_value=2.0**-31, max_value=100.0, allow_nan=False)
BITS = st.integers(8, 31)


@given(
    acc=st.integers(-(2**31), 2**31),
    multiplier=st.integers(0, 2**31 - 1),
    shift=st.integers(0, MAX_SHIFT),
    zero=st.integers(-128, 127),
)
def test_requantize_is_round_half_up(acc: int, multiplier: int, shift: int, zero: int) -> None:
    exact = math.floor(Fraction(acc * multiplier, 1 << shift) + Fraction(1, 2)) + zero
    expected = max(-128, min(127, exact))
    assert requantize(np.array([acc]), multiplier, shift, zero, (-128, 127)).tolist() == [expected]


def test_ties_go_up() -> None:
    # -1.5 -> -1, -0.5 -> 0, 0.5 -> 1, 1.5 -> 2
    assert requantize(np.array([-3, -1, 1, 3]), 1, 1, 0, (-128, 127)).tolist() == [-1, 0, 1, 2]


def test_half_of_no_shift_is_zero() -> None:
    assert rounding_half(np.array([0, 1, 2, 62])).tolist() == [0, 1, 2, 1 << 61]


@given(real=REALS, bits=BITS)
def test_multiplier_is_normalised_and_nearest(real: float, bits: int) -> None:
    multiplier, shift = multiplier_of(real, bits, "layer")
    assert 1 << (bits - 1) <= multiplier < 1 << bits
    assert 0 <= shift <= MAX_SHIFT
    # M is the nearest integer to real * 2**n (or to 2**m, renormalised, where rounding up left the range).
    error = abs(Fraction(multiplier, 1 << shift) - Fraction(real)) / Fraction(real)
    assert error <= Fraction(1, 1 << bits)


@pytest.mark.parametrize("bits", [8, 16, 31])
def test_powers_of_two_are_shifts(bits: int) -> None:
    for exponent in range(-20, 5):
        multiplier, shift = multiplier_of(2.0**exponent, bits, "layer")
        assert multiplier == 1 << (bits - 1)
        assert Fraction(multiplier, 1 << shift) == Fraction(2) ** exponent


def test_a_vanishing_factor_is_zero() -> None:
    assert multiplier_of(2.0**-40, 31, "layer") == (0, 0)
    assert multiplier_of(0.0, 31, "layer") == (0, 0)
    assert multiplier_of(2.0**-32, 31, "layer") == (1 << 30, 62)


@pytest.mark.parametrize("real", [-1.0, float("nan"), float("inf"), 2.0**31])
def test_impossible_factors_name_the_layer(real: float) -> None:
    with pytest.raises(QuantizeError, match="GW3002 conv_7"):
        multiplier_of(real, 31, "conv_7")


def test_arrays_keep_their_shape() -> None:
    multiplier, shift = multipliers_of([[0.5, 0.25], [1.0, 3.0]], 8, "layer")
    assert multiplier.tolist() == [[128, 128], [128, 192]]
    assert shift.tolist() == [[8, 9], [7, 6]]


@given(
    reals=st.lists(st.floats(-4.0, 4.0).filter(lambda r: r == 0 or abs(r) > 1e-3), min_size=1, max_size=5), bits=BITS
)
def test_common_multipliers_share_a_shift(reals: list[float], bits: int) -> None:
    multipliers, shift = common_multipliers(reals, bits, "add")
    assert np.all(np.abs(multipliers) < 1 << bits)
    if any(reals):
        assert np.abs(multipliers).max() >= 1 << (bits - 1)
    for multiplier, real in zip(multipliers.tolist(), reals, strict=True):
        # half a step of the shared shift, one whole step where the largest was clipped or renormalised
        assert abs(Fraction(multiplier, 1 << shift) - Fraction(real)) <= Fraction(1, 1 << shift)
        assert (multiplier < 0) == (real < 0 and multiplier != 0)
