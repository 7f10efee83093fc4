"""Splitting a Relax module between an accelerator and the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Set

from tvm import ir, relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Layer
from gatewright.schedules.accelerator.analysis import analyse
from gatewright.schedules.accelerator.spec import Spec
from gatewright.targets.accelerator.relax.codegen import SPEC_ATTRIBUTE, resolve_spec
from gatewright.targets.accelerator.relax.layers import (
    CODEGEN,
    PlacedLayers,
    graph_of_partition,
    is_marked,
    mark,
    partitions,
    placed_layers,
)

__all__ = ["partition"]

_PUBLIC = "global_symbol"
"""A function that bears it is not inlined."""


def partition(module: ir.IRModule, spec: Spec | str, function: str = "main") -> ir.IRModule:
    """Put what ``spec`` can run into partitions for the code generator ``gatewright_sim``.

    Before and after, for a network whose second layer no instruction computes::

        y = conv2d_0_y(x, <weight>, ...)              y = fused_conv2d_0_y_gatewright_sim(x)
        z = add_1_z(y, y, y, <multiplier>)            lv = R.astype(y, "int32"); ...; z = R.astype(lv9, "int8")
        r = dense_2_r(z, <weight>, ...)               r = fused_dense_2_r_gatewright_sim(z)

    Args:
        module: as :func:`~gatewright.compiler.integer.to_relax.emit` writes it. Operators of other origin may stand
            between its layers; a layer that reads what they make stays on the CPU, since nothing says its type.
        spec: the accelerator: a Spec, the name of a shipped one, the path of a TOML file, or its text.
        function: that holds the layers.

    Returns:
        A module in which functions with ``Codegen = "gatewright_sim"`` stand for the partitions; all other layers are
        inlined, for TVM to fuse. ``relax.transform.RunCodegen`` comes next.

    Raises:
        UsageError: GW0408 on an unknown spec, GW4301 or GW4302 on one that is not possible or readable.
        ValueError: the module holds no integer graph.
    """
    accelerator = spec if isinstance(spec, Spec) else resolve_spec(spec)
    placed = placed_layers(module, function)
    chosen = set(placed.composites) - set(analyse(accelerator, placed.graph).host_layers)
    while True:
        merged = _merged(module, function, placed, chosen)
        # In a partition less is known than in the whole: a sum may be wider, a reshape that was free be an output.
        misplaced: set[str] = set()
        for body in partitions(merged).values():
            misplaced |= set(analyse(accelerator, graph_of_partition(body)).host_layers)
        if not misplaced:
            break
        chosen -= misplaced
    for variable, body in partitions(merged).items():
        merged[variable] = body.with_attr(SPEC_ATTRIBUTE, accelerator.model_dump_json())
    return merged


def _merged(module: ir.IRModule, function: str, placed: PlacedLayers, chosen: Set[str]) -> ir.IRModule:
    """``module`` with the layers ``chosen`` of ``function`` in partitions, and all others inlined."""
    composites = {placed.composites[name]: placed.graph[name] for name in chosen}
    marked = _Marker(module, placed.graph, composites).marked(function)
    inlined = relax.transform.InlinePrivateFunctions()(marked)
    # TVM's pass merges in `main` alone, and stumbles over other functions: it gets this one under that name.
    alone = ir.IRModule({"main": inlined[function]})
    for variable, body in list(inlined.functions.items()):
        if is_marked(body):
            alone[variable] = body.without_attr(_PUBLIC)
            del inlined[variable]
    merged = relax.transform.MergeCompositeFunctions()(alone)
    for variable, body in partitions(merged).items():
        inlined[variable] = body
    inlined[function] = merged["main"]
    return inlined


@mutator
class _Marker(PyExprMutator):
    """Replaces calls of composites by calls of marked ones, public so that they are not inlined."""

    def __init__(self, module: ir.IRModule, graph: IntegerGraph, composites: Mapping[ir.GlobalVar, Layer]) -> None:
        super().__init__(module)
        self._module, self._graph, self._composites = module, graph, composites

    def marked(self, function: str) -> ir.IRModule:
        """The whole module, ``function`` changed and public."""
        body = self.visit_expr(self._module[function]).with_attr(_PUBLIC, function)
        self.builder_.update_func(self._module.get_global_var(function), body)
        return self.builder_.get()

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        """Every call."""
        layer = self._composites.get(call.op) if isinstance(call.op, ir.GlobalVar) else None
        if layer is None:
            return super().visit_call_(call)
        name = call.op.name_hint
        body = mark(self._module[call.op], call, self._graph, layer).with_attr(_PUBLIC, f"{name}_{CODEGEN}")
        variable = self.builder_.add_func(body, f"{name}_{CODEGEN}")
        return relax.Call(variable, [self.visit_expr(argument) for argument in call.args[: len(layer.inputs)]])
