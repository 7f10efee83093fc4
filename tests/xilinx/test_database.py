"""Devices and boards: data that is complete, consistent and found by the names people type."""

from __future__ import annotations

import importlib.util
import json
import tomllib
from pathlib import Path

import pytest

from gatewright.compiler.errors import UsageError
from gatewright.targets.xilinx.database import boards, devices, families, resolve
from gatewright.targets.xilinx.sites import assumed_device

REQUIRED = (
    "pynq-z2", "arty-a7-35t", "arty-a7-100t", "zcu104", "kv260", "alveo-u50", "alveo-u55c", "alveo-u250", "zedboard",
    "zc706", "ultra96", "cora-z7-07s", "zybo",
)  # fmt: skip


def test_every_board_has_its_device() -> None:
    assert set(REQUIRED) <= set(boards())
    for board in boards().values():
        device = devices()[board.device]
        assert board.part.lower().startswith(device.name), board.name
        assert min(device.resources.lut, device.resources.ff, device.resources.dsp, device.resources.bram_18k) > 0


@pytest.mark.parametrize("folder", ["boards", "devices"])
def test_file_names_are_the_names(folder: str, repository: Path) -> None:
    names = {p.stem for p in (repository / "targets" / "xilinx" / folder).glob("*.toml")}
    assert names == set(boards() if folder == "boards" else devices())


def test_data_files_are_packaged(repository: Path) -> None:
    packaging = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    assert {"**/*.toml", "**/*.j2"} <= set(packaging["package-data"]["*"])
    assert {"gatewright.targets.xilinx", "gatewright.schedules.fpga"} <= set(packaging["packages"])


def test_hls4ml_board_names_are_hls4mls() -> None:
    spec = importlib.util.find_spec("hls4ml")
    assert spec is not None and spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0])
    known = json.loads((folder / "backends" / "vivado_accelerator" / "supported_boards.json").read_text("utf-8"))
    ours = {b.hls4ml_board: b.part for b in boards().values() if b.hls4ml_board}
    assert ours == {name: entry["part"] for name, entry in known.items()}


# A few counts read again from the data sheets, so that a typing slip in the files shows.
@pytest.mark.parametrize(
    ("device", "lut", "ff", "dsp", "bram_18k", "uram"),
    [
        ("xc7z020", 53200, 106400, 220, 280, 0),  # DS190
        ("xc7a100t", 63400, 126800, 240, 270, 0),  # DS180
        ("xczu7ev", 230400, 460800, 1728, 624, 96),  # DS891
        ("xcvu13p", 1728000, 3456000, 12288, 5376, 1280),  # as Vitis HLS reports it
    ],
)
def test_counts(device: str, lut: int, ff: int, dsp: int, bram_18k: int, uram: int) -> None:
    found = devices()[device].resources
    assert (found.lut, found.ff, found.dsp, found.bram_18k, found.uram) == (lut, ff, dsp, bram_18k, uram)


def test_names_people_type() -> None:
    assert resolve("zcu104").part == "xczu7ev-ffvc1156-2-e"
    assert resolve("ZCU104").board == resolve("zcu104").board
    assert resolve("arty_a7_100t").board == boards()["arty-a7-100t"]
    assert resolve("u55c").board == boards()["alveo-u55c"]
    site = resolve("xczu7ev-ffvc1156-2-e")
    assert site.board is None and site.device == devices()["xczu7ev"]
    assert resolve("xc7a35tcpg236-1").device == devices()["xc7a35t"]


def test_known_family_unknown_device() -> None:
    site = resolve("xc7k160tfbg484-1")
    assert site.device is None and site.family == "kintex7" and site.dsp.kind == "DSP48E1"
    assert assumed_device(site).dsp.kind == "DSP48E1"
    assert resolve("xczu19eg-ffvc1760-2-e").device is None  # not the xczu1* of another package


def test_every_family_has_a_device_to_stand_in() -> None:
    for family in families():
        assert assumed_device(resolve(family.prefix + "999")).dsp.kind == family.dsp.kind


@pytest.mark.parametrize("name", ["", "zcu105", "lfe5u-85f", "xq7z020", "../boards/zcu104", "xczu7ev ; rm"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(name)
    assert caught.value.code == "GW0401" and caught.value.actions


def test_near_miss_is_suggested() -> None:
    with pytest.raises(UsageError) as caught:
        resolve("zcu105")
    assert "zcu104" in caught.value.actions[0]
