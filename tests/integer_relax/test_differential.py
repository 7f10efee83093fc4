"""Random layers of every type: what TVM compiles equals the golden reference with ``==``."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from gatewright.compiler.integer.graph import IntegerGraph
from tests.integer_relax.differential import differences
from tests.strategies import OPERATORS, integer_graphs, random_graph


@pytest.mark.parametrize("op", OPERATORS)
def test_every_layer_type(op: str) -> None:
    assert differences(random_graph(sum(map(ord, op)), layers=6, operators=[op])) == []


@settings(max_examples=12)
@given(integer_graphs(layers=10))
def test_random_graphs(graph: IntegerGraph) -> None:
    assert differences(graph) == []


@settings(max_examples=5)
@given(integer_graphs(layers=10, max_bits=32, batch=3))
def test_wide_types_and_batches(graph: IntegerGraph) -> None:
    assert differences(graph) == []
