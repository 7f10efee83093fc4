"""An accelerator on an ECP5 board: with a main memory of block memory behind a serial line, down to the bitstream."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from gatewright.compiler.errors import ConstraintError, UsageError
from gatewright.hls.accelerator.verilog import copy_library, parameters, write_accelerator
from gatewright.hls.lattice.board import BoardDesign, clocks_per_bit, constraint_text, led_levels
from gatewright.hls.lattice.clocking import Clock, clock_of
from gatewright.hls.lattice.database import Site
from gatewright.hls.lattice.toolchain import tools
from gatewright.hls.lattice.toolchain.build import Bitstream, build_board
from gatewright.schedules.accelerator.spec import Spec

__all__ = ["LINK_FILE", "MEMORY_LATENCY_CYCLES", "build_accelerator_bitstream", "write_board"]

LINK_FILE = "link.json"
"""What a host has to know of the board: ``baud``, ``memory_bytes``."""
MEMORY_LATENCY_CYCLES = 3
"""From a request to the word, of the main memory on the board (``gw_main_memory``)."""
# Multipliers and memories lie in a few rows of the device. With the placer and router that nextpnr takes by default the
# wires along them did not come free in hours, with hard multipliers in an 8x8 array not in half an hour either: the
# array's are logic.
_NEXTPNR = ("--placer", "static", "--router", "router2")
_LIBRARY = (
    "board/gw_reset", "board/gw_uart_rx", "board/gw_uart_tx", "accelerator/gw_main_memory",
    "accelerator/gw_accelerator_link",
)  # fmt: skip


def write_board(
    spec: Spec, directory: Path, site: Site, *, clock_mhz: float | None = None, baud: int | None = None,
    memory_bytes: int = 1 << 17,
) -> BoardDesign:  # fmt: skip
    """Write ``rtl/`` with module ``top``: accelerator, main memory, serial line (``gw_accelerator_link.v``); and
    ``link.json`` for its host.

    Args:
        spec: the accelerator.
        directory: an existing folder.
        site: board or device, an ECP5.
        clock_mhz: clock that is wanted (the site's if None); the board's PLL comes near from below.
        baud: of the serial line (the board's if None).
        memory_bytes: of the main memory, whole words.

    Raises:
        UsageError: GW4310 when the RTL does not cover the spec, GW4316 when the device is no ECP5, GW0405 when the
            clock, GW0406 when the baud rate cannot be made.
        ConstraintError: GW4317 when the device has too little block memory.
        ValueError: the main memory has no whole words, or none.
    """
    if memory_bytes <= 0 or memory_bytes % spec.matrix.columns:
        raise ValueError(f"a main memory of {memory_bytes} bytes")
    if site.device.family != "ecp5":
        raise UsageError(
            "GW4316", site.name, "an accelerator's board is made for an ECP5 alone", "choose ulx3s-85f, say"
        )  # fmt: skip
    _check_memories(spec, site, memory_bytes)
    sources = list(write_accelerator(spec, directory))[:-1]  # the top of its own stays out
    rtl = directory / "rtl"
    sources += copy_library(_LIBRARY, rtl)
    clock = clock_of(site, clock_mhz or site.clock_mhz)
    board = site.board
    baud = baud or (board.baud if board is not None else 115_200)
    (rtl / "top.v").write_text(_top(spec, site, clock, clocks_per_bit(clock.mhz, baud), memory_bytes), encoding="utf-8")
    constraints = ""
    if board is not None:
        constraints = "top.lpf"
        (rtl / constraints).write_text(constraint_text(site, clock, False, False), encoding="utf-8")
    link = {"baud": baud, "memory_bytes": memory_bytes}
    (directory / LINK_FILE).write_text(json.dumps(link, indent=1) + "\n", encoding="utf-8")
    note = board.note if board is not None else ""
    return BoardDesign(site.name, (*sources, "top.v"), constraints, clock.mhz, baud, note)


def _check_memories(spec: Spec, site: Site, memory_bytes: int) -> None:
    """Refuse what cannot fit before Yosys and nextpnr take minutes to find out."""
    pads = spec.scratchpads
    # Every lane of the vector unit has the constants for itself.
    local = sum(pad.bytes * (spec.matrix.columns if name == "constant" else 1) for name, pad in pads)
    there = site.device.resources.ebr * site.device.ebr_kbit * 128
    if local + memory_bytes > there:
        raise ConstraintError(
            "GW4317", site.name, f"block memory holds {there:,} bytes; the network needs {memory_bytes:,} and the "
            f"scratchpads {local:,}", "choose a larger device", "choose smaller scratchpads, or a smaller network",
        )  # fmt: skip


def _top(spec: Spec, site: Site, clock: Clock, clocks: int, memory_bytes: int) -> str:
    board = site.board
    leds = board.leds if board is not None else ()
    button = board.reset if board is not None else None
    side = spec.matrix.columns
    log_bytes = side.bit_length() - 1
    words = memory_bytes // side
    address = (words - 1).bit_length()
    ports = ["input  wire clk_in", "input  wire uart_rx", "output wire uart_tx"]
    ports += ["input  wire button"] if button is not None else []
    ports += [f"output wire led_{i}" for i in range(len(leds))]
    pressed = "1'b0" if button is None else "!button" if button.active_low else "button"
    numbers = {**parameters(spec), "LOGIC": 1}
    given = ", ".join(f".{key}({value})" for key, value in numbers.items())
    wires = [
        f"    wire {port}_valid, {port}_response; wire [31:0] {port}_address;" for port in ("fetch", "read", "write")
    ]
    return "\n".join(
        [
            f"// {spec.name} with its memory behind a serial line, for {site.name}; made by gatewright.",
            "module top (",
            ",\n".join(f"    {port}" for port in ports),
            ");",
            "    wire clk, locked, rst, restart, stopped, halted, fault, fetch_ready;",
            "    wire host_write, host_read, host_response;",
            f"    wire [{address - 1}:0] address;",
            f"    wire [{8 * side - 1}:0] word, data, write_data;",
            *wires,
            *clock.verilog,
            f"    gw_reset reset (.clk(clk), .request(!locked || restart || {pressed}), .rst(rst));",
            f"    gw_accelerator_link #(.CLOCKS({clocks}), .COUNT({clocks.bit_length()}), .BYTES({side}),",
            f"        .LOG_BYTES({log_bytes}), .ADDRESS({address})) link (",
            "        .clk(clk), .rst(rst), .rx(uart_rx), .tx(uart_tx), .restart(restart),",
            "        .host_write(host_write), .host_read(host_read), .address(address), .word(word),",
            "        .host_response(host_response), .data(data), .accelerator_rst(stopped), .halted(halted),",
            "        .fault(fault));",
            f"    gw_main_memory #(.WIDTH({8 * side}), .LOG_BYTES({log_bytes}), .WORDS({words}),",
            f"        .ADDRESS({address})) memory (",
            "        .clk(clk), .rst(rst), .program_address(address),",
            "        .fetch_valid(fetch_valid), .fetch_ready(fetch_ready), .fetch_address(fetch_address),",
            "        .fetch_response(fetch_response), .read_valid(read_valid), .read_address(read_address),",
            "        .read_response(read_response), .write_valid(write_valid), .write_address(write_address),",
            "        .write_data(write_data), .write_response(write_response), .host_write(host_write),",
            "        .host_address(address), .host_data(word), .host_read(host_read),",
            "        .host_response(host_response), .data(data));",
            "    // Named as the stages' parent is in every design: reports group its units by this name.",
            f"    gw_accelerator #({given}) network (",
            "        .clk(clk), .rst(stopped || rst),",
            "        .fetch_valid(fetch_valid), .fetch_ready(fetch_ready), .fetch_address(fetch_address),",
            "        .fetch_response(fetch_response), .fetch_data(data),",
            "        .read_valid(read_valid), .read_ready(1'b1), .read_address(read_address),",
            "        .read_response(read_response), .read_data(data),",
            "        .write_valid(write_valid), .write_ready(1'b1), .write_address(write_address),",
            "        .write_data(write_data), .write_response(write_response),",
            "        .halted(halted), .fault(fault), .hand_out(), .start(), .done());",
            *(["    reg [23:0] beat = 0;", "    always @(posedge clk) beat <= beat + 1'b1;"] if leds else []),
            *led_levels(leds, ["beat[23]", "fault", "!stopped"]),
            "endmodule",
            "",
        ]
    )


def build_accelerator_bitstream(
    spec: Spec,
    directory: Path,
    site: Site,
    clock_mhz: float | None = None,
    seeds: Sequence[int] = (1,),
    progress: tools.Progress = tools.quiet,
    *,
    memory_bytes: int = 1 << 17,
    timeout_s: float = 3600,
) -> Bitstream:
    """Bitstream of an accelerator (:func:`write_board`); its report says area, clock and critical path.

    Args:
        spec: the accelerator.
        directory: an existing folder.
        site: board or device, an ECP5.
        clock_mhz: clock that is wanted, the site's if None.
        seeds: seeds of nextpnr, tried until one meets the clock.
        progress: told what goes on.
        memory_bytes: of the main memory, whole words.
        timeout_s: seconds one tool may take.

    Raises:
        as :func:`write_board` and :func:`gatewright.hls.lattice.toolchain.build.build_board`.
    """
    made = write_board(spec, directory, site, clock_mhz=clock_mhz, memory_bytes=memory_bytes)
    return build_board(
        made, directory, site, seeds, progress=progress, options=_NEXTPNR,
        timeout_s=timeout_s,
    )  # fmt: skip
