"""NumPy execution of a :class:`FloatGraph`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import GraphError
from gatewright.compiler.floatgraph.batching import is_batchable
from gatewright.compiler.floatgraph.graph import FloatGraph, Node
from gatewright.compiler.floatgraph.operators import OPERATORS

__all__ = ["execute"]

Array = npt.NDArray[np.generic]


def execute(
    graph: FloatGraph, inputs: Mapping[str, Array], observe: Callable[[Node, Array], Array | None] | None = None
) -> dict[str, Array]:
    """Run ``graph`` on one set of inputs.

    Args:
        graph: the program.
        inputs: an array per graph input. The leading axis may be a multiple of the declared batch: every operator
            treats the batch axis as data, so calibration runs many samples at once. A graph that looks across its
            batch axis runs batch by batch, and the outputs are stacked.
        observe: called with every node and its result (batch by batch where the graph runs so); a returned array
            replaces the result.

    Returns:
        The outputs by output name.

    Raises:
        GraphError: GW2001 when an operator is not in the table.
    """
    batches = max((inputs[s.name].shape[0] // s.shape[0] for s in graph.inputs if s.shape and s.shape[0]), default=1)
    if batches > 1 and not is_batchable(graph):
        parts = [_run(graph, _part(graph, inputs, i, batches), observe) for i in range(batches)]
        return {spec.name: np.concatenate([np.atleast_1d(p[spec.name]) for p in parts]) for spec in graph.outputs}
    return _run(graph, inputs, observe)


def _part(graph: FloatGraph, inputs: Mapping[str, Array], i: int, batches: int) -> dict[str, Array]:
    """The i-th batch of the inputs that hold several."""
    found = {}
    for spec in graph.inputs:
        x = inputs[spec.name]
        several = bool(spec.shape) and x.shape[0] == batches * spec.shape[0]
        found[spec.name] = x[i * spec.shape[0] : (i + 1) * spec.shape[0]] if several else x
    return found


def _run(
    graph: FloatGraph, inputs: Mapping[str, Array], observe: Callable[[Node, Array], Array | None] | None
) -> dict[str, Array]:
    values: dict[str, Array] = {**graph.constants, **inputs}
    last_use = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    keep = set(graph.results)
    for i, node in enumerate(graph.nodes):
        operator = OPERATORS.get(node.op)
        if operator is None:
            raise GraphError(
                "GW2001", node.name, f"no NumPy form of operator {node.op!r}", "remove the operator from the model"
            )
        with np.errstate(all="ignore"):
            result = operator(node, *(values[name] for name in node.inputs))
        if observe is not None:
            replaced = observe(node, result)
            result = result if replaced is None else replaced
        values[node.name] = result
        for name in set(node.inputs):
            if last_use[name] == i and name not in keep and name not in graph.constants:
                del values[name]
    return {spec.name: values[name] for spec, name in zip(graph.outputs, graph.results, strict=True)}
