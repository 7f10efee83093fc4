"""Waits: which instructions of the other units must be complete before one may start.

An instruction waits for every earlier one, in program order, that wrote what it touches or reads what it overwrites
(read after write, write after write, write after read), and for every earlier one that holds a port of a bank it needs
itself. Each unit works in order, so one count a unit says it all (vector clocks: Lamport 1978, Mattern 1989).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from gatewright.schedules.accelerator.isa.fields import SPACES, UNITS
from gatewright.schedules.accelerator.spec import Spec

__all__ = ["Dependences"]

_Clock = list[int]
_Access = tuple[int, int, int, bool]
"""(space, low, high, write) as in :class:`~gatewright.schedules.accelerator.ranges.Ranges`."""
_Entries = list[tuple[int, int, int]]
_PRUNE = 512
_COUNT = len(UNITS)


class Dependences:
    """Tracks a program as it is emitted.

    Args:
        spec: its banks and ports matter.
    """

    def __init__(self, spec: Spec) -> None:
        pads = spec.scratchpads
        row = 4 * spec.matrix.columns
        # Space -> (units of a bank, which kinds of access share a port with a read and with a write); bank -> kind ->
        # by unit the last instruction that held the port.
        self._banks: dict[int, tuple[int, tuple[tuple[bool, ...], tuple[bool, ...]], list[list[_Clock]]]] = {}
        for name, pad in dict(pads).items():
            if pad.ports != "multi":
                unit = row if name == "accumulator" else 1
                kinds = ((False,), (True,)) if pad.ports == "1r1w" else ((True, False), (True, False))
                ports = [[[0] * _COUNT, [0] * _COUNT] for _ in range(pad.banks)]
                self._banks[SPACES[name]] = pad.bank_bytes // unit, kinds, ports
        self._issued = [0] * _COUNT
        # What every unit knows to be complete, by unit; and the same as it was when each instruction started.
        self._known: list[_Clock] = [[0] * _COUNT for _ in UNITS]
        self._clocks: list[list[_Clock]] = [[] for _ in UNITS]
        # Space -> by unit its (reads, writes), the last one last: (low, high, number of the instruction).
        self._accesses: defaultdict[int, list[tuple[_Entries, _Entries]]] = defaultdict(
            lambda: [([], []) for _ in UNITS]
        )

    def waits(self, unit: int, accesses: Sequence[_Access]) -> list[int]:
        """Counts of completed instructions by unit that the next instruction of ``unit`` must wait for; records it.

        A count that an earlier instruction of the same unit already waited for is 0.
        """
        known = self._known[unit]
        # By unit the last instruction in conflict. One that is known to be complete, as all of its own, never matters.
        last = known.copy()
        self._same_data(accesses, last)
        self._same_ports(accesses, last)
        wanted = [0] * _COUNT
        for other, count in enumerate(last):
            if count > known[other]:
                wanted[other] = count
                for third, seen in enumerate(self._clocks[other][count - 1]):
                    if seen > known[third]:
                        known[third] = seen
        self._record(unit, accesses)
        return wanted

    def all_issued(self) -> list[int]:
        """Counts a halt waits for: everything."""
        return list(self._issued)

    def _same_data(self, accesses: Sequence[_Access], last: _Clock) -> None:
        """Raise ``last`` to the instructions that touch the same bytes, where one of both writes them."""
        for space, low, high, write in accesses:
            for other, (reads, writes) in enumerate(self._accesses[space]):
                above = last[other]
                if self._issued[other] <= above:
                    continue
                for entries in (writes, reads) if write else (writes,):
                    for first, end, number in reversed(entries):
                        if number <= above:
                            break
                        if first < high and low < end:
                            last[other] = above = number
                            break

    def _same_ports(self, accesses: Sequence[_Access], last: _Clock) -> None:
        """Raise ``last`` to the instructions that hold a port of a bank that these accesses need, too."""
        for space, low, high, write in accesses:
            if space in self._banks:
                size, kinds, ports = self._banks[space]
                for bank in range(low // size, (high - 1) // size + 1):
                    for kind in kinds[write]:
                        for other, number in enumerate(ports[bank][kind]):
                            if number > last[other]:
                                last[other] = number

    def _record(self, unit: int, accesses: Sequence[_Access]) -> None:
        self._issued[unit] += 1
        number = self._issued[unit]
        self._known[unit][unit] = number
        self._clocks[unit].append(self._known[unit].copy())
        for space, low, high, write in accesses:
            entries = self._accesses[space][unit][write]
            entries.append((low, high, number))
            if len(entries) > _PRUNE:
                done = min(known[unit] for known in self._known)
                entries[:] = [entry for entry in entries if entry[2] > done]
            if space in self._banks:
                size, _, ports = self._banks[space]
                for bank in range(low // size, (high - 1) // size + 1):
                    ports[bank][write][unit] = number
