"""Writes ``boards/*.toml`` from the pinouts of amaranth-boards, which is needed for this alone.

Run by hand, after an upgrade of that package: ``python -m gatewright.hls.lattice.import_boards``; then read the diff.
Boards that amaranth-boards lacks (``colorlight-*``) are TOML written by hand.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["IMPORTS", "Import", "Pick", "main", "text"]

# Package names of amaranth-boards, as nextpnr-ecp5 spells them.
_PACKAGES = {"BG256": "CABGA256", "BG381": "CABGA381", "MG285": "CSFBGA285"}


@dataclass(frozen=True)
class Pick:
    """A pin of a board: a resource ``name`` or ``name.part`` with its number, or a header pin given by place."""

    resource: str = ""
    number: int = 0
    pin: str = ""
    io: str = ""


@dataclass(frozen=True)
class Import:
    """What we want of one board; ``leds`` in the order pass, fail, running."""

    name: str
    title: str
    module: str
    platform: str
    device: str
    board_mhz: float
    clock_mhz: float
    clock: Pick | None
    uart: tuple[Pick, Pick]
    leds: tuple[Pick, ...]
    reset: Pick | None = None
    pll: str = "core"
    oscillator: str = ""
    aliases: tuple[str, ...] = ()
    note: str = ""


def _numbered(resource: str, numbers: range) -> tuple[Pick, ...]:
    return tuple(Pick(resource, number) for number in numbers)


_UART = (Pick("uart.rx"), Pick("uart.tx"))
_RGB = (Pick("rgb_led.g"), Pick("rgb_led.r"), Pick("rgb_led.b"))


def _ulx3s(size: str) -> Import:
    return Import(
        f"ulx3s-{size}f", f"Radiona ULX3S {size}F", "ulx3s", f"ULX3S_{size}F_Platform", f"ecp5-{size}k", 25, 50,
        Pick("clk25"), _UART, _numbered("led", range(8)), Pick("button_pwr"),
        aliases=("ulx3s",) if size == "85" else (),
    )  # fmt: skip


IMPORTS = (
    Import(
        "icebreaker", "1BitSquared iCEBreaker", "icebreaker", "ICEBreakerPlatform", "ice40-up5k", 12, 24,
        Pick("clk12"), _UART, (Pick("led_g"), Pick("led_r")), Pick("button"), pll="pad",
    ),
    Import(
        "upduino", "tinyVision UPduino v3", "upduino_v3", "UpduinoV3Platform", "ice40-up5k", 24, 24,
        None, (Pick(pin="28", io="SB_LVCMOS"), Pick(pin="38", io="SB_LVCMOS")), _RGB,
        pll="none", oscillator="SB_HFOSC", aliases=("upduino-v3",),
        note="the board has no UART to the FPGA: connect an adapter to header pins 28 (receive) and 38 (transmit); "
        "the clock inside the device is off by up to 10 %, so the baud rate may need to be tuned",
    ),
    Import(
        "ice40-hx8k-b-evn", "Lattice iCE40-HX8K breakout board", "ice40_hx8k_b_evn", "ICE40HX8KBEVNPlatform",
        "ice40-hx8k", 12, 48, Pick("clk12"), _UART, _numbered("led", range(8)), aliases=("hx8k-b-evn",),
    ),
    _ulx3s("12"),
    _ulx3s("85"),
    Import(
        "orangecrab", "OrangeCrab r0.2 25F", "orangecrab_r0_2", "OrangeCrabR0_2_25FPlatform", "ecp5-25k", 48, 48,
        Pick("clk"), (Pick(pin="N17", io="LVCMOS33"), Pick(pin="M18", io="LVCMOS33")), _RGB, Pick("button"),
        aliases=("orangecrab-r0.2",),
        note="the board has USB but no UART: connect an adapter to IO 0 (receive) and IO 1 (transmit)",
    ),
    Import(
        "ecp5-evn", "Lattice ECP5-5G evaluation board", "ecp5_5g_evn", "ECP55GEVNPlatform", "ecp5-5g-85k", 12, 50,
        Pick("clk12"), _UART, _numbered("led", range(8)), Pick("rst"), aliases=("ecp5-5g-evn",),
        note="the UART needs two resistors moved and the FTDI chip set up (user manual, section 6.2)",
    ),
)  # fmt: skip


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """(dotted name, Pins, attributes) of everything in a resource."""
    subsignal = importlib.import_module("amaranth.build.dsl").Subsignal
    attributes = dict(node.attrs)
    for io in node.ios:
        if isinstance(io, subsignal):
            for name, pins, own in _leaves(io, f"{path}.{io.name}"):
                yield name, pins, attributes | own
        else:
            yield path, io, attributes


def _pins(platform: Any) -> dict[tuple[str, int], dict[str, object]]:
    found: dict[tuple[str, int], dict[str, object]] = {}
    for (resource, number), node in platform.resources.items():
        for name, pins, attributes in _leaves(node, resource):
            if not hasattr(pins, "names") or len(pins.names) != 1:
                continue
            values = {key: value(platform) if callable(value) else value for key, value in attributes.items()}
            pull = "up" if values.get("PULLUP") else str(values.get("PULLMODE", "")).lower()
            io = values.get("IO_TYPE", values.get("IO_STANDARD", ""))
            entry: dict[str, object] = {"pin": pins.names[0], "io": io}
            if pins.invert:
                entry["active_low"] = True
            if pull in ("up", "down"):
                entry["pull"] = pull
            found[name, number] = entry
    return found


def _flash(pins: dict[tuple[str, int], dict[str, object]], device: str) -> dict[str, object]:
    """The flash chip. An ECP5 drives its clock by a primitive; bitstreams end below 1 MiB (iCE40) and 2 MiB (ECP5)."""
    chip = "spi_flash" if ("spi_flash.cs", 0) in pins else "spi_flash_1x"
    names = {"cs": "cs", "io0": "copi", "io1": "cipo"} | ({} if device.startswith("ecp5") else {"sck": "clk"})
    found: dict[str, object] = {role: pins[f"{chip}.{name}", 0] for role, name in names.items()}
    found["high"] = [pins[key] for key in ((f"{chip}.{name}", 0) for name in ("wp", "hold")) if key in pins]
    return found | {"weights_offset": 0x200000 if device.startswith("ecp5") else 0x100000}


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_inline(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value)


def text(wanted: Import) -> str:
    """The TOML of one board."""
    platform = getattr(importlib.import_module(f"amaranth_boards.{wanted.module}"), wanted.platform)()
    pins = _pins(platform)

    def pick(choice: Pick) -> dict[str, object]:
        return {"pin": choice.pin, "io": choice.io} if choice.pin else pins[choice.resource, choice.number]

    package = str(platform.package)
    fields: dict[str, object] = {
        "name": wanted.name,
        "title": wanted.title,
        "device": wanted.device,
        "package": _PACKAGES.get(package, package.lower()),
        "speed": getattr(platform, "speed", ""),
        "board_mhz": wanted.board_mhz,
        "clock_mhz": wanted.clock_mhz,
        "pll": wanted.pll,
        "oscillator": wanted.oscillator,
        "aliases": list(wanted.aliases),
        "note": wanted.note,
        "source": f"amaranth-boards {importlib.metadata.version('amaranth-boards')}, {wanted.module}.py",
        "clock": pick(wanted.clock) if wanted.clock else None,
        "uart_rx": pick(wanted.uart[0]),
        "uart_tx": pick(wanted.uart[1]),
        "reset": pick(wanted.reset) if wanted.reset else None,
    }
    fields["flash"] = _flash(pins, wanted.device)
    optional = ("oscillator", "aliases", "note", "clock", "reset")
    lines = ["# Made by import_boards.py; change it there."]
    lines += [f"{key} = {_inline(value)}" for key, value in fields.items() if value or key not in optional]
    lines += ["leds = [", *(f"    {_inline(pick(led))}," for led in wanted.leds), "]"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the file of every imported board."""
    folder = Path(__file__).parent / "boards"
    folder.mkdir(exist_ok=True)
    for wanted in IMPORTS:
        (folder / f"{wanted.name}.toml").write_text(text(wanted), encoding="utf-8")


if __name__ == "__main__":
    main()
