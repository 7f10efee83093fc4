"""Loop order of convolutions, matrix products and pooling on a CPU.

TVM's default puts the reduction innermost: one scalar sum after the other, which LLVM cannot vectorize where the
reduction strides through memory. With the last output axis innermost instead, a whole row of sums is updated at once
from contiguous memory, and LLVM vectorizes it (loop interchange; Allen and Kennedy, Optimizing Compilers, chapter 5).
"""

from __future__ import annotations

from typing import Any

from tvm import ir, s_tir, tirx

__all__ = ["rows_innermost"]

_SPATIAL, _REDUCTION = 0, 2  # tirx.IterVar.iter_type


def rows_innermost(module: ir.IRModule) -> ir.IRModule:
    """Reorder the loops of every reduction of ``module``'s TIR functions that reads rows of memory.

    Each sum is added up in the same order as before, so float results stay the same bit for bit. Before and after::

        for o, y, x:                                  for o, y:
            acc[o, y, x] = 0                              for x: acc[o, y, x] = 0
            for c, v, u: acc[o, y, x] += ...       ->     for c, v, u:
                                                              for x: acc[o, y, x] += ...
    """
    changed = {
        variable: _scheduled(function)
        for variable, function in module.functions.items()
        if isinstance(function, tirx.PrimFunc)
    }
    return ir.IRModule({**dict(module.functions.items()), **changed}, attrs=module.attrs)


def _scheduled(function: tirx.PrimFunc) -> tirx.PrimFunc:
    schedule = s_tir.Schedule(ir.IRModule({"main": function}))
    for block in schedule.get_child_blocks(schedule.get_sblock("root")):
        _reorder(schedule, block)
    result = schedule.mod["main"]
    symbol = (function.attrs or {}).get("global_symbol")
    return result.with_attr("global_symbol", symbol) if symbol is not None else result


def _reorder(schedule: s_tir.Schedule, block: Any) -> None:
    body, loops = schedule.get(block), schedule.get_loops(block)
    kinds = [int(axis.iter_type) for axis in body.iter_vars]
    if body.init is None or len(loops) != len(kinds) or {*kinds} != {_SPATIAL, _REDUCTION}:
        return
    spatial = [i for i, kind in enumerate(kinds) if kind == _SPATIAL]
    reduction = [i for i, kind in enumerate(kinds) if kind == _REDUCTION]
    if not _reads_rows(body, body.iter_vars[spatial[-1]].var):
        return
    outer, last = [loops[i] for i in spatial[:-1]], loops[spatial[-1]]
    if _is_pointwise(body, [int(schedule.get(loops[i]).extent) for i in reduction]):
        last = schedule.fuse(outer.pop(), last)
    if int(schedule.get(last).extent) == 1:
        return
    inner = [loops[i] for i in reduction]
    schedule.reorder(*outer, *inner, last)
    schedule.decompose_reduction(block, inner[0])


def _is_pointwise(body: Any, reduction: list[int]) -> bool:
    """Whether this is a 1x1 convolution of stride 1: whole planes, not only rows, then lie side by side."""
    shapes = [[int(size) for size in region.source.shape] for region in (*body.reads, *body.writes)]
    planes = [shape[2:] for shape in shapes if len(shape) == 4]
    return len(reduction) == 3 and reduction[1:] == [1, 1] and len(planes) >= 2 and planes[0] == planes[-1]


def _reads_rows(body: Any, variable: tirx.Var) -> bool:
    """Whether ``variable`` walks along the last, contiguous axis of something the block reads."""
    indices = [region.region[-1].min for region in body.reads if len(region.region)]
    return any(variable.same_as(used) for index in indices for used in tirx.analysis.undefined_vars(index))
