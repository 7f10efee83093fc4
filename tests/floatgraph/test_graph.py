"""Reading, text form, stacked batches."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tvm import relax

from gatewright.compiler.errors import GraphError
from gatewright.compiler.floatgraph.batching import is_batchable
from gatewright.compiler.floatgraph.from_relax import read
from gatewright.compiler.floatgraph.graph import FloatGraph, Node, TensorSpec
from gatewright.compiler.floatgraph.interpreter import execute
from gatewright.compiler.floatgraph.text import load, save
from tests.passes.build import const, make, scalar

op = relax.op


def _network() -> FloatGraph:
    def body(emit: Any, x: Any, y: Any) -> Any:
        parts = emit(op.split(emit(op.nn.conv2d(x, const(4, 3, 3, 3), padding=1)), 2, 1))
        a, b = emit(relax.TupleGetItem(parts, 0)), emit(relax.TupleGetItem(parts, 1))
        c = emit(op.concat([a, emit(op.clip(b, 0, 6)), y], 1))
        dropped = emit(relax.TupleGetItem(emit(op.nn.dropout(c)), 0))
        return [emit(op.mean(dropped, [2, 3])), a, x]

    return read(make(body, (1, 3, 4, 5), (1, 2, 4, 5)))


def test_split_becomes_slices_and_tuples_vanish() -> None:
    graph = _network()
    assert [node.op for node in graph.nodes] == [
        "nn.conv2d", "strided_slice", "strided_slice", "clip", "concat", "nn.dropout", "mean",
    ]  # fmt: skip
    assert graph.results == ("mean_0", "strided_slice_0", "x0")
    assert graph.nodes[4].inputs == ("strided_slice_0", "clip_0", "x1")


def test_names_of_bindings_are_kept_and_unique() -> None:
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((2, 2), "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            a = builder.emit(op.nn.relu(x), name_hint="Relu_1")
            b = builder.emit(op.exp(a))
            c = builder.emit_output(op.add(a, b))
        builder.emit_func_output(c)
    model = replace(make(lambda emit, x: emit(op.exp(x)), (2, 2)), module=builder.get())
    assert [node.name for node in read(model).nodes] == ["Relu_1", "exp_0", "add_0"]


def test_a_symbolic_shape_is_refused() -> None:
    import tvm

    n = tvm.tirx.Var("n", "int64")
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((n, 3), "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            y = builder.emit_output(op.nn.relu(x))
        builder.emit_func_output(y)
    model = replace(make(lambda emit, x: emit(op.exp(x)), (2, 3)), module=builder.get())
    with pytest.raises(GraphError, match="GW2003"):
        read(model)


def test_text_round_trip(golden: Callable[[str, str], None]) -> None:
    graph = _network()
    text, tensors = save(graph)
    again = load(text, tensors)
    assert (again.inputs, again.outputs, again.results, again.nodes) == (
        graph.inputs, graph.outputs, graph.results, graph.nodes,
    )  # fmt: skip
    assert save(again)[0] == text
    golden("floatgraph/network.jsonl", text)
    x = {spec.name: np.random.default_rng(0).standard_normal(spec.shape, np.float32) for spec in graph.inputs}
    for name, y in execute(graph, x).items():
        assert np.array_equal(execute(again, x)[name], y)


def test_infinities_and_nested_tuples_survive() -> None:
    node = Node(
        "y", "clip", ("x",), {"min": float("-inf"), "max": 1.5, "t": ((1, 2), None, True, "a")}, (2,), "float32"
    )
    spec = TensorSpec("x", (2,), "float32")
    graph = FloatGraph((spec,), (TensorSpec("y", (2,), "float32"),), ("y",), (node,))
    assert load(*save(graph)).nodes == (node,)


def test_reading_text_needs_no_tvm() -> None:
    code = (
        "import sys, gatewright.compiler.floatgraph.text, gatewright.compiler.floatgraph.interpreter;"
        "sys.exit('tvm' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


_BREAKS: dict[str, Callable[[list[dict[str, Any]]], object]] = {
    "line 1": lambda lines: lines[0].update(float_graph=2),
    "unknown operator": lambda lines: _first(lines, "node").update(op="system"),
    "before anything made it": lambda lines: _first(lines, "node").update(inputs=["nobody"]),
    "made twice": lambda lines: _first(lines, "node").update(node="x0"),
    "tensor 'constant_0' is float32": lambda lines: _first(lines, "constant").update(shape=[1]),
    "not a line of a float graph": lambda lines: _first(lines, "output").pop("value"),
    "is no attribute": lambda lines: _first(lines, "node").update(attributes={"a": {"b": 1}}),
    "ends before an output": lambda lines: lines.__delitem__(slice(-3, None)),
}


def _first(lines: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(line for line in lines if kind in line)


@pytest.mark.parametrize("reason", _BREAKS)
def test_damaged_text_names_the_line(reason: str) -> None:
    text, tensors = save(_network())
    lines = [json.loads(line) for line in text.splitlines()]
    _BREAKS[reason](lines)
    with pytest.raises(GraphError, match=f"GW2004 line.*{reason}|GW2004 {reason}"):
        load("".join(json.dumps(line) + "\n" for line in lines), tensors)


def test_text_that_is_no_json_and_a_missing_tensor() -> None:
    text, tensors = save(_network())
    with pytest.raises(GraphError, match="GW2004 line 3"):
        load("\n".join([*text.splitlines()[:2], "{", *text.splitlines()[2:]]), tensors)
    with pytest.raises(GraphError, match="missing"):
        load(text, {})
    with pytest.raises(GraphError, match="GW2004"):
        load("", {})


def test_unknown_operator_is_an_error_of_the_user() -> None:
    spec = TensorSpec("x", (2,), "float32")
    graph = FloatGraph((spec,), (spec,), ("y",), (Node("y", "mystery", ("x",), {}, (2,), "float32"),))
    with pytest.raises(GraphError, match="GW2001 y"):
        execute(graph, {"x": np.zeros(2, np.float32)})


_STACKED: dict[str, tuple[Callable[[Any, Any], Any], bool]] = {
    "conv": (lambda e, x: op.nn.conv2d(x, const(3, 3, 2, 2)), True),
    "flatten": (lambda e, x: op.reshape(x, (2, 60)), True),
    "merge": (lambda e, x: op.reshape(x, (6, 4, 5)), True),
    "squeeze": (lambda e, x: op.squeeze(op.mean(x, [1], True), [1]), True),
    "transpose": (lambda e, x: op.permute_dims(x, (0, 2, 3, 1)), True),
    "transpose batch": (lambda e, x: op.permute_dims(x, (1, 0, 2, 3)), False),
    "sum": (lambda e, x: op.sum(x, [1, 2]), True),
    "sum of all": (lambda e, x: op.sum(x, None, True), False),
    "softmax": (lambda e, x: op.nn.softmax(x, -1), True),
    "softmax batch": (lambda e, x: op.nn.softmax(x, 0), False),
    "bias": (lambda e, x: op.add(x, const(3, 1, 1)), True),
    "bias of the batch": (lambda e, x: op.add(x, const(2, 1, 1, 1)), False),
    "concat constant": (lambda e, x: op.concat([x, const(2, 1, 4, 5)], 1), True),
    "concat batch": (lambda e, x: op.concat([x, x], 0), False),
    "slice": (lambda e, x: op.strided_slice(x, [0, 2], [0, 1], [2, 3]), True),
    "slice batch": (lambda e, x: op.strided_slice(x, [0], [1], [2]), False),
    "matmul": (lambda e, x: op.matmul(x, const(5, 3)), True),
    "matmul of two": (lambda e, x: op.matmul(x, op.permute_dims(x, (0, 1, 3, 2))), True),
    "matrix times its transpose": (
        lambda e, x: op.matmul(e(op.reshape(x, (2, 60))), e(op.permute_dims(e(op.reshape(x, (2, 60))), (1, 0)))), False,
    ),
    "broadcast": (lambda e, x: op.broadcast_to(op.mean(x, [3], True), (2, 3, 4, 5)), True),
    "broadcast up": (lambda e, x: op.broadcast_to(x, (7, 2, 3, 4, 5)), False),
    "take": (lambda e, x: op.take(x, relax.const(np.array([2, 0]), "int64"), 1), True),
    "pad": (lambda e, x: op.nn.pad(x, (0, 0, 0, 1, 1, 0, 0, 0)), True),
    "quantize": (lambda e, x: op.quantize(x, scalar(0.1), scalar(3, "int8"), 1), True),
    "constant": (lambda e, x: op.full((2, 3), scalar(1.0)), False),
}  # fmt: skip


@pytest.mark.parametrize("name", _STACKED)
def test_stacked_batches_equal_single_ones(name: str) -> None:
    build, batchable = _STACKED[name]
    graph = read(make(lambda emit, x: emit(build(emit, x)), (2, 3, 4, 5)))
    assert is_batchable(graph) == batchable
    x = np.random.default_rng(0).standard_normal((6, 3, 4, 5)).astype(np.float32)
    parts = [execute(graph, {"x0": x[i : i + 2]})["y0"] for i in (0, 2, 4)]
    # BLAS may sum in another order for another size
    assert np.allclose(execute(graph, {"x0": x})["y0"], np.concatenate(parts), 1e-6, 1e-6)


def test_observer_sees_and_replaces_values() -> None:
    graph = read(make(lambda emit, x: emit(op.exp(emit(op.nn.relu(x)))), (2, 2)))
    seen = []

    def observe(node: Node, value: Any) -> Any:
        seen.append(node.op)
        return np.zeros_like(value) if node.op == "nn.relu" else None

    found = execute(graph, {"x0": np.ones((2, 2), np.float32)}, observe)["y0"]
    assert seen == ["nn.relu", "exp"]
    assert np.array_equal(found, np.ones((2, 2)))
