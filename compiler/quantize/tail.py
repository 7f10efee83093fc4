"""The host tail: the float program from the integer outputs to the model's outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.graph import Attribute, FloatGraph, Node, TensorSpec
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.quantize.dialect import Program

__all__ = ["build_tail"]


def build_tail(program: Program, outputs: Sequence[str], types: Mapping[str, TensorType]) -> FloatGraph:
    """Cut the tail out of the source graph.

    Args:
        program: the program the integer graph was made from.
        outputs: integer tensors that enter the tail, in order.
        types: their types.

    Returns:
        A program whose inputs are ``outputs`` with integer dtype, and which dequantizes them first. Quantize nodes of
        the model that lie behind the last integer tensor stay in it as they are.
    """
    return _Cutter(program, outputs, types).cut()


class _Cutter:
    def __init__(self, program: Program, outputs: Sequence[str], types: Mapping[str, TensorType]) -> None:
        self.program, self.outputs, self.types = program, outputs, types
        self.source = program.source
        self.by_name = {node.name: node for node in self.source.nodes}
        self.dtypes = {spec.name: spec.dtype for spec in self.source.inputs}
        self.dtypes.update({node.name: node.dtype for node in self.source.nodes})
        self.nodes: dict[str, Node] = {}
        self.constants: dict[str, npt.NDArray[np.generic]] = {}

    def cut(self) -> FloatGraph:
        inputs = tuple(TensorSpec(n, self.types[n].shape, self.types[n].dtype.name) for n in self.outputs)
        results = tuple(self.value(name) for name in self.source.results)
        first = [node for node in self.nodes.values() if node.name.endswith(".dequantized")]
        rest = [self.nodes[node.name] for node in self.source.nodes if node.name in self.nodes]
        return FloatGraph(inputs, self.source.outputs, results, (*first, *rest), self.constants)

    def value(self, name: str) -> str:
        """The tail's name for a value of the source graph; its nodes are added on the way."""
        pending = [name]
        while pending:  # no recursion: tails may be long chains
            current = pending[-1]
            if self.entry(current) is not None or current in self.nodes or current in self.source.constants:
                if current in self.source.constants:
                    self.constants[current] = self.source.constants[current]
                pending.pop()
                continue
            node = self.by_name[current]
            missing = [n for n in node.inputs if not self.known(n)]
            if missing:
                pending.extend(reversed(missing))
                continue
            operands = tuple(self.entry(n) or n for n in node.inputs)
            self.nodes[current] = Node(node.name, node.op, operands, node.attributes, node.shape, node.dtype)
            pending.pop()
        return self.entry(name) or name

    def known(self, name: str) -> bool:
        if name in self.source.constants:
            self.constants[name] = self.source.constants[name]
            return True
        return self.entry(name) is not None or name in self.nodes

    def entry(self, name: str) -> str | None:
        """The integer output, as it is or dequantized, that stands for a value of the source graph."""
        tensor = self.program.alias.get(name)
        if tensor is None or tensor not in self.types or tensor not in self.outputs:
            return None
        kind = self.types[tensor]
        if np.issubdtype(np.dtype(self.dtypes[name]), np.integer):
            return tensor
        result = f"{tensor}.dequantized"
        if result not in self.nodes:
            scale, zero = f"{tensor}.scale", f"{tensor}.zero_point"
            self.constants[scale] = np.array(kind.scale, np.float32)
            self.constants[zero] = np.array(kind.zero_point, kind.dtype)
            attributes: dict[str, Attribute] = {"out_dtype": "float32", "axis": -1}
            self.nodes[result] = Node(result, "dequantize", (tensor, scale, zero), attributes, kind.shape, "float32")
        return result
