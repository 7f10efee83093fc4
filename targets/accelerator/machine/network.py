"""A whole network: runs on the machine, host layers between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from gatewright.compiler.integer.semantics import SEMANTICS
from gatewright.compiler.integer.tensor import IntArray
from gatewright.schedules.accelerator.isa.encoding import Instruction, decode
from gatewright.schedules.accelerator.program import HostStep
from gatewright.schedules.accelerator.serialization import Package
from gatewright.schedules.accelerator.spec import Spec
from gatewright.targets.accelerator.machine.executor import execute
from gatewright.targets.accelerator.machine.memories import Memories

__all__ = ["Network"]

Tensors = dict[str, npt.NDArray[np.integer]]
Executor = Callable[[Spec, Memories, list[Instruction]], None]


class Network:
    """A program ready to run.

    Args:
        package: the program, its constants, and the integer graph: what host layers compute, and the tensors' types.
    """

    def __init__(self, package: Package) -> None:
        self.spec, self.program, self.graph = package.spec, package.program, package.graph
        self._constants = package.constants
        self._decoded = [decode(run.words) for run in self.program.runs]

    def run(self, inputs: Mapping[str, npt.NDArray[np.generic]], executor: Executor = execute) -> Tensors:
        """One inference: integers by input name -> integers by output name, in storage dtypes."""
        dram = np.zeros(self.program.dram_bytes, np.uint8)
        dram[: len(self._constants)] = self._constants
        memories = Memories.of(self.spec, dram)
        wide: dict[str, IntArray] = {}
        for layer in self.graph.inputs:
            self._write(memories, wide, layer.name, np.asarray(inputs[layer.name]).astype(np.int64))
        for name, side in self.program.boundary.items():
            if side == "entry":
                self._host(memories, wide, name)
        decoded = iter(self._decoded)
        for step in self.program.steps:
            if isinstance(step, HostStep):
                self._host(memories, wide, step.layer)
            else:
                memories = Memories.of(self.spec, memories.dram)  # nothing stays in a scratchpad across host layers
                executor(self.spec, memories, next(decoded))
        for name, side in self.program.boundary.items():
            if side == "exit":
                self._host(memories, wide, name)
        return {
            name: self._read(memories, wide, name).astype(self.graph[name].output.dtype) for name in self.graph.outputs
        }

    def _host(self, memories: Memories, wide: dict[str, IntArray], name: str) -> None:
        layer = self.graph[name]
        operands = [self._read(memories, wide, operand) for operand in layer.inputs]
        types = [operand.output for operand in self.graph.operands(layer)]
        self._write(memories, wide, name, SEMANTICS[layer.op].evaluate(layer, types, operands))

    def _read(self, memories: Memories, wide: dict[str, IntArray], name: str) -> IntArray:
        located = self.program.tensors.get(name)
        if located is None:
            if name not in wide:  # another view of a tensor that the host alone has
                self._host(memories, wide, name)
            return wide[name]
        size = located.storage.size_bytes
        return located.storage.unpack(memories.dram[located.address : located.address + size]).astype(np.int64)

    def _write(self, memories: Memories, wide: dict[str, IntArray], name: str, values: IntArray) -> None:
        """Into DRAM where the accelerator knows the tensor, else kept by the host."""
        located = self.program.tensors.get(name)
        if located is None:
            wide[name] = values
            return
        size = located.storage.size_bytes
        memories.dram[located.address : located.address + size] = located.storage.pack(values)
