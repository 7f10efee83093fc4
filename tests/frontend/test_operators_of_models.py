"""Quantized models, operator by operator: every float tensor that is about to be rounded equals ONNX Runtime's.

End to end a sum that falls on the other side of a rounding moves by a step, and the steps add up. So each stretch from
one rounding to the next is compared alone: it starts from ONNX Runtime's integers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from gatewright.compiler.floatgraph.from_relax import read
from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.floatgraph.interpreter import execute
from gatewright.compiler.frontend import import_model
from tests.frontend.onnx_models import Array
from tests.frontend.test_models import QDQ, inputs_for

pytestmark = pytest.mark.models


def roundings(path: Path, inputs: dict[str, Array]) -> list[tuple[Array, Array]]:
    """ONNX Runtime's (float, integer) tensors at every QuantizeLinear, in the order of the file."""
    model = onnx.load(path)
    nodes = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    names = [name for node in nodes for name in (node.input[0], node.output[0])]
    known = {value.name for value in (*model.graph.input, *model.graph.output)}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names) if name not in known)
    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    fetched = [name for name in dict.fromkeys(names) if name not in inputs]
    values = {**inputs, **dict(zip(fetched, session.run(fetched, inputs), strict=True))}
    return [(values[node.input[0]], values[node.output[0]]) for node in nodes]


@pytest.mark.parametrize("name", QDQ)
def test_every_stretch_up_to_a_rounding_agrees(name: str, models: Path) -> None:
    path = models / f"{name}.onnx"
    imported = import_model(path)
    inputs = inputs_for(name, imported.inputs, 0)
    theirs, graph = iter(roundings(path, inputs)), read(imported)
    producer: dict[str, Array] = {**graph.constants, **inputs}  # type: ignore[dict-item]
    compared = 0

    def compare(node: Node, result: Array) -> Array | None:
        nonlocal compared
        if node.op != "quantize":
            producer[node.name] = result
            return None
        wanted, integers = next(theirs)
        got = producer[node.inputs[0]]
        assert got.shape == wanted.shape
        # Sums of at most some thousand float32 products, in another order.
        assert np.abs(got - wanted).max() <= 1e-5 * np.abs(wanted).max()
        compared += 1
        return integers

    execute(graph, inputs, compare)
    assert compared == sum(node.op == "quantize" for node in graph.nodes) > 0
    assert next(theirs, None) is None
