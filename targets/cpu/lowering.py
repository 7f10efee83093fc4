"""From the integer graph to what TVM compiles, and on to TIR."""

from __future__ import annotations

from tvm import ir, relax, target, transform
from tvm.relax.backend.cpu_generic import pipeline

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.to_relax import emit
from gatewright.compiler.passes.fold_constants import FoldConstants
from gatewright.schedules.cpu.reductions import rows_innermost

__all__ = ["inlined", "lowered"]


def inlined(graph: IntegerGraph) -> ir.IRModule:
    """The graph as one Relax function: composites inlined, so that TVM fuses across layers, constants folded.

    Our own folding, since TVM's compiles a kernel for every constant expression: over a second for a small network.
    """
    return transform.Sequential([relax.transform.InlinePrivateFunctions(), FoldConstants()])(emit(graph))


def lowered(module: ir.IRModule, processor: target.Target) -> ir.IRModule:
    """``module`` after TVM's default CPU pipeline: VM calls, and one TIR function a kernel in our loop order."""
    fused = [*pipeline.library_dispatch_passes(processor), *pipeline.legalize_passes(processor)]
    rest = [*pipeline.dataflow_lower_passes(processor), *pipeline.finalize_passes(processor)]
    with processor, transform.PassContext(opt_level=3):
        return transform.Sequential(rest)(rows_innermost(transform.Sequential(fused)(module)))
