"""Identities, canonical forms, activations, common subexpressions, fusion."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tvm
from tvm import ir, relax

from gatewright.compiler.floatgraph.from_relax import read
from gatewright.compiler.passes.canonicalize import Canonicalize
from gatewright.compiler.passes.eliminate_common_subexpressions import EliminateCommonSubexpressions
from gatewright.compiler.passes.eliminate_identities import EliminateIdentities
from gatewright.compiler.passes.fuse_layers import FuseLayers, composite_names
from gatewright.compiler.passes.recognize_activations import RecognizeActivations
from tests.passes.build import apply, const, make, ops, scalar

op = relax.op


def _clip(x: Any, low: float, high: float) -> Any:
    return op.clip(x, tvm.tirx.FloatImm("float32", low), tvm.tirx.FloatImm("float32", high))


_IDENTITIES = {
    "reshape": lambda x: op.reshape(x, (2, 3, 4)),
    "permute": lambda x: op.permute_dims(x, (0, 1, 2)),
    "broadcast": lambda x: op.broadcast_to(x, (2, 3, 4)),
    "pad": lambda x: op.nn.pad(x, (0,) * 6),
    "slice": lambda x: op.strided_slice(x, [1], [0], [99]),
    "cast": lambda x: op.astype(x, "float32"),
    "concat": lambda x: op.concat([x], 1),
    "add": lambda x: op.add(x, scalar(0.0)),
    "subtract": lambda x: op.subtract(x, relax.const(np.zeros((3, 1), np.float32))),
    "multiply": lambda x: op.multiply(x, relax.const(np.ones((2, 1, 1), np.float32))),
    "divide": lambda x: op.divide(x, scalar(1.0)),
    "power": lambda x: op.power(x, scalar(1.0)),
    "maximum": lambda x: op.maximum(x, scalar(-math.inf)),
    "clip": lambda x: _clip(x, -math.inf, math.inf),
    "tile": lambda x: op.tile(x, (1, 1, 1)),
    "resize": lambda x: op.reshape(
        op.image.resize2d(op.reshape(x, (1, 2, 3, 4)), (3, 4), None, "NCHW", "linear", "half_pixel"), (2, 3, 4)
    ),
}


@pytest.mark.parametrize("name", _IDENTITIES)
def test_identity(name: str) -> None:
    def body(emit: Any, x: Any) -> Any:
        return emit(op.nn.relu(emit(_IDENTITIES[name](x))))

    assert ops(apply(EliminateIdentities(), make(body, (2, 3, 4)))) == ["nn.relu"]


_NO_IDENTITIES = {
    "broadcast": lambda x: op.add(x, relax.const(np.zeros((2, 2, 3, 4), np.float32))),
    "flip": lambda x: op.strided_slice(x, [0], [-1], [-99], [-1]),
    "permute": lambda x: op.permute_dims(x, (1, 0, 2)),
    "add": lambda x: op.add(x, relax.const(np.array([0, 0, 0, 1], np.float32))),
    "rounding cast": lambda x: op.astype(x, "int32"),
}


@pytest.mark.parametrize("name", _NO_IDENTITIES)
def test_almost_an_identity_stays(name: str) -> None:
    model = make(lambda emit, x: emit(_NO_IDENTITIES[name](x)), (2, 3, 4))
    assert len(ops(apply(EliminateIdentities(), model))) == 1


def test_a_resize_that_shifts_stays() -> None:
    mode = "tf_half_pixel_for_nn"
    model = make(lambda e, x: e(op.image.resize2d(x, (3, 4), None, "NCHW", "linear", mode)), (1, 2, 3, 4))
    assert ops(apply(EliminateIdentities(), model)) == ["image.resize2d"]


def test_input_as_output_and_dead_code() -> None:
    def body(emit: Any, x: Any, y: Any) -> Any:
        emit(op.exp(y))
        return [emit(op.reshape(x, (2, 2))), x, emit(op.nn.relu(x))]

    after = apply(EliminateIdentities(), make(body, (2, 2), (3,)))
    graph = read(after)
    assert [node.op for node in graph.nodes] == ["nn.relu"]
    assert graph.results[:2] == ("x0", "x0")
    assert [spec.name for spec in graph.inputs] == ["x0", "x1"]


def test_constant_as_output() -> None:
    after = apply(EliminateIdentities(), make(lambda emit, x: [const(2, 2), emit(op.add(x, scalar(0.0)))], (2,)))
    assert ops(after) == []


def test_chains_merge() -> None:
    def body(emit: Any, x: Any) -> Any:
        y = emit(op.reshape(emit(op.reshape(x, (6, 16))), (2, 48)))
        y = emit(_clip(emit(op.nn.relu(y)), -1, 6))
        y = emit(op.nn.relu(emit(_clip(y, -3, 9))))
        return y

    after = apply(EliminateIdentities(), make(body, (2, 3, 16)))
    assert ops(after) == ["reshape", "clip"]
    assert read(after).nodes[1].attributes == {"max": 6.0, "min": 0.0}


def test_slices_of_slices_merge_unless_along_one_axis() -> None:
    def body(emit: Any, x: Any) -> Any:
        y = emit(op.strided_slice(x, [2], [0], [9], [2]))
        return emit(op.strided_slice(y, [3], [1], [99], [2]))

    assert ops(apply(EliminateIdentities(), make(body, (1, 2, 9, 9)))) == ["strided_slice"]
    twice = make(lambda e, x: e(op.strided_slice(e(op.strided_slice(x, [0], [1], [9])), [0], [1], [4])), (9,))
    assert ops(apply(EliminateIdentities(), twice)) == ["strided_slice", "strided_slice"]


@pytest.mark.parametrize(("scale", "zero", "dtype", "left"), [
    (0.5, 3, "int8", []), (0.25, 3, "int8", ["dequantize", "quantize"]), (0.5, 4, "int8", ["dequantize", "quantize"]),
    (0.5, 3, "uint8", ["dequantize", "quantize"]),
])  # fmt: skip
def test_quantize_of_dequantize(scale: float, zero: int, dtype: str, left: list[str]) -> None:
    def body(emit: Any, q: Any) -> Any:
        x = emit(op.dequantize(q, scalar(0.5), scalar(3, "int8")))
        return emit(op.quantize(x, scalar(scale), scalar(zero, dtype), out_dtype=dtype))

    assert ops(apply(EliminateIdentities(), make(body, ((2, 8), "int8")))) == left


def test_dequantize_of_quantize_stays() -> None:
    def body(emit: Any, x: Any) -> Any:
        q = emit(op.quantize(x, scalar(0.5), scalar(3, "int8")))
        return emit(op.dequantize(q, scalar(0.5), scalar(3, "int8")))

    assert ops(apply(EliminateIdentities(), make(body, (2, 8)))) == ["quantize", "dequantize"]


_CANONICAL = {
    "squeeze": (lambda x: op.squeeze(x, [2]), ["reshape"]),
    "expand_dims": (lambda x: op.expand_dims(x, 0), ["reshape"]),
    "flatten": (lambda x: op.flatten(x), ["reshape"]),
    "constant left": (lambda x: op.multiply(scalar(3.0), x), ["multiply"]),
    "subtract": (lambda x: op.subtract(x, const(3, 1, 1)), ["add"]),
    "reverse subtract": (lambda x: op.subtract(const(3, 1, 1), x), ["subtract"]),
    "divide": (lambda x: op.divide(x, const(3, 1, 1)), ["multiply"]),
    "divide by zero": (lambda x: op.divide(x, scalar(0.0)), ["divide"]),
    "maximum": (lambda x: op.maximum(scalar(0.0), x), ["maximum"]),
    "relu": (lambda x: op.maximum(x, scalar(0.0)), ["nn.relu"]),
    "mean": (lambda x: op.mean(x, [2, 3], True), ["nn.adaptive_avg_pool2d"]),
    "mean without dims": (lambda x: op.mean(x, [-1, 2]), ["nn.adaptive_avg_pool2d", "reshape"]),
    "mean of channels": (lambda x: op.mean(x, [1]), ["mean"]),
    "prelu": (lambda x: op.nn.prelu(x, scalar(0.25)), ["nn.leakyrelu"]),
    "prelu per channel": (lambda x: op.nn.prelu(x, const(3)), ["nn.prelu"]),
}


@pytest.mark.parametrize("name", _CANONICAL)
def test_canonical_form(name: str) -> None:
    build, expected = _CANONICAL[name]
    assert ops(apply(Canonicalize(), make(lambda emit, x: emit(build(x)), (2, 3, 1, 4)))) == expected


def test_relu6_out_of_maximum_and_minimum() -> None:
    def body(emit: Any, x: Any) -> Any:
        a = emit(op.minimum(emit(op.maximum(x, scalar(0.0))), scalar(6.0)))
        b = emit(op.maximum(emit(op.minimum(x, scalar(2.0))), scalar(-1.0)))
        return emit(op.add(a, b))

    after = apply(Canonicalize(), make(body, (2, 3)))
    bounds = [(n.attributes["min"], n.attributes["max"]) for n in read(after).nodes if n.op == "clip"]
    assert bounds == [(0.0, 6.0), (-1.0, 2.0)]


def test_kept_divisions() -> None:
    step = Canonicalize(keep_divisions=True)
    assert ops(apply(step, make(lambda e, x: e(op.divide(x, scalar(3.0))), (2,)))) == ["divide"]
    assert ops(apply(step, make(lambda e, x: e(op.divide(x, scalar(-8.0))), (2,)))) == ["multiply"]


def test_dense_bias_becomes_a_vector() -> None:
    def body(emit: Any, x: Any) -> Any:
        return emit(op.add(const(1, 3), emit(op.matmul(x, const(5, 3)))))

    model = make(body, (2, 5))
    for _ in range(2):
        model = apply(Canonicalize(), model)
    assert read(model).constants[read(model).nodes[1].inputs[1]].shape == (3,)


def test_silu_and_gelu_are_recognized() -> None:
    def body(emit: Any, x: Any) -> Any:
        silu = emit(op.multiply(emit(op.sigmoid(x)), x))
        curve = emit(op.erf(emit(op.multiply(silu, scalar(math.sqrt(0.5))))))
        gate = emit(op.multiply(silu, emit(op.add(curve, scalar(1.0)))))
        return emit(op.multiply(gate, scalar(0.5)))

    assert ops(apply(RecognizeActivations(), make(body, (4, 5)))) == ["nn.silu", "nn.gelu"]


def test_gates_of_another_tensor_are_no_activation() -> None:
    def body(emit: Any, x: Any, y: Any) -> Any:
        curve = emit(op.erf(emit(op.divide(x, scalar(math.sqrt(2))))))
        gate = emit(op.multiply(y, emit(op.add(curve, scalar(1.0)))))
        return emit(op.add(emit(op.multiply(gate, scalar(0.5))), emit(op.multiply(emit(op.sigmoid(x)), y))))

    model = make(body, (4,), (4,))
    assert ops(apply(RecognizeActivations(), model)) == ops(model)


def test_equal_expressions_are_computed_once() -> None:
    def body(emit: Any, x: Any) -> Any:
        a = emit(op.add(emit(op.nn.relu(x)), const(3)))
        b = emit(op.add(emit(op.nn.relu(x)), const(3)))
        return emit(op.multiply(a, b))

    assert ops(apply(EliminateCommonSubexpressions(), make(body, (2, 3)))) == ["nn.relu", "add", "multiply"]


def test_layers_fuse_and_read_back_the_same() -> None:
    def body(emit: Any, x: Any) -> Any:
        y = emit(op.add(emit(op.nn.conv2d(x, const(3, 3, 3, 3), padding=1)), const(1, 3, 1, 1)))
        y = emit(op.nn.relu(emit(op.add(x, y))))
        y = emit(op.reshape(y, (1, 48)))
        return emit(op.add(emit(op.matmul(y, const(48, 2))), const(2)))

    model = make(body, (1, 3, 4, 4))
    after = apply(FuseLayers(), model)
    found = {str(f.attrs["Composite"]) for f in after.module.functions.values() if "Composite" in (f.attrs or {})}
    assert found == {"gatewright.float.conv2d_bias_add_relu", "gatewright.float.dense_bias"}
    assert found <= set(composite_names())
    assert ops(after) == ops(model)
    calls = [b.value.op for block in after.module["main"].body.blocks for b in block.bindings
             if isinstance(b.value, relax.Call)]  # fmt: skip
    assert sum(isinstance(call, ir.GlobalVar) for call in calls) == 2
    plain = apply(FuseLayers(residual=False), model)
    names = {str(f.attrs["Composite"]) for f in plain.module.functions.values() if "Composite" in (f.attrs or {})}
    assert names == {"gatewright.float.conv2d_bias", "gatewright.float.dense_bias"}
