"""The event-driven model: when every instruction starts and ends.

A program is a max-plus system: an instruction starts when it has been handed out, its unit is done with the one before,
and its waits are met. Arbitration is static (program order), so more bandwidth never makes a program slower. The scan
is one step an instruction, never one a cycle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewright.schedules.accelerator.isa.encoding import MNEMONICS, Words
from gatewright.schedules.accelerator.isa.fields import UNIT_OF, UNITS
from gatewright.schedules.accelerator.program import Program
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.timing.durations import instruction_cycles

__all__ = ["FETCH", "Timeline", "modelled_cycles", "queue_of_units", "simulate"]

FETCH = len(UNITS)
"""Number of the sequencer where a cause is a unit (see :class:`Timeline`)."""
_UNIT_OF_OPCODE = {code: UNITS.index(UNIT_OF[name]) for code, name in MNEMONICS.items() if name in UNIT_OF}


@dataclass(frozen=True)
class Timeline:
    """Times of one run, cycles since the program began.

    Attributes:
        unit: (n,) index in ``UNITS``; -1 for halt.
        handed, start, end: (n,) when an instruction entered its queue, began, and was done.
        cause: (n,) index of the instruction whose end (or, negative, hand-out: ``~index``) determined the start.
        total_cycles: when the program halts.
    """

    unit: npt.NDArray[np.int64]
    handed: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    cause: npt.NDArray[np.int64]
    total_cycles: int

    @property
    def busy_cycles(self) -> dict[str, int]:
        """Cycles each unit works."""
        worked = self.end - self.start
        return {name: int(worked[self.unit == index].sum()) for index, name in enumerate(UNITS)}


def queue_of_units(spec: Spec) -> list[int]:
    """Number of the queue that serves each unit: one DMA, or one compute core, works in the order of one queue."""
    return [0, 0 if spec.dma.channels == 1 else 1, 2, 2 if spec.control.shared_compute else 3]


def simulate(spec: Spec, words: Words, durations: npt.NDArray[np.int64] | None = None) -> Timeline:
    """Time a program.

    Args:
        spec: the accelerator.
        words: (n, 32) program, with or without a final halt.
        durations: (n,) cycles of each instruction; computed from the spec if None.
    """
    took = (instruction_cycles(spec, words) if durations is None else durations).tolist()
    opcodes = (words[:, 0] & 0xFF).tolist()
    waits = words[:, 1 : 1 + len(UNITS)].tolist()
    control = spec.control
    depth, fetch, issue, refill = control.queue_depth, control.fetch_cycles, control.issue_cycles, control.refill_cycles
    shared = queue_of_units(spec)
    last = [-1] * len(UNITS)
    queues: list[list[int]] = [[] for _ in UNITS]
    order: list[list[int]] = [[] for _ in UNITS]
    units: list[int] = []
    handed: list[int] = []
    start: list[int] = []
    end: list[int] = []
    cause: list[int] = []
    sequencer = control.first_cycles
    for index, (opcode, wait) in enumerate(zip(opcodes, waits, strict=True)):
        unit = _UNIT_OF_OPCODE.get(opcode, -1)
        sequencer += fetch
        if unit >= 0:
            queue = queues[shared[unit]]
            if len(queue) >= depth and start[queue[-depth]] + refill > sequencer:
                # The queue is full until the instruction `depth` places before leaves it.
                sequencer = start[queue[-depth]] + refill
        # A halt is no unit's: it needs no start.
        begin, why = sequencer + (issue if unit >= 0 else 0), ~index
        if unit >= 0 and last[shared[unit]] >= 0 and end[last[shared[unit]]] >= begin:
            why = last[shared[unit]]
            begin = end[why]
        entered = sequencer
        for other, count in enumerate(wait):
            if count:
                before = order[other][count - 1]
                if end[before] > begin:
                    begin, why = end[before], before
        units.append(unit)
        handed.append(entered)
        start.append(begin)
        end.append(begin + (took[index] if unit >= 0 else control.halt_cycles))
        cause.append(why)
        if unit >= 0:
            queues[shared[unit]].append(index)
            order[unit].append(index)
            last[shared[unit]] = index
    unit_, handed_, start_, end_, cause_ = (np.array(values, np.int64) for values in (units, handed, start, end, cause))
    return Timeline(unit_, handed_, start_, end_, cause_, max(end, default=0))


def modelled_cycles(spec: Spec, program: Program) -> int:
    """Cycles of all runs of a network; host layers between them take none."""
    return sum(simulate(spec, run.words).total_cycles for run in program.runs)
