"""One form for things that can be said in several ways, and cheaper forms of the same function."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import ir, relax

from gatewright.compiler.floatgraph.relax_calls import attributes_of, operator_name, tensor_type
from gatewright.compiler.passes.expressions import array_of, constant, remake, shape_of, uniform_value
from gatewright.compiler.passes.rewriting import Rule, Scope, rewrite

__all__ = ["Canonicalize"]


@tvm.transform.module_pass(opt_level=0, name="canonicalize")
@dataclass(frozen=True)
class Canonicalize:
    """Strength reduction and canonical forms, so that later passes and the quantizer meet one form only.

    ::

        squeeze, expand_dims, flatten, batch_flatten   ->   reshape
        add(const, x), multiply(const, x), ...         ->   add(x, const), multiply(x, const), ...
        subtract(x, const)                             ->   add(x, -const)
        divide(x, const)                               ->   multiply(x, 1 / const)
        maximum(x, 0)                                  ->   relu(x)
        minimum(relu(x), 6), maximum(minimum(x, a), b) ->   clip(x, low, high)
        mean(x, axes=(2, 3))                           ->   adaptive_avg_pool2d(x, 1)  [+ reshape]
        prelu(x, uniform alpha)                        ->   leakyrelu(x, alpha)
        add(matmul(x, w), b(1, O))                     ->   add(matmul(x, w), b(O,))

    Attributes:
        keep_divisions: leave a division that a multiplication does not reproduce to the last bit (the divisor is no
            power of two). The pipeline sets it for models that round: half an ulp before a rounding is a step after it.
    """

    keep_divisions: bool = False

    def transform_module(self, module: ir.IRModule, context: object) -> ir.IRModule:
        """Apply to ``main``."""

        def divide(scope: Scope, call: relax.Call) -> relax.Expr | None:
            divisor = _float_constant(call.args[1])
            if divisor is None or not np.all(np.isfinite(divisor)) or np.any(divisor == 0):
                return None
            if self.keep_divisions and not np.all(np.abs(np.frexp(divisor)[0]) == 0.5):
                return None
            return relax.op.multiply(call.args[0], constant(1 / divisor.astype(np.float64), "float32"))

        return rewrite(module, {**_RULES, "divide": divide})


def _float_constant(expression: relax.Expr) -> np.ndarray | None:
    array = array_of(expression)
    return array if array is not None and array.dtype == np.float32 else None


def _as_reshape(scope: Scope, call: relax.Call) -> relax.Expr | None:
    return relax.op.reshape(call.args[0], shape_of(call))


def _constant_right(scope: Scope, call: relax.Call) -> relax.Expr | None:
    left, right = call.args
    if array_of(left) is not None and array_of(right) is None:
        return remake(call, right, left)
    return None


def _add(scope: Scope, call: relax.Call) -> relax.Expr | None:
    swapped = _constant_right(scope, call)
    if swapped is not None:
        return swapped
    bias = array_of(call.args[1])
    if bias is None or bias.ndim < 2 or scope.definition(call.args[0], "matmul") is None:
        return None
    if bias.size == bias.shape[-1] and bias.ndim <= len(shape_of(call.args[0])):
        return relax.op.add(call.args[0], constant(bias.reshape(-1), bias.dtype.name))
    return None


def _subtract(scope: Scope, call: relax.Call) -> relax.Expr | None:
    array = _float_constant(call.args[1])
    return None if array is None else relax.op.add(call.args[0], constant(-array, "float32"))


def _bound(scope: Scope, call: relax.Call) -> relax.Expr | None:
    """Maximum or minimum with one number."""
    swapped = _constant_right(scope, call)
    if swapped is not None:
        return swapped
    x, other = call.args
    value = uniform_value(other)
    if value is None or math.isnan(value) or tensor_type(x)[1] != "float32" or tensor_type(call) != tensor_type(x):
        return None
    if operator_name(call) == "maximum":
        if value == 0:
            return relax.op.nn.relu(x)
        return _merge(scope, x, "minimum", value, None)
    if scope.definition(x, "nn.relu") is not None and value > 0:
        return _clip(scope.definition(x).args[0], 0.0, value)  # type: ignore[union-attr]
    return _merge(scope, x, "maximum", None, value)


def _merge(scope: Scope, x: relax.Expr, partner: str, low: float | None, high: float | None) -> relax.Expr | None:
    inner = scope.definition(x, partner)
    if inner is None:
        return None
    value = uniform_value(inner.args[1])
    if value is None:
        return None
    low, high = (value if low is None else low), (value if high is None else high)
    return _clip(inner.args[0], low, high) if low <= high else None


def _clip(x: relax.Expr, low: float, high: float) -> relax.Expr:
    return relax.op.clip(x, tvm.tirx.FloatImm("float32", low), tvm.tirx.FloatImm("float32", high))


def _mean(scope: Scope, call: relax.Call) -> relax.Expr | None:
    shape = shape_of(call.args[0])
    axes = attributes_of(call)["axis"]
    if len(shape) != 4 or not isinstance(axes, tuple) or tensor_type(call)[1] != "float32":
        return None
    if sorted(int(axis) % 4 for axis in axes) != [2, 3]:  # type: ignore[arg-type]
        return None
    pooled = relax.op.nn.adaptive_avg_pool2d(call.args[0], 1)
    if attributes_of(call)["keepdims"]:
        return pooled
    return relax.op.reshape(scope.emit(pooled), shape_of(call))


def _prelu(scope: Scope, call: relax.Call) -> relax.Expr | None:
    alpha = uniform_value(call.args[1])
    return None if alpha is None else relax.op.nn.leakyrelu(call.args[0], alpha)


_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("squeeze", "expand_dims", "flatten", "nn.batch_flatten"), _as_reshape),
    "add": _add,
    "multiply": _constant_right,
    "subtract": _subtract,
    "maximum": _bound,
    "minimum": _bound,
    "mean": _mean,
    "nn.prelu": _prelu,
}
