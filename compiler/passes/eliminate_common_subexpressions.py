"""Common-subexpression elimination."""

from __future__ import annotations

from dataclasses import dataclass

import tvm
from tvm import ir, relax

from gatewright.compiler.passes.rewriting import rewrite

__all__ = ["EliminateCommonSubexpressions"]


@tvm.transform.module_pass(opt_level=0, name="eliminate_common_subexpressions")
@dataclass(frozen=True)
class EliminateCommonSubexpressions:
    """Compute equal things once (Relax's ``EliminateCommonSubexpr``), then drop dead nodes.

    ::

        lv1 = relu(x)
        lv2 = relu(x)                 ->      lv1 = relu(x)
        lv3 = add(lv1, lv2)                   lv3 = add(lv1, lv1)
    """

    def transform_module(self, module: ir.IRModule, context: object) -> ir.IRModule:
        """Apply to ``main``."""
        return rewrite(relax.transform.EliminateCommonSubexpr()(module), {})
