"""The semantics table against scalar loops over Python integers, its proofs against what really occurs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from gatewright.compiler.errors import UsageError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import LAYER_TYPES, Conv2d, Dense, Input, Multiply
from gatewright.compiler.integer.reference import Reference
from gatewright.compiler.integer.semantics import SEMANTICS, accumulator_bits, prove, value_ranges
from gatewright.compiler.integer.semantics.linear import centred_weight
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.integer.text import parse_graph, print_graph
from tests.integer.direct import evaluate
from tests.integer.example import small_graph
from tests.strategies import OPERATORS, integer_graphs, random_graph, random_inputs


def test_the_table_names_every_layer_type() -> None:
    assert set(SEMANTICS) == set(LAYER_TYPES)
    assert set(OPERATORS) == set(LAYER_TYPES) - {"input"}


def assert_equals_direct(graph: IntegerGraph, seed: int) -> None:
    inputs = random_inputs(graph, seed)
    expected = evaluate(graph, inputs)
    ranges = value_ranges(graph)

    def compare(layer: object, value: np.ndarray) -> None:
        name = layer.name  # type: ignore[attr-defined]
        assert np.array_equal(value.astype(object), expected[name]), f"{graph[name]} differs"
        assert value.size == 0 or ranges[name].low <= value.min() <= value.max() <= ranges[name].high

    result = Reference(graph).run(inputs, compare)
    assert {name: array.dtype for name, array in result.items()} == {n: graph[n].output.dtype for n in graph.outputs}


@pytest.mark.parametrize("op", sorted(OPERATORS))
def test_each_operator_equals_its_direct_definition(op: str) -> None:
    for seed in range(40):
        assert_equals_direct(random_graph(seed, layers=2, operators=[op]), seed)


@settings(max_examples=400)
@given(graph=integer_graphs())
def test_random_graphs_equal_their_direct_definition(graph: IntegerGraph) -> None:
    assert_equals_direct(graph, 1)


@given(graph=integer_graphs(operators=["conv2d", "dense"], layers=2))
def test_every_partial_sum_lies_in_the_proven_interval(graph: IntegerGraph) -> None:
    proofs, ranges = prove(graph), value_ranges(graph)
    rng = np.random.default_rng(0)
    for layer in graph:
        if not isinstance(layer, Conv2d | Dense):
            continue
        # One output position that meets the worst operand for every weight, summed in random orders.
        zero = graph[layer.inputs[0]].output.zero_point
        low, high = (end - zero for end in ranges[layer.inputs[0]])
        weights = centred_weight(layer).reshape(len(layer.bias), -1).astype(object)
        for channel, bias in zip(weights, layer.bias.tolist(), strict=True):
            for best, worst in ((high, low), (low, high)):
                terms = [bias, *(int(w) * (best if w > 0 else worst) for w in channel)]
                rng.shuffle(terms)
                total = 0
                for term in terms:
                    total += int(term)
                    assert proofs[layer.name].accumulator.low <= total <= proofs[layer.name].accumulator.high
        bits = accumulator_bits(graph)[layer.name]
        interval = proofs[layer.name].accumulator
        assert -(1 << (bits - 1)) <= interval.low <= interval.high < 1 << (bits - 1)
        assert bits == 1 or interval.low < -(1 << (bits - 2)) or interval.high >= 1 << (bits - 2)


@given(graph=integer_graphs())
def test_samples_along_the_leading_axis_are_independent(graph: IntegerGraph) -> None:
    reference, inputs = Reference(graph), random_inputs(graph, 2, samples=3)
    together = reference.run(inputs)
    parts = [
        reference.run({layer.name: np.split(inputs[layer.name], 3)[i] for layer in graph.inputs}) for i in range(3)
    ]
    for name in graph.outputs:
        assert np.array_equal(together[name], np.concatenate([part[name] for part in parts]))


@given(graph=integer_graphs())
def test_random_graphs_print_and_parse(graph: IntegerGraph) -> None:
    again = parse_graph(*print_graph(graph))
    assert print_graph(again)[0] == print_graph(graph)[0]
    assert again.digest() == graph.digest()
    assert [layer.name for layer in again] == [layer.name for layer in graph]
    inputs = random_inputs(graph, 3)
    expected, got = Reference(graph).run(inputs), Reference(again).run(inputs)
    assert all(np.array_equal(expected[name], got[name]) for name in graph.outputs)


def test_wide_accumulators_stay_exact() -> None:
    # 32-bit weights leave the range in which float64 is exact: the reference must notice.
    for seed in range(40):
        graph = random_graph(seed, layers=1, operators=["conv2d", "dense"], max_bits=32)
        assert_equals_direct(graph, seed)


@pytest.mark.parametrize(
    ("code", "array"),
    [
        ("GW0102", np.zeros((1, 2, 6, 6), np.uint8)),
        ("GW0102", np.zeros((0, 2, 6, 5), np.uint8)),
        ("GW0102", np.zeros((2, 6, 5), np.uint8)),
        ("GW0103", np.zeros((1, 2, 6, 5), np.float32)),
        ("GW0103", np.full((1, 2, 6, 5), 256)),
        ("GW0103", np.full((1, 2, 6, 5), -1)),
    ],
)
def test_wrong_inputs_are_named(code: str, array: np.ndarray) -> None:
    with pytest.raises(UsageError, match=f"{code} x:"):
        Reference(small_graph()).run({"x": array})


def test_a_missing_input_is_named() -> None:
    with pytest.raises(UsageError, match="GW0101 x:"):
        Reference(small_graph()).run({})


def test_inputs_with_different_sample_counts_are_refused() -> None:
    kind = TensorType((1, 3))
    graph = IntegerGraph(
        [Input("a", (), kind), Input("b", (), kind), Multiply("y", ("a", "b"), kind, 1 << 30, 31, (-128, 127))], ["y"]
    )
    with pytest.raises(UsageError, match="GW0102 inputs"):
        Reference(graph).run({"a": np.zeros((2, 3), np.int8), "b": np.zeros((1, 3), np.int8)})
