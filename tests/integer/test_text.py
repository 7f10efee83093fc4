"""The text form prints and parses back to the same graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Input, Table
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.integer.text import parse_graph, parse_type, print_graph, print_type
from tests.integer.example import layers, small_graph


def test_golden_text(golden: Callable[[str, str], None]) -> None:
    golden("integer/small_graph.txt", print_graph(small_graph())[0])


def test_round_trip() -> None:
    graph = small_graph()
    text, arrays = print_graph(graph)
    again = parse_graph(text, arrays)
    assert print_graph(again)[0] == text
    assert again.digest() == graph.digest()
    assert again.outputs == graph.outputs


@given(name=st.text(min_size=1, max_size=12), function=st.text(max_size=12))
def test_any_name_survives(name: str, function: str) -> None:
    source = Input("in" if name != "in" else "source", (), TensorType((1, 2)))
    table = Table(name, (source.name,), TensorType((1, 2)), table=np.zeros(256, np.int64), function=function)
    graph = IntegerGraph([source, table], [name])
    again = parse_graph(*print_graph(graph))
    assert again[name].inputs == (source.name,)
    assert getattr(again[name], "function", None) == function


@given(
    shape=st.lists(st.integers(0, 1000), max_size=5),
    bits=st.integers(1, 32),
    scale=st.floats(2.0**-100, 2.0**100, width=32),
)
def test_types_lose_nothing(shape: list[int], bits: int, scale: float) -> None:
    kind = TensorType(tuple(shape), bits, True, scale, 0 if bits > 1 else -1)
    assert parse_type(print_type(kind)) == kind


def test_one_weight_changes_the_digest() -> None:
    ordered = layers()
    conv = ordered[1]
    weight = np.array(getattr(conv, "weight"))  # noqa: B009 - Layer has no such field, Conv2d does
    weight[0, 0, 0, 0] ^= 1
    ordered[1] = replace(conv, weight=weight)  # type: ignore[call-arg]
    assert IntegerGraph(ordered, ["logits", "max"]).digest() != small_graph().digest()


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("gatewright.integer_graph 1", "gatewright.integer_graph 9", 1),
        ("profile scaled", "profile float", 2),
        ("multiplier_bits 31", "multiplier_bits many", 3),
        ("conv2d(", "conv3d(", 5),
        ("u8[1, 2, 6, 5]", "f8[1, 2, 6, 5]", 4),
        ("outputs ", "", 12),
    ],
)
def test_a_changed_file_names_the_line(old: str, new: str, line: int) -> None:
    text, arrays = print_graph(small_graph())
    with pytest.raises(FrontendError, match=f"GW1901 integer graph, line {line}:"):
        parse_graph(text.replace(old, new, 1), arrays)


def test_a_missing_array_is_named() -> None:
    text, arrays = print_graph(small_graph())
    del arrays["conv.bias"]
    with pytest.raises(FrontendError, match=r"conv\.bias"):
        parse_graph(text, arrays)
