"""A real model on the accelerator as it is in the bitstream: main memory and serial line, simulated at the pins.

    python -m tests.benchmarks.accelerator_board                         # ic_resnet8_int8 on systolic-8x8-ws
    python -m tests.benchmarks.accelerator_board kws_dscnn_int8 --spec systolic-4x4-ws

The host writes weights, image and program over the serial line, starts, and reads the result back. Outputs are compared
with the golden reference, the cycles that the board counts with the event-driven model for a memory as near as the
board's; the model gives instructions and loads a port each, the board one together. Takes some minutes. Models stand in
GATEWRIGHT_MODELS. Exit code: 0, or 5 on a difference.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from gatewright.compiler.integer.reference import Reference
from gatewright.hls.accelerator.bitstream import MEMORY_LATENCY_CYCLES
from gatewright.schedules.accelerator.timing.event import simulate
from gatewright.targets.accelerator import AcceleratorTarget
from gatewright.targets.accelerator.machine.board import BoardExecutor, memory_needed
from gatewright.targets.accelerator.machine.network import Network
from gatewright.targets.accelerator.planning import package_of
from tests.accelerator.board_link import simulated_board
from tests.benchmarks.accelerator_models import prepared


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="ic_resnet8_int8")
    parser.add_argument("--spec", default="systolic-8x8-ws")
    parser.add_argument("--samples", type=int, default=2)
    arguments = parser.parse_args()
    target = AcceleratorTarget.named(f"sim:{arguments.spec}")
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        ready, inputs = prepared(arguments.model, arguments.samples, Path(name))
        package = package_of(target.plan(ready.model, {}))
        needed = memory_needed(package)
        print(f"{arguments.spec}: {needed:,} bytes of main memory, of which {package.program.dram_bytes:,} data")
        start = time.perf_counter()
        link, line = simulated_board(target.spec, Path(name), -(-needed // 1024) * 1024)
        print(f"Verilator: {time.perf_counter() - start:.0f} s", flush=True)
        network, executor = Network(package), BoardExecutor(link, package)
        dma = target.spec.dma.model_copy(update={"latency_cycles": MEMORY_LATENCY_CYCLES})
        control = target.spec.control.model_copy(update={"first_cycles": MEMORY_LATENCY_CYCLES + 1})
        near = target.spec.model_copy(update={"dma": dma, "control": control})
        modelled = sum(simulate(near, run.words).total_cycles for run in package.program.runs)
        for sample in inputs:
            begin, ran = time.perf_counter(), len(executor.cycles)
            outputs = network.run(sample, executor)
            want = Reference(package.graph).run(sample)
            wrong = sum(int((outputs[key] != array).sum()) for key, array in want.items())
            cycles = sum(executor.cycles[ran:])
            size = sum(array.size for array in want.values())
            print(f"{arguments.model}: {wrong} of {size} bytes differ; {cycles:,} cycles on the board, {modelled:,} by "
                  f"the model ({100 * (modelled / cycles - 1):+.3f} %); {time.perf_counter() - begin:.0f} s",
                  flush=True)  # fmt: skip
            bad += wrong
        line.close()
    return 5 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
