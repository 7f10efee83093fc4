"""Integer arithmetic spelled out -> float arithmetic over DequantizeLinear.

``MatMulInteger`` and ``ConvInteger`` are defined on bare integers. Their results become float tensors that hold the
integers, and what follows (Cast, Mul by the scales, Add) goes on in float. A float32 holds integers up to 2^24
exactly; where a sum grows beyond, the last bit may differ, as in any float model.

``DynamicQuantizeLinear`` measures the range of its input at run time. A static integer graph cannot; the rounding is
left out (scale 1, no offset), the weights stay quantized, and calibration sets the ranges.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from gatewright.compiler.frontend.draft import Node
from gatewright.compiler.frontend.rewrites.qdq import dequantize
from gatewright.compiler.frontend.scope import Scope, UnsupportedError

__all__ = ["RULES"]

_WINDOW = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")


def dynamic_quantize(node: Node, scope: Scope) -> Sequence[Node]:
    """``DynamicQuantizeLinear(x) -> y, scale, zero`` -> ``y = x``, scale 1, zero point 0."""
    known = {"MatMulInteger", "ConvInteger", "DequantizeLinear"}
    if not scope.readers.get(node.outputs[0], {"?"}) <= known:
        raise UnsupportedError(
            "measures the range of its input at run time", "quantize the model statically, or give the float model"
        )
    for output, value in zip(node.outputs[1:], (np.float32(1), np.uint8(0)), strict=False):
        if output:
            scope.constants[output] = np.asarray(value)
    return [node.make("Identity", [node.inputs[0]], node.outputs[0], 13)]


def integer_product(node: Node, scope: Scope) -> Sequence[Node]:
    """``MatMulInteger(a, b, za, zb)``, ``ConvInteger`` -> the float operator on dequantized operands, as int32."""
    axes = _axes(node, scope)
    made: list[Node] = []
    operands = []
    divide = 1.0
    for i in (0, 1):
        operand, zero = node.inputs[i], node.input(2 + i)
        if scope.dtype(operand) == "float32":
            operands.append(operand)
            continue
        scale = 1.0
        maker = scope.makers.get(scope.resolve(operand))
        if (
            maker is not None
            and maker.op == "QuantizeLinear"
            and (known := scope.constant(maker.inputs[1])) is not None
            and known.size == 1
        ):
            # One tensor, one scale: in the units of its QuantizeLinear, and the result divided by it.
            scale = float(known.reshape(()))
            divide *= scale
        scale_name = scope.add(f"{node.name}/unit", scale, "float32")
        name, dequantized = dequantize(node, scope, operand, scale_name, zero, axes[i])
        made.append(dequantized)
        operands.append(name)
    op = "MatMul" if node.op == "MatMulInteger" else "Conv"
    value = scope.fresh(f"{node.outputs[0]}/float")
    attributes = {k: v for k, v in node.attributes.items() if k in _WINDOW}
    made.append(node.make(op, operands, value, 13 if op == "MatMul" else 11, **attributes))
    if divide != 1.0:
        product, value = value, scope.fresh(f"{node.outputs[0]}/units")
        made.append(node.make("Mul", [product, scope.add(f"{node.name}/per_unit", 1.0 / divide)], value, 13))
    scope.integral[node.outputs[0]] = value
    return [*made, node.make("Cast", [value], node.outputs[0], 13, to=TensorProto.INT32)]


def _axes(node: Node, scope: Scope) -> tuple[int, int]:
    """The channel axis of each operand's zero point."""
    if node.op == "ConvInteger":
        return 1, 0
    ranks = [len(scope.shape(name)) for name in node.inputs[:2]]
    return max(ranks[0] - 2, 0), ranks[1] - 1


def cast(node: Node, scope: Scope) -> Sequence[Node] | None:
    """``Cast(float -> int32 -> float)`` of integers that a float tensor holds -> that tensor."""
    value = scope.integral.get(node.inputs[0])
    if value is None or node.attributes.get("to") != TensorProto.FLOAT:
        return None
    return [node.make("Identity", [value], node.outputs[0], 13)]


def add(node: Node, scope: Scope) -> Sequence[Node] | None:
    """An int32 bias added to such integers: the sum in float is integral too."""
    if scope.dtype(node.inputs[0]) != "int32" or node.outputs[0] in scope.integral:
        return None
    floats = []
    for name in node.inputs:
        if (value := scope.constant(name)) is not None:
            floats.append(scope.add(f"{name}/float", value.astype(np.float32)))
        elif name in scope.integral:
            floats.append(scope.integral[name])
        else:
            return None
    total = scope.fresh(f"{node.outputs[0]}/float")
    scope.integral[node.outputs[0]] = total
    return [
        node.make("Add", floats, total, 13),
        node.make("Cast", [total], node.outputs[0], 13, to=TensorProto.INT32),
    ]


def to_float(node: Node, scope: Scope) -> Sequence[Node]:
    """``MatMulIntegerToFloat(a, b, sa, sb, za, zb, bias)``, ``DynamicQuantizeMatMul(a, b, sb, zb, bias)``."""
    dynamic = node.op == "DynamicQuantizeMatMul"
    made: list[Node] = []
    a = node.inputs[0]
    if not dynamic and scope.dtype(a) != "float32":
        a, dequantized = dequantize(node, scope, a, node.inputs[2], node.input(4), 0)
        made.append(dequantized)
    elif not dynamic and not np.all(scope.constant(node.inputs[2]) == 1):
        raise UnsupportedError("mixes a float operand with a scale", "quantize the model statically")
    scale, zero, bias = (2, 3, 4) if dynamic else (3, 5, 6)
    b, dequantized = dequantize(
        node, scope, node.inputs[1], node.inputs[scale], node.input(zero), len(scope.shape(node.inputs[1])) - 1
    )
    made.append(dequantized)
    y = scope.fresh(f"{node.outputs[0]}/MatMul") if node.input(bias) else node.outputs[0]
    made.append(node.make("MatMul", [a, b], y, 13))
    if node.input(bias):
        made.append(node.make("Add", [y, node.input(bias)], node.outputs[0], 13))
    return made


RULES = {
    ("", "DynamicQuantizeLinear"): dynamic_quantize,
    ("", "MatMulInteger"): integer_product,
    ("", "ConvInteger"): integer_product,
    ("", "Cast"): cast,
    ("", "Add"): add,
    ("com.microsoft", "MatMulIntegerToFloat"): to_float,
    ("com.microsoft", "DynamicQuantizeMatMul"): to_float,
}
