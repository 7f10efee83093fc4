"""Real models on simulated accelerators: equal bytes, cycles, and what stayed on the host.

    python -m tests.benchmarks.accelerator_models                                # every model on every family
    python -m tests.benchmarks.accelerator_models kws_dscnn_fp32 --spec vta-pynq --samples 8

Every model is planned and built by the target itself; the functional executor runs the built command stream, in program
order and in a random order that its waits allow, and is compared with the golden reference. Models stand in
GATEWRIGHT_MODELS, data in GATEWRIGHT_DATA. Exit code: 0, or 5 on any difference.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from examples.prepare_data import SETS, data_folder, prepare
from gatewright.compiler.driver import Prepared, Request, Silent
from gatewright.compiler.driver import prepare as quantized
from gatewright.compiler.integer.reference import Reference
from gatewright.compiler.quantize.options import QuantizeOptions
from gatewright.compiler.runtime.boundary import quantize_inputs
from gatewright.targets.accelerator import AcceleratorTarget
from gatewright.targets.accelerator.building import load_package
from gatewright.targets.accelerator.machine.network import Network
from tests.accelerator.reordered import reordered
from tests.benchmarks.accuracy import models_folder
from tests.strategies import random_inputs

SPECS = ("systolic-8x8-ws", "systolic-16x16-os", "systolic-16x16-is", "vta-pynq", "nvdla-small-256")
MODELS = {
    "kws_dscnn_fp32": "", "ic_resnet8_fp32": "", "ad_toycar_ae_fp32": "", "vww_mobilenetv1_025_fp32": "",
    "resnet20_cifar10": "", "kws_dscnn_int8": "mlperf_tiny", "ic_resnet8_int8": "mlperf_tiny",
    "ad_toycar_ae_int8": "mlperf_tiny", "vww_mobilenetv1_025_int8": "mlperf_tiny",
    "mobilenet_v2_1.0_224_quant": "imagenet",
}  # fmt: skip
"""Model -> folder of one that is quantized already; "" for those calibrated here on real data."""


def prepared(model: str, samples: int, folder: Path) -> tuple[Prepared, list[dict[str, Any]]]:
    """The quantized model, and integer inputs sample by sample: real data, or random where there is none."""
    if MODELS[model]:
        options = QuantizeOptions(profile="scaled")
        ready = quantized(Request(models_folder() / MODELS[model] / f"{model}.onnx", options=options), Silent())
        graph = ready.model.integer
        assert graph is not None
        return ready, [dict(random_inputs(graph, seed)) for seed in range(samples)]
    found = prepare(model, data_folder())
    calib = folder / f"{model}.npz"
    np.savez(calib, x=found.calib)
    options = QuantizeOptions(profile="scaled")
    ready = quantized(
        Request(models_folder() / SETS[model][0] / f"{model}.onnx", options=options, calibration=calib), Silent()
    )
    graph = ready.model.integer
    assert graph is not None
    (name,) = (layer.name for layer in graph.inputs)
    return ready, [quantize_inputs(graph, {name: found.x[i : i + 1]}) for i in range(samples)]


def run(ready: Prepared, inputs: Sequence[dict[str, Any]], spec: str, folder: Path) -> dict[str, Any]:
    """Plan, build and compare on one accelerator."""
    target = AcceleratorTarget.named(f"sim:{spec}")
    start = time.perf_counter()
    plan = target.plan(ready.model, {})
    plan_seconds = time.perf_counter() - start
    target.build(plan, folder)
    package = load_package(folder)
    network = Network(package)
    reference = Reference(package.graph)
    mismatching = compared = 0
    run_seconds = 0.0
    for seed, sample in enumerate(inputs):
        want = reference.run(sample)
        start = time.perf_counter()
        results = [network.run(sample)]
        run_seconds += time.perf_counter() - start
        if seed == 0:
            results.append(network.run(sample, reordered(seed)))
        for got in results:
            for name, array in want.items():
                compared += array.size
                mismatching += int((got[name] != array).sum())
    operations = len(plan.layers)
    return {
        "cycles": plan.settings["schedule"]["cycles"],
        "mismatching": mismatching,
        "bytes": compared,
        "host": len(plan.settings["host_layers"]),
        "operations": operations,
        "instructions": sum(len(run.words) for run in package.program.runs),
        "plan_seconds": plan_seconds,
        "run_seconds": run_seconds / max(1, len(inputs)),
    }


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--spec", action="append", default=[])
    parser.add_argument("--samples", type=int, default=2)
    arguments = parser.parse_args()
    head = f"{'model':28} {'spec':20} {'mismatching':>14} {'host':>7} {'cycles':>12} {'instr.':>8}"
    print(f"{head} {'plan s':>7} {'run s':>6}")
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        for model in arguments.models:
            ready, inputs = prepared(model, arguments.samples, Path(name))
            for spec in arguments.spec or SPECS:
                folder = Path(name) / f"{model}-{spec}"
                folder.mkdir()
                row = run(ready, inputs, spec, folder)
                bad += row["mismatching"]
                print(
                    f"{model:28} {spec:20} {row['mismatching']:>6} of {row['bytes']:<7}"
                    f"{row['host']:>3}/{row['operations']:<3} {row['cycles']:>12,} {row['instructions']:>8,}"
                    f" {row['plan_seconds']:>7.2f} {row['run_seconds']:>6.2f}",
                    flush=True,
                )
    return 5 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
