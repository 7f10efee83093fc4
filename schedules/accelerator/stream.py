"""A program as it is written: instructions with their waits, and what each is for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from gatewright.schedules.accelerator.dependence import Dependences
from gatewright.schedules.accelerator.isa.encoding import Instruction, Words, encode
from gatewright.schedules.accelerator.isa.fields import FIRST_WAIT, UNIT_OF, UNITS
from gatewright.schedules.accelerator.ranges import program_accesses
from gatewright.schedules.accelerator.spec import Spec

__all__ = ["Stream"]


class Stream:
    """Instructions in program order; waits are found for all of them at once, when the words are asked for.

    Args:
        spec: the accelerator.

    Attributes:
        instructions: so far, without waits.
        layers: name of the layer of each.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.instructions: list[Instruction] = []
        self.layers: list[str] = []
        self._layer = ""

    @contextmanager
    def layer(self, name: str) -> Iterator[None]:
        """Instructions emitted inside belong to the layer ``name``."""
        before, self._layer = self._layer, name
        yield
        self._layer = before

    def emit(self, mnemonic: str, **fields: int) -> None:
        """Append one instruction; fields left out are 0."""
        self.instructions.append(Instruction(mnemonic, **fields))
        self.layers.append(self._layer)

    def halt(self) -> None:
        """End the program when every unit is done."""
        self.emit("halt")

    def words(self) -> Words:
        """The binary program."""
        words = encode(self.instructions)
        tracked = Dependences(self.spec)
        waits = np.zeros((len(words), len(UNITS)), np.int64)
        accesses = program_accesses(self.spec, words)
        units = {mnemonic: UNITS.index(unit) for mnemonic, unit in UNIT_OF.items()}
        for index, instruction in enumerate(self.instructions):
            if instruction.mnemonic == "halt":
                waits[index] = tracked.all_issued()
            else:
                waits[index] = tracked.waits(units[instruction.mnemonic], accesses[index])
        words[:, FIRST_WAIT : FIRST_WAIT + len(UNITS)] = waits
        return words
