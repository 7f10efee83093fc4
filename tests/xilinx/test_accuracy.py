"""The models against published designs: the stored errors are the real ones, and they are bounded."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from gatewright.targets.base import TargetName
from gatewright.targets.xilinx import XilinxTarget
from gatewright.targets.xilinx.accuracy import Row, comparison, error_texts, render
from tests.xilinx.graphs import mlp, model_of


@pytest.fixture(scope="module")
def rows() -> tuple[Row, ...]:
    return comparison()


def test_the_stored_table_is_the_measured_one(rows: tuple[Row, ...], repository: Path) -> None:
    stored = (repository / "targets" / "xilinx" / "accuracy.toml").read_text("utf-8")
    assert stored == render(rows), "run tests/benchmarks/xilinx_published.py --update and read the difference"


def test_estimates_carry_the_measured_error(rows: tuple[Row, ...]) -> None:
    target = XilinxTarget(TargetName("xilinx", "zcu104"))
    totals = target.estimate(target.plan(model_of(mlp()), {})).totals
    texts = error_texts(rows)
    for name in ("latency_cycles", "interval_cycles", "lut", "csynth_lut", "ff", "dsp", "bram_18k"):
        assert totals[name].error == texts[name]
    assert totals["uram"].error == "unmeasured"
    worst = min(r.error_percent for r in rows if r.figure == "latency_cycles" and r.group == "board")
    assert f"{worst:+.0f}.." in totals["latency_cycles"].error


# Cycle counts of kernels are read off loops: a few cycles of entry and exit are all that may differ.
def test_cycles_of_single_kernels(rows: tuple[Row, ...]) -> None:
    found = [r for r in rows if r.group == "csynth" and r.figure == "interval_cycles"]
    assert len(found) >= 8
    for r in found:
        assert abs(r.estimated - r.measured) <= 1, r


# Whole CNNs on a board: the latency model leaves out the driver and the AXI transfers (32x32x3 bytes: under 1 % here).
@pytest.mark.parametrize(("design", "percent"), [("RN07 Pynq-Z2", 5), ("RN08 Pynq-Z2", 10), ("RN07 Arty A7-100T", 15)])
def test_latency_of_published_cnns(rows: tuple[Row, ...], design: str, percent: float) -> None:
    (found,) = [r for r in rows if r.design == design and r.figure == "latency_cycles"]
    assert abs(found.error_percent) < percent


# An 18.7 us inference is mostly its driver: the design itself is faster than the board, by a factor of less than 5.
@pytest.mark.parametrize("design", ["AD08 Pynq-Z2", "AD08 Arty A7-100T"])
def test_latency_of_published_mlps(rows: tuple[Row, ...], design: str) -> None:
    (found,) = [r for r in rows if r.design == design and r.figure == "latency_cycles"]
    assert found.measured / 5 < found.estimated < found.measured


def test_resources_of_single_kernels(rows: tuple[Row, ...]) -> None:
    bounds = {"csynth_lut": 20, "dsp": 20, "ff": 60}  # percent: the worst of the fit, rounded up
    for r in rows:
        if r.group == "csynth" and r.figure in bounds:
            assert abs(r.error_percent) <= bounds[r.figure], r
        if r.figure == "bram_18k":
            assert abs(r.estimated - r.measured) <= 1, r


def test_published_sources_are_named(repository: Path) -> None:
    table = tomllib.loads((repository / "targets" / "xilinx" / "published.toml").read_text("utf-8"))
    assert all(len(design["source"]) > 20 for design in table["design"])
    assert len({design["name"] for design in table["design"]}) == len(table["design"])
