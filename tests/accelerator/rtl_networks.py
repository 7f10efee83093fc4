"""Whole networks through the RTL: every run of a program beside the functional machine and the timing models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gatewright.hls.accelerator.simulation import RtlSimulation
from gatewright.schedules.accelerator.isa.encoding import Instruction, encode
from gatewright.schedules.accelerator.serialization import Package
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.timing.durations import instruction_cycles
from gatewright.schedules.accelerator.timing.event import simulate
from gatewright.targets.accelerator.machine.executor import execute
from gatewright.targets.accelerator.machine.memories import Memories
from gatewright.targets.accelerator.machine.network import Network
from tests.accelerator.rtl_programs import contract


@dataclass
class Comparison:
    """Sums over the runs of a program.

    Attributes:
        wrong_bytes: of DRAM behind a run, against the functional machine.
        wrong_durations: instructions that do not take the cycles of ``instruction_cycles``.
        off_contract: instructions not handed out, started and ended as the timing contract says.
        cycles, modelled_cycles: of the RTL and of the event-driven model.
    """

    instructions: int = 0
    wrong_bytes: int = 0
    wrong_durations: int = 0
    off_contract: int = 0
    cycles: int = 0
    modelled_cycles: int = 0


def compare(package: Package, simulation: RtlSimulation, inputs: Mapping[str, np.ndarray[Any, Any]]) -> Comparison:
    """One inference, with the functional machine's DRAM carried on between runs."""
    found = Comparison()

    def both(spec: Spec, memories: Memories, instructions: list[Instruction]) -> None:
        words = encode(instructions)
        ran = simulation.run(words, memories.dram, limit_cycles=1 << 30)
        execute(spec, memories, instructions)
        times = contract(spec, instructions)
        cycles = instruction_cycles(spec, words)
        units = [number for number, i in enumerate(instructions) if i.mnemonic != "halt"]
        found.instructions += len(words)
        found.wrong_bytes += int((ran.dram != memories.dram).sum())
        found.wrong_durations += int((ran.end - ran.start != cycles)[units].sum())
        expected = np.array([times.handed_out, times.start, times.end])
        found.off_contract += int((expected != np.array([ran.handed_out, ran.start, ran.end])).any(axis=0).sum())
        found.cycles += ran.cycles
        found.modelled_cycles += simulate(spec, words).total_cycles

    Network(package.spec, package.program, package.constants, package.graph).run(inputs, both)
    return found
