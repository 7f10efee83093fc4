"""The Verilog that makes the network's clock from the board's: a wire, a PLL, or an oscillator inside the device."""

from __future__ import annotations

from dataclasses import dataclass

from gatewright.compiler.errors import UsageError
from gatewright.hls.lattice.database import Site
from gatewright.hls.lattice.pll import Ecp5Pll, Ice40Pll, ecp5_pll, hfosc_divider, ice40_pll

__all__ = ["Clock", "clock_of"]

_ECP5_FIXED = (
    '.PLLRST_ENA("DISABLED"), .INTFB_WAKE("DISABLED"), .STDBY_ENABLE("DISABLED"), .DPHASE_SOURCE("DISABLED")',
    '.OUTDIVIDER_MUXA("DIVA"), .OUTDIVIDER_MUXB("DIVB"), .OUTDIVIDER_MUXC("DIVC"), .OUTDIVIDER_MUXD("DIVD")',
    '.CLKOP_ENABLE("ENABLED"), .CLKOP_FPHASE(0), .FEEDBK_PATH("CLKOP")',
)


@dataclass(frozen=True)
class Clock:
    """How ``clk`` and ``locked`` come about.

    Attributes:
        mhz: frequency of the network's clock.
        board_mhz: frequency at the pin ``clk_in``.
        verilog: lines of the top module.
        oscillator: the clock is made inside the device, there is no pin.
    """

    mhz: float
    board_mhz: float
    verilog: tuple[str, ...]
    oscillator: bool = False


def _ice40(pll: Ice40Pll, pad: bool) -> tuple[str, ...]:
    primitive, pin = ("SB_PLL40_PAD", "PACKAGEPIN") if pad else ("SB_PLL40_CORE", "REFERENCECLK")
    return (
        f'    {primitive} #(.FEEDBACK_PATH("SIMPLE"), .DIVR({pll.divr}), .DIVF({pll.divf}), .DIVQ({pll.divq}),',
        f"        .FILTER_RANGE({pll.filter_range})) pll (",
        f"        .{pin}(clk_in), .PLLOUTGLOBAL(clk), .RESETB(1'b1), .BYPASS(1'b0), .LOCK(locked));",
    )


def _ecp5(pll: Ecp5Pll, board_mhz: float) -> tuple[str, ...]:
    return (
        f'    (* FREQUENCY_PIN_CLKI="{board_mhz:g}", FREQUENCY_PIN_CLKOP="{pll.mhz:g}", ICP_CURRENT="12",',
        '       LPF_RESISTOR="8", MFG_ENABLE_FILTEROPAMP="1", MFG_GMCREF_SEL="2" *)',
        "    EHXPLLL #(",
        *(f"        {line}," for line in _ECP5_FIXED),
        f"        .CLKI_DIV({pll.clki_div}), .CLKFB_DIV({pll.clkfb_div}), .CLKOP_DIV({pll.clkop_div}),",
        f"        .CLKOP_CPHASE({max(0, pll.clkop_div // 2 - 1)})) pll (",
        "        .RST(1'b0), .STDBY(1'b0), .CLKI(clk_in), .CLKOP(clk), .CLKFB(clk), .LOCK(locked),",
        "        .PHASESEL0(1'b0), .PHASESEL1(1'b0), .PHASEDIR(1'b1), .PHASESTEP(1'b1), .PHASELOADREG(1'b1),",
        "        .PLLWAKESYNC(1'b0), .ENCLKOP(1'b0));",
    )


def clock_of(site: Site, clock_mhz: float) -> Clock:
    """The fastest clock up to ``clock_mhz`` that the site can make.

    Raises:
        UsageError: GW0405 if it can make none.
    """
    board = site.board
    wire = ("    assign clk = clk_in;", "    assign locked = 1'b1;")
    if board is None:
        return Clock(clock_mhz, clock_mhz, wire)
    if board.oscillator:
        divided = hfosc_divider(clock_mhz)
        if divided is not None:
            code, mhz = divided
            verilog = (
                f"    SB_HFOSC #(.CLKHF_DIV(\"{code}\")) oscillator (.CLKHFPU(1'b1), .CLKHFEN(1'b1), .CLKHF(clk));",
                "    assign locked = 1'b1;",
            )
            return Clock(mhz, mhz, verilog, oscillator=True)
    elif abs(board.board_mhz - clock_mhz) < 1e-6:
        return Clock(clock_mhz, board.board_mhz, wire)
    elif site.device.family == "ecp5" and board.pll != "none":
        made = ecp5_pll(board.board_mhz, clock_mhz)
        if made is not None:
            return Clock(made.mhz, board.board_mhz, _ecp5(made, board.board_mhz))
    elif board.pll != "none":
        found = ice40_pll(board.board_mhz, clock_mhz)
        if found is not None:
            return Clock(found.mhz, board.board_mhz, _ice40(found, board.pll == "pad"))
        if board.board_mhz <= clock_mhz:
            return Clock(board.board_mhz, board.board_mhz, wire)
    raise UsageError(
        "GW0405", "clock_mhz", f"{board.name} cannot make a clock of {clock_mhz:g} MHz or a little less",
        f"choose {board.board_mhz:g}, the clock of the board",
    )  # fmt: skip
