"""Reading QDQ models: quantize and dequantize nodes become parameters of tensors.

What is left is a float program over *aliases*: ``x``, ``quantize(x)`` and ``dequantize(quantize(x))`` are one tensor.
A purely float model passes through unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import QuantizeError
from gatewright.compiler.floatgraph.graph import FloatGraph, Node
from gatewright.compiler.floatgraph.operators import OPERATORS
from gatewright.compiler.floatgraph.operators.types import Array
from gatewright.compiler.integer.tensor import IntArray
from gatewright.compiler.quantize.parameters import Parameters

__all__ = ["Program", "QuantizedConstant", "read_dialect"]


# Operators that only move elements: a quantized constant stays one behind them.
_MOVES = {"permute_dims", "reshape", "squeeze", "expand_dims", "flatten", "broadcast_to", "strided_slice"}
# Between quantize and dequantize these keep what the integers mean.
_KEEP_MEANING = _MOVES | {"nn.pad", "nn.max_pool1d", "nn.max_pool2d"}


@dataclass(frozen=True)
class QuantizedConstant:
    """A constant that the model holds as integers: value = (q - zero_point) * scale, all of one shape."""

    q: IntArray
    scale: npt.NDArray[np.float32]
    zero_point: IntArray
    bits: int
    signed: bool


@dataclass(frozen=True)
class Program:
    """A float program over aliases.

    Attributes:
        source: the graph that was read; the host tail is cut from it.
        nodes: without quantize, dequantize and constant nodes; inputs are aliases or constants. A change of
            parameters is a node of operator ``requantize``.
        alias: name in ``source`` -> alias, for every tensor that depends on an input.
        parameters: by alias, where the model states them.
        constants: float values by name, those the model computes from constants included.
        quantized: the constants the model holds as integers.
        shapes: by alias.
    """

    source: FloatGraph
    nodes: tuple[Node, ...]
    alias: Mapping[str, str]
    parameters: Mapping[str, Parameters]
    constants: Mapping[str, Array]
    quantized: Mapping[str, QuantizedConstant]
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def results(self) -> tuple[str, ...]:
        """Aliases of the outputs that depend on an input."""
        return tuple(self.alias[name] for name in self.source.results if name in self.alias)

    def users(self) -> dict[str, list[Node]]:
        """Nodes that read a tensor, by alias, in order; a node that reads it twice stands once."""
        users: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                users.setdefault(name, []).append(node)
        return users


def read_dialect(graph: FloatGraph) -> Program:
    """Turn quantize and dequantize nodes into parameters.

    Raises:
        QuantizeError: GW3301 for an activation quantized by axis, a scale that is no constant, or integers that are
            dequantized with other parameters than they were quantized with.
    """
    return _Reader(graph).read()


@dataclass
class _Reader:
    graph: FloatGraph
    nodes: list[Node] = field(default_factory=list)
    alias: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Parameters] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    quantized: dict[str, QuantizedConstant] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)

    def read(self) -> Program:
        self.constants.update(self.graph.constants)
        for spec in self.graph.inputs:
            self.alias[spec.name] = spec.name
            self.shapes[spec.name], self.dtypes[spec.name] = spec.shape, spec.dtype
        for node in self.graph.nodes:
            if all(name in self.constants for name in node.inputs):
                self._constant(node)
            elif node.op == "quantize":
                self._quantize(node)
            elif node.op == "dequantize" or self._is_integer_cast(node):
                self._dequantize(node)
            else:
                if node.op == "concat" and np.issubdtype(np.dtype(node.dtype), np.integer):
                    self._join(node)
                if node.op in _KEEP_MEANING and np.issubdtype(np.dtype(node.dtype), np.integer):
                    self._carry(node)
                self._keep(replace(node, inputs=tuple(self.alias.get(name, name) for name in node.inputs)))
        nodes = tuple(self._in_reals(node) for node in self.nodes)
        return Program(self.graph, nodes, self.alias, self.parameters, self.constants, self.quantized, self.shapes)

    def _keep(self, node: Node) -> None:
        self.nodes.append(node)
        self.alias[node.name] = node.name
        self.shapes[node.name], self.dtypes[node.name] = node.shape, node.dtype

    def _join(self, node: Node) -> None:
        """Integers joined as they are must all mean the same, and so does the result."""
        stated = {self.parameters.get(self.alias[n]) for n in node.inputs if n in self.alias} - {None}
        if len(stated) > 1:
            raise QuantizeError("GW3301", node.name, "integers of different scales or zero points are concatenated",
                                "dequantize the operands in front of the concatenation")  # fmt: skip
        for parameters in stated:
            if parameters is not None:
                self.parameters[node.name] = parameters

    def _carry(self, node: Node) -> None:
        """Moved integers mean what they meant."""
        source = self.parameters.get(self.alias.get(node.inputs[0], ""))
        if source is not None:
            self.parameters[node.name] = source

    def _in_reals(self, node: Node) -> Node:
        """A padding of stored integers states its value as one of them; the program's values are real."""
        if node.op != "nn.pad" or not np.issubdtype(np.dtype(node.dtype), np.integer):
            return node
        stated = self.parameters.get(node.name)
        if stated is None:
            return node
        q = float(node.attributes.get("pad_value") or 0.0)  # type: ignore[arg-type]
        return replace(node, attributes={**node.attributes, "pad_value": (q - stated.zero_point) * stated.scale})

    def _is_integer_cast(self, node: Node) -> bool:
        """A cast of stored integers to float is a dequantize with scale 1 and zero point 0."""
        source = self.dtypes.get(node.inputs[0], "") if len(node.inputs) == 1 else ""
        return node.op == "astype" and node.dtype == "float32" and source in ("int8", "uint8", "int16", "uint16")

    def _constant(self, node: Node) -> None:
        values = [self.constants[name] for name in node.inputs]
        self.constants[node.name] = OPERATORS[node.op](node, *values)
        if node.op == "dequantize":
            q, scale, zero = (np.asarray(value) for value in values)
            axis = int(_integer(node, "axis", -1)) % max(q.ndim, 1)
            column = tuple(-1 if i == axis else 1 for i in range(q.ndim))
            spread = [
                np.broadcast_to(a.reshape(column) if a.size > 1 else a.reshape(()), q.shape) for a in (scale, zero)
            ]
            bits, signed = _width(node, q.dtype)
            self.quantized[node.name] = QuantizedConstant(
                q.astype(np.int64), spread[0].astype(np.float32), spread[1].astype(np.int64), bits, signed
            )
        elif node.op in _MOVES and node.inputs[0] in self.quantized:
            held = self.quantized[node.inputs[0]]
            move = OPERATORS[node.op]
            q, scale, zero = (move(node, a, *values[1:]) for a in (held.q, held.scale, held.zero_point))
            self.quantized[node.name] = QuantizedConstant(q, scale, zero, held.bits, held.signed)

    def _quantize(self, node: Node) -> None:
        tensor = self.alias[node.inputs[0]]
        parameters = self._stated(node, np.dtype(node.dtype))
        self.dtypes[node.name] = node.dtype
        self.shapes[node.name] = node.shape
        if self.parameters.setdefault(tensor, parameters) == parameters:
            self.alias[node.name] = tensor
            return
        self._keep(Node(node.name, "requantize", (tensor,), {}, node.shape, node.dtype))
        self.parameters[node.name] = parameters

    def _dequantize(self, node: Node) -> None:
        tensor = self.alias[node.inputs[0]]
        stored = np.dtype(self.dtypes[node.inputs[0]])
        cast = Parameters(*_width(node, stored), 1.0, 0)
        parameters = self._stated(node, stored) if node.op == "dequantize" else cast
        if self.parameters.setdefault(tensor, parameters) != parameters:
            raise QuantizeError(
                "GW3301", node.name,
                f"integers quantized with {self.parameters[tensor]} are dequantized with {parameters}",
                "give both nodes the same scale and zero point",
            )  # fmt: skip
        self.alias[node.name] = tensor
        self.dtypes[node.name] = node.dtype

    def _stated(self, node: Node, stored: np.dtype[np.generic]) -> Parameters:
        arrays = [self.constants.get(name) for name in node.inputs[1:]]
        if any(a is None or a.size != 1 for a in arrays):
            raise QuantizeError("GW3301", node.name, "the scale or zero point of an activation is not one constant",
                                "quantize activations per tensor with constant parameters")  # fmt: skip
        scale, zero = (a.reshape(()) for a in arrays if a is not None)
        return Parameters(*_width(node, stored), float(scale), int(zero))


def _integer(node: Node, attribute: str, default: int) -> int:
    value = node.attributes.get(attribute, default)
    return default if value is None else int(value)  # type: ignore[arg-type]


def _width(node: Node, dtype: np.dtype[np.generic]) -> tuple[int, bool]:
    if not np.issubdtype(dtype, np.integer):
        raise QuantizeError("GW3301", node.name, f"values of type {dtype} cannot be an integer tensor",
                            "quantize to int8 or uint8")  # fmt: skip
    return dtype.itemsize * 8, bool(np.issubdtype(dtype, np.signedinteger))
