"""Float operators of ``com.microsoft`` that onnxruntime's optimizer leaves in saved models."""

from __future__ import annotations

from collections.abc import Sequence

from gatewright.compiler.frontend.draft import Node
from gatewright.compiler.frontend.scope import Scope, UnsupportedError

__all__ = ["RULES"]

_ACTIVATIONS = {
    "Relu": (),
    "Sigmoid": (),
    "Tanh": (),
    "LeakyRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
}


def fused(node: Node, scope: Scope) -> Sequence[Node]:
    """``FusedConv``, ``FusedGemm``: the operator, an added tensor (Conv's fourth input), the activation."""
    op = node.op.removeprefix("Fused")
    activation = str(node.attributes.get("activation", ""))
    parameters = tuple(node.attributes.get("activation_params", ()))
    kept = {k: v for k, v in node.attributes.items() if not k.startswith("activation")}
    y = scope.fresh(f"{node.outputs[0]}/{op}")
    made = [node.make(op, node.inputs[:3], y, 13 if op == "Gemm" else 11, **kept)]
    if node.input(3):
        total = scope.fresh(f"{node.outputs[0]}/Add")
        made.append(node.make("Add", [y, node.inputs[3]], total, 13))
        y = total
    if activation == "Clip":
        bounds = [scope.add(f"{node.name}/bound", float(value)) for value in parameters]
        made.append(node.make("Clip", [y, *bounds], node.outputs[0], 13))
    elif activation in _ACTIVATIONS:
        names = _ACTIVATIONS[activation]
        given = parameters or tuple(
            node.attributes[f"activation_{n}"] for n in names if f"activation_{n}" in node.attributes
        )
        made.append(node.make(activation, [y], node.outputs[0], 13, **dict(zip(names, given, strict=False))))
    elif activation:
        raise UnsupportedError(f"fuses the activation {activation!r}", "save the model without graph optimizations")
    else:
        made.append(node.make("Identity", [y], node.outputs[0], 13))
    return made


def fused_matmul(node: Node, scope: Scope) -> Sequence[Node]:
    """``FusedMatMul`` -> ``Transpose``, ``MatMul``, ``Mul(alpha)``."""
    if node.attributes.get("transBatchA", 0) or node.attributes.get("transBatchB", 0):
        raise UnsupportedError("batch transposes are not supported", "save the model without graph optimizations")
    made: list[Node] = []
    operands = []
    for i, key in enumerate(("transA", "transB")):
        operand = node.inputs[i]
        if node.attributes.get(key, 0):
            rank = len(scope.shape(operand))
            turned = scope.fresh(f"{operand}/transposed")
            perm = (*range(rank - 2), rank - 1, rank - 2)
            made.append(node.make("Transpose", [operand], turned, 13, perm=perm))
            operand = turned
        operands.append(operand)
    alpha = float(node.attributes.get("alpha", 1.0))
    y = node.outputs[0] if alpha == 1.0 else scope.fresh(f"{node.outputs[0]}/MatMul")
    made.append(node.make("MatMul", operands, y, 13))
    if alpha != 1.0:
        made.append(
            node.make(
                "Mul", [y, scope.add(f"{node.name}/alpha", alpha, scope.dtype(node.inputs[0]))], node.outputs[0], 13
            )
        )
    return made


def gelu(node: Node, scope: Scope) -> Sequence[Node]:
    """``Gelu``, ``BiasGelu``, ``FastGelu`` -> ``Add``, ``Gelu`` of 20."""
    x = node.inputs[0]
    made: list[Node] = []
    if node.input(1):
        x = scope.fresh(f"{node.outputs[0]}/Add")
        made.append(node.make("Add", [node.inputs[0], node.inputs[1]], x, 13))
    approximate = "tanh" if node.op == "FastGelu" else "none"
    return [*made, node.make("Gelu", [x], node.outputs[0], 20, approximate=approximate)]


def quick_gelu(node: Node, scope: Scope) -> Sequence[Node]:
    """``QuickGelu(x) -> x * Sigmoid(alpha * x)``."""
    x = node.inputs[0]
    scaled, gate = scope.fresh(f"{node.name}/scaled"), scope.fresh(f"{node.name}/gate")
    alpha = scope.add(f"{node.name}/alpha", float(node.attributes.get("alpha", 1.702)), scope.dtype(x))
    return [
        node.make("Mul", [x, alpha], scaled, 13),
        node.make("Sigmoid", [scaled], gate, 13),
        node.make("Mul", [x, gate], node.outputs[0], 13),
    ]


_MS = "com.microsoft"

RULES = {
    (_MS, "FusedConv"): fused,
    (_MS, "FusedGemm"): fused,
    (_MS, "FusedMatMul"): fused_matmul,
    (_MS, "Gelu"): gelu,
    (_MS, "BiasGelu"): gelu,
    (_MS, "FastGelu"): gelu,
    (_MS, "QuickGelu"): quick_gelu,
}
