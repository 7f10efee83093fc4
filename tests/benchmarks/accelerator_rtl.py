"""Real models through the accelerator's RTL: bytes, and every instruction's cycles against the event-driven model.

    python -m tests.benchmarks.accelerator_rtl                                     # ic_resnet8_int8, kws_dscnn_int8
    python -m tests.benchmarks.accelerator_rtl ic_resnet8_int8 --spec systolic-8x8-ws --layers

The command stream that the target builds runs in Verilator; the outputs are compared with the golden reference,
hand-out, start and end of every instruction with the timing model. Models stand in GATEWRIGHT_MODELS. Exit code: 0,
or 5 on any difference.
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
from gatewright.schedules.accelerator.timing.event import Timeline, simulate
from gatewright.targets.accelerator import AcceleratorTarget
from gatewright.targets.accelerator.machine.network import Network
from gatewright.targets.accelerator.machine.rtl import RtlExecutor
from gatewright.targets.accelerator.planning import package_of
from tests.benchmarks.accelerator_models import prepared


def compare(package: Package, simulation: RtlSimulation, executor: RtlExecutor, by_layer: bool) -> int:
    """Print cycles of the model beside those of the RTL; returns how many instructions differ."""
    different = 0
    for run, rtl in zip(package.program.runs, executor.runs, strict=True):
        model: Timeline = simulate(package.spec, run.words)
        took = model.end - model.start
        codes = run.words[:, 0] & 0xFF
        parts = []
        for code, name in MNEMONICS.items():
            where = codes == code
            wrong = int(((rtl.end - rtl.start)[where] != took[where]).sum())
            different += wrong
            parts.append(f"{name} {int(where.sum())} ({wrong} differ)")
        same = (rtl.start == model.start) & (rtl.end == model.end) & (rtl.handed_out == model.handed)
        wrong = int((~same & (codes != 0)).sum())  # a halt has no unit: its end is the total
        different += wrong
        error = 100 * (model.total_cycles / rtl.cycles - 1)
        print(
            f"  {len(run.words)} instructions: {model.total_cycles:,} cycles, RTL {rtl.cycles:,} ({error:+.3f} %);"
            f" {wrong} instructions handed out, started or ended in another cycle"
        )
        print(f"  durations: {', '.join(parts)}")
        if by_layer:
            layers = np.array(run.layers)
            for layer in dict.fromkeys(run.layers):
                mine = (layers == layer) & (codes == 4)
                seen = int((rtl.end - rtl.start)[mine].sum())
                until = int(rtl.end[layers == layer].max())
                print(
                    f"    {layer[-50:]:50} matmul {int(took[mine].sum()):>9,} model {seen:>9,} RTL; until {until:>9,}"
                )
    return different


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
                network = Network(package.spec, package.program, package.constants, package.graph)
                executor = RtlExecutor(simulation)
                start = time.perf_counter()
                got = network.run(inputs[0], executor)
                seconds = time.perf_counter() - start
                want = Reference(package.graph).run(inputs[0])
                mismatching = sum(int((got[key] != array).sum()) for key, array in want.items())
                size = sum(array.size for array in want.values())
                print(f"{model}: {mismatching} of {size} bytes differ ({seconds:.1f} s)")
                bad += mismatching + compare(package, simulation, executor, arguments.layers)
    return 5 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
