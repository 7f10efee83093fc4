"""Activation functions out of the chains exporters write them as."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import tvm
from tvm import ir, relax

from gatewright.compiler.passes.expressions import uniform_value
from gatewright.compiler.passes.rewriting import Rule, Scope, rewrite

__all__ = ["RecognizeActivations"]


@tvm.transform.module_pass(opt_level=0, name="recognize_activations")
@dataclass(frozen=True)
class RecognizeActivations:
    """Give silu and gelu their name back.

    ::

        lv1 = sigmoid(x)
        lv2 = multiply(x, lv1)                                   ->   lv2 = nn.silu(x)

        lv1 = multiply(x, 0.70710678)    (or divide by sqrt 2)
        lv2 = erf(lv1)
        lv3 = add(lv2, 1)
        lv4 = multiply(x, lv3)
        lv5 = multiply(lv4, 0.5)                                 ->   lv5 = nn.gelu(x)

    Other chains of one tensor (hard swish, mish, ...) need no name: the quantizer tabulates any of them.
    """

    def transform_module(self, module: ir.IRModule, context: object) -> ir.IRModule:
        """Apply to ``main``."""
        return rewrite(module, _RULES)


def _multiply(scope: Scope, call: relax.Call) -> relax.Expr | None:
    for x, other in (call.args, tuple(call.args)[::-1]):
        gate = scope.definition(other, "sigmoid")
        if gate is not None and gate.args[0].same_as(x):
            return relax.op.nn.silu(x)
    x = _gelu(scope, call)
    return None if x is None else relax.op.nn.gelu(x)


def _gelu(scope: Scope, call: relax.Call) -> relax.Expr | None:
    """X of ``x * (erf(x / sqrt 2) + 1) * 0.5`` with the factors in any order."""
    factors = _factors(scope, call, 0)
    halves = [f for f in factors if _is(f, 0.5)]
    gates = [x for x in (_gate(scope, f) for f in factors) if x is not None]
    if len(factors) != 3 or len(halves) != 1 or len(gates) != 1:
        return None
    return gates[0] if any(gates[0].same_as(f) for f in factors) else None


def _factors(scope: Scope, expression: relax.Expr, depth: int) -> list[relax.Expr]:
    call = scope.definition(expression, "multiply")
    if call is None or depth > 2:
        return [expression]
    return [f for operand in call.args for f in _factors(scope, operand, depth + 1)]


def _gate(scope: Scope, expression: relax.Expr) -> relax.Expr | None:
    """X of ``erf(x / sqrt 2) + 1``."""
    added = scope.definition(expression, "add")
    if added is None or not _is(added.args[1], 1.0):
        return None
    curve = scope.definition(added.args[0], "erf")
    scaled = None if curve is None else scope.definition(curve.args[0], "multiply", "divide")
    if scaled is None:
        return None
    factor = math.sqrt(0.5) if scaled.op.name == "relax.multiply" else math.sqrt(2)
    return scaled.args[0] if _is(scaled.args[1], factor) else None


def _is(expression: relax.Expr, value: float) -> bool:
    found = uniform_value(expression)
    return found is not None and math.isclose(found, value, rel_tol=1e-6)


_RULES: Mapping[str, Rule] = {"multiply": _multiply}
