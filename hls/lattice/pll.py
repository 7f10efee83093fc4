"""PLL settings: from the clock of a board to the clock of the network.

Source of the ranges: icestorm's icepll and prjtrellis' ecppll, with whose results the tests compare.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Ecp5Pll", "Ice40Pll", "ecp5_pll", "hfosc_divider", "ice40_pll"]

_EPSILON = 1e-6


@dataclass(frozen=True)
class Ice40Pll:
    """SB_PLL40 with simple feedback: ``f = board / (divr + 1) * (divf + 1) / 2**divq``."""

    mhz: float
    divr: int
    divf: int
    divq: int
    filter_range: int


@dataclass(frozen=True)
class Ecp5Pll:
    """EHXPLLL with feedback from its output: ``f = board / clki_div * clkfb_div``; oscillator: ``clkop_div * f``."""

    mhz: float
    clki_div: int
    clkfb_div: int
    clkop_div: int


def ice40_pll(board_mhz: float, clock_mhz: float) -> Ice40Pll | None:
    """The setting that comes closest to ``clock_mhz`` from below, None if none does."""
    if not 10 <= board_mhz <= 133:
        return None
    found: Ice40Pll | None = None
    for divr in range(16):
        phase_mhz = board_mhz / (divr + 1)
        if not 10 <= phase_mhz <= 133:
            continue
        for divf in range(128):
            vco_mhz = phase_mhz * (divf + 1)
            if not 533 <= vco_mhz <= 1066:
                continue
            for divq in range(1, 7):
                mhz = vco_mhz / 2**divq
                if 16 <= mhz <= min(275, clock_mhz + _EPSILON) and (found is None or mhz > found.mhz + _EPSILON):
                    limits = (17, 26, 44, 66, 101)
                    found = Ice40Pll(mhz, divr, divf, divq, 1 + sum(phase_mhz >= limit for limit in limits))
    return found


def ecp5_pll(board_mhz: float, clock_mhz: float) -> Ecp5Pll | None:
    """The setting that comes closest to ``clock_mhz`` from below, its oscillator near 600 MHz; None if none does."""
    found: Ecp5Pll | None = None
    for clki in range(1, 129):
        phase_mhz = board_mhz / clki
        if not 3.125 <= phase_mhz <= 400:
            continue
        clkfb = min(80, int((clock_mhz + _EPSILON) / phase_mhz))
        mhz = phase_mhz * clkfb
        if clkfb == 0 or mhz < 10 or (found is not None and mhz <= found.mhz + _EPSILON):
            continue
        clkop = min(range(1, 129), key=lambda divider: abs(mhz * divider - 600))
        if 400 <= mhz * clkop <= 800:
            found = Ecp5Pll(mhz, clki, clkfb, clkop)
    return found


def hfosc_divider(clock_mhz: float) -> tuple[str, float] | None:
    """(CLKHF_DIV, MHz) of iCE40's own oscillator for the fastest clock up to ``clock_mhz``."""
    for code, mhz in (("0b00", 48.0), ("0b01", 24.0), ("0b10", 12.0), ("0b11", 6.0)):
        if mhz <= clock_mhz + _EPSILON:
            return code, mhz
    return None
