"""QuantizeLinear and DequantizeLinear: the one quantized dialect that reaches Relax. Parameters are made explicit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.frontend.axes import axis_of
from gatewright.compiler.frontend.draft import Node
from gatewright.compiler.frontend.scope import Scope, UnsupportedError
from gatewright.compiler.frontend.tensors import DTYPES, Array

__all__ = ["RULES", "dequantize", "parameter", "quantize"]


def parameter(node: Node, scope: Scope, name: str, what: str) -> Array:
    """A quantization parameter, as it is or as the scalar it stands for.

    Raises:
        UnsupportedError: it is computed at run time.
        FrontendError: GW1070 a scale that is not positive and finite.
    """
    value = scope.constant(name)
    if value is None:
        raise UnsupportedError(
            f"its {what} {name!r} is computed at run time", "quantize the model with static parameters"
        )
    if value.ndim > 1 and value.size > 1:
        raise UnsupportedError(
            f"its {what} has the shape {list(value.shape)}; blocked quantization is not supported",
            "quantize per tensor or per channel",
        )
    if "scale" in what and not (np.isfinite(value).all() and (value > 0).all()):
        bad = float(value.reshape(-1)[~(np.isfinite(value) & (value > 0)).reshape(-1)][0])
        raise FrontendError(
            "GW1070",
            node.where(),
            f"its {what} {name!r} holds {bad:g}; scales are positive",
            "quantize the model again",
        )
    return value.reshape(()) if value.size == 1 else value.reshape(-1)


def quantize_dequantize(node: Node, scope: Scope) -> Sequence[Node] | None:
    """Zero point and axis stated, one-element parameters as scalars, per-channel lengths checked, version 21."""
    if node.attributes.get("block_size", 0):
        raise UnsupportedError("blocked quantization is not supported", "quantize per tensor or per channel")
    shape = scope.shape(node.inputs[0])
    if node.op == "DequantizeLinear" and scope.dtype(node.inputs[0]).startswith("float"):
        # Behind a DynamicQuantizeLinear that was left out.
        return [node.make("Identity", [node.inputs[0]], node.outputs[0])]
    scale = parameter(node, scope, node.input(1), "scale")
    stored = _stored_type(node, scope)
    zero = np.zeros((), stored)
    if node.input(2):
        zero = parameter(node, scope, node.input(2), "zero point")
        if zero.dtype != stored:
            raise FrontendError(
                "GW1070",
                node.where(),
                f"its zero point is {zero.dtype}, its integers are {stored}",
                "quantize it again",
            )
        if zero.size == 1 or (zero == zero.flat[0]).all():
            zero = zero.reshape(-1)[0].reshape(())
    axis = None
    if scale.ndim or zero.ndim:
        axis = axis_of(node, node.attributes.get("axis", 1), len(shape))
        for what, value in (("scale", scale), ("zero point", zero)):
            if value.ndim and value.shape != (shape[axis],):
                raise FrontendError(
                    "GW1070",
                    node.where(),
                    f"its {what} has {value.size} values for the {shape[axis]} channels of axis {axis}",
                    "quantize the model again",
                )
        scale, zero = np.broadcast_to(scale, (shape[axis],)), np.broadcast_to(zero, (shape[axis],))
    # The Relax operator wants an axis that exists even where it does not matter.
    stated = {"axis": max(len(shape) - 1, 0) if axis is None else axis}
    if _is_normal(node, scope, scale, zero) and node.attributes == stated:
        return None
    inputs = [node.inputs[0], _kept(node, scope, 1, scale), _kept(node, scope, 2, zero)]
    return [replace(node, inputs=tuple(inputs), attributes=stated, version=21, domain="")]


def _stored_type(node: Node, scope: Scope) -> np.dtype[np.generic]:
    """The integer type of the quantized side."""
    if node.op == "DequantizeLinear":
        return np.dtype(scope.dtype(node.inputs[0]))
    if node.input(2):
        if scope.resolve(node.inputs[2]) in scope.narrow:
            raise UnsupportedError("quantizes to less than 8 bits", "quantize activations to 8 bits")
        return np.dtype(scope.dtype(node.inputs[2]))
    name = DTYPES.get(node.attributes.get("output_dtype", 0) or 2)
    if name is None:
        raise UnsupportedError("quantizes to a type that is not supported", "quantize activations to int8 or uint8")
    return np.dtype(name)


def _is_normal(node: Node, scope: Scope, scale: Array, zero: Array) -> bool:
    if node.version != 21 or node.domain or not node.input(2):
        return False
    given = scope.constant(node.inputs[1]), scope.constant(node.inputs[2])
    return all(g is not None and g.shape == v.shape for g, v in zip(given, (scale, zero), strict=True))


def _kept(node: Node, scope: Scope, index: int, value: Array) -> str:
    """The name of the parameter, a new one only where its form changed."""
    given = scope.constant(node.input(index)) if node.input(index) else None
    if given is not None and given.shape == value.shape:
        return node.input(index)
    return scope.add(f"{node.name}/{'scale' if index == 1 else 'zero_point'}", np.asarray(value, order="C"))


def dequantize(node: Node, scope: Scope, q: str, scale: str, zero: str, axis: int = 1) -> tuple[str, Node]:
    """``q`` as a float tensor: its name and the node that makes it; keeps the name of ``q`` for the reader."""
    _check_operand(node, q, scale)
    output = scope.fresh(f"{q}/dequantized")
    inputs = [q, _in_float32(scope, scale), *([zero] if zero else [])]
    return output, replace(node.make("DequantizeLinear", inputs, output, 21, axis=axis), name=output)


def quantize(node: Node, scope: Scope, x: str, output: str, scale: str, zero: str) -> Node:
    """The node that makes ``output`` out of the float tensor ``x``."""
    _check_operand(node, x, scale)
    inputs = [x, _in_float32(scope, scale), *([zero] if zero else [])]
    return replace(node.make("QuantizeLinear", inputs, output, 21), name=f"{node.name}/quantize")


def _check_operand(node: Node, tensor: str, scale: str) -> None:
    """Operators of other domains have no declaration that :mod:`arity` could check."""
    if not tensor or not scale:
        raise FrontendError("GW1024", node.where(), "lacks an operand or its scale", "quantize the model again")


def _in_float32(scope: Scope, scale: str) -> str:
    """The scale as float32: operators that take float16 scales compute in float32 all the same."""
    value = scope.constant(scale)
    if value is None or value.dtype != np.float16:
        return scale
    return scope.add(f"{scale}/float32", value.astype(np.float32))


RULES = {
    ("", "QuantizeLinear"): quantize_dequantize,
    ("", "DequantizeLinear"): quantize_dequantize,
    ("com.microsoft", "QuantizeLinear"): quantize_dequantize,
    ("com.microsoft", "DequantizeLinear"): quantize_dequantize,
}
