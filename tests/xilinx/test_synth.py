"""Synthesis with fake tools that leave the reports the real ones leave."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from gatewright.compiler.errors import ExitCode, ToolError
from gatewright.targets.base import TargetName
from gatewright.targets.xilinx import XilinxTarget
from gatewright.targets.xilinx import synth as synthesis
from tests.xilinx.graphs import mlp, model_of

REPORT = """<?xml version="1.0"?>
<profile>
  <UserAssignments><TargetClockPeriod>5.00</TargetClockPeriod></UserAssignments>
  <PerformanceEstimates>
    <SummaryOfTimingAnalysis><EstimatedClockPeriod>4.000</EstimatedClockPeriod></SummaryOfTimingAnalysis>
    <SummaryOfOverallLatency>
      <Best-caseLatency>40</Best-caseLatency><Worst-caseLatency>50</Worst-caseLatency>
      <Interval-min>8</Interval-min><Interval-max>10</Interval-max>
    </SummaryOfOverallLatency>
  </PerformanceEstimates>
  <AreaEstimates>
    <Resources><BRAM_18K>3</BRAM_18K><DSP>7</DSP><FF>1100</FF><LUT>2200</LUT><URAM>0</URAM></Resources>
    <AvailableResources><BRAM_18K>624</BRAM_18K><DSP>1728</DSP><FF>460800</FF><LUT>230400</LUT><URAM>96</URAM></AvailableResources>
  </AreaEstimates>
</profile>
"""
APPLICATION = """<project xmlns="com.autoesl.autopilot.project" name="network_prj" top="network">
<solutions><solution name="solution1" status=""/></solutions></project>
"""
LOGIC = """1. CLB Logic
| CLB LUTs*               |  700 |     0 |    230400 |  0.30 |
| CLB Registers           |  900 |     0 |    460800 |  0.20 |
2. BLOCKRAM
| Block RAM Tile |  1.5 |     0 |       312 |  0.48 |
| URAM           |    0 |     0 |        96 |  0.00 |
3. ARITHMETIC
| DSPs      |    6 |     0 |      1728 |  0.35 |
"""


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An otherwise empty PATH (with a shell's needs) to put fake tools into."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def fake(folder: Path, tool: str, body: str) -> None:
    path = folder / tool
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


def writes_reports(report: str = REPORT, logic: str = "") -> str:
    body = (
        "mkdir -p network_prj/solution1/syn/report\n"
        f"cat > network_prj/hls.app <<'END'\n{APPLICATION}END\n"
        f"cat > network_prj/solution1/syn/report/network_csynth.xml <<'END'\n{report}END\n"
        'echo "$0 $*" > called\n'
    )
    return body + (f"cat > vivado_synth.rpt <<'END'\n{logic}END\n" if logic else "")


def build(directory: Path, variant: str = "zcu104", **options: object) -> Path:
    target = XilinxTarget(TargetName("xilinx", variant))
    directory.mkdir()
    plan = target.plan(model_of(mlp((4, 3))), {"csim": False, "synth": True, **options})
    target.build(plan, directory)
    return directory


def test_missing_tool(tmp_path: Path, bin_folder: Path) -> None:
    with pytest.raises(ToolError) as caught:
        build(tmp_path / "built")
    assert not list((tmp_path / "built").iterdir())  # said before anything is built
    error = caught.value
    assert error.exit_code == ExitCode.TOOL and error.code == "GW5101"
    assert "vitis-run or vitis_hls" in error.place and "PATH" in error.reason
    assert any("settings64.sh" in action and "XILINX_VITIS" in action for action in error.actions)


def test_measured_stands_beside_estimated(tmp_path: Path, bin_folder: Path) -> None:
    fake(bin_folder, "vitis-run", writes_reports())
    built = build(tmp_path / "built")
    expected = {
        "latency_cycles": 50.0, "interval_cycles": 10.0, "csynth_lut": 2200.0, "ff": 1100.0, "dsp": 7.0,
        "bram_18k": 3.0, "uram": 0.0, "clock_mhz": 250.0, "latency_us": 0.2, "inferences_per_second": 25e6,
    }  # fmt: skip
    assert XilinxTarget.measured(built) == expected
    totals = json.loads((built / "estimate.json").read_text("utf-8"))["totals"]
    assert {name: figure["measured"] for name, figure in totals.items() if "measured" in figure} == expected
    assert "| measured |" in (built / "README.md").read_text("utf-8")
    options = (built / "hls" / "build_opt.tcl").read_text("utf-8")
    assert "synth      1" in options and "csim       0" in options and "vsynth     0" in options
    assert "--tcl build_prj.tcl" in (built / "hls" / "called").read_text("utf-8")


def test_older_tools_and_other_back_ends(tmp_path: Path, bin_folder: Path) -> None:
    fake(bin_folder, "vitis_hls", writes_reports())
    called = (build(tmp_path / "vitis") / "hls" / "called").read_text("utf-8")
    assert called.endswith("vitis_hls -f build_prj.tcl\n")
    fake(bin_folder, "vivado_hls", writes_reports())
    called = (build(tmp_path / "vivado", backend="vivado") / "hls" / "called").read_text("utf-8")
    assert "vivado_hls -f build_prj.tcl reset=0 csim=0 synth=1" in called


def test_logic_synthesis_counts_stand_for_the_estimated_ones(tmp_path: Path, bin_folder: Path) -> None:
    fake(bin_folder, "vitis-run", writes_reports(logic=LOGIC))
    with pytest.raises(ToolError) as caught:
        build(tmp_path / "without", vsynth=True)
    assert caught.value.place == "vivado"
    fake(bin_folder, "vivado", "exit 0")
    measured = XilinxTarget.measured(build(tmp_path / "built", vsynth=True))
    assert (measured["lut"], measured["ff"], measured["dsp"], measured["bram_18k"]) == (700, 900, 6, 3)
    assert measured["csynth_lut"] == 2200


def test_tool_that_fails(tmp_path: Path, bin_folder: Path) -> None:
    fake(bin_folder, "vitis-run", 'echo "INFO: fine"; echo "ERROR: [XFORM 203-504] Stop unrolling loop"; exit 3')
    with pytest.raises(ToolError) as caught:
        build(tmp_path / "built")
    assert caught.value.code == "GW5102"
    assert "exit status 3" in caught.value.reason and "XFORM 203-504" in caught.value.reason


def test_tool_that_hangs_is_stopped_with_its_children(tmp_path: Path, bin_folder: Path) -> None:
    fake(bin_folder, "vitis-run", "sh -c 'sleep 3; touch survived' & wait")
    start = time.monotonic()
    with pytest.raises(ToolError) as caught:
        build(tmp_path / "built", synth_timeout_s=0.5)
    assert caught.value.code == "GW5103" and time.monotonic() - start < 2.5
    time.sleep(3)
    assert not (tmp_path / "built" / "hls" / "survived").exists()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("exit 0", "no C synthesis"),
        ("mkdir network_prj", "cannot be read"),
        (f"mkdir -p network_prj/solution1; cat > network_prj/hls.app <<'END'\n{APPLICATION}END", "no C synthesis"),
        (writes_reports("<profile>"), "cannot be read"),
        (writes_reports(REPORT.replace(">50<", ">?<")), "no number"),
        (writes_reports(REPORT.replace("4.000", "")), "no number"),
    ],
)  # fmt: skip
def test_reports_that_are_missing_or_broken(tmp_path: Path, bin_folder: Path, body: str, said: str) -> None:
    fake(bin_folder, "vitis-run", body)
    with pytest.raises(ToolError) as caught:
        build(tmp_path / "built")
    assert caught.value.code == "GW5104" and said in caught.value.reason


def test_every_back_end_has_a_tool() -> None:
    from gatewright.targets.xilinx.planning import _BACKENDS

    assert set(_BACKENDS.values()) == set(synthesis._TOOLS)
