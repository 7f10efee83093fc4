"""What a module of the library becomes, as quantities that have coefficients."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from gatewright.schedules.stream.devices import Fabric

__all__ = ["Parts", "clog2"]


@dataclass
class Parts:
    """Flip-flops and block memories, and quantities of logic by name."""

    fabric: Fabric
    ff: int = 0
    ebr: int = 0
    logic: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, quantity: float, times: int = 1) -> None:
        """``times`` times ``quantity`` of logic."""
        if quantity > 0 and times > 0:
            self.logic[name] += quantity * times  # type: ignore[assignment]

    def chain(self, name: str, bits: int, times: int = 1) -> None:
        """Carry chains of ``bits`` bits: a carry cell of an ECP5 has two."""
        if bits <= 0 or times <= 0:
            return
        pairs = self.fabric.distributed
        self.add(name, 2 * -(-bits // 2) if pairs else bits, times)
        self.add("chains", 1, times)

    def registers(self, bits: int) -> None:
        """Flip-flops without logic of their own in front."""
        self.ff += bits
        self.add("plain", bits)


def clog2(value: int) -> int:
    """Address bits of ``value`` words, at least one."""
    return max(1, (value - 1).bit_length())
