"""The accelerator's RTL as an executor of programs: same bytes in, same bytes out, and its own cycles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewright.schedules.accelerator.isa.encoding import Instruction, encode
from gatewright.schedules.accelerator.spec import Spec
from gatewright.targets.accelerator.machine.memories import Memories

if TYPE_CHECKING:
    from gatewright.hls.accelerator.simulation import RtlRun, RtlSimulation

__all__ = ["RtlExecutor"]


class RtlExecutor:
    """An executor for :class:`~gatewright.targets.accelerator.machine.network.Network`.

    Every run starts with fresh scratchpads; programs keep nothing in them across runs.

    Args:
        simulation: a built one of the same spec.

    Attributes:
        runs: what the simulation said, run by run.
    """

    def __init__(self, simulation: RtlSimulation) -> None:
        self.simulation = simulation
        self.runs: list[RtlRun] = []

    def __call__(self, spec: Spec, memories: Memories, instructions: list[Instruction]) -> None:
        """Run a program; only DRAM is changed."""
        run = self.simulation.run(encode(instructions), memories.dram)
        memories.dram[:] = run.dram
        self.runs.append(run)
