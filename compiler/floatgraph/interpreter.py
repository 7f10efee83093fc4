"""NumPy execution of a :class:`FloatGraph`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import GraphError
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
            treats the batch axis as data, so calibration runs many samples at once.
        observe: called with every node and its result; a returned array replaces the result.

    Returns:
        The outputs by output name.

    Raises:
        GraphError: GW2001 when an operator is not in the table.
    """
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
