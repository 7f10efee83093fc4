"""A hand-made artefact: two inputs, one dense layer, a host tail that scales and sums."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gatewright.compiler.artifact.graphs import write_graphs
from gatewright.compiler.artifact.writer import seal
from gatewright.compiler.floatgraph.graph import FloatGraph, Node, TensorSpec
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Add, Dense, Input
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.integer.verifier import verify
from gatewright.compiler.model import QuantizedModel
from gatewright.compiler.plugins import get_target

SCALE = 0.25
ZERO = 5
INPUTS = (TensorSpec("x", (1, 3), "float32"), TensorSpec("side", (1, 4), "int8"))
OUTPUTS = (TensorSpec("scores", (1, 4), "float32"), TensorSpec("best", (1,), "int64"))


def integer_graph() -> IntegerGraph:
    """``total = dense(x) + side``."""
    dense = Dense(
        "dense", ("x",), TensorType((1, 4), 8, True, 0.5, -3),
        weight=np.arange(-6, 6, dtype=np.int8).reshape(4, 3), weight_zero_point=np.zeros(4, np.int64),
        bias=np.array([100, -100, 0, 7]), weight_scale=np.ones(4, np.float32),
        multiplier=np.full(4, 1 << 30), shift=np.array([31, 32, 33, 34]), clamp=(-3, 127),
    )  # fmt: skip
    kind = TensorType((1, 4), 8, True, SCALE, ZERO)
    add = Add("total", ("dense", "side"), kind, np.array([1 << 30, 1 << 29]), 30, (-128, 127))
    x, side = TensorType((1, 3), 8, False, 0.125, 128), TensorType((1, 4), 8, True, 0.5)
    return verify(IntegerGraph([Input("x", (), x), Input("side", (), side, "int8"), dense, add], ["total"]))


def tail() -> FloatGraph:
    """Dequantize, and the index of the largest."""
    constants = {"zero": np.array(ZERO, np.float32), "scale": np.array(SCALE, np.float32)}
    nodes = (
        Node("wide", "astype", ("total",), {"dtype": "float32"}, (1, 4), "float32"),
        Node("centred", "subtract", ("wide", "zero"), {}, (1, 4), "float32"),
        Node("real", "multiply", ("centred", "scale"), {}, (1, 4), "float32"),
        Node("index", "argmax", ("real",), {"axis": 1, "keepdims": False}, (1,), "int64"),
    )
    return FloatGraph((TensorSpec("total", (1, 4), "int8"),), OUTPUTS, ("real", "index"), nodes, constants)


def write(directory: Path, targets: tuple[str, ...] = ("cpu",), **changes: Any) -> Path:
    """A complete artefact in ``directory``."""
    directory.mkdir(parents=True)
    floats = FloatGraph(INPUTS[:1], OUTPUTS[:1], ("y",), (Node("y", "nn.relu", ("x",), {}, (1, 3), "float32"),))
    model = QuantizedModel("hand-made", None, floats, integer_graph(), tail())
    folders = {}
    for name in targets:
        target = get_target(name)
        folders[name] = target.name.folder
        (directory / target.name.folder).mkdir()
        target.build(target.plan(model, {}), directory / target.name.folder)
    write_graphs(directory, model)
    facts: dict[str, Any] = {"inputs": INPUTS, "outputs": OUTPUTS, "facts": {}, "options": {}, "seed": 0, **changes}
    seal(directory, model, targets=folders, **facts)
    return directory
