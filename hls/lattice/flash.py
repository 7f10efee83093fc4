"""Weights from the flash chip a board configures itself from: the reader in the top, its pins, its speed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gatewright.hls.lattice.database import Pin, Site
from gatewright.hls.ports import element_bytes

__all__ = ["MODULES", "SHARED", "flash_cycles", "flash_pins", "flash_text", "weights_offset"]

MODULES = ("gw_pack.v", "gw_flash_region.v", "gw_flash.v", "gw_flash_pins.v")
_FLASH_MHZ = 25
"""Clock of the flash chip: so slow that the ways to it and back do not matter."""
_WAKE_US = 50
_SELECT_CYCLES = 16
_BURST = 256
SHARED = ("gw_memory.v", "gw_fifo_block.v")
"""Of the network's library, needed by the flash's FIFOs."""


def flash_cycles(regions: Sequence[Mapping[str, Any]], clock_mhz: float) -> int:
    """Cycles ``gw_flash.v`` takes to bring the weights of one frame, with ``regions`` as in ``design.json``.

    Weights that come once take none.
    """
    half = _half(clock_mhz)
    total = 0
    for region in regions:
        times = 0 if region["once"] else region["tokens"] // region["words"]
        total += times * (region["bytes"] * 8 * half + -(-region["bytes"] // _BURST) * (80 * half + _SELECT_CYCLES + 2))
    return total


def _half(clock_mhz: float) -> int:
    return max(1, math.ceil(clock_mhz / (2 * _FLASH_MHZ)))


def flash_text(regions: Sequence[Mapping[str, Any]], site: Site, clock_mhz: float, offset: int) -> list[str]:
    """Verilog between the pins of the flash and the network's ports for weights."""
    count = len(regions)
    base = ", ".join(f"24'h{offset + region['offset']:x}" for region in reversed(regions))
    lengths = ", ".join(f"24'd{region['bytes']}" for region in reversed(regions))
    lines = [
        "    wire flash_cs, flash_sck, io0_out, io0_enable, io0_in, io1_in;",
        f"    wire [{count - 1}:0] flash_valid, flash_ready;",
        f"    wire [{8 * count - 1}:0] flash_data;",
        f"    gw_flash #(.REGIONS({count}), .HALF({_half(clock_mhz)}), .BURST({_BURST}), .SELECT({_SELECT_CYCLES}),",
        f"        .WAKE({math.ceil(clock_mhz * _WAKE_US)}), .BASE({{{base}}}),",
        f"        .BYTES({{{lengths}}})) flash (",
        "        .clk(clk), .rst(rst), .to_valid(flash_valid), .to_ready(flash_ready), .to_data(flash_data),",
        "        .cs_n(flash_cs), .sck(flash_sck), .io0_out(io0_out), .io0_enable(io0_enable), .io0_in(io0_in),",
        "        .io1_in(io1_in));",
        f'    gw_flash_pins #(.FAMILY("{site.device.family}")) flash_pins (',
        "        .cs_n(flash_cs), .sck(flash_sck), .io0_out(io0_out), .io0_enable(io0_enable), .io0_in(io0_in),",
        "        .io1_in(io1_in), .pad_cs_n(flash_cs_n), .pad_sck(flash_clk), .pad_io0(flash_io0),",
        "        .pad_io1(flash_io1));",
    ]
    if site.device.family != "ice40":
        lines.insert(0, "    wire flash_clk;")
    for i, region in enumerate(regions):
        name, bits, size = region["port"], region["bits"], element_bytes(region["bits"])
        lines += [
            f"    gw_pack #(.LANES({region['lanes']}), .BITS({bits}), .BYTES({size})) {name}_bytes (",
            f"        .clk(clk), .rst(rst), .byte_valid(flash_valid[{i}]), .byte_ready(flash_ready[{i}]),",
            f"        .byte_data(flash_data[{8 * i + 7}:{8 * i}]), .byte_last(),",
            f"        .valid({name}_valid), .ready({name}_ready), .data({name}_data));",
        ]
    flash = site.board.flash if site.board is not None else None
    lines += [f"    assign flash_high_{i} = 1'b1;" for i in range(len(flash.high) if flash is not None else 0)]
    return lines


def flash_pins(site: Site) -> dict[str, Pin | None]:
    """Ports of the top that go to the flash, and their pins; None: nextpnr's choice."""
    names = ["flash_cs_n", "flash_io0", "flash_io1"] + (["flash_clk"] if site.device.family == "ice40" else [])
    if site.board is None or site.board.flash is None:
        return dict.fromkeys(names)
    flash = site.board.flash
    pins = {"flash_cs_n": flash.cs, "flash_clk": flash.sck, "flash_io0": flash.io0, "flash_io1": flash.io1}
    return {name: pins[name] for name in names} | {f"flash_high_{i}": pin for i, pin in enumerate(flash.high)}


def weights_offset(site: Site) -> int:
    """Address of ``weights.bin`` in the flash."""
    if site.board is not None and site.board.flash is not None:
        return site.board.flash.weights_offset
    return 0x100000 if site.device.family == "ice40" else 0x200000
