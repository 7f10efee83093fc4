"""Constants that a quantizer stored as integers where no integer arithmetic can use them.

ONNX Runtime's quantizer puts every float constant behind a DequantizeLinear. Weights stay there, since the integer
graph reads them; what only parameterizes an operator becomes the float constant it stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from gatewright.compiler.frontend.draft import Node
from gatewright.compiler.frontend.scope import Scope
from gatewright.compiler.frontend.tensors import Array

__all__ = ["RULES"]


def stored_operands(node: Node, scope: Scope) -> Sequence[Node] | None:
    """``op(x, DequantizeLinear(constant))`` -> ``op(x, constant)``."""
    inputs = tuple(_value(name, scope) for name in node.inputs)
    return None if inputs == node.inputs else [replace(node, inputs=inputs)]


def gemm(node: Node, scope: Scope) -> Sequence[Node] | None:
    """``Gemm(x, DequantizeLinear(w, s), alpha)`` -> ``Gemm(x, DequantizeLinear(w, alpha * s))``; beta likewise.

    A factor between the product and its rounding would be a layer of its own, to which no quantize node gives a scale.
    """
    alpha, beta = (float(node.attributes.get(name, 1.0)) for name in ("alpha", "beta"))
    made: list[Node] = []
    inputs, attributes = list(node.inputs), dict(node.attributes)
    for index, name, factor in ((1, "alpha", alpha), (2, "beta", beta)):
        maker = scope.makers.get(node.input(index))
        if factor == 1 or factor <= 0 or maker is None or maker.op != "DequantizeLinear" or maker.domain:
            continue
        scale = scope.constant(maker.inputs[1])
        if scope.constant(maker.inputs[0]) is None or scale is None:
            continue
        scaled = scope.add(f"{node.name}/{name}_scale", (scale * factor).astype(scale.dtype))
        inputs[index] = scope.fresh(f"{node.input(index)}/{name}")
        operands = (maker.inputs[0], scaled, *maker.inputs[2:])
        made.append(replace(maker, name=inputs[index], inputs=operands, outputs=(inputs[index],)))
        del attributes[name]
    return [*made, replace(node, inputs=tuple(inputs), attributes=attributes)] if made else None


def _value(name: str, scope: Scope) -> str:
    """The name of the constant that ``name`` stands for, else ``name``."""
    maker = scope.makers.get(name)
    if maker is None or maker.op != "DequantizeLinear" or maker.domain:
        return name
    operands = [scope.constant(operand) for operand in maker.inputs]
    if any(operand is None for operand in operands):
        return name
    q, scale, zero = (operand for operand in operands if operand is not None)  # all three: it is in its normal form
    column = tuple(-1 if axis == maker.attributes["axis"] else 1 for axis in range(q.ndim))
    steps = q.astype(np.int64) - _along(zero, column).astype(np.int64)
    return scope.add(f"{name}/value", (steps * _along(scale, column)).astype(scale.dtype))


def _along(parameter: Array, column: tuple[int, ...]) -> Array:
    return parameter.reshape(column) if parameter.ndim == 1 and parameter.size > 1 else parameter


RULES: Mapping[tuple[str, str], Callable[[Node, Scope], Sequence[Node] | None]] = {
    **{("", op): stored_operands for op in ("BatchNormalization", "Clip", "Pad", "PRelu")},
    ("", "Gemm"): gemm,
}
