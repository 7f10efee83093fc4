"""Operators of onnxruntime's own domain, as its optimizer leaves them in saved models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from gatewright.compiler.errors import FrontendError, GraphError
from tests.frontend.onnx_models import Array, assert_close, build, imported, onnxruntime_results, ours


def normal(*shape: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


CONV: dict[str, Any] = {"w": normal(4, 3, 3, 3), "b": normal(4)}
CASES: list[tuple[str, list[str], dict[str, Any], tuple[int, ...], dict[str, Any]]] = [
    ("FusedConv", ["x", "w", "b"], {"activation": "Relu", "pads": [1, 1, 1, 1]}, (1, 3, 5, 5), CONV),
    ("FusedConv", ["x", "w", "b"], {"activation": "LeakyRelu", "activation_params": [0.3]}, (1, 3, 5, 5), CONV),
    ("FusedConv", ["x", "w", "b"], {"activation": "Clip", "activation_params": [-0.5, 0.5]}, (1, 3, 5, 5), CONV),
    ("FusedConv", ["x", "w", "b", "z"], {"activation": "Relu"}, (1, 3, 5, 5), {**CONV, "z": normal(1, 4, 3, 3)}),
    ("FusedGemm", ["x", "w", "b"], {"activation": "Relu", "transB": 1}, (2, 5), {"w": normal(4, 5), "b": normal(4)}),
    ("FusedMatMul", ["x", "w"], {"transB": 1, "alpha": 0.5}, (2, 3, 5), {"w": normal(2, 4, 5)}),
    ("FusedMatMul", ["x", "w"], {"transA": 1}, (2, 3, 5), {"w": normal(2, 3, 4)}),
    ("Gelu", ["x"], {}, (3, 7), {}),
    ("FastGelu", ["x"], {}, (3, 7), {}),
    ("BiasGelu", ["x", "b"], {}, (3, 7), {"b": normal(7)}),
    ("QuickGelu", ["x"], {"alpha": 1.5}, (3, 7), {}),
]


@pytest.mark.parametrize(("op", "inputs", "attributes", "shape", "constants"), CASES)
def test_agrees_with_onnxruntime(
    op: str,
    inputs: list[str],
    attributes: dict[str, Any],
    shape: tuple[int, ...],
    constants: dict[str, Any],
    tmp_path: Path,
) -> None:
    node = helper.make_node(op, inputs, ["y"], domain="com.microsoft", **attributes)
    model = build([node], {"x": (x := normal(*shape, seed=2))}, ["y"], constants, 17, ["com.microsoft"])
    del model.graph.output[:]
    model.graph.output.extend([helper.make_tensor_value_info("y", 1, None)])
    assert_close(ours(model, {"x": x}, tmp_path), onnxruntime_results(model.SerializeToString(), {"x": x}))


def test_unknown_operators_and_wrong_arities_are_named(tmp_path: Path) -> None:
    def attempt(op: str, inputs: list[str]) -> None:
        node = helper.make_node(op, inputs, ["y"], name="odd", domain="com.microsoft")
        imported(build([node], {"x": normal(2, 3)}, ["y"], {}, 17, ["com.microsoft"]), tmp_path)

    with pytest.raises(GraphError, match=r"GW2100 node 'odd' \(com\.microsoft:MoE\)"):
        attempt("MoE", ["x"])
    with pytest.raises(FrontendError, match=r"GW1024 node 'odd'"):
        attempt("QLinearAdd", ["x", "x"])
