"""Runs a program on the machine, instruction by instruction, in program order.

Waits never change what is computed: units may only run ahead where no data flows. ``tests/accelerator`` executes
programs in other orders that the waits allow and compares.
"""

from __future__ import annotations

from collections.abc import Iterable

from gatewright.schedules.accelerator.isa.encoding import Instruction
from gatewright.schedules.accelerator.spec import Spec
from gatewright.targets.accelerator.machine.matrix import matmul
from gatewright.targets.accelerator.machine.memories import Memories
from gatewright.targets.accelerator.machine.transfers import fill, load, store
from gatewright.targets.accelerator.machine.vector import vector

__all__ = ["execute"]


def execute(spec: Spec, memories: Memories, instructions: Iterable[Instruction]) -> None:
    """Run ``instructions`` until ``halt`` or their end; ``memories`` is changed in place.

    Raises:
        TargetError: GW4306 on an address outside a memory.
    """
    for instruction in instructions:
        match instruction.mnemonic:
            case "load":
                load(memories, instruction)
            case "store":
                store(memories, instruction)
            case "fill":
                fill(memories, instruction)
            case "matmul":
                matmul(spec, memories, instruction)
            case "vector":
                vector(spec, memories, instruction)
            case "halt":
                return
