"""Folding constants of the inlined integer graph with NumPy.

TVM's own FoldConstant compiles a kernel for every constant expression: over a second for a small network, where this
takes milliseconds. Expressions it does not know are left to TVM.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import ir, relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.floatgraph.operators import OPERATORS
from gatewright.compiler.floatgraph.relax_calls import attributes_of, operator_name, tensor_operands, tensor_type

__all__ = ["fold_constants"]


def fold_constants(module: ir.IRModule) -> ir.IRModule:
    """Replace every operator call in ``main`` whose operands are all constants by its value.

    Before and after::

        lv = R.astype(<weight>, "int32")            y = R.nn.conv2d(x, <folded>)
        lv1 = R.subtract(lv, <zero point>)     ->
        y = R.nn.conv2d(x, lv1)
    """
    folder = _Folder(module)
    folder.builder_.update_func(module.get_global_var("main"), folder.visit_expr(module["main"]))
    return relax.transform.DeadCodeElimination(["main"])(folder.builder_.finalize())


@mutator
class _Folder(PyExprMutator):
    def visit_call_(self, call: relax.Call) -> relax.Expr:
        call = super().visit_call_(call)
        arguments = [self.value(argument) for argument in call.args]
        name = operator_name(call)
        constants = [argument for argument in arguments if isinstance(argument, ir.GenericConst)]
        if name is not None and name in OPERATORS and constants and len(constants) == len(tensor_operands(call)):
            return self.evaluate(call, name, constants)
        return relax.Call(call.op, arguments, call.attrs, call.ty_args)

    def value(self, argument: relax.Expr) -> relax.Expr:
        """The constant an operand is bound to, else the operand."""
        bound = self.lookup_binding(argument) if isinstance(argument, relax.Var) else None
        return bound if isinstance(bound, ir.GenericConst) else argument

    def evaluate(self, call: relax.Call, name: str, constants: list[relax.Expr]) -> relax.Expr:
        """The value of ``call`` as a constant."""
        shape, dtype = tensor_type(call)
        node = Node("constant", name, (), attributes_of(call), shape, dtype)
        arrays: list[Any] = [constant.value.numpy() for constant in constants]
        result = np.asarray(OPERATORS[name](node, *arrays))
        if result.shape != shape:
            raise AssertionError(f"folding {name} made {result.shape}, Relax says {shape}")
        return relax.const(np.ascontiguousarray(result.astype(dtype)), dtype)
