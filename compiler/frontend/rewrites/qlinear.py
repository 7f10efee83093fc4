"""QOperator dialect -> QDQ: each operator becomes DequantizeLinear, the float operator, QuantizeLinear.

Exactly what the operators are defined to compute, but for the rounding of the float result before QuantizeLinear.
Operators of ``com.microsoft``: onnxruntime's docs/ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.frontend.draft import Node
from gatewright.compiler.frontend.rewrites.qdq import dequantize, parameter, quantize
from gatewright.compiler.frontend.scope import Scope, UnsupportedError

__all__ = ["RULES"]

_WINDOW = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides", "ceil_mode", "count_include_pad")


class _Operands:
    """Builds the replacement of one node: dequantized operands first, the quantized result last."""

    def __init__(self, node: Node, scope: Scope) -> None:
        self.node = node
        self.scope = scope
        self.nodes: list[Node] = []

    def float(self, index: int, axis: int = 1) -> str:
        """Input ``index`` with the scale and zero point that follow it, dequantized."""
        node = self.node
        name, made = dequantize(node, self.scope, node.input(index), node.input(index + 1), node.input(index + 2), axis)
        self.nodes.append(made)
        return name

    def bias(self, index: int, scale: Any) -> list[str]:
        """The int32 bias at input ``index`` in units of ``scale``, dequantized; nothing where there is none."""
        if not self.node.input(index):
            return []
        scale_name = self.scope.add(f"{self.node.name}/bias_scale", np.asarray(scale, np.float32))
        name, made = dequantize(self.node, self.scope, self.node.input(index), scale_name, "", 0)
        self.nodes.append(made)
        return [name]

    def apply(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        """A float node of 13; returns its output."""
        output = self.scope.fresh(f"{self.node.outputs[0]}/{op}")
        self.nodes.append(self.node.make(op, inputs, output, 13, **attributes))
        return output

    def result(self, x: str, scale_index: int) -> list[Node]:
        """All nodes, ending with the quantization of ``x`` by the parameters at ``scale_index``."""
        node = self.node
        scale, zero = node.input(scale_index), node.input(scale_index + 1)
        return [*self.nodes, quantize(node, self.scope, x, node.outputs[0], scale, zero)]

    def scale(self, index: int) -> Any:
        """The value of the scale at input ``index``."""
        return parameter(self.node, self.scope, self.node.input(index), "scale")

    def attributes(self, *names: str) -> Mapping[str, Any]:
        """Those attributes of the node that are there."""
        return {name: self.node.attributes[name] for name in names if name in self.node.attributes}


def _channels_first(node: Node) -> None:
    if node.attributes.get("channels_last", 0):
        raise UnsupportedError("channels_last is not supported", "quantize the model without layout optimization")


def conv(node: Node, scope: Scope) -> Sequence[Node]:
    """``QLinearConv(x, w, bias)``; the bias counts in units of x's times w's scale."""
    _channels_first(node)
    work = _Operands(node, scope)
    x, w = work.float(0), work.float(3, axis=0)
    bias = work.bias(8, work.scale(1) * work.scale(4))
    return work.result(work.apply("Conv", [x, w, *bias], **work.attributes(*_WINDOW[:6])), 6)


def matmul(node: Node, scope: Scope) -> Sequence[Node]:
    """``QLinearMatMul(a, b)``; scales of a per tensor or row, of b per tensor or column."""
    work = _Operands(node, scope)
    ranks = len(scope.shape(node.inputs[0])), len(scope.shape(node.inputs[3]))
    a, b = work.float(0, axis=max(ranks[0] - 2, 0)), work.float(3, axis=ranks[1] - 1)
    return work.result(work.apply("MatMul", [a, b]), 6)


def gemm(node: Node, scope: Scope) -> Sequence[Node]:
    """``QGemm(a, b, c)``; c counts in units of ``alpha`` times both scales; without output scale: float."""
    work = _Operands(node, scope)
    attributes = dict(work.attributes("alpha", "transA", "transB"))
    a, b = work.float(0), work.float(3, axis=0 if attributes.get("transB", 0) else 1)
    c = work.bias(6, np.float32(attributes.get("alpha", 1.0)) * work.scale(1) * work.scale(4))
    y = work.apply("Gemm", [a, b, *c], **attributes)
    if node.input(7):
        return work.result(y, 7)
    return [*work.nodes, node.make("Identity", [y], node.outputs[0])]


def binary(op: str) -> Callable[[Node, Scope], Sequence[Node]]:
    """``QLinearAdd``, ``QLinearMul``."""

    def rewrite(node: Node, scope: Scope) -> Sequence[Node]:
        work = _Operands(node, scope)
        return work.result(work.apply(op, [work.float(0), work.float(3)]), 6)

    return rewrite


def unary(op: str, *attributes: str) -> Callable[[Node, Scope], Sequence[Node]]:
    """Operators of one quantized tensor."""

    def rewrite(node: Node, scope: Scope) -> Sequence[Node]:
        _channels_first(node)
        work = _Operands(node, scope)
        return work.result(work.apply(op, [work.float(0)], **work.attributes(*attributes)), 3)

    return rewrite


def softmax(node: Node, scope: Scope) -> Sequence[Node]:
    """``QLinearSoftmax`` follows the softmax of the operator set it names."""
    work = _Operands(node, scope)
    x = work.float(0)
    output = scope.fresh(f"{node.outputs[0]}/Softmax")
    version = 13 if node.attributes.get("opset", 13) >= 13 else 11
    work.nodes.append(node.make("Softmax", [x], output, version, **work.attributes("axis")))
    return work.result(output, 3)


def concat(node: Node, scope: Scope) -> Sequence[Node]:
    """``QLinearConcat(scale, zero, x1, scale1, zero1, ...)``."""
    work = _Operands(node, scope)
    if len(node.inputs) < 5 or (len(node.inputs) - 2) % 3:
        raise FrontendError("GW1024", node.where(), f"has {len(node.inputs)} inputs", "quantize the model again")
    parts = [work.float(i) for i in range(2, len(node.inputs), 3)]
    return work.result(work.apply("Concat", parts, axis=node.attributes.get("axis", 0)), 0)


def where(node: Node, scope: Scope) -> Sequence[Node]:
    """``QLinearWhere(condition, x, y)``."""
    work = _Operands(node, scope)
    return work.result(work.apply("Where", [node.inputs[0], work.float(1), work.float(4)]), 7)


_MS = "com.microsoft"

RULES = {
    ("", "QLinearConv"): conv,
    ("", "QLinearMatMul"): matmul,
    (_MS, "QLinearConv"): conv,
    (_MS, "QGemm"): gemm,
    (_MS, "QLinearAdd"): binary("Add"),
    (_MS, "QLinearMul"): binary("Mul"),
    (_MS, "QLinearSigmoid"): unary("Sigmoid"),
    (_MS, "QLinearLeakyRelu"): unary("LeakyRelu", "alpha"),
    (_MS, "QLinearGlobalAveragePool"): unary("GlobalAveragePool"),
    (_MS, "QLinearAveragePool"): unary("AveragePool", *_WINDOW),
    (_MS, "QLinearReduceMean"): unary("ReduceMean", "axes", "keepdims"),
    (_MS, "QLinearSoftmax"): softmax,
    (_MS, "QLinearConcat"): concat,
    (_MS, "QLinearWhere"): where,
}
