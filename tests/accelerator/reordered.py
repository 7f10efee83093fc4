"""Runs a program in an order that its waits allow, drawn at random: a missing wait shows as a wrong result."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gatewright.schedules.accelerator.isa.encoding import Instruction
from gatewright.schedules.accelerator.isa.fields import UNIT_OF, UNITS
from gatewright.schedules.accelerator.spec import Spec
from gatewright.targets.accelerator.machine.executor import execute
from gatewright.targets.accelerator.machine.memories import Memories

__all__ = ["reordered"]


def reordered(seed: int) -> Callable[[Spec, Memories, list[Instruction]], None]:
    """An executor that lets one unit after another run ahead as far as its waits allow."""

    def run(spec: Spec, memories: Memories, instructions: list[Instruction]) -> None:
        rng = np.random.default_rng(seed)
        queues: dict[str, list[Instruction]] = {unit: [] for unit in UNITS}
        for instruction in instructions:
            if instruction.mnemonic in UNIT_OF:
                queues[UNIT_OF[instruction.mnemonic]].append(instruction)
        done = dict.fromkeys(UNITS, 0)

        def ready(unit: str) -> bool:
            if done[unit] == len(queues[unit]):
                return False
            first = queues[unit][done[unit]]
            return all(done[other] >= first[f"wait_{other}"] for other in UNITS)

        while runnable := [unit for unit in UNITS if ready(unit)]:
            unit = runnable[int(rng.integers(len(runnable)))]
            # A burst of its own: far ahead is where a missing wait hurts.
            for _ in range(int(rng.integers(1, 20))):
                if not ready(unit):
                    break
                execute(spec, memories, [queues[unit][done[unit]]])
                done[unit] += 1
        if any(done[unit] < len(queues[unit]) for unit in UNITS):
            raise AssertionError(f"deadlock: {done} of { {unit: len(queue) for unit, queue in queues.items()} }")

    return run
