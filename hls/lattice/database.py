"""Devices and boards of the Lattice families: TOML data, their schemas, and the look-up of a target variant."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gatewright.compiler.errors import UsageError

__all__ = ["Board", "Device", "DspKind", "Flash", "Pin", "ResourceCounts", "Site", "boards", "devices", "resolve"]

Family = Literal["ice40", "ecp5", "nexus"]
_PACKAGE = "gatewright.hls.lattice"
_Count = Annotated[int, Field(ge=0)]
_Mhz = Annotated[float, Field(gt=0, le=500)]


class _Schema(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DspKind(_Schema):
    """The multiplier of a device: the cell Yosys maps products to and its signed operand widths in bits."""

    kind: Literal["SB_MAC16", "MULT18X18D", "MULT18X18"]
    operand_bits: tuple[int, int]


class ResourceCounts(_Schema):
    """What a device has: LUTs of four inputs, flip-flops, multipliers, block memories (EBR), large memories (SPRAM)."""

    lut: _Count
    ff: _Count
    dsp: _Count
    ebr: _Count
    spram: _Count


class Device(_Schema):
    """One die in one default package.

    Attributes:
        name: what a user writes after ``lattice:``.
        part: how Lattice's part numbers begin.
        source: Lattice's number of the data sheet the counts come from.
        nextpnr: arguments that select the device.
        package: package where no board says another, as nextpnr spells it.
        speed: speed grade; "" where nextpnr has none.
        clock_mhz: clock to start from.
        ebr_kbit, spram_kbit: capacity of one memory.
        bitstream: whether the open tools come to a bitstream; if not, ``why_no_bitstream`` says why.
    """

    name: str
    title: str
    family: Family
    part: str
    source: Annotated[str, Field(pattern=r"^FPGA-DS-\d+$")]
    nextpnr: tuple[str, ...]
    package: str
    speed: Literal["", "6", "7", "8"]
    clock_mhz: _Mhz
    ebr_kbit: _Count
    spram_kbit: _Count
    resources: ResourceCounts
    dsp: DspKind | None = None
    bitstream: bool = True
    why_no_bitstream: str = ""

    @property
    def fabric(self) -> str:
        """What stages are made of: a key of :data:`gatewright.schedules.stream.devices.FABRICS`."""
        return "ice40-up" if self.family == "ice40" and self.dsp is not None else self.family

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.bitstream == bool(self.why_no_bitstream):
            raise ValueError("why_no_bitstream stands exactly where there is none")
        if (self.dsp is None) != (self.resources.dsp == 0):
            raise ValueError("dsp describes the multipliers that resources counts")
        return self


class Pin(_Schema):
    """One package pin: where it is, what it drives, how."""

    pin: str
    io: str
    active_low: bool = False
    pull: Literal["", "up", "down"] = ""


class Flash(_Schema):
    """The SPI flash a board configures its device from; weights may lie behind the bitstream.

    Attributes:
        cs, sck, io0, io1: pins of a dual-output read; sck is None where a primitive drives it (USRMCLK of an ECP5).
        high: write protection and hold, which have to be held off.
        weights_offset: first address no bitstream of the device reaches, in bytes.
    """

    cs: Pin
    sck: Pin | None = None
    io0: Pin
    io1: Pin
    high: tuple[Pin, ...] = ()
    weights_offset: Annotated[int, Field(ge=0, lt=1 << 24)]


class Board(_Schema):
    """One board: its device, its clock, and the pins a network needs.

    Attributes:
        clock: the pin of the oscillator, or None: the clock is ``oscillator``, inside the device.
        oscillator: primitive that makes the clock where no pin does (``SB_HFOSC``), else "".
        board_mhz: frequency of that clock.
        clock_mhz: clock of the network to start from.
        uart_rx, uart_tx: pins of the link, seen from the FPGA.
        leds: user LEDs in the order of their numbers on the board.
        reset: a button that restarts the network, or None.
        pll: how the PLL takes the clock: from its own pad, from the fabric, or not at all.
        flash: the flash chip, or None.
        note: what a user has to do by hand before the link works, "" if nothing.
        source: where the pins were read, with the version.
    """

    name: str
    title: str
    device: str
    package: str
    speed: Literal["", "6", "7", "8"]
    clock: Pin | None = None
    oscillator: Literal["", "SB_HFOSC"] = ""
    board_mhz: _Mhz
    clock_mhz: _Mhz
    uart_rx: Pin
    uart_tx: Pin
    baud: Annotated[int, Field(ge=9600, le=3_000_000)] = 115_200
    leds: tuple[Pin, ...] = ()
    reset: Pin | None = None
    flash: Flash | None = None
    pll: Literal["pad", "core", "none"] = "core"
    aliases: tuple[str, ...] = ()
    note: str = ""
    source: str

    @model_validator(mode="after")
    def _has_one_clock(self) -> Self:
        if (self.clock is None) == (self.oscillator == ""):
            raise ValueError("a board has either a clock pin or an oscillator inside the device")
        return self


@dataclass(frozen=True)
class Site:
    """Where a design is to be placed.

    Attributes:
        device: the device.
        board: the board, if one was named; without one the pins are left to the tools.
        package, speed: as nextpnr spells them.
        clock_mhz: clock to start from.
    """

    device: Device
    board: Board | None
    package: str
    speed: str
    clock_mhz: float

    @property
    def name(self) -> str:
        """Name of the board, or of the device."""
        return self.board.name if self.board is not None else self.device.name

    @property
    def nextpnr(self) -> list[str]:
        """Arguments that tell nextpnr device, package and speed grade."""
        if self.device.family == "nexus":
            return list(self.device.nextpnr)
        speed = ["--speed", self.speed] if self.speed else []
        return [*self.device.nextpnr, "--package", self.package, *speed]


def _tables(folder: str) -> list[Mapping[str, object]]:
    entries: list[Traversable] = [e for e in files(_PACKAGE).joinpath(folder).iterdir() if e.name.endswith(".toml")]
    return [tomllib.loads(entry.read_text("utf-8")) for entry in sorted(entries, key=lambda e: e.name)]


@cache
def devices() -> Mapping[str, Device]:
    """All devices by name."""
    return {device.name: device for device in map(Device.model_validate, _tables("devices"))}


@cache
def boards() -> Mapping[str, Board]:
    """All boards by name (without aliases)."""
    return {board.name: board for board in map(Board.model_validate, _tables("boards"))}


def _at_board(board: Board) -> Site:
    return Site(devices()[board.device], board, board.package, board.speed, board.clock_mhz)


def resolve(variant: str) -> Site:
    """The site of a target variant: a board, a device name, or the beginning of a Lattice part number.

    Args:
        variant: the text after ``lattice:``; case and ``_`` against ``-`` do not matter.

    Raises:
        UsageError: GW0404 if it is none of them.
    """
    name = variant.strip().lower().replace("_", "-")
    for board in boards().values():
        if name == board.name or name in board.aliases:
            return _at_board(board)
    for device in devices().values():
        speed: str = device.speed
        if name != device.name:
            # LFE5U-25F-7BG381C: speed grade and package follow; another package than the default is left to boards.
            match = re.fullmatch(re.escape(device.part.lower()) + r"(?:-([678])?[a-z]*\d*[a-z]*)?", name)
            if match is None:
                continue
            speed = match[1] or speed if speed else ""
        return Site(device, None, device.package, speed, device.clock_mhz)
    near = difflib.get_close_matches(name, [*boards(), *devices()], n=3)
    actions = ["give a board or a device of 'gatewright targets', such as ulx3s-85f or ecp5-85k"]
    if near:
        actions.insert(0, "did you mean " + " or ".join(f"lattice:{n}" for n in near) + "?")
    raise UsageError("GW0404", f"lattice:{variant}", "no such board or Lattice device", *actions)
