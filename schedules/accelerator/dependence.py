"""Waits: which instructions of the other units must be complete before one may start.

An instruction waits for every earlier one, in program order, that wrote what it touches or reads what it overwrites
(read after write, write after write, write after read), and for every earlier one that holds a port of a bank it needs
itself. Each unit works in order, so one count a unit says it all (vector clocks: Lamport 1978, Mattern 1989).
"""

from __future__ import annotations

from collections.abc import Sequence

from gatewright.schedules.accelerator.footprints import Access
from gatewright.schedules.accelerator.isa.fields import SPACES, UNITS
from gatewright.schedules.accelerator.spec import Scratchpad, Spec

__all__ = ["Dependences"]

_Clock = list[int]
_PRUNE = 512


class Dependences:
    """Tracks a program as it is emitted.

    Args:
        spec: its banks and ports matter.
    """

    def __init__(self, spec: Spec) -> None:
        pads = spec.scratchpads
        row = 4 * spec.matrix.columns
        self._banks: dict[int, tuple[int, Scratchpad]] = {
            SPACES["activation"]: (pads.activation.bank_bytes, pads.activation),
            SPACES["weight"]: (pads.weight.bank_bytes, pads.weight),
            SPACES["constant"]: (pads.constant.bank_bytes, pads.constant),
            SPACES["accumulator"]: (pads.accumulator.bank_bytes // row, pads.accumulator),
        }
        count = len(UNITS)
        self._issued = [0] * count
        # What every unit knows to be complete, by unit; and the same as it was when each instruction started.
        self._known: list[_Clock] = [[0] * count for _ in range(count)]
        self._clocks: list[list[_Clock]] = [[] for _ in range(count)]
        self._accesses: dict[tuple[int, bool, int], list[tuple[int, int, int]]] = {}
        self._ports: dict[tuple[int, int, bool], list[int]] = {}

    def waits(self, unit: int, accesses: Sequence[Access]) -> list[int]:
        """Counts of completed instructions by unit that the next instruction of ``unit`` must wait for; records it.

        A count that an earlier instruction of the same unit already waited for is 0.
        """
        known = self._known[unit]
        wanted = [0] * len(UNITS)
        for access in accesses:
            for other in range(len(UNITS)):
                if other != unit:
                    least = max(known[other], wanted[other])
                    wanted[other] = max(wanted[other], self._data(other, access, least))
            self._port_waits(unit, access, wanted)
        for other, count in enumerate(wanted):
            if count <= known[other]:
                wanted[other] = 0
                continue
            for third, seen in enumerate(self._clocks[other][count - 1]):
                known[third] = max(known[third], seen)
            known[other] = max(known[other], count)
        self._record(unit, accesses)
        return wanted

    def all_issued(self) -> list[int]:
        """Counts a halt waits for: everything."""
        return list(self._issued)

    def _data(self, other: int, access: Access, least: int) -> int:
        """Number of the last conflicting instruction of ``other``, if above ``least``, else 0."""
        found = 0
        for write in (True, False) if access.write else (True,):
            for low, high, number in reversed(self._accesses.get((access.space, write, other), ())):
                if number <= max(least, found):
                    break
                if low < access.high and access.low < high:
                    found = number
                    break
        return found

    def _port_waits(self, unit: int, access: Access, wanted: list[int]) -> None:
        size, pad = self._banks.get(access.space, (0, None))
        if pad is None or pad.ports == "multi":
            return
        kinds = (access.write,) if pad.ports == "1r1w" else (True, False)
        for bank in range(access.low // size, (access.high - 1) // size + 1):
            for kind in kinds:
                for other, number in enumerate(self._ports.get((access.space, bank, kind), ())):
                    if other != unit:
                        wanted[other] = max(wanted[other], number)

    def _record(self, unit: int, accesses: Sequence[Access]) -> None:
        self._issued[unit] += 1
        number = self._issued[unit]
        self._known[unit][unit] = number
        self._clocks[unit].append(list(self._known[unit]))
        for access in accesses:
            entries = self._accesses.setdefault((access.space, access.write, unit), [])
            entries.append((access.low, access.high, number))
            if len(entries) > _PRUNE:
                done = min(known[unit] for known in self._known)
                entries[:] = [entry for entry in entries if entry[2] > done]
            size, pad = self._banks.get(access.space, (0, None))
            if pad is not None and pad.ports != "multi":
                for bank in range(access.low // size, (access.high - 1) // size + 1):
                    self._ports.setdefault((access.space, bank, access.write), [0] * len(UNITS))[unit] = number
