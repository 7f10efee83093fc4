"""``view(emit(g))`` is ``g``: same text, same tensors, and what TVM sees is what the layer says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings

from gatewright.compiler.integer.from_relax import view
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Dense, Input, Requantize
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.integer.text import print_graph
from gatewright.compiler.integer.to_relax import GRAPH_ATTRIBUTE, LAYER_ATTRIBUTE, emit
from tests.strategies import integer_graphs


def same(left: IntegerGraph, right: IntegerGraph) -> None:
    """Equal text and equal tensors, their dtypes included."""
    (left_text, left_tensors), (right_text, right_tensors) = print_graph(left), print_graph(right)
    assert left_text == right_text
    assert list(left_tensors) == list(right_tensors)
    for name, array in left_tensors.items():
        assert array.dtype == right_tensors[name].dtype, name
        np.testing.assert_array_equal(array, right_tensors[name], name)


def two_layers(bias: int = 3) -> IntegerGraph:
    """A dense layer and a rescaling of it, small enough to read."""
    x = TensorType((1, 3), 8, True, 0.5, -1)
    y = TensorType((1, 2), 8, False, 0.25, 7)
    dense = Dense(
        "hidden", ("x",), y,
        weight=np.array([[1, -2, 3], [0, 127, -128]], np.int8), weight_zero_point=np.array([0, 1]),
        bias=np.array([bias, -4]), weight_scale=np.array([0.5, 0.25], np.float32),
        multiplier=np.array([1 << 7, 200]), shift=np.array([8, 10]), clamp=(7, 255),
    )  # fmt: skip
    out = Requantize("y", ("hidden",), TensorType((1, 2), 8, True, 0.5), 128, 8, (-128, 127))
    return IntegerGraph([Input("x", (), x), dense, out], ["y", "hidden"], multiplier_bits=8)


@settings(max_examples=15)
@given(integer_graphs(layers=8))
def test_round_trip(graph: IntegerGraph) -> None:
    same(view(emit(graph)), graph)


def test_golden_text(golden: Callable[[str, str], None]) -> None:
    golden("integer_relax/two_layers.txt", emit(two_layers()).script() + "\n")


def test_attributes_and_parameters() -> None:
    module = emit(two_layers())
    assert GRAPH_ATTRIBUTE in module.attrs
    (dense,) = [f for g, f in module.functions.items() if g.name_hint.startswith("dense")]
    assert dense.attrs["Composite"] == "gatewright.dense"
    assert '"hidden"' in dense.attrs[LAYER_ATTRIBUTE]
    fields = ["weight", "weight_zero_point", "bias", "weight_scale", "multiplier", "shift"]
    assert [p.name for p in dense.params] == ["input_0", *fields]


def test_names_no_identifier_can_be() -> None:
    names = ["0", "model/relu:0", "été", "main", "R", 'quote"', "model_relu_0"]
    kind = TensorType((1, 3))
    layers: list[Input | Requantize] = [Input("the input", (), kind)]
    for name in names:
        layers.append(Requantize(name, (layers[-1].name,), kind, 1 << 30, 30, (-128, 127)))
    graph = IntegerGraph(layers, names)
    same(view(emit(graph)), graph)


def test_an_input_and_a_repeated_tensor_as_outputs() -> None:
    graph = two_layers()
    repeated = IntegerGraph(graph.layers, ["x", "y", "y"], multiplier_bits=8)
    same(view(emit(repeated)), repeated)


@pytest.mark.parametrize(("bias", "dtype"), [(3, "int32"), ((1 << 31) - 1, "int64"), (1 << 40, "int64")])
def test_the_proof_chooses_the_accumulator(bias: int, dtype: str) -> None:
    module = emit(two_layers(bias))
    assert f'out_dtype="{dtype}"' in module.script()
