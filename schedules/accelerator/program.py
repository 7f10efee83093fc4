"""Programs: what the executors read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gatewright.schedules.accelerator.isa.encoding import Words
from gatewright.schedules.accelerator.memory import Region
from gatewright.schedules.accelerator.storage import Storage

__all__ = ["HostStep", "Located", "Program", "Run"]


@dataclass(frozen=True)
class Located:
    """A tensor in DRAM."""

    address: int
    storage: Storage


@dataclass(frozen=True)
class Run:
    """Instructions that end with a halt.

    Attributes:
        words: (n, 32). layers: name of the layer of each instruction.
    """

    words: Words
    layers: tuple[str, ...]


@dataclass(frozen=True)
class HostStep:
    """A layer the host computes between runs, and why."""

    layer: str
    reason: str


@dataclass(frozen=True)
class Program:
    """One network on one accelerator.

    Attributes:
        steps: in order.
        dram_bytes: of the whole memory. constants: (layer, role) -> (address, bytes).
        tensors: those that the host reads or writes, by name; absent where the host alone has them.
        stored: tensor -> tensor it is another shape of (itself, mostly).
        boundary: reshapes and transposes that the host does as it writes inputs (``entry``) or reads outputs
            (``exit``).
        dram, scratchpad: regions with lifetimes: DRAM tensors and constants, and resident tensors.
    """

    steps: tuple[Run | HostStep, ...]
    dram_bytes: int
    constants: Mapping[tuple[str, str], tuple[int, int]]
    tensors: Mapping[str, Located]
    stored: Mapping[str, str]
    boundary: Mapping[str, str]
    dram: tuple[Region, ...]
    scratchpad: tuple[Region, ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        """The parts the accelerator executes."""
        return tuple(step for step in self.steps if isinstance(step, Run))
