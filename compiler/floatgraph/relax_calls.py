"""Reading one Relax call as plain data: operator name, tensor operands, attributes.

Shared by the reader of whole functions and by the passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tvm_ffi
from tvm import ir, relax, tirx

from gatewright.compiler.errors import GraphError
from gatewright.compiler.floatgraph.graph import Attribute

__all__ = ["attributes_of", "operator_name", "plain", "tensor_operands", "tensor_type"]

# Names of the operands that are shapes or numbers, by operator; Relax does not publish them.
_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "reshape": ("", "shape"),
    "broadcast_to": ("", "shape"),
    "full": ("shape", ""),
    "zeros": ("shape",),
    "ones": ("shape",),
    "strided_slice": ("", "axes", "begin", "end", "strides"),
    "clip": ("", "min", "max"),
    "arange": ("start", "end", "step"),
    "image.resize2d": ("", "size"),
    "tril": ("", "k"),
    "triu": ("", "k"),
    "eye": ("n", "m", "k"),
    "eye_like": ("", "k"),
    "one_hot": ("", "on_value", "off_value"),
}


def operator_name(call: relax.Call) -> str | None:
    """``nn.conv2d`` for ``relax.nn.conv2d``; None when the call is not of an operator."""
    return call.op.name.removeprefix("relax.") if isinstance(call.op, ir.Op) else None


def plain(value: Any) -> Attribute:
    """An attribute or compile-time operand as int, float, bool, str, None or a tuple of these."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tirx.IntImm, tirx.FloatImm)):
        return value.value
    if isinstance(value, relax.ShapeExpr):
        return tuple(plain(item) for item in list(value.values))
    if isinstance(value, ir.Tuple):
        return tuple(plain(item) for item in value.fields)
    if isinstance(value, (tvm_ffi.Array, tuple, list)):
        return tuple(plain(item) for item in value)
    return str(value)


def tensor_type(expression: relax.Expr) -> tuple[tuple[int, ...], str]:
    """Static shape and dtype name.

    Raises:
        GraphError: GW2003 when the shape is not static or the value is not a tensor.
    """
    found = expression.ty
    if not isinstance(found, relax.TensorType) or found.shape is None:
        raise _not_static(expression)
    if not isinstance(found.shape, relax.ShapeExpr):
        raise _not_static(expression)
    sizes = list(found.shape.values)
    if not all(isinstance(size, tirx.IntImm) for size in sizes):
        raise _not_static(expression)
    return tuple(size.value for size in sizes), str(found.dtype.dtype)


def _not_static(expression: relax.Expr) -> GraphError:
    place = getattr(expression, "name", type(expression).__name__)
    return GraphError(
        "GW2003", str(place), f"the shape is not known before the model runs: {expression.ty}",
        "give the input's shape with --input-shape NAME:[...]",
        "re-export the model with fixed shapes",
    )  # fmt: skip


def _is_compile_time(operand: relax.Expr) -> bool:
    if isinstance(operand, (relax.ShapeExpr, tirx.IntImm, tirx.FloatImm)):
        return True
    return isinstance(operand, ir.Tuple) and all(isinstance(f, (tirx.IntImm, tirx.FloatImm)) for f in operand.fields)


def tensor_operands(call: relax.Call) -> list[relax.Expr]:
    """The operands that are tensors, those inside a literal tuple included, in order."""
    found: list[relax.Expr] = []
    for operand in call.args:
        if isinstance(operand, ir.Tuple) and not _is_compile_time(operand):
            found.extend(operand.fields)
        elif not _is_compile_time(operand):
            found.append(operand)
    return found


def attributes_of(call: relax.Call) -> dict[str, Attribute]:
    """The call's attributes and compile-time operands by name, sorted."""
    found: dict[str, Attribute] = {}
    if call.attrs is not None:
        for field in type(call.attrs).__tvm_ffi_type_info__.fields:
            found[field.name] = plain(getattr(call.attrs, field.name))
    names = _ARGUMENTS.get(operator_name(call) or "", ())
    for i, operand in enumerate(call.args):
        if _is_compile_time(operand):
            name = names[i] if i < len(names) and names[i] else f"operand{i}"
            found[name] = plain(operand)
    return dict(sorted(found.items()))
