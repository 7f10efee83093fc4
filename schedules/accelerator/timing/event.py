"""The event-driven model: when every instruction starts and ends.

A program is a max-plus system: an instruction starts when it has been handed out, its unit is done with the one before,
and its waits are met. Arbitration is static (program order), so more bandwidth never makes a program slower. The scan
is one step an instruction, never one a cycle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewright.schedules.accelerator.isa.encoding import MNEMONICS, Words, malformed
from gatewright.schedules.accelerator.isa.fields import FIRST_WAIT, UNIT_OF, UNITS
from gatewright.schedules.accelerator.program import Program
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.timing.durations import instruction_cycles

__all__ = ["FETCH", "Timeline", "modelled_cycles", "queue_of_units", "simulate"]

FETCH = len(UNITS)
"""Number of the sequencer where a cause is a unit (see :class:`Timeline`)."""
_UNIT_OF_OPCODE = np.array(
    [UNITS.index(UNIT_OF[MNEMONICS[code]]) if MNEMONICS.get(code) in UNIT_OF else -1 for code in range(256)], np.int64
)
_NEVER = -(1 << 62)


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

    Raises:
        TargetError: GW4304 on an instruction that waits for one behind it.
    """
    count = len(words)
    took = instruction_cycles(spec, words) if durations is None else durations
    unit = _UNIT_OF_OPCODE[words[:, 0] & 0xFF]
    queue = np.where(unit < 0, -1, np.array(queue_of_units(spec))[unit])
    control = spec.control
    fetch, refill = control.fetch_cycles, control.refill_cycles
    counts = words[:, FIRST_WAIT : FIRST_WAIT + len(UNITS)].T.astype(np.int64)
    before, leaving, known = _predecessors(queue, counts, control.queue_depth)
    # A halt is no unit's: it needs no start.
    took = np.where(unit < 0, control.halt_cycles, took)
    issue = np.where(unit < 0, 0, control.issue_cycles)
    handed: list[int] = []
    # What is missing has number -1: the last place holds a time before all others.
    start, end = [0] * count + [_NEVER], [0] * count + [_NEVER]
    cause = [0] * count
    sequencer = control.first_cycles
    steps = zip(
        range(count), took.tolist(), issue.tolist(), before.tolist(), leaving.tolist(), _awaited(unit, counts, known),
        strict=True,
    )  # fmt: skip
    for index, cycles, issued, previous, left, awaited in steps:
        sequencer += fetch
        room = start[left] + refill
        if room > sequencer:
            # The queue is full until the instruction `queue_depth` places before leaves it.
            sequencer = room
        begin, why = sequencer + issued, ~index
        handed.append(sequencer)
        done = end[previous]
        if done >= begin:
            begin, why = done, previous
        for other in awaited:
            done = end[other]
            if done > begin:
                begin, why = done, other
        start[index], end[index], cause[index] = begin, begin + cycles, why
    begins, ends = np.array(start[:count], np.int64), np.array(end[:count], np.int64)
    return Timeline(
        unit, np.array(handed, np.int64), begins, ends, np.array(cause, np.int64), int(ends.max(initial=0))
    )  # fmt: skip


def _predecessors(
    queue: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], depth: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """What lies before every instruction in its queue.

    Args:
        queue: (n,) number of the queue, -1 for none.
        counts: (waits, n) completions each instruction waits for.
        depth: places of a queue.

    Returns:
        (n,) the instruction before and (n,) the one ``depth`` places before, -1 where there is none; (waits, n) the
        completions that those before have waited for.
    """
    before, leaving = np.full((2, len(queue)), -1, np.int64)
    known = np.zeros_like(counts)
    for number in range(len(UNITS)):
        (members,) = np.nonzero(queue == number)
        before[members[1:]] = members[:-1]
        leaving[members[depth:]] = members[:-depth]
        known[:, members[1:]] = np.maximum.accumulate(counts[:, members], axis=1)[:, :-1]
    return before, leaving, known


def _awaited(
    unit: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], known: npt.NDArray[np.int64]
) -> list[tuple[int, ...]]:
    """The instructions whose ends each one waits for, by unit.

    A wait that an instruction before it in the same queue had, too, is left out: that one began after its end.
    """
    awaited: list[tuple[int, ...]] = [()] * len(unit)
    fresh = counts > known
    for other in range(len(UNITS)):
        (waiting,) = np.nonzero(fresh[other])
        (completing,) = np.nonzero(unit == other)
        # How many of the unit lie in front of each: more will never be done.
        never = waiting[counts[other, waiting] > np.searchsorted(completing, waiting)]
        if len(never):
            raise malformed(int(never[0]), f"it waits for an instruction of the {UNITS[other]} unit behind it")
        for index, before in zip(waiting.tolist(), completing[counts[other, waiting] - 1].tolist(), strict=True):
            awaited[index] += (before,)
    return awaited


def modelled_cycles(spec: Spec, program: Program) -> int:
    """Cycles of all runs of a network; host layers between them take none."""
    return sum(simulate(spec, run.words).total_cycles for run in program.runs)
