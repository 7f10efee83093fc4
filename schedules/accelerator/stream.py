"""A program as it is written: instructions with their waits, and what each is for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gatewright.schedules.accelerator.dependence import Dependences
from gatewright.schedules.accelerator.footprints import footprint
from gatewright.schedules.accelerator.isa.encoding import Instruction, Words, encode
from gatewright.schedules.accelerator.isa.fields import UNIT_OF, UNITS
from gatewright.schedules.accelerator.spec import Spec

__all__ = ["Stream"]


class Stream:
    """Instructions in program order.

    Args:
        spec: the accelerator.

    Attributes:
        instructions: so far.
        layers: name of the layer of each.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.instructions: list[Instruction] = []
        self.layers: list[str] = []
        self._layer = ""
        self._dependences = Dependences(spec)

    @contextmanager
    def layer(self, name: str) -> Iterator[None]:
        """Instructions emitted inside belong to the layer ``name``."""
        before, self._layer = self._layer, name
        yield
        self._layer = before

    def emit(self, mnemonic: str, **fields: int) -> None:
        """Append one instruction; fields left out are 0."""
        instruction = Instruction(mnemonic, **fields)
        unit = UNITS.index(UNIT_OF[mnemonic])
        waits = self._dependences.waits(unit, footprint(self.spec, instruction))
        for other, count in zip(UNITS, waits, strict=True):
            if count:
                instruction[f"wait_{other}"] = count
        self._append(instruction)

    def halt(self) -> None:
        """End the program when every unit is done."""
        counts = zip(UNITS, self._dependences.all_issued(), strict=True)
        self._append(Instruction("halt", **{f"wait_{unit}": count for unit, count in counts if count}))

    def words(self) -> Words:
        """The binary program."""
        return encode(self.instructions)

    def _append(self, instruction: Instruction) -> None:
        self.instructions.append(instruction)
        self.layers.append(self._layer)

