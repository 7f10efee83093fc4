"""Removal of nodes that do nothing, and merging of chains of the same kind."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import ir, relax

from gatewright.compiler.floatgraph.operators.types import axes_of, integers
from gatewright.compiler.floatgraph.relax_calls import attributes_of, tensor_type
from gatewright.compiler.passes.expressions import array_of, shape_of, uniform_value
from gatewright.compiler.passes.rewriting import TUPLE_ITEM, Rule, Scope, rewrite

__all__ = ["EliminateIdentities"]

# Below this scale (q - z) * s could be subnormal in float32 and lose bits.
_LEAST_SCALE = 1e-30


@tvm.transform.module_pass(opt_level=0, name="eliminate_identities")
@dataclass(frozen=True)
class EliminateIdentities:
    """Remove reshape, transpose, broadcast, pad, slice, cast, clip, dropout and arithmetic that change nothing; merge
    reshapes of reshapes, slices of slices (along other axes) and clamps of clamps; drop dead nodes.

    ::

        lv1 = multiply(x, 1.0)
        lv2 = reshape(lv1, (1, 64))            ->     lv3 = reshape(x, (64, 1))
        lv3 = reshape(lv2, (64, 1))

        lv1 = relu(x)                          ->     lv2 = clip(x, 0, 6)
        lv2 = clip(lv1, -1, 6)

    ``quantize(dequantize(q))`` with the same scale and zero point is q: ``(q - z) * s / s`` is off by at most two
    float32 roundings of an integer below 2**16, which rounding undoes. ``dequantize(quantize(x))`` always stays.
    """

    def transform_module(self, module: ir.IRModule, context: object) -> ir.IRModule:
        """Apply to ``main``."""
        return rewrite(module, _RULES)


def _same_type(scope: Scope, call: relax.Call) -> relax.Expr | None:
    """For operators that do nothing exactly when the type stays."""
    return call.args[0] if tensor_type(call) == tensor_type(call.args[0]) else None


# Of the coordinate modes these read position i at position i when the size stays.
_STILL = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")


def _resize(scope: Scope, call: relax.Call) -> relax.Expr | None:
    still = attributes_of(call)["coordinate_transformation_mode"] in _STILL
    return _same_type(scope, call) if still else None


def _reshape(scope: Scope, call: relax.Call) -> relax.Expr | None:
    if tensor_type(call) == tensor_type(call.args[0]):
        return call.args[0]
    inner = scope.definition(call.args[0], "reshape")
    if inner is None:
        return None
    if shape_of(inner.args[0]) == shape_of(call):
        return inner.args[0]
    return relax.op.reshape(inner.args[0], shape_of(call))


def _permute(scope: Scope, call: relax.Call) -> relax.Expr | None:
    axes = attributes_of(call)["axes"]
    rank = len(shape_of(call))
    order = tuple(reversed(range(rank))) if axes is None else axes
    return call.args[0] if order == tuple(range(rank)) else None


def _pad(scope: Scope, call: relax.Call) -> relax.Expr | None:
    widths = attributes_of(call)["pad_width"]
    return call.args[0] if isinstance(widths, tuple) and not any(widths) else None


def _slice(scope: Scope, call: relax.Call) -> relax.Expr | None:
    strides = attributes_of(call).get("strides", ())
    if isinstance(strides, tuple) and any(isinstance(s, int) and s < 0 for s in strides):
        return None
    if tensor_type(call) == tensor_type(call.args[0]):
        return call.args[0]
    inner = scope.definition(call.args[0], "strided_slice")
    if inner is None or not scope.is_used_once(call.args[0]):
        return None
    ours, theirs = attributes_of(call), attributes_of(inner)
    rank = len(shape_of(call))
    axes = [*axes_of(theirs["axes"], rank), *axes_of(ours["axes"], rank)]
    if len(set(axes)) < len(axes):
        return None
    begin, end = ([*integers(theirs[key]), *integers(ours[key])] for key in ("begin", "end"))
    steps = [
        step for each in (theirs, ours) for step in integers(each.get("strides"), (1,) * len(integers(each["axes"])))
    ]
    return relax.op.strided_slice(inner.args[0], axes, begin, end, steps)


def _concat(scope: Scope, call: relax.Call) -> relax.Expr | None:
    fields = scope.operands_of_tuple(call.args[0])
    return fields[0] if fields is not None and len(fields) == 1 else None


def _neutral(value: float) -> Rule:
    """For ``f(x, c)`` that is x when every element of the constant c is ``value``."""

    def rule(scope: Scope, call: relax.Call) -> relax.Expr | None:
        if uniform_value(call.args[1]) == value and tensor_type(call) == tensor_type(call.args[0]):
            return call.args[0]
        return None

    return rule


def _pool(scope: Scope, call: relax.Call) -> relax.Expr | None:
    attributes = attributes_of(call)
    alone = set(attributes["pool_size"]) | set(attributes["strides"]) == {1}  # type: ignore[arg-type]
    return call.args[0] if alone and not any(attributes["padding"]) else None  # type: ignore[arg-type]


def _dropout(scope: Scope, item: relax.TupleGetItem) -> relax.Expr | None:
    source = scope.tuple_source(item)
    if isinstance(source, ir.Tuple):
        return source.fields[item.index]
    call = scope.definition(source, "nn.dropout")
    return call.args[0] if call is not None and item.index == 0 else None


def _bounds(scope: Scope, expression: relax.Expr) -> tuple[relax.Expr, float, float] | None:
    """Operand, low and high of a relu or clip of floats."""
    call = scope.definition(expression, "nn.relu", "nn.relu6", "clip")
    if call is None or tensor_type(call)[1] != "float32":
        return None
    if call.op.name == "relax.clip":
        attributes = attributes_of(call)
        return call.args[0], float(attributes["min"]), float(attributes["max"])  # type: ignore[arg-type]
    return call.args[0], 0.0, math.inf if call.op.name == "relax.nn.relu" else 6.0


def _clamp(scope: Scope, call: relax.Call) -> relax.Expr | None:
    outer = _bounds(scope, call)
    if outer is None:
        return None
    operand, low, high = outer
    if (low, high) == (-math.inf, math.inf):
        return operand
    inner = _bounds(scope, operand)
    if inner is None:
        return None
    source, inner_low, inner_high = inner
    if low <= inner_low and inner_high <= high:
        return operand
    low, high = (float(v) for v in np.clip([inner_low, inner_high], low, high))
    if (low, high) == (0.0, math.inf):
        return relax.op.nn.relu(source)
    return relax.op.clip(source, tvm.tirx.FloatImm("float32", low), tvm.tirx.FloatImm("float32", high))


def _quantize(scope: Scope, call: relax.Call) -> relax.Expr | None:
    inner = scope.definition(call.args[0], "dequantize")
    if inner is None or tensor_type(inner.args[0]) != tensor_type(call) or tensor_type(call)[1] == "int32":
        return None
    for ours, theirs in zip(call.args[1:], inner.args[1:], strict=True):
        a, b = array_of(ours), array_of(theirs)
        if a is None or b is None or a.size != 1 or b.size != 1 or a.item() != b.item():
            return None
    scale = array_of(call.args[1])
    assert scale is not None
    return inner.args[0] if scale.item() >= _LEAST_SCALE else None


_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("broadcast_to", "astype", "tile", "repeat"), _same_type),
    "image.resize2d": _resize,
    "reshape": _reshape,
    "permute_dims": _permute,
    "nn.pad": _pad,
    "strided_slice": _slice,
    "concat": _concat,
    "add": _neutral(0.0),
    "subtract": _neutral(0.0),
    "multiply": _neutral(1.0),
    "divide": _neutral(1.0),
    "power": _neutral(1.0),
    "maximum": _neutral(-math.inf),
    "minimum": _neutral(math.inf),
    "nn.max_pool2d": _pool,
    "nn.avg_pool2d": _pool,
    TUPLE_ITEM: _dropout,
    "nn.relu": _clamp,
    "nn.relu6": _clamp,
    "clip": _clamp,
    "quantize": _quantize,
}
