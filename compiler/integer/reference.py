"""The golden reference: a plain NumPy interpreter of the integer graph, independent of TVM.

Every target equals it byte for byte. It is written for reading; what an operator computes stands in
:mod:`gatewright.compiler.integer.semantics` and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import UsageError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Add, Concat, Input, Layer, Multiply, Pad, Reshape, Slice, Transpose
from gatewright.compiler.integer.semantics.table import SEMANTICS
from gatewright.compiler.integer.tensor import IntArray, TensorType

__all__ = ["Reference", "checked_input"]

Tensors = dict[str, npt.NDArray[np.integer]]


class Reference:
    """Interpreter of one integer graph.

    Args:
        graph: a graph that the verifier accepts.
    """

    def __init__(self, graph: IntegerGraph) -> None:
        self.graph = graph
        self._types = {layer.name: [operand.output for operand in graph.operands(layer)] for layer in graph}
        self.batches = all(_keeps_batch(layer, self._types[layer.name]) for layer in graph)

    def run(
        self,
        inputs: Mapping[str, npt.NDArray[np.integer]],
        observe: Callable[[Layer, npt.NDArray[np.integer]], None] | None = None,
    ) -> Tensors:
        """Compute the integer tensors that enter the tail.

        Args:
            inputs: integers by input name, in the declared shape or with a leading axis k times the declared batch
                (k samples at once).
            observe: called with every layer and its tensor, inputs included.

        Returns:
            Output tensors by name, in storage dtype; their leading axis is k times the declared batch.

        Raises:
            UsageError: GW0101 on a missing input, GW0102 on a wrong shape, GW0103 on a value outside the type.
        """
        fed = {layer.name: checked_input(layer, inputs) for layer in self.graph.inputs}
        counts = {array.shape[0] // layer.output.shape[0] for layer, array in _paired(self.graph, fed)}
        if len(counts) > 1:
            raise UsageError("GW0102", "inputs", f"the inputs hold different numbers of samples: {sorted(counts)}",
                             "give every input the same number of samples")  # fmt: skip
        count = counts.pop() if counts else 1
        if self.batches or count <= 1:
            return self._evaluate(fed, observe)
        samples = [
            self._evaluate(
                {layer.name: np.split(array, count)[i] for layer, array in _paired(self.graph, fed)}, observe
            )
            for i in range(count)
        ]
        return {name: np.concatenate([s[name] for s in samples]) for name in self.graph.outputs}

    def _evaluate(
        self, fed: Mapping[str, IntArray], observe: Callable[[Layer, npt.NDArray[np.integer]], None] | None
    ) -> Tensors:
        values: dict[str, IntArray] = {}
        readers = {layer.name: len(self.graph.users(layer.name)) for layer in self.graph}
        for layer in self.graph:
            if isinstance(layer, Input):
                values[layer.name] = fed[layer.name]
            else:
                operands = [values[name] for name in layer.inputs]
                values[layer.name] = SEMANTICS[layer.op].evaluate(layer, self._types[layer.name], operands)
            if observe is not None:
                observe(layer, values[layer.name].astype(layer.output.dtype))
            for name in set(layer.inputs):  # free what nobody reads any more
                readers[name] -= 1
                if readers[name] == 0 and name not in self.graph.outputs:
                    del values[name]
        return {name: values[name].astype(self.graph[name].output.dtype) for name in self.graph.outputs}


def _paired(graph: IntegerGraph, fed: Mapping[str, IntArray]) -> list[tuple[Input, IntArray]]:
    return [(layer, fed[layer.name]) for layer in graph.inputs if layer.output.shape]


def checked_input(layer: Input, inputs: Mapping[str, npt.NDArray[np.generic]]) -> IntArray:
    """The array of one input, in the declared shape or with a leading axis k times the declared batch.

    Raises:
        UsageError: GW0101 when it is missing, GW0102 on a wrong shape, GW0103 on a value outside the type.
    """
    kind, name = layer.output, layer.name
    if name not in inputs:
        raise UsageError("GW0101", name, "no array of this name was given", f"the file must hold an array {name!r}")
    array = np.asarray(inputs[name])
    batch = kind.shape[0] if kind.shape else 1
    whole = array.ndim == len(kind.shape) and array.shape[1:] == kind.shape[1:]
    if not whole or (array.ndim and (array.shape[0] % batch or not array.shape[0])):
        raise UsageError("GW0102", name, f"the array has shape {array.shape}, the graph wants {kind.shape}",
                         "give samples along the leading axis only")  # fmt: skip
    if array.dtype.kind not in "iu" or (array.size and not kind.qmin <= array.min() <= array.max() <= kind.qmax):
        raise UsageError("GW0103", name, f"values are not integers in [{kind.qmin}, {kind.qmax}]",
                         "quantize float inputs at the boundary first")  # fmt: skip
    return array.astype(np.int64)


def _keeps_batch(layer: Layer, types: Sequence[TensorType]) -> bool:
    """Whether the leading axis of the result is that of the operands, sample by sample."""
    if isinstance(layer, Input):
        return bool(layer.output.shape)
    batch = layer.output.shape[:1]
    if not batch or any(t.shape[:1] != batch for t in types):
        return False
    match layer:
        case Transpose():
            return layer.permutation[0] == 0
        case Pad():
            return layer.pads[0] == (0, 0)
        case Slice():
            return layer.begin[0] == 0 and layer.step[0] == 1
        case Concat():
            return layer.axis != 0
        case Add() | Multiply():
            return all(len(t.shape) == len(layer.output.shape) for t in types)
        case Reshape():
            return True  # row-major with an equal leading axis: samples stay apart
        case _:
            return len(layer.output.shape) > 1
