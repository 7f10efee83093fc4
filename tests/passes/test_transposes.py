"""Transposes sink, cancel and fold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tvm import relax

from gatewright.compiler.floatgraph.from_relax import read
from gatewright.compiler.passes.fold_transposes import FoldTransposes
from gatewright.compiler.passes.pipeline import simplify
from gatewright.compiler.passes.sink_transposes import SinkTransposes
from tests.passes.build import apply, const, make, ops, scalar, text

op = relax.op
_NHWC, _NCHW = (0, 2, 3, 1), (0, 3, 1, 2)

_PASSED: dict[str, Callable[[Any, Any], Any]] = {
    "relu": lambda emit, x: op.nn.relu(x),
    "bias": lambda emit, x: op.add(x, const(3)),
    "bias left": lambda emit, x: op.subtract(const(4, 1, 3), x),
    "scalar": lambda emit, x: op.multiply(x, scalar(2.0)),
    "square": lambda emit, x: op.multiply(x, x),
    "per tensor": lambda emit, x: op.quantize(x, scalar(0.1), scalar(3, "int8")),
    "per channel": lambda emit, x: op.quantize(
        x, relax.const(np.array([0.1, 0.2, 0.3], np.float32)), relax.const(np.array([1, 2, 3], np.int8)), axis=3
    ),
    "softmax": lambda emit, x: op.nn.softmax(x, 3),
    "concat": lambda emit, x: op.concat([x, emit(op.nn.relu(x))], -1),
    "pad": lambda emit, x: op.nn.pad(x, (0, 0, 1, 2, 3, 4, 5, 6)),
    "slice": lambda emit, x: op.strided_slice(x, [1, 3], [1, -1], [3, -4], [1, -1]),
    "sum": lambda emit, x: op.sum(x, [1, -1], True),
}  # fmt: skip


@pytest.mark.parametrize("name", _PASSED)
def test_operator_is_passed_and_the_inverse_cancels(name: str) -> None:
    def body(emit: Any, x: Any) -> Any:
        y = emit(_PASSED[name](emit, emit(op.permute_dims(x, _NHWC))))
        return emit(op.permute_dims(y, _NCHW))

    model = make(body, (2, 3, 4, 5))
    assert "permute_dims" not in ops(apply(SinkTransposes(), model))


@pytest.mark.parametrize("axes", [[1, 2], [3], [0, 2], None])
def test_reduction_without_dims(axes: list[int] | None) -> None:
    def body(emit: Any, x: Any) -> Any:
        return emit(op.max(emit(op.permute_dims(x, (0, 3, 2, 1))), axes))

    after = apply(SinkTransposes(), make(body, (2, 3, 4, 5)))
    assert ops(after)[0] == "max"


def test_operands_transposed_differently_stop_it() -> None:
    def body(emit: Any, x: Any, y: Any) -> Any:
        return emit(op.add(emit(op.permute_dims(x, _NHWC)), y))

    model = make(body, (2, 3, 4, 5), (2, 4, 5, 3))
    assert ops(apply(SinkTransposes(), model)) == ["permute_dims", "add"]


def test_both_operands_transposed_alike() -> None:
    def body(emit: Any, x: Any, y: Any) -> Any:
        return emit(op.add(emit(op.permute_dims(x, _NHWC)), emit(op.permute_dims(y, _NHWC))))

    assert ops(apply(SinkTransposes(), make(body, (2, 3, 4, 5), (2, 3, 4, 5)))) == ["add", "permute_dims"]


def test_a_constant_that_raises_the_rank_stops_it() -> None:
    def body(emit: Any, x: Any) -> Any:
        return emit(op.add(emit(op.permute_dims(x, (1, 0))), const(2, 4, 3)))

    assert ops(apply(SinkTransposes(), make(body, (3, 4)))) == ["permute_dims", "add"]


@given(st.integers(1, 4).flatmap(lambda n: st.tuples(st.permutations(range(n)), st.permutations(range(n)))))
def test_transposes_compose(orders: tuple[list[int], list[int]]) -> None:
    first, second = orders
    shape = tuple(range(2, 2 + len(first)))
    model = make(lambda e, x: e(op.permute_dims(e(op.permute_dims(x, first)), second)), shape)
    after = apply(SinkTransposes(), model)
    identity = [first[i] for i in second] == sorted(first)
    # the first alone may be an identity, which another pass removes
    assert len(ops(after)) == (0 if identity else 1)


def test_moving_axes_of_size_one_is_a_reshape() -> None:
    model = make(lambda e, x: e(op.permute_dims(x, _NHWC)), (5, 1, 4, 3))
    assert ops(apply(SinkTransposes(), model)) == ["reshape"]


@pytest.mark.parametrize("per_channel", [False, True])
def test_dequantized_weights_are_transposed_themselves(per_channel: bool) -> None:
    def body(emit: Any, x: Any) -> Any:
        scale = relax.const(np.array([0.1, 0.2, 0.3], np.float32)) if per_channel else scalar(0.1)
        zero = relax.const(np.zeros(3, np.int8)) if per_channel else scalar(0, "int8")
        weight = emit(op.dequantize(const(3, 5, dtype="int8"), scale, zero, axis=0))
        return emit(op.matmul(x, emit(op.permute_dims(weight))))

    after = apply(FoldTransposes(), make(body, (2, 5)))
    assert ops(after) == ["dequantize", "matmul"]
    assert read(after).nodes[0].attributes["axis"] == (1 if per_channel else -1)


@pytest.mark.parametrize(("shape", "axis"), [((1, 6, 1, 1), 1), ((6, 1), 0), ((1, 6), 1), ((2, 3), None)])
def test_dequantized_bias_is_reshaped_itself(shape: tuple[int, ...], axis: int | None) -> None:
    def body(emit: Any, x: Any) -> Any:
        scale = relax.const(np.arange(1, 7, dtype=np.float32))
        bias = emit(op.dequantize(const(6, dtype="int32"), scale, relax.const(np.zeros(6, np.int32)), axis=0))
        return emit(op.add(x, emit(op.reshape(bias, shape))))

    after = apply(FoldTransposes(), make(body, shape))
    assert ops(after) == (["dequantize", "add"] if axis is not None else ["dequantize", "reshape", "add"])
    if axis is not None:
        assert read(after).nodes[0].attributes["axis"] == axis


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("axes", [(0, 2, 3, 1), (0, 3, 2, 1)])
def test_transpose_before_flatten_orders_the_weight(axes: tuple[int, ...], quantized: bool) -> None:
    def body(emit: Any, x: Any) -> Any:
        flat = emit(op.reshape(emit(op.permute_dims(x, axes)), (2, 60)))
        weight = const(60, 7)
        if quantized:
            weight = emit(op.dequantize(const(60, 7, dtype="int8"), scalar(0.1), scalar(0, "int8")))
        return emit(op.matmul(flat, weight))

    after = apply(FoldTransposes(), make(body, (2, 3, 4, 5)))
    assert ops(after) == ["dequantize"] * quantized + ["reshape", "matmul"]


def test_transpose_before_a_quantized_flatten_orders_the_weight() -> None:
    def body(emit: Any, q: Any) -> Any:
        flat = emit(op.reshape(emit(op.permute_dims(q, (0, 2, 3, 1))), (2, 60)))
        x = emit(op.dequantize(flat, scalar(0.5), scalar(3, "int8"), axis=1))
        return emit(op.matmul(x, const(60, 7)))

    assert ops(apply(FoldTransposes(), make(body, ((2, 3, 4, 5), "int8")))) == ["reshape", "dequantize", "matmul"]


def test_a_transpose_of_the_batch_is_not_folded() -> None:
    def body(emit: Any, x: Any) -> Any:
        flat = emit(op.reshape(emit(op.permute_dims(x, (1, 0, 2))), (3, 8)))
        return emit(op.matmul(flat, const(8, 7)))

    assert "permute_dims" in ops(apply(FoldTransposes(), make(body, (2, 3, 4))))


def test_channels_last_model_loses_its_transposes(golden: Callable[[str, str], None]) -> None:
    """What a tf2onnx export looks like: every layer between transposes, batch norm and bias channels last."""

    def body(emit: Any, x: Any) -> Any:
        def conv(y: Any, out: int, seed: int) -> Any:
            channels = int(y.ty.shape[3])
            y = emit(op.permute_dims(y, _NCHW))
            y = emit(op.nn.conv2d(emit(op.nn.pad(y, (0, 0, 0, 0, 0, 1, 0, 1))), const(out, channels, 3, 3, seed=seed)))
            y = emit(op.permute_dims(y, _NHWC))
            y = emit(op.add(emit(op.multiply(y, const(out, seed=seed + 1))), const(out, seed=seed + 2)))
            return emit(op.nn.relu(y))

        y = conv(x, 4, 1)
        y = emit(op.mean(conv(y, 6, 2), [1, 2]))
        return emit(op.nn.softmax(emit(op.add(emit(op.matmul(y, const(6, 3))), const(3)))))

    before = make(body, (1, 8, 8, 3))
    after, records = simplify(before, validate=True)
    assert ops(after).count("permute_dims") == 1  # the input's own
    assert any(record.modified for record in records)
    golden("passes/channels_last.txt", f"before\n{text(before)}\nafter\n{text(after)}")
