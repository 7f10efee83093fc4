"""Devices and boards of the xilinx family: TOML data, their schemas, and the look-up of a target variant."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewright.compiler.errors import UsageError
from gatewright.schedules.fpga.resources import Resources

__all__ = ["Board", "Device", "DspKind", "Family", "Site", "boards", "devices", "families", "resolve"]

_PACKAGE = "gatewright.targets.xilinx"
_Count = Annotated[int, Field(ge=0)]
_Mhz = Annotated[float, Field(gt=0, le=1000)]


class _Schema(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DspKind(_Schema):
    """The multiplier of a DSP slice: its kind and signed operand widths in bits (UG479, UG579)."""

    kind: Literal["DSP48E1", "DSP48E2"]
    operand_bits: tuple[int, int]


class ResourceCounts(_Schema):
    """What a device has; BRAM counted in 18 Kbit halves."""

    lut: _Count
    ff: _Count
    dsp: _Count
    bram_18k: _Count
    uram: _Count


class Device(_Schema):
    """One device: its resources from the data sheet named in ``source``."""

    name: str
    family: str
    source: Annotated[str, Field(pattern=r"^DS\d+$")]
    clock_mhz: _Mhz
    resources: ResourceCounts
    dsp: DspKind


class Board(_Schema):
    """One board: the full part on it, its device file, a clock to start from.

    Attributes:
        hls4ml_board: the board's name in hls4ml's VivadoAccelerator back end, "" where it has none.
    """

    name: str
    title: str
    part: str
    device: str
    clock_mhz: _Mhz
    aliases: tuple[str, ...] = ()
    hls4ml_board: str = ""


class Family(_Schema):
    """A family known by the prefix of its part names only."""

    prefix: str
    name: str
    clock_mhz: _Mhz
    dsp: DspKind


@dataclass(frozen=True)
class Site:
    """Where a design is to be placed.

    Attributes:
        part: full part name for the tools.
        family: device family.
        board: the board, if one was named.
        device: the device, or None: the family is known, its resources are not.
        dsp: the DSP slice of the family.
        clock_mhz: clock to start from.
    """

    part: str
    family: str
    board: Board | None
    device: Device | None
    dsp: DspKind
    clock_mhz: float

    @property
    def available(self) -> Resources | None:
        """Resources of the device, None if unknown."""
        if self.device is None:
            return None
        return Resources(**self.device.resources.model_dump())


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


@cache
def families() -> tuple[Family, ...]:
    """All families, the longest prefix first."""
    table = tomllib.loads(files(_PACKAGE).joinpath("families.toml").read_text("utf-8"))
    found = [Family.model_validate(entry) for entry in table["family"]]
    return tuple(sorted(found, key=lambda family: (-len(family.prefix), family.prefix)))


def _board(name: str) -> Board | None:
    for board in boards().values():
        if name == board.name or name in board.aliases:
            return board
    return None


def _device_of(part: str) -> Device | None:
    """The device whose name begins ``part``, followed by the package and not by more of a device name."""
    matching = [d for d in devices().values() if part.startswith(d.name)]
    return max(matching, key=lambda d: len(d.name), default=None)


def resolve(variant: str) -> Site:
    """The site of a target variant: a board, a full part, or a device name.

    Args:
        variant: the text after ``xilinx:``; case and ``_`` against ``-`` do not matter.

    Raises:
        UsageError: GW0401 if it is neither a board nor a part of a known family.
    """
    name = variant.strip().lower()
    board = _board(name.replace("_", "-"))
    if board is not None:
        device = devices()[board.device]
        return Site(board.part, device.family, board, device, device.dsp, board.clock_mhz)
    if re.fullmatch(r"x[a-z0-9]+(-[a-z0-9]+)*", name):
        part = variant.strip()
        found = _device_of(name)
        if found is not None:
            return Site(part, found.family, None, found, found.dsp, found.clock_mhz)
        for family in families():
            if name.startswith(family.prefix):
                return Site(part, family.name, None, None, family.dsp, family.clock_mhz)
    near = difflib.get_close_matches(name, [*boards(), *devices()], n=3)
    actions = ["give a board of 'gatewright targets' or a full part name such as xczu7ev-ffvc1156-2-e"]
    if near:
        actions.insert(0, "did you mean " + " or ".join(f"xilinx:{n}" for n in near) + "?")
    raise UsageError("GW0401", f"xilinx:{variant}", "no such board, and no Xilinx part of a known family", *actions)
