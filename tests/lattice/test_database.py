"""Devices and boards: the data is whole, every name finds its site, the imported pinouts are what the package says."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewright.compiler.errors import UsageError
from gatewright.hls.lattice import database, import_boards
from gatewright.hls.lattice.database import boards, devices, resolve

BOARDS = Path(database.__file__).parent / "boards"


def test_every_board_and_device_resolves() -> None:
    for board in boards().values():
        site = resolve(board.name)
        assert site.board is board and site.device.name == board.device
        assert all(resolve(alias).board is board for alias in board.aliases)
    for device in devices().values():
        assert resolve(device.name).device is device and resolve(device.name).board is None


def test_names_and_aliases_are_unique() -> None:
    names = [*boards(), *devices(), *(alias for board in boards().values() for alias in board.aliases)]
    assert len(names) == len(set(names))


def test_pins_of_a_board_are_distinct() -> None:
    for board in boards().values():
        pins = [board.clock, board.uart_rx, board.uart_tx, board.reset, *board.leds]
        places = [pin.pin for pin in pins if pin is not None]
        assert len(places) == len(set(places)), board.name


@pytest.mark.parametrize(
    ("written", "device", "speed"),
    [
        ("LFE5U-85F", "ecp5-85k", "6"),
        ("lfe5u-25f-7bg381c", "ecp5-25k", "7"),
        ("LFE5UM5G-85F-8BG381", "ecp5-5g-85k", "8"),
        ("ICE40UP5K-SG48", "ice40-up5k", ""),
        ("ECP5_45K", "ecp5-45k", "6"),
        ("lifcl-40", "lifcl-40", "7"),
    ],
)
def test_part_numbers(written: str, device: str, speed: str) -> None:
    site = resolve(written)
    assert (site.device.name, site.speed) == (device, speed)


def test_an_unknown_name_is_an_error_with_a_guess() -> None:
    with pytest.raises(UsageError) as caught:
        resolve("icebraker")
    assert caught.value.code == "GW0404"
    assert "lattice:icebreaker" in caught.value.actions[0]


def test_nextpnr_is_told_the_device() -> None:
    assert resolve("ulx3s-12f").nextpnr == ["--12k", "--package", "CABGA381", "--speed", "6"]
    assert resolve("icebreaker").nextpnr == ["--up5k", "--package", "sg48"]


def test_devices_without_a_bitstream_say_why() -> None:
    assert {d.name for d in devices().values() if not d.bitstream} == {"lifcl-40", "lfd2nx-40"}


@pytest.mark.parametrize("wanted", import_boards.IMPORTS, ids=lambda wanted: wanted.name)
def test_imported_boards_are_up_to_date(wanted: import_boards.Import) -> None:
    assert (BOARDS / f"{wanted.name}.toml").read_text(encoding="utf-8") == import_boards.text(wanted)
