"""Batch normalisation as a scale and a shift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tvm
from tvm import ir, relax

from gatewright.compiler.floatgraph.relax_calls import attributes_of
from gatewright.compiler.passes.expressions import array_of, constant, shape_of
from gatewright.compiler.passes.rewriting import TUPLE_ITEM, Scope, rewrite

__all__ = ["DecomposeBatchNorm"]


@tvm.transform.module_pass(opt_level=0, name="decompose_batch_norm")
@dataclass(frozen=True)
class DecomposeBatchNorm:
    """Turn batch normalisation with constant statistics into one multiply and one add per channel.

    ``fold_scales`` then folds them into the convolution or dense layer beside; where there is none they stay a scale
    and a shift. Computed in float64, rounded once.

    ::

        lv1 = batch_norm(x, gamma, beta, mean, var)          lv1 = multiply(x, gamma / sqrt(var + epsilon))
        lv2 = lv1[0]                                   ->    lv2 = add(lv1, beta - mean * gamma / sqrt(var + epsilon))
    """

    def transform_module(self, module: ir.IRModule, context: object) -> ir.IRModule:
        """Apply to ``main``."""
        return rewrite(module, {TUPLE_ITEM: _item})


def _item(scope: Scope, item: relax.TupleGetItem) -> relax.Expr | None:
    call = scope.definition(item.tuple_value, "nn.batch_norm")
    if call is None or item.index != 0:
        return None
    attributes = attributes_of(call)
    arrays = [array_of(operand) for operand in call.args[1:]]
    known = [array.astype(np.float64) for array in arrays if array is not None]
    if len(known) < 4 or attributes.get("training"):
        return None
    gamma, beta, mean, variance = known
    rank = len(shape_of(call.args[0]))
    axis = int(attributes["axis"]) % rank  # type: ignore[arg-type]
    scale = 1 / np.sqrt(variance + float(attributes["epsilon"]))  # type: ignore[arg-type]
    if attributes["scale"]:
        scale = scale * gamma
    shift = -mean * scale
    if attributes["center"]:
        shift = shift + beta
    shape = [-1 if i == axis else 1 for i in range(rank)]
    scaled = scope.emit(
        relax.op.multiply(call.args[0], constant(scale.reshape(shape), "float32")), f"{scope.name}_scale"
    )
    return relax.op.add(scaled, constant(shift.reshape(shape), "float32"))
