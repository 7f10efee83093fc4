"""Places for tiles in a scratchpad: a tile that is still there is not loaded again."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

__all__ = ["Slots"]


@dataclass
class Slots:
    """Equal places used in turn (first in, first out).

    Attributes:
        addresses: of the places.
    """

    addresses: list[int]
    _held: list[Hashable | None] = field(default_factory=list)
    _next: int = 0

    def __post_init__(self) -> None:
        self._held = [None] * len(self.addresses)

    @classmethod
    def packed(cls, first: int, size: int, count: int) -> Slots:
        """``count`` places of ``size`` one behind the other from ``first``."""
        return cls([first + size * index for index in range(count)])

    def place(self, key: Hashable) -> tuple[int, bool]:
        """Address for the tile ``key``, and whether it is there already."""
        if key is not None and key in self._held:
            return self.addresses[self._held.index(key)], True
        slot = self._next
        self._next = (slot + 1) % len(self.addresses)
        self._held[slot] = key
        return self.addresses[slot], False
