"""Whole networks through the RTL: every run of a program beside the functional machine and the timing models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gatewright.hls.accelerator.simulation import RtlRun, RtlSimulation
from gatewright.schedules.accelerator.isa.encoding import Instruction, encode
from gatewright.schedules.accelerator.serialization import Package
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.timing.event import simulate
from gatewright.targets.accelerator.machine.executor import execute
from gatewright.targets.accelerator.machine.memories import Memories
from gatewright.targets.accelerator.machine.network import Network
from gatewright.targets.accelerator.machine.rtl import RtlExecutor
from tests.accelerator.rtl_programs import contract


@dataclass
class Comparison:
    """Sums over the runs of a program.

    Attributes:
        wrong_bytes: of DRAM behind a run, against the functional machine.
        off_model: instructions not handed out, started and ended as the event-driven model says.
        off_contract: the same by the timing contract, which knows nothing of that model.
        cycles, modelled_cycles: of the RTL and of the event-driven model.
        outputs: of the network, by the RTL. runs: what the simulation said.
    """

    instructions: int = 0
    wrong_bytes: int = 0
    off_model: int = 0
    off_contract: int = 0
    cycles: int = 0
    modelled_cycles: int = 0
    outputs: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    runs: list[RtlRun] = field(default_factory=list)


def compare(package: Package, simulation: RtlSimulation, inputs: Mapping[str, np.ndarray[Any, Any]]) -> Comparison:
    """One inference in the RTL."""
    found, executor = Comparison(), RtlExecutor(simulation)

    def both(spec: Spec, memories: Memories, instructions: list[Instruction]) -> None:
        machine = Memories.of(spec, memories.dram.copy())
        execute(spec, machine, instructions)
        executor(spec, memories, instructions)
        ran, words = executor.runs[-1], encode(instructions)
        found.instructions += len(words)
        found.wrong_bytes += int((memories.dram != machine.dram).sum())
        times, model = contract(spec, instructions), simulate(spec, words)
        seen = np.array([ran.handed_out, ran.start, ran.end])
        found.off_contract += int((np.array([times.handed_out, times.start, times.end]) != seen).any(axis=0).sum())
        # A halt has no unit: its end is the total.
        units = model.unit >= 0
        found.off_model += int((np.array([model.handed, model.start, model.end]) != seen)[:, units].any(axis=0).sum())
        found.cycles += ran.cycles
        found.modelled_cycles += model.total_cycles

    found.outputs = Network(package).run(inputs, both)
    found.runs = executor.runs
    return found
