"""Transposes in front of a flatten as an order of the dense layer's weight rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tvm
from tvm import ir, relax

from gatewright.compiler.floatgraph.relax_calls import attributes_of
from gatewright.compiler.passes.expressions import array_of, constant, remake, shape_of
from gatewright.compiler.passes.rewriting import Rule, Scope, rewrite

__all__ = ["FoldTransposes"]


@tvm.transform.module_pass(opt_level=0, name="fold_transposes")
@dataclass(frozen=True)
class FoldTransposes:
    """Fold transposes and reshapes into constants that are dequantized or multiplied behind them.

    ::

        lv1 = permute_dims(x, (0, 2, 3, 1))
        lv2 = reshape(lv1, (1, 64))               lv2 = reshape(x, (1, 64))
        lv3 = matmul(lv2, w)                ->    lv3 = matmul(lv2, w[order])      (lv2 dequantized or not)

        lv1 = dequantize(w, s, z)                 lv2 = dequantize(permute(w), s, z)
        lv2 = permute_dims(lv1, (1, 0))     ->

        lv1 = dequantize(b, s, z, axis=0)         lv2 = dequantize(reshape(b), s, z, axis=1)
        lv2 = reshape(lv1, (1, 8, 1, 1))    ->

    Constants are only put in another order: no number changes, and every ``dequantize`` stays.
    """

    def transform_module(self, module: ir.IRModule, context: object) -> ir.IRModule:
        """Apply to ``main``."""
        return rewrite(module, _RULES)


def _dequantized(scope: Scope, expression: relax.Expr) -> tuple[relax.Call, npt.NDArray[Any], int] | None:
    """The ``dequantize`` of a constant that makes ``expression``, the constant, the axis of its scale (-1: none)."""
    call = scope.definition(expression, "dequantize")
    if call is None:
        return None
    array, scale, zero_point = (array_of(operand) for operand in call.args)
    if array is None or scale is None or zero_point is None:
        return None
    axis = attributes_of(call)["axis"]
    assert isinstance(axis, int)
    per_axis = max(scale.size, zero_point.size) > 1
    return call, array, axis % array.ndim if per_axis else -1


def _moved(call: relax.Call, array: npt.NDArray[Any], axis: int) -> relax.Expr:
    """The dequantize of a rearranged constant; axis -1 is a scale for the whole tensor."""
    return remake(call, constant(array, array.dtype.name), axis=axis)


def _permute(scope: Scope, call: relax.Call) -> relax.Expr | None:
    found = _dequantized(scope, call.args[0])
    if found is None:
        return None
    inner, array, axis = found
    axes = attributes_of(call)["axes"]
    order = tuple(int(a) for a in axes) if isinstance(axes, tuple) else tuple(reversed(range(array.ndim)))  # type: ignore[arg-type]
    return _moved(inner, np.transpose(array, order), axis if axis == -1 else order.index(axis))


def _reshape(scope: Scope, call: relax.Call) -> relax.Expr | None:
    found = _dequantized(scope, call.args[0])
    if found is None:
        return None
    inner, array, axis = found
    shape = shape_of(call)
    if axis != -1:
        size = array.shape[axis]
        before = int(np.prod(array.shape[:axis]))
        places = [i for i, s in enumerate(shape) if s == size and int(np.prod(shape[:i])) == before]
        if not places:  # the axis is split or merged
            return None
        axis = places[-1]
    return _moved(inner, array.reshape(shape), axis)


def _matmul(scope: Scope, call: relax.Call) -> relax.Expr | None:
    stored = scope.definition(call.args[0], "dequantize")
    if stored is not None and _is_per_axis(stored):
        return None
    flat = scope.definition(call.args[0] if stored is None else stored.args[0], "reshape")
    moved = None if flat is None else scope.definition(flat.args[0], "permute_dims")
    if flat is None or moved is None:
        return None
    shape = shape_of(moved.args[0])
    axes = attributes_of(moved)["axes"]
    if not isinstance(axes, tuple) or axes[0] != 0 or shape_of(flat) != (shape[0], int(np.prod(shape[1:]))):
        return None
    # element k of the flattened transpose is element order[k] of the flattened operand
    places = np.arange(int(np.prod(shape[1:]))).reshape(1, *shape[1:])
    order = np.argsort(np.transpose(places, [int(a) for a in axes]).reshape(-1))  # type: ignore[arg-type]
    weight = _reordered(scope, call.args[1], order)
    if weight is None:
        return None
    x = scope.emit(relax.op.reshape(moved.args[0], shape_of(flat)), f"{scope.name}_flat")
    if stored is not None:
        x = scope.emit(remake(stored, x), f"{scope.name}_data")
    return remake(call, x, weight)


def _is_per_axis(call: relax.Call) -> bool:
    return any(len(shape_of(parameter)) > 0 and shape_of(parameter) != (1,) for parameter in call.args[1:])


def _reordered(scope: Scope, weight: relax.Expr, order: npt.NDArray[np.intp]) -> relax.Expr | None:
    """The weight (K, O) with its rows in another order."""
    array = array_of(weight)
    if array is not None:
        return constant(array[order], array.dtype.name) if array.ndim == 2 else None
    found = _dequantized(scope, weight)
    if found is None or found[1].ndim != 2 or found[2] == 0:
        return None
    call, array, axis = found
    return scope.emit(_moved(call, array[order], axis), f"{scope.name}_weight")


_RULES: Mapping[str, Rule] = {"permute_dims": _permute, "reshape": _reshape, "matmul": _matmul}
