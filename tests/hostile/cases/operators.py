"""Operators nobody supports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.hostile.building import model, node, tensor, value
from tests.hostile.case import Content, case


@case("GW2100", "'magic'", "FlyToTheMoon")
def unknown_operator(folder: Path) -> Content:
    return model([node("FlyToTheMoon", ["x"], ["y"], "magic")])


@case("GW2100", "'one'", "'two'", "'three'", "'four'")
def several_unsupported_operators(folder: Path) -> Content:
    return model(
        [
            node("FlyToTheMoon", ["x"], ["a"], "one"),
            node("Relu", ["a"], ["b"], "fine"),
            node("NonZero", ["b"], ["c"], "two"),
            node("Cast", ["c"], ["d"], "also_fine", to=1),
            node("Grill", ["d"], ["e"], "three", domain="com.example"),
            node("RandomNormalLike", ["e"], ["y"], "four"),
        ]
    )


@case("GW2100", "'q1'", "'q2'", "QONNX")
def qonnx_dialect(folder: Path) -> Content:
    scalars = [tensor(name, np.float32(v)) for name, v in (("s", 0.1), ("z", 0.0), ("b", 4.0))]
    quant = {"domain": "qonnx.custom_op.general", "signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    return model(
        [
            node("Quant", ["x", "s", "z", "b"], ["a"], "q1", **quant),
            node("Quant", ["a", "s", "z", "b"], ["y"], "q2", **quant),
        ],
        initializers=scalars,
    )


@case("GW2100", "'either'", "condition")
def branch_on_data(folder: Path) -> Content:
    def branch(op: str) -> onnx.GraphProto:
        return helper.make_graph([node(op, ["x"], [f"{op}_out"])], op, [], [value(f"{op}_out", None)])

    nodes = [
        node("ReduceMax", ["x"], ["m"], keepdims=0),
        node("Cast", ["m"], ["c"], to=TensorProto.BOOL),
        node("If", ["c"], ["y"], "either", then_branch=branch("Relu"), else_branch=branch("Abs")),
    ]
    return model(nodes)
