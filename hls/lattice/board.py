"""What surrounds the network on a board: ``rtl/top.v``, its constraints, and the vectors of a self test.

Two tops: one answers a host over a serial line (``gw_uart_link``), one feeds the network vectors from memory, compares,
and shows the outcome on LEDs. Weights that are not in the network come from the flash chip (``gw_flash``). A device
without a board gets all this at pins that nextpnr chooses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import UsageError
from gatewright.hls.lattice import flash
from gatewright.hls.lattice.clocking import Clock, clock_of
from gatewright.hls.lattice.database import Pin, Site
from gatewright.hls.ports import all_physical, element_bytes
from gatewright.schedules.stream.resources import Resources

__all__ = [
    "BoardDesign", "border", "clocks_per_bit", "constraint_text", "led_levels", "pack_tokens", "write_top",
]  # fmt: skip

Arrays = Mapping[str, npt.NDArray[np.integer[Any]]]

_LINK = ("gw_uart_rx.v", "gw_uart_tx.v", "gw_uart_fifo.v", "gw_pack.v", "gw_unpack.v", "gw_uart_link.v")
_SELF_TEST = ("gw_test_source.v", "gw_test_check.v")
# Error of the bit time that a receiver surely stands, over ten bits.
_BAUD_TOLERANCE = 0.02


@dataclass(frozen=True)
class BoardDesign:
    """What was written around a network; also in ``board.json``.

    Attributes:
        site: name of the board or device.
        sources: Verilog files of the whole design, in ``rtl/``.
        constraints: name of the constraint file in ``rtl/``, "" if there is none.
        clock_mhz: clock the network gets.
        baud: baud rate of the link, 0 in a self test.
        note: what the user has to do by hand.
        weights_offset: address in the flash at which ``weights.bin`` is expected; 0: it is not needed.
        flash_cycles: cycles the flash takes for the weights of a frame, an upper bound of how fast frames come.
    """

    site: str
    sources: tuple[str, ...]
    constraints: str
    clock_mhz: float
    baud: int
    note: str
    weights_offset: int = 0
    flash_cycles: int = 0


def border(regions: int = 0) -> Resources:
    """What lies around a network: the serial link, reset, and, with weights in the flash, its reader.

    As Yosys makes them for an ECP5.

    Args:
        regions: stages whose weights come from the flash.
    """
    link, reader, region = Resources(370, 220, ebr=1), Resources(240, 95), Resources(160, 90, ebr=1)
    return sum([reader, *[region] * regions], link) if regions else link


def pack_tokens(port: Mapping[str, Any], array: npt.NDArray[np.int32]) -> list[int]:
    """The tokens of ``array`` (samples, elements), element 0 in the least significant bits."""
    bits, lanes = port["bits"], port["lanes"]
    elements = (array.astype(np.int64) & ((1 << bits) - 1)).reshape(-1, lanes).tolist()
    return [sum(value << (bits * lane) for lane, value in enumerate(token)) for token in elements]


def _width(port: Mapping[str, Any]) -> int:
    return int(port["bits"]) * int(port["lanes"])


def _wires(design: Mapping[str, Any]) -> list[str]:
    lines = []
    for port in [*design["inputs"], *design["weights"], *design["outputs"]]:
        name = port["port"]
        lines += [f"    wire {name}_valid, {name}_ready;", f"    wire [{_width(port) - 1}:0] {name}_data;"]
    return lines


def _network(design: Mapping[str, Any]) -> list[str]:
    names = [port["port"] for port in [*design["inputs"], *design["weights"], *design["outputs"]]]
    pins = [f".{name}_{part}({name}_{part})" for name in names for part in ("valid", "ready", "data")]
    return ["    network network (", "        .clk(clk), .rst(rst),", "        " + ", ".join(pins) + ");"]


def _link(design: Mapping[str, Any], clocks: int) -> list[str]:
    inputs, outputs = design["inputs"], design["outputs"]
    n, m = len(inputs), len(outputs)
    lines = [
        f"    wire [{n - 1}:0] to_valid, to_ready, to_last;",
        "    wire [7:0] to_data;",
        f"    wire [{m - 1}:0] from_valid, from_ready, from_last;",
        f"    wire [{8 * m - 1}:0] from_data;",
        f"    gw_uart_link #(.CLOCKS({clocks}), .COUNT({clocks.bit_length()}), .INPUTS({n}), .OUTPUTS({m})) link (",
        "        .clk(clk), .rst(rst), .rx(uart_rx), .tx(uart_tx), .restart(restart), .overflow(overflow),",
        "        .to_valid(to_valid), .to_ready(to_ready), .to_last(to_last), .to_data(to_data),",
        "        .from_valid(from_valid), .from_ready(from_ready), .from_last(from_last), .from_data(from_data));",
    ]
    for module, side, ports in (("gw_pack", "to", inputs), ("gw_unpack", "from", outputs)):
        for i, port in enumerate(ports):
            name, bits = port["port"], port["bits"]
            data = "to_data" if side == "to" else f"from_data[{8 * i + 7}:{8 * i}]"
            lines += [
                f"    {module} #(.LANES({port['lanes']}), .BITS({bits}), .BYTES({element_bytes(bits)})) {name}_bytes (",
                f"        .clk(clk), .rst(rst), .byte_valid({side}_valid[{i}]), .byte_ready({side}_ready[{i}]),",
                f"        .byte_data({data}), .byte_last({side}_last[{i}]),",
                f"        .valid({name}_valid), .ready({name}_ready), .data({name}_data));",
            ]
    return lines


def _self_test(design: Mapping[str, Any], depths: Mapping[str, int]) -> list[str]:
    lines = []
    outputs = [port["port"] for port in design["outputs"]]
    for port in [*design["inputs"], *design["outputs"]]:
        name, depth = port["port"], depths[port["port"]]
        address = max(1, (depth - 1).bit_length())
        check = name in outputs
        module = "gw_test_check" if check else "gw_test_source"
        lines += [
            f"    {module} #(.WIDTH({_width(port)}), .DEPTH({depth}), .ADDRESS({address}), "
            f'.FILE("self_test_{name}.hex")) {name}_test (',
            f"        .clk(clk), .rst(rst), .valid({name}_valid), .ready({name}_ready), .data({name}_data)"
            + (f", .done({name}_done), .failed({name}_failed));" if check else ");"),
        ]
    done = " && ".join(f"{name}_done" for name in outputs)
    failed = " || ".join(f"{name}_failed" for name in outputs)
    return [
        "    wire " + ", ".join(f"{name}_{part}" for name in outputs for part in ("done", "failed")) + ";",
        *lines,
        f"    wire failed = {failed};",
        f"    wire passed = {done} && !failed;",
        "    wire running = !passed && !failed;",
        "    assign restart = 1'b0;",
    ]


def led_levels(pins: Sequence[Pin], signals: Sequence[str]) -> list[str]:
    """LEDs that show ``signals``; more of them than signals stay dark."""
    shown = [*signals, *["1'b0"] * len(pins)]
    return [
        f"    assign led_{i} = {'!' if pin.active_low else ''}({shown[i]});" for i, pin in enumerate(pins)
    ]  # fmt: skip


def _top(design: Mapping[str, Any], site: Site, clock: Clock, inside: Sequence[str], test: bool) -> str:
    board = site.board
    leds = board.leds if board is not None else ()
    ports = [] if clock.oscillator else ["    input  wire clk_in"]
    if not test:
        ports += ["    input  wire uart_rx", "    output wire uart_tx"]
    if board is not None and board.reset is not None:
        ports.append("    input  wire button")
    ways = {"flash_io0": "inout ", "flash_io1": "input "}
    if design["weights"]:
        ports += [f"    {ways.get(name, 'output')} wire {name}" for name in flash.flash_pins(site)]
    ports += [f"    output wire led_{i}" for i in range(len(leds))]
    if test and board is None:
        ports += ["    output wire led_pass", "    output wire led_fail"]
    pressed = "1'b0"
    if board is not None and board.reset is not None:
        pressed = "!button" if board.reset.active_low else "button"
    lines = [
        f"// {'Self test' if test else 'Serial link'} around the network, for {site.name}; made by gatewright.",
        "module top (",
        ",\n".join(ports),
        ");",
        "    wire clk, locked, rst, restart;",
        *([] if test else ["    wire overflow;"]),
        *clock.verilog,
        f"    gw_reset reset (.clk(clk), .request(!locked || restart || {pressed}), .rst(rst));",
        "",
        *_wires(design),
        "",
        *_network(design),
        "",
        *inside,
    ]
    if test:
        lines += led_levels(leds, ["passed", "failed", "running"])
        if board is None:
            lines += ["    assign led_pass = passed;", "    assign led_fail = failed;"]
    elif leds:
        lines += ["    reg [23:0] beat = 0;", "    always @(posedge clk) beat <= beat + 1'b1;"]
        lines += led_levels(leds, ["beat[23]", "overflow", "!rst"])
    return "\n".join([*lines, "endmodule", ""])


def constraint_text(site: Site, clock: Clock, test: bool, outside: bool) -> str:
    """PCF (iCE40) or LPF (ECP5) of a board; ``test``: without the serial line, ``outside``: with the flash."""
    board = site.board
    assert board is not None
    pins: dict[str, Pin] = {}
    if board.clock is not None and not clock.oscillator:
        pins["clk_in"] = board.clock
    if not test:
        pins |= {"uart_rx": board.uart_rx, "uart_tx": board.uart_tx}
    if board.reset is not None:
        pins["button"] = board.reset
    if outside:
        pins |= {name: pin for name, pin in flash.flash_pins(site).items() if pin is not None}
    pins |= {f"led_{i}": pin for i, pin in enumerate(board.leds)}
    lines = []
    if site.device.family == "ice40":
        for name, pin in pins.items():
            lines.append(f"set_io {'-pullup yes ' if pin.pull == 'up' else ''}{name} {pin.pin}")
        if not clock.oscillator:
            lines.append(f"set_frequency clk_in {clock.board_mhz:g}")
    else:
        for name, pin in pins.items():
            pull = f" PULLMODE={pin.pull.upper()}" if pin.pull else ""
            lines += [f'LOCATE COMP "{name}" SITE "{pin.pin}";', f'IOBUF PORT "{name}" IO_TYPE={pin.io}{pull};']
        lines.append(f'FREQUENCY PORT "clk_in" {clock.board_mhz:g} MHZ;')
    return "\n".join([*lines, ""])


def clocks_per_bit(clock_mhz: float, baud: int) -> int:
    """Clock cycles of a bit on the serial line.

    Raises:
        UsageError: GW0406 when the baud rate cannot be made near enough.
    """
    clocks = round(clock_mhz * 1e6 / baud)
    if clocks < 4 or abs(clock_mhz * 1e6 / clocks / baud - 1) > _BAUD_TOLERANCE:
        raise UsageError(
            "GW0406", "baud", f"{baud} baud cannot be made from {clock_mhz:g} MHz", "choose 115200 or another clock"
        )
    return clocks


def write_top(
    directory: Path,
    site: Site,
    clock_mhz: float | None = None,
    *,
    baud: int | None = None,
    self_test: tuple[Arrays, Arrays] | None = None,
) -> BoardDesign:
    """Write ``rtl/top.v``, its modules and constraints, and ``board.json`` into a design folder.

    Args:
        directory: folder with ``design.json`` and ``rtl/``.
        site: board or device.
        clock_mhz: clock the network is wanted to have (the site's if None); the board's PLL comes near from below.
        baud: baud rate (the board's if None).
        self_test: (inputs, expected outputs), integers by tensor name: no link, but a test that runs after reset.

    Raises:
        UsageError: GW0405 when the clock, GW0406 when the baud rate cannot be made; GW0101 and GW0102 on wrong vectors.
    """
    design = {"weights": [], **json.loads((directory / "design.json").read_text(encoding="utf-8"))}
    rtl = directory / "rtl"
    board = site.board
    clock = clock_of(site, clock_mhz or site.clock_mhz)
    test = self_test is not None
    if self_test is None:
        baud = baud or (board.baud if board is not None else 115_200)
        inside = _link(design, clocks_per_bit(clock.mhz, baud))
    else:
        baud = 0
        depths = {}
        for side, arrays in zip(("inputs", "outputs"), self_test, strict=True):
            for port, array in zip(design[side], all_physical(design[side], arrays), strict=True):
                tokens = pack_tokens(port, array)
                depths[port["port"]] = len(tokens)
                digits = (_width(port) + 3) // 4
                text = "".join(f"{token:0{digits}x}\n" for token in tokens)
                (rtl / f"self_test_{port['port']}.hex").write_text(text, encoding="utf-8")
        inside = _self_test(design, depths)
    library = ["gw_reset.v", *(_SELF_TEST if test else _LINK)]
    offset = 0
    if design["weights"]:
        offset = flash.weights_offset(site)
        inside += flash.flash_text(design["weights"], site, clock.mhz, offset)
        library += [name for name in flash.MODULES if name not in library]
    for name in library:
        text = files("gatewright.hls").joinpath("rtl", "board", name).read_text("utf-8")
        (rtl / name).write_text(text, encoding="utf-8")
    shared = [name for name in flash.SHARED if design["weights"] and name not in design["sources"]]
    for name in shared:
        (rtl / name).write_text(files("gatewright.hls").joinpath("rtl", name).read_text("utf-8"), encoding="utf-8")
    (rtl / "top.v").write_text(_top(design, site, clock, inside, test), encoding="utf-8")
    constraints = ""
    if board is not None:
        constraints = "top.pcf" if site.device.family == "ice40" else "top.lpf"
        (rtl / constraints).write_text(constraint_text(site, clock, test, bool(design["weights"])), encoding="utf-8")
    sources = (*design["sources"], *shared, *library, "top.v")
    made = BoardDesign(
        site.name, sources, constraints, clock.mhz, baud, board.note if board is not None else "", offset,
        flash.flash_cycles(design["weights"], clock.mhz),
    )  # fmt: skip
    (directory / "board.json").write_text(json.dumps(asdict(made), indent=1) + "\n", encoding="utf-8")
    return made
