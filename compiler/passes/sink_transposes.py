"""Moving transposes down the graph until they meet their inverse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import ir, relax

from gatewright.compiler.floatgraph.relax_calls import attributes_of
from gatewright.compiler.passes.expressions import array_of, constant, remake, shape_of
from gatewright.compiler.passes.rewriting import Rule, Scope, rewrite

__all__ = ["SinkTransposes"]

_UNARY = (
    "abs", "acos", "acosh", "asin", "asinh", "astype", "atan", "atanh", "ceil", "clip", "cos", "cosh", "erf", "exp",
    "floor", "log", "negative", "nn.gelu", "nn.gelu_tanh", "nn.leakyrelu", "nn.relu", "nn.relu6", "nn.selu", "nn.silu",
    "nn.softplus", "round", "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc",
)  # fmt: skip
_BINARY = ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum")

_Axes = tuple[int, ...]


@tvm.transform.module_pass(opt_level=0, name="sink_transposes")
@dataclass(frozen=True)
class SinkTransposes:
    """Move transposes below what commutes with them; compose transposes; drop those that cancel.

    They pass element-wise operators (a constant operand is transposed instead), ``quantize`` and ``dequantize``
    (the axis of a per-channel scale moves along), ``concat``, ``nn.pad``, ``strided_slice``, reductions and softmax.
    Operators with several operands are passed when all operands are transposed alike. No number changes. A transpose
    that only moves axes of size 1 becomes a reshape.

    ::

        lv1 = permute_dims(x, (0, 2, 3, 1))
        lv2 = quantize(lv1, s, z)                     lv2 = quantize(x, s, z)
        lv3 = dequantize(lv2, s, z)            ->     lv3 = dequantize(lv2, s, z)
        lv4 = add(lv3, const(C))                      lv4 = add(lv3, const(1, C, 1, 1))
        lv5 = permute_dims(lv4, (0, 3, 1, 2))
    """

    def transform_module(self, module: ir.IRModule, context: object) -> ir.IRModule:
        """Apply to ``main``."""
        return rewrite(module, _RULES)


def _transposed(scope: Scope, expression: relax.Expr) -> tuple[relax.Expr, _Axes] | None:
    """Operand and axes when ``expression`` is a transpose."""
    call = scope.definition(expression, "permute_dims")
    return None if call is None else (call.args[0], _axes(call))


def _axes(call: relax.Call) -> _Axes:
    axes = attributes_of(call)["axes"]
    rank = len(shape_of(call.args[0]))
    if not isinstance(axes, tuple):
        return tuple(reversed(range(rank)))
    return tuple(int(axis) % rank for axis in axes)  # type: ignore[arg-type]


def _below(scope: Scope, moved: relax.Expr, axes: Sequence[int]) -> relax.Expr:
    """The transpose of ``moved``. The moved operator keeps its name, the transpose gets a new one."""
    below = relax.op.permute_dims(scope.emit(moved), list(axes))
    scope.name = f"{scope.name}_transposed"
    return below


def _permute(scope: Scope, call: relax.Call) -> relax.Expr | None:
    axes = _axes(call)
    inner = _transposed(scope, call.args[0])
    if inner is not None:
        x, first = inner
        composed = [first[axis] for axis in axes]
        return x if composed == sorted(composed) else relax.op.permute_dims(x, composed)
    shape = shape_of(call.args[0])
    long = [axis for axis in axes if shape[axis] != 1]
    if long != sorted(long):
        return None
    return call.args[0] if shape_of(call) == shape else relax.op.reshape(call.args[0], shape_of(call))


def _unary(scope: Scope, call: relax.Call) -> relax.Expr | None:
    found = _transposed(scope, call.args[0])
    return None if found is None else _below(scope, remake(call, found[0]), found[1])


def _binary(scope: Scope, call: relax.Call) -> relax.Expr | None:
    found = [_transposed(scope, operand) for operand in call.args]
    axes = next((pair[1] for pair in found if pair is not None), None)
    if axes is None or len(shape_of(call)) != len(axes):
        return None
    operands = []
    for operand, pair in zip(call.args, found, strict=True):
        array = array_of(operand)
        if pair is not None and pair[1] == axes:
            operands.append(pair[0])
        elif array is not None:
            operands.append(constant(_untransposed(array, axes), array.dtype.name))
        else:
            return None
    return _below(scope, remake(call, *operands), axes)


def _untransposed(array: np.ndarray, axes: _Axes) -> np.ndarray:
    """The constant that transposing by ``axes`` gives ``array`` back, up to broadcasting."""
    if array.size == 1:
        return array.reshape(())
    full = array.reshape((1,) * (len(axes) - array.ndim) + array.shape)
    return np.transpose(full, np.argsort(axes))


def _quantize(scope: Scope, call: relax.Call) -> relax.Expr | None:
    found = _transposed(scope, call.args[0])
    if found is None:
        return None
    x, axes = found
    axis = attributes_of(call)["axis"]
    assert isinstance(axis, int)
    per_axis = any(max(shape_of(parameter), default=1) > 1 for parameter in call.args[1:])
    moved = axes[axis % len(axes)] if per_axis else axis
    return _below(scope, remake(call, x, axis=moved), axes)


def _softmax(scope: Scope, call: relax.Call) -> relax.Expr | None:
    found = _transposed(scope, call.args[0])
    if found is None:
        return None
    x, axes = found
    axis = attributes_of(call)["axis"]
    assert isinstance(axis, int)
    return _below(scope, remake(call, x, axis=axes[axis % len(axes)]), axes)


def _concat(scope: Scope, call: relax.Call) -> relax.Expr | None:
    fields = scope.operands_of_tuple(call.args[0])
    if fields is None:
        return None
    found = [pair for pair in (_transposed(scope, field) for field in fields) if pair is not None]
    if len(found) < len(fields) or len({axes for _, axes in found}) != 1:
        return None
    axes = found[0][1]
    axis = attributes_of(call)["axis"]
    assert isinstance(axis, int)
    return _below(scope, relax.op.concat([x for x, _ in found], axes[axis % len(axes)]), axes)


def _pad(scope: Scope, call: relax.Call) -> relax.Expr | None:
    found = _transposed(scope, call.args[0])
    if found is None:
        return None
    x, axes = found
    widths = attributes_of(call)["pad_width"]
    assert isinstance(widths, tuple)
    moved = [widths[2 * out + side] for out in np.argsort(axes) for side in (0, 1)]
    return _below(scope, remake(call, x, pad_width=tuple(moved)), axes)


def _slice(scope: Scope, call: relax.Call) -> relax.Expr | None:
    found = _transposed(scope, call.args[0])
    if found is None:
        return None
    x, axes = found
    attributes = attributes_of(call)
    sliced, begin, end = attributes["axes"], attributes["begin"], attributes["end"]
    assert isinstance(sliced, tuple)
    moved = [axes[int(axis) % len(axes)] for axis in sliced]  # type: ignore[arg-type]
    return _below(scope, relax.op.strided_slice(x, moved, begin, end, attributes.get("strides")), axes)


def _reduce(scope: Scope, call: relax.Call) -> relax.Expr | None:
    found = _transposed(scope, call.args[0])
    if found is None:
        return None
    x, axes = found
    reduced = attributes_of(call)["axis"]
    if not isinstance(reduced, tuple):
        return remake(call, x)
    gone = [axes[int(axis) % len(axes)] for axis in reduced]  # type: ignore[arg-type]
    moved = remake(call, x, axis=tuple(gone))
    if attributes_of(call)["keepdims"]:
        return _below(scope, moved, axes)
    left = [axis for axis in axes if axis not in gone]
    order = [sorted(left).index(axis) for axis in left]
    return moved if order == sorted(order) else _below(scope, moved, order)


_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_UNARY, _unary),
    **dict.fromkeys(_BINARY, _binary),
    "permute_dims": _permute,
    "quantize": _quantize,
    "dequantize": _quantize,
    "nn.softmax": _softmax,
    "nn.log_softmax": _softmax,
    "concat": _concat,
    "nn.pad": _pad,
    "strided_slice": _slice,
    **dict.fromkeys(("mean", "sum", "max", "min", "prod"), _reduce),
}
