"""Real models through the accelerator's RTL: bytes, and every instruction's cycles against the event-driven model.

    python -m tests.benchmarks.accelerator_rtl                                     # ic_resnet8_int8, kws_dscnn_int8
    python -m tests.benchmarks.accelerator_rtl ic_resnet8_int8 --spec systolic-8x8-ws --layers

The command stream that the target builds runs in Verilator; DRAM behind every run is compared with the functional
machine, the outputs with the golden reference, hand-out, start and end of every instruction with the timing model.
Models stand in GATEWRIGHT_MODELS. Exit code: 0, or 5 on any difference.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from gatewright.compiler.integer.reference import Reference
from gatewright.hls.accelerator.simulation import RtlSimulation, build_simulation
from gatewright.schedules.accelerator.isa.encoding import MNEMONICS
from gatewright.schedules.accelerator.serialization import Package
from gatewright.schedules.accelerator.timing.durations import instruction_cycles
from gatewright.targets.accelerator import AcceleratorTarget
from gatewright.targets.accelerator.planning import package_of
from tests.accelerator.rtl_networks import Comparison, compare
from tests.benchmarks.accelerator_models import prepared


def measure(model: str, package: Package, simulation: RtlSimulation, sample: dict[str, np.ndarray]) -> Comparison:
    """Run one sample and print what came of it; what differs from the reference counts as wrong, too."""
    start = time.perf_counter()
    found = compare(package, simulation, sample)
    want = Reference(package.graph).run(sample)
    mismatching = sum(int((found.outputs[key] != array).sum()) for key, array in want.items())
    size = sum(array.size for array in want.values())
    seconds = time.perf_counter() - start
    print(f"{model}: {mismatching} of {size} bytes differ from the reference, {found.wrong_bytes} of DRAM from the "
          f"functional machine ({seconds:.1f} s)")  # fmt: skip
    error = 100 * (found.modelled_cycles / found.cycles - 1)
    print(f"  {found.instructions} instructions: model {found.modelled_cycles:,} cycles, RTL {found.cycles:,} "
          f"({error:+.3f} %); {found.off_model} handed out, started or ended in another cycle")  # fmt: skip
    found.wrong_bytes += mismatching
    return found


def by_layer(package: Package, found: Comparison) -> None:
    """Cycles of every layer's products, and when it ends."""
    matmul = next(code for code, name in MNEMONICS.items() if name == "matmul")
    for run, rtl in zip(package.program.runs, found.runs, strict=True):
        layers, took = np.array(run.layers), instruction_cycles(package.spec, run.words)
        for layer in filter(None, dict.fromkeys(run.layers)):
            products = (layers == layer) & ((run.words[:, 0] & 0xFF) == matmul)
            seen = int((rtl.end - rtl.start)[products].sum())
            until = int(rtl.end[layers == layer].max())
            print(
                f"    {layer[-50:]:50} matmul {int(took[products].sum()):>9,} model {seen:>9,} RTL; until {until:>9,}"
            )


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["ic_resnet8_int8", "kws_dscnn_int8"])
    parser.add_argument("--spec", action="append", default=[])
    parser.add_argument("--layers", action="store_true")
    arguments = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        for spec in arguments.spec or ["systolic-8x8-ws"]:
            target = AcceleratorTarget.named(f"sim:{spec}")
            start = time.perf_counter()
            simulation = build_simulation(target.spec, Path(name) / spec)
            print(f"{spec}: Verilator {time.perf_counter() - start:.0f} s")
            for model in arguments.models:
                ready, inputs = prepared(model, 1, Path(name))
                package = package_of(target.plan(ready.model, {}))
                found = measure(model, package, simulation, inputs[0])
                bad += found.wrong_bytes + found.off_model
                if arguments.layers:
                    by_layer(package, found)
    return 5 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
