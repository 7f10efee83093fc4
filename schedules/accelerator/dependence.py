"""Waits: which instructions of the other units must be complete before one may start.

An instruction waits for every earlier one, in program order, that wrote what it touches or reads what it overwrites
(read after write, write after write, write after read), and for every earlier one that holds a port of a bank it needs
itself. Each unit works in order, so one count a unit says it all (vector clocks: Lamport 1978, Mattern 1989).
"""

from __future__ import annotations

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
        # Space -> (units of a bank, which kinds of access share a port with a read and with a write).
        self._banks: dict[int, tuple[int, tuple[tuple[bool, ...], tuple[bool, ...]]]] = {}
        for name, pad in dict(pads).items():
            if pad.ports != "multi":
                unit = row if name == "accumulator" else 1
                kinds = ((False,), (True,)) if pad.ports == "1r1w" else ((True, False), (True, False))
                self._banks[SPACES[name]] = pad.bank_bytes // unit, kinds
        self._issued = [0] * _COUNT
        # What every unit knows to be complete, by unit; and the same as it was when each instruction started.
        self._known: list[_Clock] = [[0] * _COUNT for _ in UNITS]
        self._clocks: list[list[_Clock]] = [[] for _ in UNITS]
        # Space -> by unit its (reads, writes), the last one last: (low, high, number of the instruction).
        self._accesses: dict[int, list[tuple[_Entries, _Entries]]] = {}
        self._ports: dict[tuple[int, int, bool], list[int]] = {}

    def waits(self, unit: int, accesses: Sequence[_Access]) -> list[int]:
        """Counts of completed instructions by unit that the next instruction of ``unit`` must wait for; records it.

        A count that an earlier instruction of the same unit already waited for is 0.
        """
        known, wanted = self._known[unit], [0] * _COUNT
        # A count at or below what is known never matters: conflicts are looked for above it.
        least = list(known)
        for space, low, high, write in accesses:
            units = self._accesses.get(space)
            if units is not None:
                self._data(unit, units, low, high, write, least, wanted)
            banks = self._banks.get(space)
            if banks is not None:
                size, kinds = banks
                for bank in range(low // size, (high - 1) // size + 1):
                    for kind in kinds[write]:
                        for other, number in enumerate(self._ports.get((space, bank, kind), ())):
                            if number > least[other] and other != unit:
                                wanted[other] = least[other] = number
        for other, count in enumerate(wanted):
            if count <= known[other]:
                wanted[other] = 0
                continue
            for third, seen in enumerate(self._clocks[other][count - 1]):
                if seen > known[third]:
                    known[third] = seen
            known[other] = max(known[other], count)
        self._record(unit, accesses)
        return wanted

    def all_issued(self) -> list[int]:
        """Counts a halt waits for: everything."""
        return list(self._issued)

    def _data(
        self,
        unit: int,
        units: list[tuple[_Entries, _Entries]],
        low: int,
        high: int,
        write: bool,
        least: list[int],
        wanted: list[int],
    ) -> None:
        """Raise ``wanted`` to the last instruction of every other unit that conflicts with an access."""
        for other in range(_COUNT):
            if other == unit or self._issued[other] <= least[other]:
                continue
            reads, writes = units[other]
            for entries in (writes, reads) if write else (writes,):
                for first, end, number in reversed(entries):
                    if number <= least[other]:
                        break
                    if first < high and low < end:
                        wanted[other] = least[other] = number
                        break

    def _record(self, unit: int, accesses: Sequence[_Access]) -> None:
        self._issued[unit] += 1
        number = self._issued[unit]
        self._known[unit][unit] = number
        self._clocks[unit].append(list(self._known[unit]))
        for space, low, high, write in accesses:
            units = self._accesses.get(space)
            if units is None:
                units = self._accesses[space] = [([], []) for _ in UNITS]
            entries = units[unit][write]
            entries.append((low, high, number))
            if len(entries) > _PRUNE:
                done = min(known[unit] for known in self._known)
                entries[:] = [entry for entry in entries if entry[2] > done]
            banks = self._banks.get(space)
            if banks is not None:
                size = banks[0]
                for bank in range(low // size, (high - 1) // size + 1):
                    self._ports.setdefault((space, bank, write), [0] * _COUNT)[unit] = number
