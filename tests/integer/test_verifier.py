"""Every rule of the verifier turns red on a graph that breaks it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gatewright.compiler.errors import QuantizeError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Input, Layer
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.integer.verifier import OVERFLOW, RULES, verify, violations
from tests.integer.example import layers, small_graph


def broken(name: str, **changes: Any) -> IntegerGraph:
    profile = changes.pop("profile", "scaled")
    output = changes.pop("output", {})
    changed: list[Layer] = []
    for layer in layers():
        if layer.name == name:
            layer = replace(layer, **changes)
            layer = replace(layer, output=replace(layer.output, **output))
        changed.append(layer)
    return IntegerGraph(changed, ["logits", "max"], profile)


def test_a_sound_graph_passes() -> None:
    assert list(violations(small_graph())) == []
    graph = small_graph()
    assert verify(graph) is graph


CASES = [
    ("GW3101", broken("conv", inputs=("x", "x"))),
    ("GW3102", broken("conv", padding=(0, 0, 0, 0))),
    ("GW3102", broken("flat", output={"shape": (1, 5)})),
    ("GW3103", broken("sum", clamp=(-129, 127))),
    ("GW3103", broken("sum", clamp=(4, 3))),
    ("GW3104", broken("conv", bias=np.zeros(3, np.int64))),
    ("GW3105", broken("logits", weight_bits=3)),
    ("GW3105", broken("conv", weight=np.zeros((4, 2, 3, 3), np.int64))),
    ("GW3105", broken("conv", weight_zero_point=np.full(4, 128))),
    ("GW3106", broken("conv", multiplier=np.full(4, (1 << 30) - 1))),
    ("GW3106", broken("conv", multiplier=np.full(4, 1 << 31))),
    ("GW3106", broken("conv", multiplier=np.full(4, -(1 << 30)))),
    ("GW3106", broken("conv", shift=np.full(4, 63))),
    ("GW3106", broken("average", shift=np.array([[-1]]))),
    ("GW3106", broken("sum", multiplier=np.array([1, 1]))),
    ("GW3107", broken("act", profile="fixed")),
    ("GW3108", broken("max", output={"zero_point": -4})),
    ("GW3108", broken("flat", output={"scale": 0.5})),
    ("GW3109", broken("act", table=np.full(256, 128))),
    ("GW3109", broken("act", table=np.zeros(255, np.int64))),
    ("GW3110", broken("x", source_dtype="int8")),
]


@pytest.mark.parametrize(("code", "graph"), CASES, ids=[f"{code}-{i}" for i, (code, _) in enumerate(CASES)])
def test_a_broken_rule_is_found(code: str, graph: IntegerGraph) -> None:
    assert code in {v.rule.code for v in violations(graph)}
    with pytest.raises(QuantizeError):
        verify(graph)


def test_every_rule_has_a_case() -> None:
    assert {rule.code for rule in RULES} == {code for code, _ in CASES}


def test_overflow_is_proven_not_assumed() -> None:
    # An accumulator of 2**32 times a multiplier of 2**31 reaches 2**63: just below fits, twice as much does not.
    fits, over = (1 << 32) - (1 << 24), 1 << 33
    assert (
        list(violations(broken("conv", bias=np.full(4, fits - (1 << 24)), multiplier=np.full(4, (1 << 31) - 1)))) == []
    )
    found = list(violations(broken("conv", bias=np.full(4, over), multiplier=np.full(4, (1 << 31) - 1))))
    assert [v.rule for v in found] == [OVERFLOW]


@pytest.mark.parametrize(
    ("names", "outputs"),
    [(["x", "x"], ["x"]), (["x"], ["y"]), (["x"], [])],
    ids=["duplicate", "unknown output", "no output"],
)
def test_malformed_graphs_are_refused(names: list[str], outputs: list[str]) -> None:
    kind = TensorType((1, 2))
    with pytest.raises(QuantizeError, match="GW3001"):
        IntegerGraph([Input(name, (), kind) for name in names], outputs)


def test_a_layer_reads_earlier_layers_only() -> None:
    ordered = layers()
    with pytest.raises(QuantizeError, match="GW3001"):
        IntegerGraph([ordered[0], ordered[2], ordered[1]], ["act"])


@pytest.mark.parametrize(
    "bad", [{"bits": 0}, {"bits": 33}, {"scale": 0.0}, {"scale": float("inf")}, {"scale": 0.1}, {"zero_point": 128}]
)
def test_impossible_types_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        TensorType((1,), **bad)
