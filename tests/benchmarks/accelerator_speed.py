"""How fast the accelerator models are: ResNet-50 stage by stage, and modelled cycles a second on large layers.

    python -m tests.benchmarks.accelerator_speed              # systolic-32x32-ws, vta-pynq, nvdla-large
    python -m tests.benchmarks.accelerator_speed systolic-8x8-ws --repeats 5

The network is light_resnet50 of the onnx package: shapes are ResNet-50's, weights are made up, so only times and cycles
mean anything. Import and quantization (with made-up ranges, as ``gatewright estimate`` does) are not counted. Stages:
``analyse`` looks at the graph once (it is remembered: proofs of accumulators), ``plan`` searches tilings and residency,
``emit`` writes the program of the plan, ``event`` times it, ``report`` attributes every cycle and counts every byte.
An estimate of a planned network is emit + event; of a new one all of them. Times are medians of process time.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import onnx

from gatewright.compiler.driver import Request, Silent, prepare
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.quantize.options import QuantizeOptions
from gatewright.schedules.accelerator.analysis import analyse
from gatewright.schedules.accelerator.planner import plan_network, program_of
from gatewright.schedules.accelerator.program import Run
from gatewright.schedules.accelerator.search.convolution import Budget
from gatewright.schedules.accelerator.shapes import ConvShape
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.timing.attribution import attribute
from gatewright.schedules.accelerator.timing.closed import convolution_cycles
from gatewright.schedules.accelerator.timing.counts import by_layer
from gatewright.schedules.accelerator.timing.event import simulate
from gatewright.targets.accelerator.database import resolve
from tests.accelerator.timed_layers import TimedLayer

MODEL = "light_resnet50.onnx"
SPECS = ("systolic-32x32-ws", "vta-pynq", "nvdla-large")
LAYERS = {
    # (image side, input channels, output channels, kernel side)
    "conv2_x 3x3": (56, 64, 64, 3),
    "conv3_x 3x3": (28, 128, 128, 3),
    "conv5_x 3x3": (7, 512, 512, 3),
    "conv5_x 1x1": (7, 2048, 512, 1),
    "vgg conv1_2 3x3": (224, 64, 64, 3),
}


def resnet50() -> IntegerGraph:
    """The integer graph, quantized with made-up ranges."""
    path = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / MODEL
    ready = prepare(Request(path, options=QuantizeOptions()), Silent(), made_up_ranges=True)
    assert ready.model.integer is not None
    return ready.model.integer


def seconds(repeats: int, function: Callable[[], object]) -> float:
    """Median process time."""
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        function()
        times.append(time.process_time() - begin)
    return statistics.median(times)


def network(spec: Spec, graph: IntegerGraph, repeats: int) -> None:
    """A line of the first table."""
    begin = time.process_time()
    analysis = analyse(spec, graph)
    analysed = time.process_time() - begin
    begin = time.process_time()
    plan = plan_network(spec, graph)
    planned = time.process_time() - begin
    schedule, runs = plan.schedule, plan.program.runs
    emitted = seconds(repeats, lambda: program_of(spec, analysis, schedule))
    timed = seconds(repeats, lambda: [simulate(spec, run.words) for run in runs])
    reported = seconds(repeats, lambda: [report(spec, run) for run in runs])
    cycles = sum(simulate(spec, run.words).total_cycles for run in runs)
    count = sum(len(run.words) for run in runs)
    print(
        f"{spec.name:18} {count:8,} {cycles:12,} {analysed:8.2f} {planned:7.2f} {emitted:7.3f} {timed:7.4f} "
        f"{reported:7.3f} {emitted + timed:7.3f} {planned + timed:7.2f} {cycles / timed:9.2e}",
        flush=True,
    )


def report(spec: Spec, run: Run) -> tuple[object, object]:
    """Everything that is said of a run by layer."""
    parts = attribute(spec, run.words, run.layers, simulate(spec, run.words))
    return parts, by_layer(spec, run.words, run.layers)


def large_layer(spec: Spec, name: str, repeats: int) -> None:
    """A line of the second table."""
    side, channels, outputs, kernel = LAYERS[name]
    align = spec.alignment_bytes
    shape = ConvShape(
        1, side, side, channels, -(-channels // align) * align, side, side, outputs, -(-outputs // align) * align,
        (kernel, kernel), (1, 1), (1, 1), (kernel // 2,) * 4, 1, 1, spec.matrix.rows, spec.matrix.columns,
    )  # fmt: skip
    layer = TimedLayer(spec, shape)
    tiling = layer.best(Budget()).tiling
    words = layer.words(tiling)
    cycles = simulate(spec, words).total_cycles
    timed = seconds(repeats, lambda: simulate(spec, words))
    both = seconds(repeats, lambda: simulate(spec, layer.words(tiling)))
    closed = seconds(repeats, lambda: convolution_cycles(spec, shape, tiling))
    searched = seconds(1, lambda: layer.best(Budget()))
    print(
        f"{spec.name:18} {name:16} {len(words):7,} {cycles:11,} {cycles / timed:9.2e} {cycles / both:9.2e} "
        f"{cycles / searched:9.2e} {cycles / closed:9.2e}",
        flush=True,
    )


def main() -> int:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", default=SPECS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-network", action="store_true", help="large layers only")
    arguments = parser.parse_args()
    specs = [resolve(name) for name in arguments.specs]
    if not arguments.no_network:
        begin = time.process_time()
        graph = resnet50()
        print(f"{MODEL}: import and quantization {time.process_time() - begin:.1f} s, not counted below\n")
        print(
            f"{'spec':18} {'instr.':>8} {'cycles':>12} {'analyse':>8} {'plan':>7} {'emit':>7} {'event':>7} "
            f"{'report':>7} {'again':>7} {'new':>7} {'cycles/s':>9}"
        )
        for spec in specs:
            network(spec, graph, arguments.repeats)
        print("\nagain: an estimate of a planned network; new: with the search\n")
    print("modelled cycles a second: event model of a program; with emission; with the search; closed form")
    print(
        f"{'spec':18} {'layer':16} {'instr.':>7} {'cycles':>11} {'event':>9} {'+ emit':>9} {'+ search':>9} "
        f"{'closed':>9}"
    )
    for spec in specs:
        for name in LAYERS:
            large_layer(spec, name, arguments.repeats)
    return 0


if __name__ == "__main__":
    sys.exit(main())
