"""How a rescale becomes hardware: widths, pipeline depth, and the words of its ROM.

The formula is ``q = clamp(round((acc + bias) * M / 2**n) + z)``. Where every multiplier is a power of two there is no
multiplier, and rounding down or half up goes into the bias together with ``z << n``: one shift remains. With a
multiplier the shift stops at n - 1 and the last bit is rounded with one addition, ``(x + 2 z) >> 1`` or
``(x + 1 + 2 z) >> 1``. Rounding toward zero takes the magnitude in front and gives the sign back behind; half to even
adds ``half - 1`` and the lowest bit that is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gatewright.schedules.stream.devices import MULTIPLIER_CYCLES
from gatewright.schedules.stream.stages import IntArray, Rescale

__all__ = ["Scaling", "bits_of", "scaling_of", "unsigned_bits"]

LIMBS = {"mult18": 17, "mac16": 15, "lut": 12}
"""Unsigned bits a product of every style takes from one operand."""


def bits_of(low: int, high: int) -> int:
    """Two's complement width of every integer in [low, high]."""
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1


def unsigned_bits(value: int) -> int:
    """Bits that hold 0..value, at least one."""
    return max(1, value.bit_length())


@dataclass(frozen=True)
class Scaling:
    """Parameters of one gw_rescale.

    Attributes:
        acc_bits, bias_bits, sum_bits: widths of the accumulator, the bias and their sum.
        multiplier_bits: 0 where there is no multiplier.
        style: what the multiplier is made of; limb, limbs_a, limbs_m, levels: its cut.
        amount_bits, stages: variable part of the shift. shift_min: constant part.
        scaled_bits: width after the constant part of the shift, ``round`` added or not.
        mode: how ``gw_rescale`` rounds: ``add``, ``half_even`` or ``toward_zero``.
        round: what it adds: before the last shift by one (``add``, with a multiplier), before the shift
            (``half_even``), or to the result (``toward_zero``).
        low, high, wrap: of the clamp.
        positions: entries before lanes are grouped.
        entries: (positions,) the packed constants {shift, M, bias}.
    """

    acc_bits: int
    bias_bits: int
    sum_bits: int
    multiplier_bits: int
    style: str
    limb: int
    limbs_a: int
    limbs_m: int
    levels: int
    amount_bits: int
    stages: int
    shift_min: int
    scaled_bits: int
    mode: str
    round: int
    low: int
    high: int
    wrap: bool
    entries: tuple[int, ...]

    @property
    def entry_bits(self) -> int:
        """Width of one packed entry."""
        return self.bias_bits + self.multiplier_bits + self.amount_bits

    @property
    def latency(self) -> int:
        """Cycles from a token in to the token out."""
        multiply = MULTIPLIER_CYCLES[self.style] + self.levels if self.multiplier_bits else 0
        before = 0 if self.mode == "add" else 1
        behind = self.mode == "toward_zero" or (self.mode == "add" and self.multiplier_bits > 0)
        return 2 + 1 + before + multiply + self.stages + int(behind) + 1

    @property
    def multipliers(self) -> int:
        """Narrow products a lane."""
        return self.limbs_a * self.limbs_m if self.multiplier_bits else 0


def scaling_of(rescale: Rescale, style: str) -> Scaling:
    """Hardware of ``rescale``.

    Args:
        rescale: what it computes.
        style: what a multiplier would be made of (a key of ``LIMBS``).

    Raises:
        ValueError: half to even with a multiplier, or with shifts that differ.
    """
    bias, multiplier, shift = (
        np.array(a, object) for a in np.broadcast_arrays(rescale.bias, rescale.multiplier, rescale.shift)
    )
    multiplier, shift = _reduced(multiplier, shift)
    rounding = _needed_rounding(rescale, shift)
    mode = rounding if rounding in ("half_even", "toward_zero") else "add"
    plain = all(m == 1 for m in multiplier)
    low, high, zero_point = rescale.value_low, rescale.value_high, rescale.zero_point
    m_bits, limbs_a, limbs_m, levels = 0, 1, 1, 0
    added, behind, least_bits = 0, 0, 2  # ROUND; what of it comes behind the shift; bits an operand has at least
    if mode == "toward_zero":
        added = behind = zero_point
        low, high = -max(-low, high), max(-low, high)  # a magnitude is shifted
    elif mode == "half_even":
        cut = int(shift[0])
        if not plain or any(n != cut for n in shift):
            raise ValueError("half to even needs one shift for all, and no multiplier")
        added, least_bits = (1 << cut >> 1) - 1 + (zero_point << cut), cut + 1
        low, high = low + min(added, 0), high + max(added + 1, 0)
    elif plain:
        half = np.array([(1 << int(n)) >> 1 if rounding == "half_up" else 0 for n in shift], object)
        into_bias = half + np.array([zero_point << int(n) for n in shift], object)
        bias = bias + into_bias
        low, high = low + min(0, int(into_bias.min())), high + max(0, int(into_bias.max()))
    else:
        small = shift < 1  # shift by n - 1 needs n >= 1
        multiplier, shift = np.where(small, multiplier * 2, multiplier), np.where(small, shift + 1, shift)
        shift = shift - 1
        added = behind = 2 * zero_point + (1 if rounding == "half_up" else 0)
    acc_bits = bits_of(rescale.acc_low, rescale.acc_high)
    bias_bits = bits_of(int(bias.min()), int(bias.max()))
    sum_bits = max(bits_of(low, high), least_bits)
    limb = LIMBS[style]
    if not plain:
        m_bits = max(1, max(int(m).bit_length() for m in multiplier))
        limbs_a = max(1, -(-(sum_bits - 1) // limb))
        limbs_m = -(-m_bits // limb)
        levels = math.ceil(math.log2(limbs_a * limbs_m))
    shift_min = int(shift.min())
    amount_bits = (int(shift.max()) - shift_min).bit_length()
    largest = max(int(m) for m in multiplier)
    least, most = min(low * largest, 0) >> shift_min, max(high * largest, 0) >> shift_min
    scaled_bits = max(2, bits_of(least + min(behind, 0), most + max(behind, 0)))
    entries = tuple(
        (int(b) & ((1 << bias_bits) - 1))
        | ((int(m) << bias_bits) if m_bits else 0)
        | (int(n) - shift_min) << (bias_bits + m_bits)
        for b, m, n in zip(bias, multiplier, shift, strict=True)
    )
    return Scaling(
        acc_bits, bias_bits, sum_bits, m_bits, style, limb, limbs_a, limbs_m, levels, amount_bits,
        -(-amount_bits // 2), shift_min, scaled_bits, mode, added, rescale.low, rescale.high, rescale.wrap, entries,
    )  # fmt: skip


def _needed_rounding(rescale: Rescale, shift: IntArray) -> str:
    """The rounding, or a cheaper one that is the same for these values and shifts."""
    if rescale.rounding not in ("half_up", "floor", "half_even", "toward_zero"):
        raise ValueError(f"no hardware rounds {rescale.rounding}")
    if not shift.any() or (rescale.rounding == "toward_zero" and rescale.value_low >= 0):
        return "floor"
    return rescale.rounding


def _reduced(multiplier: IntArray, shift: IntArray) -> tuple[IntArray, IntArray]:
    """M and n without common factors of two: the quotient that is rounded stays the same."""
    pairs = []
    for m, n in zip(multiplier, shift, strict=True):
        m, n = int(m), int(n)
        while n > 0 and m and m % 2 == 0:
            # at n = 1 -> 0 the half of 1 vanishes with the factor: (2a + 1) >> 1 == a
            m, n = m >> 1, n - 1
        pairs.append((m, n))
    return np.array([m for m, _ in pairs], object), np.array([n for _, n in pairs], object)
