"""Random integer graphs as hardware: several of them side by side in one design, so that one build serves them all.

``random_case(seed, fabric)`` makes one graph and a random legal folding of it; ``Batch`` puts cases into one design,
builds it, and knows for every case what leaves it and when.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.reference import Reference
from gatewright.hls.lattice import project
from gatewright.hls.lattice.lowering import lower
from gatewright.hls.lattice.simulation import Simulation, build, building, running
from gatewright.hls.ports import all_physical, logical
from gatewright.schedules.stream.devices import FABRICS
from gatewright.schedules.stream.hardware import Fold, legal_folds
from gatewright.schedules.stream.network import Network, assemble, with_depths
from gatewright.schedules.stream.stages import Design, Mac, Port, Stage, Stream
from gatewright.schedules.stream.timing import Timing, time_network
from tests.strategies import random_graph, random_inputs

__all__ = ["Batch", "Case", "Measured", "assembled", "random_case"]

Tensors = dict[str, npt.NDArray[np.integer[Any]]]
_UNITS = building._units


def _unoptimized(work: Path, trace: bool, top: str, harness: str) -> list[tuple[str, str]]:
    return [(name, "-O0") for name, _ in _UNITS(work, trace, top, harness)]


@dataclass(frozen=True, eq=False)
class Case:
    """One graph with its folding."""

    seed: int
    graph: IntegerGraph
    design: Design
    folds: dict[str, Fold]

    def inputs(self, samples: int) -> Tensors:
        return random_inputs(self.graph, self.seed, samples)


@dataclass(frozen=True)
class Measured:
    """When the frames of one case entered and left, in the words of ``Timing``."""

    latency_cycles: int
    interval_cycles: int
    frames: tuple[int, ...]


def random_case(seed: int, layers: int = 6, operators: Sequence[str] | None = None, max_bits: int = 16) -> Case:
    """Graph ``seed`` and a random legal folding; a third of the foldings is as narrow, a third as wide as can be."""
    graph = random_graph(seed, layers, operators, max_bits=max_bits, batch=1)
    design = lower(graph, f"case_{seed}")
    rng = np.random.default_rng(seed)
    mood = seed % 3
    folds = {}
    for stage in design.stages:
        legal = sorted(legal_folds(stage), key=lambda fold: (fold.pe * fold.simd, fold.pe))
        legal = [fold for fold in legal if fold.pe * fold.simd <= 48]
        chosen = legal[0] if mood == 1 else legal[-1] if mood == 2 else legal[rng.integers(len(legal))]
        hard = int(rng.integers(0, chosen.pe * chosen.simd + 1)) if rng.random() < 0.5 else -1
        folds[stage.name] = replace(chosen, hard=hard)
    # A generator of its own: what other seeds make does not depend on it.
    dice = np.random.default_rng((seed, 1))
    for stage in design.stages:
        if isinstance(stage, Mac) and dice.random() < 0.25:
            folds[stage.name] = replace(folds[stage.name], outside=True, kept=bool(dice.random() < 0.5))
    return Case(seed, graph, design, folds)


def assembled(design: Design, folds: dict[str, Fold], fabric: str) -> tuple[Network, Timing]:
    """The network, its FIFOs as deep as they were ever filled, and its cycle counts.

    Weights are kept only where there are large memories.
    """
    if FABRICS[fabric].spram is None:
        folds = {name: replace(fold, kept=False) for name, fold in folds.items()}
    network = assemble(design, folds, FABRICS[fabric])
    filled = time_network(network).occupancy
    depths = {
        fork.name: tuple(max(2, most) if depth == 0 else depth
                         for depth, most in zip(fork.depths, filled[fork.name], strict=True))
        for fork in network.forks
    }  # fmt: skip
    network = with_depths(network, depths)
    return network, time_network(network)


class Batch:
    """Cases side by side in one design, built in ``directory``."""

    def __init__(self, cases: Sequence[Case], fabric: str, directory: Path, jobs: int = 1) -> None:
        self.cases = list(cases)
        self.timings = [assembled(case.design, case.folds, fabric)[1] for case in cases]
        folds = {f"c{i}_{name}": fold for i, case in enumerate(cases) for name, fold in case.folds.items()}
        self.network, _ = assembled(_side_by_side([case.design for case in cases]), folds, fabric)
        project.write(self.network, directory)
        with mock.patch.object(building, "_units", _unoptimized):  # compiling costs more than so few cycles
            build(directory, jobs=jobs)
        self.simulation = Simulation(directory)

    def expected(self, samples: int) -> list[Tensors]:
        return [Reference(case.graph).run(case.inputs(samples)) for case in self.cases]

    def run(self, samples: int, **options: Any) -> list[Tensors]:
        """What leaves every case."""
        made = self.simulation.run(self._fed(samples), **options)
        return [{name: made[f"c{i}:{name}"] for name in case.graph.outputs} for i, case in enumerate(self.cases)]

    def measure(self, frames: int = 4) -> list[tuple[Measured, Tensors]]:
        """Cycle counts and results of every case, frames back to back and nothing ever waiting outside."""
        simulation = self.simulation
        fed = all_physical(simulation.inputs, self._fed(frames))
        made = [np.zeros((frames, port["tokens"] * port["lanes"]), np.int32) for port in simulation.outputs]
        weights = simulation._weights
        moves = _step(simulation, [*fed, *weights], made, frames)
        del moves[len(fed) : len(fed) + len(weights)]
        first, last = {}, {}
        for port, cycles in zip([*simulation.inputs, *simulation.outputs], moves, strict=True):
            times = np.array(cycles).reshape(frames, port["tokens"])
            first[port["port"]], last[port["port"]] = times[:, 0].tolist(), times[:, -1].tolist()
        results = {port["name"]: logical(port, array) for port, array in zip(simulation.outputs, made, strict=True)}
        found = []
        for i, case in enumerate(self.cases):
            sources = [port["port"] for port in simulation.inputs if port["name"].startswith(f"c{i}:")]
            sinks = [port["port"] for port in simulation.outputs if port["name"].startswith(f"c{i}:")]
            ends = tuple(max(last[port][frame] for port in sinks) for frame in range(frames))
            start = min(first[port][0] for port in sources)
            measured = Measured(ends[0] - start + 1, ends[-1] - ends[-2], ends)
            found.append((measured, {name: results[f"c{i}:{name}"] for name in case.graph.outputs}))
        return found

    def _fed(self, samples: int) -> Tensors:
        return {
            f"c{i}:{name}": array for i, case in enumerate(self.cases) for name, array in case.inputs(samples).items()
        }


def _step(
    simulation: Simulation, fed: list[npt.NDArray[np.int32]], made: list[npt.NDArray[np.int32]], frames: int
) -> list[list[int]]:
    """Cycle by cycle: the cycle in which every token moves, a list a port."""
    library = simulation._library
    stamps = np.zeros((2, frames), np.int64)
    sources, sinks = running._pointers(fed), running._pointers(made)
    job = running._Job(
        simulation._memories.encode(), None, ctypes.addressof(sources), ctypes.addressof(sinks), stamps[0].ctypes.data,
        stamps[1].ctypes.data, frames, 20_000, 1.0, 1.0, 0,
    )  # fmt: skip
    message = ctypes.create_string_buffer(1024)
    handle = ctypes.c_void_p(library.gatewright_open(ctypes.byref(job), message, ctypes.c_int64(len(message))))
    assert handle, message.value
    state = np.zeros(3 + len(fed) + len(made), np.int64)
    moves: list[list[int]] = [[] for _ in range(len(fed) + len(made))]
    try:
        status, cycle = running._RUNNING, 0
        while status == running._RUNNING:
            status = library.gatewright_advance(handle, ctypes.c_int64(1))
            library.gatewright_state(handle, ctypes.c_void_p(state.ctypes.data))
            for counted, cycles in zip(state[3:].tolist(), moves, strict=True):
                if counted > len(cycles):
                    cycles.append(cycle)
            cycle += 1
        assert status == running._FINISHED, f"status {status} in cycle {cycle}"
    finally:
        library.gatewright_close(handle)
    return moves


def _side_by_side(designs: Sequence[Design]) -> Design:
    """One design of all: every name with the number of its design in front."""
    inputs: list[Port] = []
    outputs: list[Port] = []
    streams: dict[str, Stream] = {}
    stages: list[Stage] = []
    for i, design in enumerate(designs):
        at = f"c{i}_"
        inputs += [replace(port, name=f"c{i}:{port.name}", stream=at + port.stream) for port in design.inputs]
        outputs += [replace(port, name=f"c{i}:{port.name}", stream=at + port.stream) for port in design.outputs]
        streams |= {at + name: stream for name, stream in design.input_streams.items()}
        stages += [
            replace(stage, name=at + stage.name, inputs=tuple(at + name for name in stage.inputs))
            for stage in design.stages
        ]
    return Design("side_by_side", tuple(inputs), tuple(outputs), streams, tuple(stages))
