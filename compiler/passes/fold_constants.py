"""Constant and shape folding."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import ir, relax

from gatewright.compiler.floatgraph.operators import OPERATORS
from gatewright.compiler.floatgraph.relax_calls import operator_name, tensor_operands
from gatewright.compiler.passes.expressions import array_of, constant, evaluate, shape_of
from gatewright.compiler.passes.rewriting import EVERY, Scope, rewrite

__all__ = ["FoldConstants"]

# They carry a quantized model's integer semantics: never computed away.
_KEPT = {"quantize", "dequantize"}


@tvm.transform.module_pass(opt_level=0, name="fold_constants")
@dataclass(frozen=True)
class FoldConstants:
    """Compute what depends on constants only, shapes included; ``quantize`` and ``dequantize`` stay.

    The NumPy operators of the float interpreter do the computing, in the operands' own type, so the folded graph
    gives the very same numbers.

    ::

        lv1 = reshape(bias, (1, 8, 1, 1))             lv2 = add(x, const(1, 8, 1, 1))
        lv2 = add(x, lv1)                       ->

        lv1 = shape_to_tensor(shape_of(x))      ->    const([1, 8, 4, 4], int64)

    Attributes:
        element_limit: results that are larger than this and than all their operands together are not made
            (a broadcast constant would bloat the model).
    """

    element_limit: int = 1 << 20

    def transform_module(self, module: ir.IRModule, context: object) -> ir.IRModule:
        """Apply to ``main``."""

        def fold(scope: Scope, call: relax.Call) -> relax.Expr | None:
            op = operator_name(call)
            if op in _KEPT or op not in OPERATORS or not isinstance(call.ty, relax.TensorType):
                return None
            arrays = [array_of(operand) for operand in tensor_operands(_flat(scope, call))]
            known = [array for array in arrays if array is not None]
            if len(known) < len(arrays):
                return None
            if math.prod(shape_of(call)) > max(self.element_limit, sum(array.size for array in known)):
                return None
            return constant(evaluate(call, known), str(call.ty.dtype.dtype))

        return rewrite(
            module,
            {
                EVERY: fold,
                "shape_of": _shape_of,
                "shape_to_tensor": _shape_to_tensor,
                "tensor_to_shape": _tensor_to_shape,
                "size": _size,
                "dynamic_strided_slice": _strided_slice,
            },
        )


def _flat(scope: Scope, call: relax.Call) -> relax.Call:
    """The call with variables bound to tuples replaced by the tuples."""
    operands = [scope.operands_of_tuple(operand) for operand in call.args]
    if not any(operands):
        return call
    arguments = [old if new is None else ir.Tuple(new) for old, new in zip(call.args, operands, strict=True)]
    return relax.Call(call.op, arguments, call.attrs, call.ty_args)


def _shape_of(scope: Scope, call: relax.Call) -> relax.Expr | None:
    return relax.ShapeExpr(list(shape_of(call.args[0])))


def _shape_to_tensor(scope: Scope, call: relax.Call) -> relax.Expr | None:
    shape = call.args[0]
    if isinstance(shape, relax.ShapeExpr):
        return constant([int(size) for size in shape.values], "int64")
    return None


def _tensor_to_shape(scope: Scope, call: relax.Call) -> relax.Expr | None:
    array = array_of(call.args[0])
    return None if array is None else relax.ShapeExpr([int(size) for size in array])


def _size(scope: Scope, call: relax.Call) -> relax.Expr | None:
    return constant(np.int64(math.prod(shape_of(call.args[0]))), "int64")


def _strided_slice(scope: Scope, call: relax.Call) -> relax.Expr | None:
    """A slice whose bounds turned out constant."""
    bounds = [array_of(operand) for operand in call.args[1:]]
    known = [[int(v) for v in array] for array in bounds if array is not None]
    if len(known) < len(bounds):
        return None
    begin, end, strides = known
    return relax.op.strided_slice(call.args[0], list(range(len(begin))), begin, end, strides)
