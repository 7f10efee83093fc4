"""Lattice designs of real models: equal bytes under back-pressure, exact cycles, and with --place the clock they reach.

    python -m tests.benchmarks.lattice_models                                   # every model of the table, simulated
    python -m tests.benchmarks.lattice_models kws_dscnn_fp32 --place            # and placed and routed
    python -m tests.benchmarks.lattice_models ad_toycar_ae_fp32 --place --profile scaled --clock 90

Every model is quantized, planned and built for its board by the target itself. The RTL simulation runs with random
back-pressure on both ends and is compared with the golden reference; then frames run back to back and the latency and
interval are compared with the plan's. Models stand in GATEWRIGHT_MODELS, data in GATEWRIGHT_DATA. Exit code: 0, or 5 on
any difference.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from examples.prepare_data import ROOT, SETS, data_folder, prepare
from gatewright.compiler.driver import Request, Silent
from gatewright.compiler.driver import prepare as quantized
from gatewright.compiler.errors import GatewrightError
from gatewright.compiler.integer.reference import Reference
from gatewright.compiler.quantize.options import QuantizeOptions
from gatewright.compiler.runtime.boundary import quantize_inputs
from gatewright.hls.lattice.simulation import Simulation
from gatewright.targets.lattice import LatticeTarget
from tests.benchmarks.accuracy import models_folder

DIGITS = ROOT / "examples" / "digits"


@dataclass(frozen=True)
class Case:
    """One model on one board.

    Attributes:
        samples: simulated under back-pressure; 0: all there are.
        board: target variant.
        clock_mhz, target_fps: options of the target, None: the board's clock, as fast as fits.
        profile: of the quantizer.
    """

    samples: int
    board: str = "ulx3s-85f"
    clock_mhz: float | None = 100
    target_fps: float | None = None
    profile: str = "fixed"


CASES: Mapping[str, Case] = {
    "digits_mlp": Case(0, "icebreaker", None),
    "digits_cnn": Case(0, "icebreaker", None),
    "KERAS_3layer": Case(64, "ecp5-25k"),
    "qkeras_mnist_cnn": Case(200),
    "kws_dscnn_fp32": Case(4, target_fps=4_000),
    "ic_resnet8_fp32": Case(4, target_fps=1_300),
    "ad_toycar_ae_fp32": Case(4, target_fps=39_000),
    "vww_mobilenetv1_025_fp32": Case(4, target_fps=1_100),
}


def _inputs(model: str, limit: int) -> tuple[Path, dict[str, Any], Any]:
    """(ONNX file, samples by input, calibration)."""
    if model.startswith("digits"):
        with np.load(DIGITS / f"{model}_test.npz") as test, np.load(DIGITS / f"{model}_calib.npz") as calib:
            return DIGITS / f"{model}.onnx", {"x": test["x"][: limit or None]}, calib["x"]
    found = prepare(model, data_folder())
    return models_folder() / SETS[model][0] / f"{model}.onnx", {"x": found.x[: limit or None]}, found.calib


def run(model: str, case: Case, place: bool, folder: Path) -> dict[str, Any]:
    """Build and measure one model."""
    onnx, samples, calibration = _inputs(model, case.samples)
    calib = folder / "calib.npz"
    np.savez(calib, x=calibration)
    options = QuantizeOptions(profile=case.profile, multiplier_bits=16)  # type: ignore[arg-type]
    prepared = quantized(Request(onnx, options=options, calibration=calib), Silent())
    target = LatticeTarget.named(f"lattice:{case.board}")
    settings: dict[str, Any] = {"bitstream": place}
    settings |= {} if case.clock_mhz is None else {"clock_mhz": case.clock_mhz}
    settings |= {} if case.target_fps is None else {"target_fps": case.target_fps}
    start = time.perf_counter()
    plan = target.plan(prepared.model, settings)
    plan_seconds = time.perf_counter() - start
    built = folder / "built"
    built.mkdir()
    row: dict[str, Any] = {
        "model": model,
        "board": case.board,
        "profile": case.profile,
        "plan_seconds": round(plan_seconds, 1),
        "predicted_latency_cycles": plan.settings["latency_cycles"],
        "predicted_interval_cycles": plan.settings["interval_cycles"],
        "predicted_resources": plan.settings["resources"],
    }
    start = time.perf_counter()
    target.build(plan, built)
    row["build_seconds"] = round(time.perf_counter() - start, 1)
    if place:
        measured = target.measured(built)
        fmax = measured["clock_mhz"]
        row["measured_clock_mhz"] = fmax
        row["measured_resources"] = {name: measured.get(name) for name in ("lut", "ff", "dsp", "ebr", "spram")}
        row["inferences_per_second_at_fmax"] = round(1e6 * fmax / plan.settings["interval_cycles"])
        row["inferences_per_second_at_100_mhz"] = round(1e8 / plan.settings["interval_cycles"])
        row["latency_ns_at_fmax"] = round(1e3 * plan.settings["latency_cycles"] / fmax, 1)
        row["bitstream"] = json.loads((built / "build.json").read_text("utf-8"))["bitstream"]
    graph = prepared.model.integer
    assert graph is not None
    stacked = np.asarray(samples["x"])
    name = graph.inputs[0].name
    fed = quantize_inputs(graph, {name: stacked.reshape(-1, *graph.inputs[0].output.shape[1:])})
    expected = Reference(graph).run(fed)
    simulation = Simulation(built / "design")
    start = time.perf_counter()
    found = simulation.run(fed, back_pressure=(0.5, 0.5), seed=1)
    row["samples"] = len(fed[name])
    row["bytes"] = sum(array.nbytes for array in expected.values())
    row["mismatching_bytes"] = sum(
        int((expected[k].view(np.uint8) != np.ascontiguousarray(found[k]).view(np.uint8)).sum()) for k in expected
    )
    row["simulation_seconds"] = round(time.perf_counter() - start, 1)
    cycles = simulation.measure({k: v[:4] for k, v in fed.items()}, frames=4)
    row["simulated_latency_cycles"] = cycles.latency_cycles
    row["simulated_interval_cycles"] = cycles.interval_cycles
    row["exact"] = (
        row["mismatching_bytes"] == 0
        and cycles.latency_cycles == plan.settings["latency_cycles"]
        and cycles.interval_cycles == plan.settings["interval_cycles"]
    )
    return row


def main(arguments: list[str] | None = None) -> int:
    """Run the cases and print one JSON object each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="of the table; all of them by default")
    parser.add_argument("--place", action="store_true", help="yosys, nextpnr and a bitstream, too: minutes a model")
    parser.add_argument("--profile", choices=("fixed", "scaled"), help="instead of the table's")
    parser.add_argument("--clock", type=float, help="MHz, instead of the table's")
    parser.add_argument("--fps", type=float, help="target_fps, instead of the table's")
    parser.add_argument("--samples", type=int, help="instead of the table's")
    given = parser.parse_args(arguments)
    ok = True
    for model in given.models or CASES:
        case = CASES[model]
        case = Case(
            case.samples if given.samples is None else given.samples,
            case.board,
            given.clock or case.clock_mhz,
            given.fps or case.target_fps,
            given.profile or case.profile,
        )
        with tempfile.TemporaryDirectory() as folder:
            try:
                row = run(model, case, given.place, Path(folder))
            except GatewrightError as error:
                row = {"model": model, "error": error.to_json(), "exact": False}
        print(json.dumps(row), flush=True)
        ok = ok and bool(row["exact"])
    return 0 if ok else 5


if __name__ == "__main__":
    sys.exit(main())
