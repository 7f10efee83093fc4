"""Hand-made float graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.graph import Attribute, FloatGraph, Node, TensorSpec
from gatewright.compiler.floatgraph.operators import OPERATORS

__all__ = ["Builder", "normal"]

Array = npt.NDArray[Any]


def normal(seed: int, *shape: int, scale: float = 1.0) -> Array:
    """Seeded float32 normal numbers."""
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)


class Builder:
    """Builds a FloatGraph node by node; the shape of a result is found by running the operator on ones."""

    def __init__(self) -> None:
        self.inputs: list[TensorSpec] = []
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.dtypes: dict[str, str] = {}

    def input(self, name: str, *shape: int, dtype: str = "float32") -> str:
        self.inputs.append(TensorSpec(name, shape, dtype))
        self.shapes[name], self.dtypes[name] = shape, dtype
        return name

    def constant(self, value: Any, dtype: str = "float32") -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value, dtype)
        self.shapes[name], self.dtypes[name] = self.constants[name].shape, dtype
        return name

    def node(
        self,
        op: str,
        *inputs: str,
        shape: tuple[int, ...] | None = None,
        dtype: str = "float32",
        **attributes: Attribute,
    ) -> str:
        name = f"{op.rpartition('.')[2]}_{len(self.nodes)}"
        if shape is None:
            probe = Node(name, op, inputs, attributes, (), dtype)
            shape = OPERATORS[op](probe, *(np.ones(self.shapes[i], self.dtypes[i]) for i in inputs)).shape
        self.nodes.append(Node(name, op, inputs, attributes, shape, dtype))
        self.shapes[name], self.dtypes[name] = shape, dtype
        return name

    def conv(
        self,
        x: str,
        weight: Array | str,
        bias: Array | str | None = None,
        strides: tuple[int, int] = (1, 1),
        padding: tuple[int, int, int, int] = (0, 0, 0, 0),
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
    ) -> str:
        w = weight if isinstance(weight, str) else self.constant(weight)
        y = self.node("nn.conv2d", x, w, strides=strides, padding=padding, dilation=dilation, groups=groups)
        if bias is None:
            return y
        b = bias if isinstance(bias, str) else self.constant(np.reshape(bias, (1, -1, 1, 1)))
        return self.node("add", y, b)

    def dense(self, x: str, weight: Array | str, bias: Array | str | None = None) -> str:
        w = weight if isinstance(weight, str) else self.constant(weight)
        y = self.node("matmul", x, w)
        if bias is None:
            return y
        return self.node("add", y, bias if isinstance(bias, str) else self.constant(bias))

    def quantize(self, x: str, scale: float, zero_point: int, dtype: str = "int8") -> str:
        parameters = self.constant(scale), self.constant(zero_point, dtype)
        return self.node("quantize", x, *parameters, dtype=dtype, shape=self.shapes[x], axis=-1, out_dtype=dtype)

    def dequantize(self, q: str, scale: Any, zero_point: Any, axis: int = -1) -> str:
        parameters = self.constant(scale), self.constant(zero_point, self.dtypes[q])
        return self.node("dequantize", q, *parameters, shape=self.shapes[q], axis=axis, out_dtype="float32")

    def rounded(self, x: str, scale: float, zero_point: int, dtype: str = "int8") -> str:
        """A quantize and a dequantize node."""
        return self.dequantize(self.quantize(x, scale, zero_point, dtype), scale, zero_point)

    def graph(self, *results: str, names: Sequence[str] = ()) -> FloatGraph:
        outputs = tuple(
            TensorSpec(names[i] if names else f"out{i}", self.shapes[r], self.dtypes[r]) for i, r in enumerate(results)
        )
        return FloatGraph(tuple(self.inputs), outputs, results, tuple(self.nodes), dict(self.constants))
