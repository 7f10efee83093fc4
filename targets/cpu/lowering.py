"""From the integer graph to what TVM compiles, and on to TIR."""

from __future__ import annotations

from tvm import ir, relax, target, transform

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.to_relax import emit
from gatewright.compiler.passes.fold_constants import FoldConstants

__all__ = ["inlined", "lowered"]


def inlined(graph: IntegerGraph) -> ir.IRModule:
    """The graph as one Relax function: composites inlined, so that TVM fuses across layers, constants folded.

    Our own folding, since TVM's compiles a kernel for every constant expression: over a second for a small network.
    """
    return transform.Sequential([relax.transform.InlinePrivateFunctions(), FoldConstants()])(emit(graph))


def lowered(module: ir.IRModule, processor: target.Target) -> ir.IRModule:
    """``module`` after TVM's default CPU pipeline: VM calls and one TIR function a kernel."""
    with processor, transform.PassContext(opt_level=3):
        return relax.get_default_pipeline(processor)(module)
