"""Folding of scales and shifts into the weights and bias of the layer beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import ir, relax

from gatewright.compiler.passes.expressions import array_of, constant, shape_of
from gatewright.compiler.passes.rewriting import Rule, Scope, rewrite
from gatewright.compiler.passes.weighted import WEIGHTED, per_channel, weighted

__all__ = ["FoldScales"]


@tvm.transform.module_pass(opt_level=0, name="fold_scales")
@dataclass(frozen=True)
class FoldScales:
    """Fold constant multiplications and additions per channel into the convolution or matrix product they stand at.

    Computed in float64, rounded once to float32. Only constants fold: a weight that comes out of ``dequantize`` is
    none, so quantized models keep their arithmetic. A layer with other readers is left alone.

    ::

        lv1 = conv2d(x, w)
        lv2 = add(lv1, b)                            lv1 = conv2d(x, w * s)
        lv3 = multiply(lv2, s)                ->     lv4 = add(lv1, b * s + t)
        lv4 = add(lv3, t)

        lv1 = multiply(x, s)                         lv1 = matmul(x, s * w)
        lv2 = add(lv1, t)                     ->     lv3 = add(lv1, t @ w)
        lv3 = matmul(lv2, w)

    A shift in front folds into a convolution without padding only: padding is zero after the shift, not before.
    """

    def transform_module(self, module: ir.IRModule, context: object) -> ir.IRModule:
        """Apply to ``main``."""
        return rewrite(module, _RULES)


def _multiply(scope: Scope, call: relax.Call) -> relax.Expr | None:
    x, factor = call.args
    if array_of(factor) is None or not scope.is_used_once(x):
        return None
    layer = weighted(scope, x)
    if layer is not None:
        factors = per_channel(factor, shape_of(x), layer.axis)
        if factors is None or shape_of(call) != shape_of(x):
            return None
        return layer.with_weight(layer.call.args[0], layer.scaled_outputs(factors))
    added = scope.definition(x, "add")
    if added is not None and shape_of(call) == shape_of(x):
        return _through_bias(scope, added, factor)
    return _merged(scope, call, "multiply")


def _through_bias(scope: Scope, added: relax.Call, factor: relax.Expr) -> relax.Expr | None:
    """``(layer + b) * s`` as ``layer' + b s``."""
    inner, bias = added.args
    layer = weighted(scope, inner)
    if layer is None or not scope.is_used_once(inner):
        return None
    shape = shape_of(inner)
    factors, biases = per_channel(factor, shape, layer.axis), per_channel(bias, shape, layer.axis)
    if factors is None or biases is None:
        return None
    scaled = scope.emit(layer.with_weight(layer.call.args[0], layer.scaled_outputs(factors)))
    return relax.op.add(scaled, layer.bias_constant(biases * factors))


def _add(scope: Scope, call: relax.Call) -> relax.Expr | None:
    if array_of(call.args[1]) is None or not scope.is_used_once(call.args[0]):
        return None
    return _merged(scope, call, "add")


def _merged(scope: Scope, call: relax.Call, op: str) -> relax.Expr | None:
    """``(x + a) + b`` as ``x + (a + b)``, and products alike."""
    inner = scope.definition(call.args[0], op)
    if inner is None:
        return None
    ours, theirs = array_of(call.args[1]), array_of(inner.args[1])
    if ours is None or theirs is None or ours.dtype != np.float32:
        return None
    if shape_of(call) != shape_of(inner) or shape_of(inner) != shape_of(inner.args[0]):
        return None  # one of them broadcasts
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    return relax.Call(call.op, [inner.args[0], constant(a + b if op == "add" else a * b, "float32")])


def _layer(scope: Scope, call: relax.Call) -> relax.Expr | None:
    """A scale or a shift in front of a layer."""
    layer = weighted(scope, call)
    before = scope.definition(call.args[0], "multiply", "add")
    if layer is None or before is None or array_of(before.args[1]) is None:
        return None
    x, other = before.args
    if shape_of(x) != shape_of(before):
        return None
    values = per_channel(other, shape_of(x), layer.axis)
    if values is None:
        return None
    if before.op.name == "relax.multiply":
        return layer.with_weight(x, layer.scaled_inputs(values))
    shift = layer.shifted_inputs(values)
    if shift is None:
        return None
    return relax.op.add(scope.emit(layer.with_weight(x, layer.weight)), layer.bias_constant(shift))


_RULES: Mapping[str, Rule] = {"multiply": _multiply, "add": _add, **dict.fromkeys(WEIGHTED, _layer)}
