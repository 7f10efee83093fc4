"""The tool chain: what is read from the tools' reports, what a failure becomes, and one design down to its bits."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gatewright.compiler.errors import ConstraintError, TargetError, ToolError
from gatewright.hls.lattice.database import ResourceCounts, devices, resolve
from gatewright.hls.lattice.toolchain import place, tools
from gatewright.hls.lattice.toolchain.build import _check, build_bitstream, check_fits
from gatewright.hls.lattice.toolchain.place import Placement, SeedResult, overflow, parse_report
from gatewright.hls.lattice.toolchain.synthesis import count_cells, script, stage_of
from tests.lattice import echo


def _arc(start: str, end: str, delay: float) -> dict[str, Any]:
    return {"delay": delay, "from": {"cell": start}, "to": {"cell": end}, "type": "routing"}


# The shape nextpnr 0.11.1 writes with --report.
REPORT = {
    "critical_paths": [
        {"from": "<async>", "to": "posedge $glbnet$clk", "path": [_arc("rst$tr_io", "network.stage_b.x_LUT4", 9)]},
        {
            "from": "posedge $glbnet$clk",
            "to": "posedge $glbnet$clk",
            "path": [
                _arc("network.stage_a.w.0.2", "network.stage_a.w.0.2", 5.5),
                _arc("network.stage_a.w.0.2", "network.stage_b.fifo.p_MULT", 2),
                _arc("network.stage_b.fifo.p_MULT", "link.x_TRELLIS_FF_Q", 0.5),
            ],
        },
    ],
    "fmax": {"$glbnet$clk": {"achieved": 77.5, "constraint": 100}, "$glbnet$slow": {"achieved": 30, "constraint": 12}},
    "utilization": {
        "TRELLIS_COMB": {"available": 24288, "used": 923},
        "DP16KD": {"available": 56, "used": 8},
        "DCCA": {"available": 56, "used": 1},
    },
}
LOG = """Info: Device utilisation:
Info: \t         ICESTORM_LC:     621/   5280    11%
Info: \t        ICESTORM_DSP:      12/      8   150%
ERROR: Unable to place cell 'stage_dense2.prod_SB_MAC16_O_1_DSP'
"""


def test_report_of_nextpnr() -> None:
    fmax, meets, used, available, path = parse_report(REPORT)
    assert (fmax, meets) == (77.5, False)
    assert used == {"lut": 923, "ebr": 8} and available == {"lut": 24288, "ebr": 56}
    assert path is not None and path.stages == ("stage_a", "stage_b", "board")
    assert str(path) == "8.0 ns in stage_a -> stage_b -> board (from network.stage_a.w.0.2 to link.x_TRELLIS_FF_Q)"


def test_a_design_without_registers_has_no_clock() -> None:
    fmax, meets, _, _, path = parse_report({**REPORT, "fmax": {}})
    assert (fmax, meets, path) == (float("inf"), True, None)


def test_overflow_in_a_log() -> None:
    assert overflow(LOG) == ("dsp", 12, 8)
    assert overflow(LOG.replace("12/", "8/")) is None


@pytest.mark.parametrize(
    ("cell", "top", "stage"),
    [
        ("network.stage_a.mac.sum_LUT4_Z", "top", "stage_a"),
        ("stage_a.mac.sum_LUT4_Z", "network", "stage_a"),
        ("network.s0_ready_LUT4_Z", "top", "network"),
        ("link.fifo.tail", "top", "board"),
        ("led_0$tr_io", "top", "board"),
    ],
)
def test_stage_of_a_cell(cell: str, top: str, stage: str) -> None:
    assert stage_of(cell, top) == stage


def test_cells_are_counted_by_stage() -> None:
    kinds = {
        "network.a.x": "LUT4",
        "network.a.c": "CCU2C",
        "network.b.m": "MULT18X18D",
        "q": "TRELLIS_FF",
        "s": "$scopeinfo",
    }
    netlist = {"modules": {"top": {"cells": {name: {"type": kind} for name, kind in kinds.items()}}}}
    total, stages = count_cells(netlist, "top")
    assert total == ResourceCounts(lut=3, ff=1, dsp=1, ebr=0, spram=0)
    assert {stage: (c.lut, c.ff, c.dsp) for stage, c in stages.items()} == {
        "a": (3, 0, 0),
        "b": (0, 0, 1),
        "board": (0, 1, 0),
    }


def test_options_follow_the_device() -> None:
    assert "synth_ice40 -top top -dsp\n" in script(["a.v"], "top", devices()["ice40-up5k"], "n.json")
    assert "synth_ice40 -top top\n" in script(["a.v"], "top", devices()["ice40-hx8k"], "n.json")
    assert "synth_ecp5 -top top -nowidelut\n" in script(["a.v"], "top", devices()["ecp5-25k"], "n.json")


def _seed(seed: int, fmax: float, meets: bool, tmp_path: Path, **more: Any) -> SeedResult:
    return SeedResult(seed, True, tmp_path / "c", tmp_path / "l", fmax, meets, **more)


def test_the_seed_to_use(tmp_path: Path) -> None:
    slow, fast, good = (_seed(s, f, f > 50, tmp_path) for s, f in ((1, 30), (2, 40), (3, 55)))
    failed = SeedResult(4, False, tmp_path / "c", tmp_path / "l")
    assert Placement(50, (failed, slow, fast)).best is fast
    assert Placement(50, (slow, good, fast)).best is good


def test_a_missed_clock_names_the_layers(tmp_path: Path) -> None:
    path = parse_report(REPORT)[4]
    placement = Placement(100, (_seed(1, 77.5, False, tmp_path, critical_path=path),))
    with pytest.raises(ConstraintError, match=r"GW4210.*100 MHz is missed: 77\.5 MHz.*stage_a -> stage_b") as caught:
        _check(placement, resolve("ulx3s"))
    assert caught.value.exit_code == 4


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConstraintError, match=r"GW4211 icebreaker.*9 multipliers.* of 8 and 31 block"):
        check_fits(ResourceCounts(lut=10, ff=10, dsp=9, ebr=31, spram=0), resolve("icebreaker"))
    full = SeedResult(1, False, tmp_path / "c", tmp_path / "l", overflow=("dsp", 12, 8), error="no")
    with pytest.raises(ConstraintError, match=r"GW4211.*12 multipliers of 8"):
        _check(Placement(24, (full,)), resolve("icebreaker"))
    broken = SeedResult(1, False, tmp_path / "c", tmp_path / "l", error="it crashed")
    with pytest.raises(ToolError, match=r"GW5032.*it crashed"):
        _check(Placement(24, (broken,)), resolve("icebreaker"))


def test_nexus_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"GW4212.*yosys issue 4081"):
        build_bitstream(tmp_path, resolve("lifcl-40"))


def test_a_missing_tool_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_installed", lambda package: False)
    with pytest.raises(ToolError, match="GW5030") as caught:
        tools.yosys()
    assert "gatewright[lattice]" in caught.value.actions[0]


def _python(program: str) -> tools.Tool:
    return tools.Tool("nextpnr-ice40", (sys.executable, "-c", program), "none")


def test_a_tool_that_hangs_or_is_killed(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"GW5031.*more than 0\.2 s"):
        tools.run(_python("import time; time.sleep(60)"), [], tmp_path, tmp_path / "log", 0.2)
    with pytest.raises(ToolError, match=r"GW5031.*signal 9"):
        tools.run(_python("import os; os.kill(os.getpid(), 9)"), [], tmp_path, tmp_path / "log")


def test_a_failed_seed_is_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = f"import sys; sys.stdout.write({LOG!r}); sys.exit(1)"
    monkeypatch.setattr(tools, "find", lambda name: _python(program))
    netlist = tmp_path / "netlist.json"
    found = place.place_and_route(netlist, resolve("icebreaker"), None, 24, seeds=(1, 2), jobs=1)
    assert len(found.seeds) == 1  # another seed would not fit either
    assert found.best.overflow == ("dsp", 12, 8)
    assert found.best.error.startswith("ERROR: Unable to place")


def test_first_use_is_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path))
    icepack = tools.find("icepack")
    assert tools.first_use(icepack)
    said: list[str] = []
    tools.warm_up(icepack, said.append)
    tools.warm_up(icepack, said.append)
    assert len(said) == 1 and str(tmp_path) in said[0]


@pytest.mark.slow
def test_from_verilog_to_the_same_bits(tmp_path: Path) -> None:
    bits = []
    for name in ("one", "two"):
        design = echo.design(tmp_path / name)
        said: list[str] = []
        made = build_bitstream(design, resolve("icebreaker"), seeds=(1, 2), jobs=2, progress=said.append)
        assert made.path == (design / "build" / "network.bin").resolve()
        assert made.best.meets_timing and made.best.fmax_mhz > 24
        assert "stage_triple" in made.synthesis.stages
        report = json.loads((design / "build" / "report.json").read_text())
        assert report["clock_mhz"] == 24 and report["seeds"][0]["used"]["lut"] < 600
        assert json.loads(gzip.decompress(made.synthesis.netlist.read_bytes()))["modules"]
        assert str(tmp_path) not in (design / "build" / "report.json").read_text()
        assert said[-1] == "bitstream network.bin"
        bits.append((made.path.read_bytes(), (design / "build" / "report.json").read_bytes()))
    assert bits[0] == bits[1]


@pytest.mark.slow
def test_a_clock_out_of_reach(tmp_path: Path) -> None:
    design = echo.design(tmp_path / "design")
    with pytest.raises(ConstraintError, match=r"GW4210 ice40-up5k.*200 MHz is missed"):
        build_bitstream(design, resolve("ice40-up5k"), 200)
    assert json.loads((design / "build" / "report.json").read_text())["seeds"][0]["meets_timing"] is False
