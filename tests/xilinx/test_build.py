"""Building: the project, its C simulation, and what is said when a compiler is missing."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from gatewright.compiler.errors import ToolError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.reference import Reference
from gatewright.targets.base import TargetName
from gatewright.targets.xilinx import XilinxTarget
from tests.strategies import random_inputs
from tests.xilinx.graphs import mlp, model_of, residual_cnn


def build(graph: IntegerGraph, directory: Path, **options: object) -> Path:
    target = XilinxTarget(TargetName("xilinx", "pynq-z2"))
    directory.mkdir()
    target.build(target.plan(model_of(graph), options), directory)
    return directory


def digests(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_csim_equals_the_golden_reference_also_after_a_move(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("no g++")
    graph = residual_cnn(4)
    built = build(graph, tmp_path / "built", strategy="resource")
    moved = tmp_path / "moved"
    built.rename(moved)
    inputs = random_inputs(graph, 3, 4)
    found = XilinxTarget.load(moved).run(inputs)
    expected = Reference(graph).run(inputs)
    assert np.array_equal(found["logits"], expected["logits"]) and found["logits"].dtype == expected["logits"].dtype
    assert json.loads((moved / "build.json").read_text("utf-8"))["csim"] == "built"


def test_same_plan_same_bytes(tmp_path: Path) -> None:
    first = digests(build(mlp((8, 6, 4)), tmp_path / "first", csim=False))
    second = digests(build(mlp((8, 6, 4)), tmp_path / "second", csim=False))
    assert first == second
    assert {"plan.json", "estimate.json", "build.json", "README.md", "hls/build_prj.tcl"} <= set(first)


def test_pages_say_what_was_planned(tmp_path: Path) -> None:
    built = build(mlp((8, 6, 4)), tmp_path / "built", csim=False)
    plan = json.loads((built / "plan.json").read_text("utf-8"))
    estimate = json.loads((built / "estimate.json").read_text("utf-8"))
    assert [row["layer"] for row in estimate["layers"]] == [row["layer"] for row in plan["layers"]] == ["fc0", "fc1"]
    assert estimate["totals"]["lut"]["value"] == plan["settings"]["resources"]["lut"]
    readme = (built / "README.md").read_text("utf-8")
    assert "vitis-run --mode hls" in readme and "| lut |" in readme and plan["settings"]["part"] in readme
    assert str(tmp_path) not in readme
    with pytest.raises(ToolError):
        XilinxTarget.load(built)


def test_streams_get_the_planned_depth(tmp_path: Path) -> None:
    built = build(residual_cnn(4), tmp_path / "built", csim=False)
    source = (built / "hls" / "firmware" / "network.cpp").read_text("utf-8")
    # padded by hls4ml: a row of 10; a copy of the skip connection: the image of 64 beats
    assert "variable=zp2d_second_acc_out depth=10" in source or "variable=zp2d_second_out depth=10" in source
    assert source.count("depth=64") == 2


@pytest.mark.parametrize(
    ("backend", "file"), [("vivado", "hls/build_prj.tcl"), ("vivado_accelerator", "hls/firmware/network_axi.cpp")]
)
def test_other_back_ends(tmp_path: Path, backend: str, file: str) -> None:
    built = build(mlp((8, 6, 4)), tmp_path / "built", csim=False, backend=backend)
    assert (built / file).is_file()
    project = (built / "hls" / "project.tcl").read_text("utf-8")
    assert "xc7z020clg400-1" in project and backend.replace("_", "") in project
    assert "vivado_hls -f build_prj.tcl" in (built / "README.md").read_text("utf-8")


def test_missing_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    built = build(mlp((4, 3)), tmp_path / "built")
    status = json.loads((built / "build.json").read_text("utf-8"))
    assert status["csim"] == "missing" and status["warnings"][0]["code"] == "GW5001"
    assert "GW5001" in (built / "README.md").read_text("utf-8")
    with pytest.raises(ToolError) as caught:
        build(mlp((4, 3)), tmp_path / "demanded", csim=True)
    assert caught.value.code == "GW5001"


def test_compiler_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "false")
    with pytest.raises(ToolError) as caught:
        build(mlp((4, 3)), tmp_path / "built")
    assert caught.value.code == "GW5002"
