"""The critical path: the chain of instructions whose times add up to a program's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.timing.event import Timeline, queue_of_units

__all__ = ["CriticalPath", "critical_path", "queue_orders"]

Column = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CriticalPath:
    """What a program's cycles went by with; work and the sequencer's cycles leave no gap and do not overlap.

    Attributes:
        work: (k,) instructions that were executed, the last one first.
        waiting: (k,) the instruction that waited for each, -1 where the program's end did.
        fetched: (n,) how often the path goes through the fetch of each instruction: 0 or 1.
        sequencing: (n,) cycles of the sequencer on the path by instruction: fetches, and what lies around them.
    """

    work: Column
    waiting: Column
    fetched: Column
    sequencing: Column


def queue_orders(spec: Spec, unit: Column) -> tuple[Column, Column]:
    """(n,) instruction before in the same queue, and (n,) the one ``queue_depth`` places before; -1 where none is."""
    queues = np.where(unit >= 0, np.array(queue_of_units(spec))[unit], -1)
    before, blocker = np.full(len(unit), -1), np.full(len(unit), -1)
    depth = spec.control.queue_depth
    for queue in np.unique(queues[queues >= 0]):
        (members,) = np.nonzero(queues == queue)
        before[members[1:]] = members[:-1]
        blocker[members[depth:]] = members[:-depth]
    return before, blocker


def critical_path(spec: Spec, timeline: Timeline) -> CriticalPath:
    """Walk from the end to cycle 0 along the causes of a timeline.

    Where the sequencer made an instruction late, the path follows it back: fetch by fetch to the last time it stood
    still, because a queue was full, and from there to the instruction whose start made room.
    """
    count = len(timeline.end)
    if not count:
        empty = np.zeros(0, np.int64)
        return CriticalPath(empty, empty, empty, empty)
    control, extra = spec.control, np.zeros(count, np.int64)
    _, blocker = queue_orders(spec, timeline.unit)
    before = np.concatenate([[control.first_cycles], timeline.handed[:-1]])
    stood = timeline.handed != before + control.fetch_cycles
    stall = np.maximum.accumulate(np.where(stood, np.arange(count), -1)).tolist()
    cause, blockers, units = timeline.cause.tolist(), blocker.tolist(), timeline.unit.tolist()
    edges = np.zeros(count + 1, np.int64)
    at = count - 1 - int(np.argmax(timeline.end[::-1]))
    work, waiting = [at], [-1]
    while True:
        why = cause[at]
        if why >= 0:
            work.append(why)
            waiting.append(at)
            at = why
            continue
        since = stall[at]
        edges[since + 1] += 1
        edges[at + 1] -= 1
        extra[at] += control.issue_cycles if units[at] >= 0 else 0
        if since < 0:
            extra[0] += control.first_cycles
            fetched = np.cumsum(edges)[:count]
            return CriticalPath(np.array(work), np.array(waiting), fetched, fetched * control.fetch_cycles + extra)
        extra[since] += control.refill_cycles
        at = blockers[since]
        assert at >= 0, "only a full queue makes the sequencer stand still"
