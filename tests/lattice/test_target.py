"""LatticeTarget: check, plan, estimate and build on hand-made graphs and on the digits network."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewright.compiler.driver import Request, Silent, prepare
from gatewright.compiler.errors import ConstraintError, ExitCode, UsageError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Dense, Input
from gatewright.compiler.integer.reference import Reference
from gatewright.compiler.integer.verifier import verify
from gatewright.compiler.model import QuantizedModel
from gatewright.compiler.quantize.options import QuantizeOptions
from gatewright.hls.lattice.simulation import Simulation
from gatewright.targets.base import BuildPlan
from gatewright.targets.lattice import LatticeTarget
from gatewright.targets.lattice.options import LatticeOptions
from tests.conftest import ROOT
from tests.xilinx.graphs import mlp, model_of, residual_cnn

DIGITS = ROOT / "examples" / "digits"


def plan(graph: IntegerGraph, variant: str = "ulx3s-85f", **options: Any) -> BuildPlan:
    return LatticeTarget.named(f"lattice:{variant}").plan(model_of(graph), options)


def digits(profile: str, model: str = "digits_mlp") -> QuantizedModel:
    options = QuantizeOptions(profile=profile)
    request = Request(DIGITS / f"{model}.onnx", options=options, calibration=DIGITS / f"{model}_calib.npz")
    return prepare(request, Silent()).model


def test_plan_is_plain_deterministic_data() -> None:
    first, second = plan(residual_cnn()), plan(residual_cnn())
    assert first.digest() == second.digest()
    assert json.loads(json.dumps(first.to_json())) == first.to_json()
    assert plan(residual_cnn(8)).digest() != plan(residual_cnn(16)).digest()


def test_the_plan_fits_and_a_larger_device_is_no_slower() -> None:
    intervals = []
    for variant in ("ecp5-25k", "ecp5-45k", "ecp5-85k"):
        made = plan(residual_cnn(), variant)
        assert all(made.settings["resources"][name] <= count for name, count in made.settings["available"].items())
        intervals.append(made.settings["interval_cycles"])
    assert intervals == sorted(intervals, reverse=True)


def test_target_fps_takes_less_hardware() -> None:
    fastest = plan(residual_cnn())
    slow = plan(residual_cnn(), target_fps=1000.0, clock_mhz=50.0)
    assert slow.settings["interval_cycles"] <= 50_000
    assert slow.settings["resources"]["lut"] < fastest.settings["resources"]["lut"]


def test_target_fps_beyond_the_device_is_a_constraint() -> None:
    with pytest.raises(ConstraintError) as caught:
        plan(residual_cnn(), target_fps=1e9)
    assert caught.value.exit_code is ExitCode.CONSTRAINT


def test_weights_go_to_the_flash_where_block_memory_runs_out() -> None:
    """Three layers of 256 x 256 bytes: more than the 126 KB of block memory the device has."""
    graph = mlp((256, 256, 256, 256))
    made = plan(graph, "ecp5-25k")
    outside = [row["layer"] for row in made.layers if row["outside"]]
    assert 0 < len(outside) < 3
    resources, available = made.settings["resources"], made.settings["available"]
    assert all(resources[name] <= available[name] for name in available)
    # A byte takes 8 cycles at 25 MHz of the chip and 50 of the device.
    assert made.settings["flash_cycles"] > len(outside) * 256 * 256 * 8
    estimate = LatticeTarget.named("lattice:ecp5-25k").estimate(made)
    clock, cycles = estimate.totals["clock_mhz"].value, estimate.totals["flash_cycles"].value
    assert estimate.totals["inferences_per_second"].value == pytest.approx(1e6 * clock / cycles, abs=0.01)
    assert estimate.totals["latency_us"].value == pytest.approx(cycles / clock, abs=0.01)
    with pytest.raises(ConstraintError, match="EBR"):
        plan(graph, "ecp5-25k", flash=False)
    with pytest.raises(ConstraintError, match="the flash chip"):
        plan(graph, "ecp5-25k", target_fps=1000)


def test_more_weights_than_the_flash_addresses() -> None:
    graph = mlp((4096, 3600, 10))
    layer = next(layer.name for layer in graph if isinstance(layer, Dense))
    with pytest.raises(ConstraintError, match=f"{4096 * 3600} bytes of weights do not lie in the flash"):
        plan(graph, flash=(layer,))


def test_weights_go_to_the_large_memories_first() -> None:
    """One multiplier of 8 bits in a layer would waste half of an SPRAM; the folds read two weights at a time."""
    small = LatticeTarget.named("lattice:icebreaker")
    wide = plan(_fixed_mlp((400, 160, 10)), "icebreaker")
    row = wide.layers[0]
    assert row["outside"] and row["kept"] and row["spram"] == 2
    assert wide.settings["resources"]["spram"] == 2 and wide.settings["flash_cycles"] == 0
    assert small.estimate(wide).totals["spram"].value == 2
    assert "spram" not in LatticeTarget.named("lattice:ulx3s-85f").estimate(plan(mlp())).totals


def _fixed_mlp(sizes: tuple[int, ...]) -> IntegerGraph:
    """Dense layers whose scales are powers of two: no multiplier for rescales."""
    graph = mlp(sizes, "fixed")
    layers = [
        replace(layer, multiplier=np.full_like(layer.multiplier, 128), shift=np.full_like(layer.shift, 14))
        if isinstance(layer, Dense)
        else layer
        for layer in graph
    ]
    return verify(IntegerGraph(layers, list(graph.outputs), "fixed", 8))


def test_layers_in_the_flash_by_name() -> None:
    graph = mlp()
    layer = plan(graph).layers[0]["layer"]
    made = plan(graph, flash=(layer,))
    assert [row["layer"] for row in made.layers if row["outside"]] == [layer]
    with pytest.raises(UsageError, match="no layer 'absent' with weights"):
        plan(graph, flash=("absent",))


def test_folds_by_layer() -> None:
    made = plan(mlp())
    layer = made.layers[0]["layer"]
    fixed = plan(mlp(), pe={layer: 2}, simd={layer: 4})
    assert (fixed.layers[0]["pe"], fixed.layers[0]["simd"]) == (2, 4)
    with pytest.raises(UsageError, match="do not divide"):
        plan(mlp(), pe={layer: 1009})
    with pytest.raises(UsageError, match="no layer 'absent'"):
        plan(mlp(), pe={"absent": 2})


def test_options_are_checked_and_described() -> None:
    with pytest.raises(UsageError, match="no such option"):
        plan(mlp(), reuse_factor=2)
    with pytest.raises(UsageError):
        plan(mlp(), utilisation=1.5)
    assert set(LatticeTarget.options()) == set(LatticeOptions.model_fields)


def test_too_large_names_what_runs_out() -> None:
    with pytest.raises(ConstraintError, match=r"needs \d+ .*; '.*' takes the most"):
        plan(residual_cnn(256), "ice40-up5k")


def test_findings() -> None:
    target = LatticeTarget.named("lattice:lifcl-40")
    assert [f.severity for f in target.check(model_of(mlp()))] == ["warning"]
    graph = mlp()
    batched = IntegerGraph([Input("x", (), _batch(graph.inputs[0]))], ["x"], graph.profile)
    found = target.check(model_of(batched))
    assert any(f.severity == "error" and "batch" in f.reason for f in found)


def _batch(layer: Input) -> Any:
    from dataclasses import replace

    return replace(layer.output, shape=(2, *layer.output.shape[1:]))


def test_unknown_boards_are_refused() -> None:
    with pytest.raises(UsageError, match="GW0404"):
        LatticeTarget.named("lattice:no-such-board")


def test_listing_targets_imports_no_tool() -> None:
    code = (
        "import sys; from gatewright.targets.lattice import LatticeTarget; LatticeTarget.variants(); "
        "print([m for m in ('tvm', 'hls4ml', 'pyosys', 'onnx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["fixed", "scaled"])
def test_built_simulation_equals_the_reference_and_the_plan(profile: str, tmp_path: Path) -> None:
    model = digits(profile, "digits_cnn")
    target = LatticeTarget.named("lattice:ecp5-25k")
    made = target.plan(model, {"bitstream": False, "clock_mhz": 50.0})
    target.build(made, tmp_path)
    assert json.loads((tmp_path / "build.json").read_text("utf-8"))["simulation"] == "built"
    graph = model.integer
    assert graph is not None
    rng = np.random.default_rng(0)
    x = {layer.name: rng.integers(layer.output.qmin, layer.output.qmax, (6, *layer.output.shape[1:]), endpoint=True)
         .astype(layer.output.dtype) for layer in graph.inputs}  # fmt: skip
    expected = Reference(graph).run(x)
    library = target.load(tmp_path)
    for found in (library.run(x), Simulation(tmp_path / "design").run(x, back_pressure=(0.4, 0.6), seed=7)):
        for name, array in expected.items():
            assert np.array_equal(found[name], array)
    cycles = Simulation(tmp_path / "design").measure(x)
    assert cycles.latency_cycles == made.settings["latency_cycles"]
    assert cycles.interval_cycles == made.settings["interval_cycles"]
    again = tmp_path / "again"
    again.mkdir()
    target.build(made, again)
    files = sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file() and p.suffix != ".log")
    assert files and all((again / name).read_bytes() == (tmp_path / name).read_bytes() for name in files)


@pytest.mark.slow
def test_bitstream_and_what_was_measured(tmp_path: Path) -> None:
    target = LatticeTarget.named("lattice:upduino")
    made = target.plan(digits("fixed"), {"simulate": False, "target_fps": 5000.0, "self_test": True})
    target.build(made, tmp_path)
    status = json.loads((tmp_path / "build.json").read_text("utf-8"))
    assert (tmp_path / status["bitstream"]).stat().st_size > 50_000
    measured = target.measured(tmp_path)
    assert measured["clock_mhz"] >= made.settings["clock_mhz"]
    assert measured["dsp"] == made.settings["resources"]["dsp"]


@pytest.mark.slow
def test_a_clock_out_of_reach_ends_with_the_path_by_layer(tmp_path: Path) -> None:
    target = LatticeTarget.named("lattice:ice40-up5k")
    model = digits("fixed")
    made = target.plan(model, {"simulate": False, "target_fps": 5000.0, "clock_mhz": 90.0, "seeds": 1})
    with pytest.raises(ConstraintError, match=r"GW4210 .*90 MHz is missed.*longest path is ") as caught:
        target.build(made, tmp_path)
    path = re.search(r"longest path is [\d.]+ ns in (.*) \(from ", caught.value.reason)
    assert path is not None
    # a stage, something between stages that bears a stage's name, or what is around the network
    stages = tuple(row["stage"] for row in made.layers)
    assert all(place.startswith((*stages, "board", "network", "x")) for place in path.group(1).split(" -> "))
