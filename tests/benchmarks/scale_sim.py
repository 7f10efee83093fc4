"""SCALE-Sim 3 beside schedules/accelerator/timing/scale_sim.py: the same cycles, and how long both take.

    python3.11 -m venv ENV && ENV/bin/pip install scalesim==3.0.0 'numpy<2' 'pandas<3'
    python -m tests.benchmarks.scale_sim --python ENV/bin/python              # every run, then the large layer
    python -m tests.benchmarks.scale_sim --python ENV/bin/python --update     # rewrites the stored table, too
    python -m tests.benchmarks.scale_sim --python ENV/bin/python --no-large   # the large layer left out

SCALE-Sim has an environment of its own: 3.0.0 does not run with the NumPy this project uses. Every run simulates one
layer (``InterfaceBandwidth: CALC``, three memories of 64 KiB) in that interpreter; its time is that of loading the
three input files, simulating and writing reports, without starting Python. Ours starts from the layer's shape. Exit
code: 0, or 5 if a number differs from the closed form's or from the stored table's (scale_sim_runs.csv in
tests/accelerator).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np

from gatewright.schedules.accelerator.isa.encoding import Words
from gatewright.schedules.accelerator.search.convolution import Budget
from gatewright.schedules.accelerator.shapes import ConvShape
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.timing.event import simulate
from gatewright.schedules.accelerator.timing.scale_sim import (
    DATAFLOWS,
    ComputeReport,
    Dataflow,
    Gemm,
    compute_cycles,
    compute_report,
)
from gatewright.targets.accelerator.database import shipped
from tests.accelerator.timed_layers import TimedLayer

TABLE = Path(__file__).resolve().parent.parent / "accelerator" / "scale_sim_runs.csv"
VERSION = "3.0.0"
HEAD = f"# SCALE-Sim {VERSION}, InterfaceBandwidth CALC; written by: python -m tests.benchmarks.scale_sim --update\n"
FIELDS = (
    "layer",
    "input",
    "shape",
    "rows",
    "columns",
    "dataflow",
    "total_cycles",
    "overall_utilisation_percent",
    "mapping_efficiency_percent",
    "compute_utilisation_percent",
)

RELATIVE = 1e-12
"""SCALE-Sim averages utilisations over folds in rounded floats; the closed form is the quotient."""


@dataclass(frozen=True)
class Layer:
    """A line of a SCALE-Sim topology file.

    Attributes:
        name: free, without "DP" (which would make it depthwise).
        kind: "gemm" or "conv".
        shape: (m, n, k), or (height, width, kernel height, kernel width, channels, filters, stride), image padded.
    """

    name: str
    kind: str
    shape: tuple[int, ...]

    @property
    def gemm(self) -> Gemm[int]:
        """What SCALE-Sim makes of it."""
        if self.kind == "gemm":
            return Gemm(*self.shape)
        height, width, kernel_height, kernel_width, channels, filters, stride = self.shape
        image, kernel = (height, width), (kernel_height, kernel_width)
        return Gemm.of_convolution(image, kernel, channels, filters, (stride, stride))


@dataclass(frozen=True)
class Run:
    """A layer on an array."""

    layer: Layer
    rows: int
    columns: int
    dataflow: Dataflow

    def cycles(self) -> int:
        """The closed form's."""
        return compute_cycles(self.layer.gemm, self.rows, self.columns, self.dataflow)

    def report(self) -> ComputeReport:
        """The closed forms'."""
        return compute_report(self.layer.gemm, self.rows, self.columns, self.dataflow)


@dataclass(frozen=True)
class Result:
    """What SCALE-Sim reported about a run: total cycles; overall, mapping and compute utilisation in per cent."""

    run: Run
    cycles: int
    utilisations: tuple[float, float, float]

    @classmethod
    def of_record(cls, record: dict[str, str]) -> Self:
        """From a line of the stored table."""
        layer = Layer(record["layer"], record["input"], tuple(int(size) for size in record["shape"].split()))
        run = Run(layer, int(record["rows"]), int(record["columns"]), record["dataflow"])
        overall, mapping, compute = (float(record[name]) for name in FIELDS[-3:])
        return cls(run, int(record["total_cycles"]), (overall, mapping, compute))

    def record(self) -> tuple[object, ...]:
        """A line of the stored table."""
        layer = self.run.layer
        place = (self.run.rows, self.run.columns, self.run.dataflow)
        return (layer.name, layer.kind, " ".join(map(str, layer.shape)), *place, self.cycles, *self.utilisations)


AWKWARD = (
    Layer("one", "gemm", (1, 1, 1)),
    Layer("one_pixel", "gemm", (1, 37, 29)),
    Layer("one_wide", "gemm", (41, 1, 23)),
    Layer("one_deep", "gemm", (31, 19, 1)),
    Layer("row", "gemm", (1, 67, 1)),
    Layer("column", "gemm", (67, 1, 1)),
    Layer("dot", "gemm", (1, 1, 67)),
    Layer("primes", "gemm", (7, 11, 13)),
    Layer("larger_primes", "gemm", (53, 47, 59)),
    Layer("as_the_array", "gemm", (8, 8, 8)),
    Layer("one_less", "gemm", (7, 15, 31)),
    Layer("one_more", "gemm", (9, 17, 33)),
    Layer("fits_all", "gemm", (64, 64, 64)),
    Layer("oblong_conv", "conv", (7, 9, 3, 2, 3, 5, 2)),
    Layer("image_is_window", "conv", (5, 3, 5, 3, 7, 11, 1)),
    Layer("stride_past_window", "conv", (13, 11, 2, 2, 5, 6, 3)),
    Layer("strided_edge", "conv", (16, 16, 1, 1, 9, 10, 2)),
)
"""Shapes at which a formula breaks first; windows of the convolutions of stride 2 and 3 reach past the image."""

NETWORKS = (
    # MLPerf Tiny: image classification (ResNet-8 on CIFAR-10), keyword spotting (DS-CNN), anomaly detection (dense
    # autoencoder). Images include the padding; a stride-2 1x1 convolution gets the image that yields its result.
    Layer("resnet8_conv1", "conv", (34, 34, 3, 3, 3, 16, 1)),
    Layer("resnet8_stage1", "conv", (34, 34, 3, 3, 16, 16, 1)),
    Layer("resnet8_stage2_conv1", "conv", (33, 33, 3, 3, 16, 32, 2)),
    Layer("resnet8_stage2_conv2", "conv", (18, 18, 3, 3, 32, 32, 1)),
    Layer("resnet8_stage2_shortcut", "conv", (31, 31, 1, 1, 16, 32, 2)),
    Layer("resnet8_stage3_conv1", "conv", (17, 17, 3, 3, 32, 64, 2)),
    Layer("resnet8_stage3_conv2", "conv", (10, 10, 3, 3, 64, 64, 1)),
    Layer("resnet8_stage3_shortcut", "conv", (15, 15, 1, 1, 32, 64, 2)),
    Layer("resnet8_dense", "gemm", (1, 10, 64)),
    Layer("dscnn_conv1", "conv", (58, 12, 10, 4, 1, 64, 2)),
    Layer("dscnn_one_channel", "conv", (27, 7, 3, 3, 1, 1, 1)),
    Layer("dscnn_pointwise", "conv", (25, 5, 1, 1, 64, 64, 1)),
    Layer("dscnn_dense", "gemm", (1, 12, 64)),
    Layer("autoencoder_input", "gemm", (1, 128, 640)),
    Layer("autoencoder_hidden", "gemm", (1, 128, 128)),
    Layer("autoencoder_narrow", "gemm", (1, 8, 128)),
    Layer("autoencoder_widen", "gemm", (1, 128, 8)),
    Layer("autoencoder_output", "gemm", (1, 640, 128)),
)
ARRAYS = ((4, 4), (8, 8), (16, 8))
"""Every layer runs on them with every dataflow, as long as that takes at most MOST_CYCLES."""
LARGER_ARRAYS = ((16, 16), (32, 32))
"""The networks run on them, too."""
AWKWARD_ARRAYS = ((1, 8), (8, 1), (3, 5))
"""The awkward layers run on them, too."""
MOST_CYCLES = 40_000
"""SCALE-Sim simulates some thousand cycles a second."""

LARGE = Run(Layer("resnet50_stage4_3x3", "gemm", (49, 512, 4608)), 16, 16, "ws")
"""A 3x3 convolution of 512 channels over 7x7 pixels."""


@cache
def _timed(run: Run) -> tuple[Spec, Words]:
    """The layer as a program of a shipped array of its size, tiled by the search."""
    spec = shipped()[f"systolic-{run.rows}x{run.columns}-{run.dataflow}"]
    m, n, k = run.layer.gemm.m, run.layer.gemm.n, run.layer.gemm.k
    align = spec.alignment_bytes
    shape = ConvShape(
        1, 1, int(m), int(k), -(-int(k) // align) * align, 1, int(m), int(n), -(-int(n) // align) * align, (1, 1),
        (1, 1), (1, 1), (0, 0, 0, 0), 1, 1, spec.matrix.rows, spec.matrix.columns,
    )  # fmt: skip
    layer = TimedLayer(spec, shape)
    found = layer.best(Budget())
    assert found is not None
    return spec, layer.stream(found.tiling).words()


def event_cycles(run: Run) -> int:
    """The event-driven model, DMA included, on a program that is there."""
    spec, words = _timed(run)
    return simulate(spec, words).total_cycles


def searched_cycles(run: Run) -> int:
    """The same with search, tiling and emission of the program."""
    _timed.cache_clear()
    return event_cycles(run)


MODELS: list[tuple[str, Callable[[Run], int]]] = [
    ("closed form", Run.cycles),
    ("event model", event_cycles),
    ("search and event", searched_cycles),
]
"""What is timed beside SCALE-Sim on the large layer: name, and a function that gives cycles."""

CONFIGURATION = """
[general]
run_name = run
[architecture_presets]
ArrayHeight = {rows}
ArrayWidth = {columns}
IfmapSramSzkB = 64
FilterSramSzkB = 64
OfmapSramSzkB = 64
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = {dataflow}
ReadRequestBuffer = 64
WriteRequestBuffer = 64
[layout]
IfmapCustomLayout = False
IfmapSRAMBankBandwidth = 10
IfmapSRAMBankNum = 10
IfmapSRAMBankPort = 2
FilterCustomLayout = False
FilterSRAMBankBandwidth = 10
FilterSRAMBankNum = 10
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = False
[run_presets]
InterfaceBandwidth = CALC
UseRamulatorTrace = False
"""

# Runs in the other interpreter: a folder and the kind of its topology in, seconds out. The command line of SCALE-Sim
# writes traces whatever it is told, so its Python class is called; what it prints goes to stderr.
DRIVER = """
import importlib.metadata, json, sys, time
from scalesim.scale_sim import scalesim
answers, sys.stdout = sys.stdout, sys.stderr
print(json.dumps(importlib.metadata.version("scalesim")), file=answers, flush=True)
for line in sys.stdin:
    folder, kind = json.loads(line)
    start = time.perf_counter()
    files = {name: f"{folder}/{name}" for name in ("config", "topology", "layout")}
    scalesim(save_disk_space=True, verbose=False, input_type_gemm=kind == "gemm", **files).run_scale(folder)
    print(json.dumps(time.perf_counter() - start), file=answers, flush=True)
"""


class ScaleSim:
    """SCALE-Sim in an interpreter that has it; a context manager."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [str(python), "-c", DRIVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        self.version = str(self._answer())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def _answer(self) -> object:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("SCALE-Sim stopped; what it said is above")
        return json.loads(line)

    def simulate(self, run: Run) -> tuple[Result, float]:
        """What it reports about a run, and the seconds it took."""
        assert self._process.stdin is not None
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        configuration = CONFIGURATION.format(rows=run.rows, columns=run.columns, dataflow=run.dataflow)
        (folder / "config").write_text(configuration, encoding="utf-8")
        # Only the first line's presence and the comma at a line's end matter.
        line = ",".join(map(str, (run.layer.name, *run.layer.shape)))
        (folder / "topology").write_text(f"layer,shape,\n{line},\n", encoding="utf-8")
        (folder / "layout").write_text("layer,\n", encoding="utf-8")
        self._process.stdin.write(json.dumps([str(folder), run.layer.kind]) + "\n")
        self._process.stdin.flush()
        seconds = float(str(self._answer()))
        with (folder / "run" / "COMPUTE_REPORT.csv").open(encoding="utf-8", newline="") as file:
            (record,) = csv.DictReader(file, skipinitialspace=True)
        if record["Stall Cycles"] != "0":
            raise SystemExit(f"{run}: {record['Stall Cycles']} stall cycles in CALC mode")
        names = ("Overall Util %", "Mapping Efficiency %", "Compute Util %")
        overall, mapping, compute = (float(record[name]) for name in names)
        return Result(run, int(record["Total Cycles"]), (overall, mapping, compute)), seconds


def runs() -> Iterator[Run]:
    """What the table holds."""
    chosen = (
        (AWKWARD, (*AWKWARD_ARRAYS, *ARRAYS)),
        (NETWORKS, (*ARRAYS, *LARGER_ARRAYS)),
    )
    for layers, arrays in chosen:
        for rows, columns in arrays:
            for layer in layers:
                of_layer = (Run(layer, rows, columns, dataflow) for dataflow in DATAFLOWS)
                yield from (run for run in of_layer if run.cycles() <= MOST_CYCLES)


def stored(path: Path = TABLE) -> list[Result]:
    """The stored table."""
    with path.open(encoding="utf-8", newline="") as file:
        return [Result.of_record(record) for record in csv.DictReader(line for line in file if line[0] != "#")]


def store(results: Iterable[Result], path: Path = TABLE) -> None:
    """Rewrite the stored table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(HEAD)
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FIELDS)
        writer.writerows(result.record() for result in results)


def equal(result: Result) -> bool:
    """Whether the closed forms give what SCALE-Sim reported."""
    report = result.run.report()
    overall, mapping, compute = result.utilisations
    return (
        report.cycles == result.cycles
        and report.overall_utilisation == overall
        and bool(np.isclose(report.mapping_efficiency, mapping, rtol=RELATIVE, atol=0))
        and bool(np.isclose(report.compute_utilisation, compute, rtol=RELATIVE, atol=0))
    )


def _seconds(function: Callable[[], object]) -> float:
    """Of one call."""
    number, total = timeit.Timer(function).autorange()
    return total / number


def _compare(simulator: ScaleSim) -> list[Result]:
    """Every run, a line each."""
    head = f"{'layer':24} {'m':>5} {'n':>4} {'k':>4} {'array':>6} flow"
    print(f"{head} {'SCALE-Sim':>10} {'ours':>8} {'diff':>5} {'SCALE-Sim s':>12} {'ours us':>8}  utilisations")
    results = []
    total = 0.0
    for run in runs():
        result, seconds = simulator.simulate(run)
        results.append(result)
        total += seconds
        gemm = run.layer.gemm
        ours = min(timeit.repeat(run.cycles, number=20, repeat=5)) / 20
        array = f"{run.rows}x{run.columns}"
        shape = f"{run.layer.name:24} {gemm.m:5} {gemm.n:4} {gemm.k:4} {array:>6} {run.dataflow:4}"
        counted = f"{result.cycles:10,} {run.cycles():8,} {run.cycles() - result.cycles:5}"
        verdict = "equal" if equal(result) else "DIFFER"
        print(f"{shape} {counted} {seconds:12.3f} {1e6 * ours:8.1f}  {verdict}", flush=True)
    cycles = sum(result.cycles for result in results)
    exact = sum(result.run.cycles() == result.cycles for result in results)
    print(f"\n{len(results)} runs of {len({result.run.layer for result in results})} layers: ", end="")
    print(f"cycles equal in {exact}, utilisations too in {sum(map(equal, results))}")
    print(f"SCALE-Sim: {cycles:,} cycles in {total:.1f} s, {cycles / total:,.0f} cycles/s")
    vectors = [_vector(results, dataflow) for dataflow in DATAFLOWS]
    ours = sum(_seconds(vector) for vector in vectors)
    print(f"closed form, all of them at once in arrays: {1e6 * ours:.0f} us, {cycles / ours:.2e} cycles/s")
    return results


def _vector(results: Sequence[Result], dataflow: Dataflow) -> Callable[[], np.ndarray]:
    """The closed form of every run of a dataflow in one call."""
    chosen = [result.run for result in results if result.run.dataflow == dataflow]
    gemms = [run.layer.gemm for run in chosen]
    m, n, k = (np.array([getattr(gemm, name) for gemm in gemms]) for name in "mnk")
    rows, columns = np.array([run.rows for run in chosen]), np.array([run.columns for run in chosen])
    return lambda: compute_cycles(Gemm(m, n, k), rows, columns, dataflow)


def _large(simulator: ScaleSim) -> bool:
    """Modelled cycles per second on a large layer; whether the cycles are equal."""
    gemm = LARGE.layer.gemm
    where = f"{LARGE.rows}x{LARGE.columns} {LARGE.dataflow}"
    print(f"\n{LARGE.layer.name}: {gemm.m} x {gemm.k} times {gemm.k} x {gemm.n} on {where}")
    print(f"{'model':20} {'cycles':>10} {'seconds':>12} {'cycles/s':>10} {'ratio':>10}", flush=True)
    result, slow = simulator.simulate(LARGE)
    print(f"{'SCALE-Sim':20} {result.cycles:10,} {slow:12.3e} {result.cycles / slow:10.2e} {1:10.0f}", flush=True)
    for name, model in MODELS:
        cycles, seconds = model(LARGE), _seconds(lambda model=model: model(LARGE))
        print(f"{name:20} {cycles:10,} {seconds:12.3e} {cycles / seconds:10.2e} {slow / seconds:10.0f}")
    return equal(result)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, required=True, help="an interpreter with scalesim")
    parser.add_argument("--update", action="store_true", help=f"rewrite {TABLE.name}")
    parser.add_argument("--no-large", action="store_true", help="leave the large layer out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ScaleSim(arguments.python, Path(folder)) as simulator:
        if simulator.version != VERSION:
            print(f"SCALE-Sim {simulator.version}, not {VERSION}: formulas and table are of {VERSION}")
        results = _compare(simulator)
        same = all(map(equal, results))
        if arguments.update:
            store(results)
        elif results != stored():
            print(f"differs from {TABLE.name}")
            same = False
        if not arguments.no_large:
            same &= _large(simulator)
    return 0 if same else 5


if __name__ == "__main__":
    sys.exit(main())
