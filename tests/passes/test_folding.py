"""Folding of constants, batch norm, scales, pads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from tvm import relax

from gatewright.compiler.floatgraph.from_relax import read
from gatewright.compiler.passes.decompose_batch_norm import DecomposeBatchNorm
from gatewright.compiler.passes.fold_constants import FoldConstants
from gatewright.compiler.passes.fold_pads import FoldPads
from gatewright.compiler.passes.fold_scales import FoldScales
from tests.passes.build import apply, const, make, ops, scalar

op = relax.op


def test_constants_fold_in_a_chain_and_quantize_stays() -> None:
    def body(emit: Any, x: Any) -> Any:
        bias = emit(op.reshape(emit(op.add(const(3), const(3, seed=1))), (1, 3, 1, 1)))
        weights = emit(op.dequantize(const(3, dtype="int8"), scalar(0.5), scalar(0, "int8"), axis=0))
        return emit(op.add(emit(op.add(x, bias)), emit(op.reshape(weights, (1, 3, 1, 1)))))

    after = apply(FoldConstants(), make(body, (1, 3, 2, 2)))
    assert ops(after) == ["dequantize", "add", "reshape", "add"]


def test_shapes_fold() -> None:
    def body(emit: Any, x: Any) -> Any:
        return emit(op.add(emit(op.shape_to_tensor(emit(op.shape_of(x)))), relax.const(np.array([1, 1, 1]), "int64")))

    model = make(body, (2, 3, 4))
    after = FoldConstants()(model.module)
    result = after["main"].body.body
    assert list(result.value.numpy()) == [3, 4, 5]


def test_a_large_broadcast_is_not_made() -> None:
    def body(emit: Any, x: Any) -> Any:
        return emit(op.add(x, emit(op.broadcast_to(scalar(1.0), (8, 8)))))

    model = make(body, (8, 8))
    assert ops(apply(FoldConstants(element_limit=16), model)) == ["broadcast_to", "add"]
    assert ops(apply(FoldConstants(), model)) == ["add"]


def _conv(emit: Any, x: Any, channels: int = 3, out: int = 4, groups: int = 1, seed: int = 0, **kw: Any) -> Any:
    return emit(op.nn.conv2d(x, const(out, channels // groups, 3, 3, seed=seed), groups=groups, **kw))


def test_batch_norm_folds_into_conv_with_bias() -> None:
    def body(emit: Any, x: Any) -> Any:
        y = emit(op.add(_conv(emit, x, padding=1), const(1, 4, 1, 1)))
        variance = relax.const(np.array([0.5, 1, 2, 1e-3], np.float32))
        normal = emit(
            op.nn.batch_norm(y, const(4, seed=2), const(4, seed=3), const(4, seed=4), variance, axis=1, training=False)
        )
        return emit(op.nn.relu(emit(relax.TupleGetItem(normal, 0))))

    model = apply(DecomposeBatchNorm(), make(body, (2, 3, 5, 5)))
    assert ops(model) == ["nn.conv2d", "add", "multiply", "add", "nn.relu"]
    assert ops(apply(FoldScales(), model)) == ["nn.conv2d", "add", "nn.relu"]


@pytest.mark.parametrize("axis", [1, 3, -1])
def test_batch_norm_alone_becomes_scale_and_shift(axis: int) -> None:
    def body(emit: Any, x: Any) -> Any:
        positive = relax.const(np.array([0.5, 1, 2], np.float32))
        normal = emit(
            op.nn.batch_norm(
                x, const(3), const(3, seed=1), const(3, seed=2), positive, axis=axis, center=False, training=False
            )
        )
        return emit(relax.TupleGetItem(normal, 0))

    assert ops(apply(DecomposeBatchNorm(), make(body, (1, 3, 3, 3)))) == ["multiply", "add"]


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("shape", [(1, 8, 1, 1), (8, 1, 1), ()])
def test_a_scale_behind_folds(groups: int, shape: tuple[int, ...]) -> None:
    def body(emit: Any, x: Any) -> Any:
        return emit(op.multiply(_conv(emit, x, 4, 8, groups), const(*shape, seed=5)))

    assert ops(apply(FoldScales(), make(body, (1, 4, 5, 6)))) == ["nn.conv2d"]


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_scale_and_shift_in_front_fold(groups: int) -> None:
    def body(emit: Any, x: Any) -> Any:
        scaled = emit(op.multiply(x, const(1, 4, 1, 1, seed=5)))
        return _conv(emit, emit(op.add(scaled, const(1, 4, 1, 1, seed=6))), 4, 8, groups)

    model = make(body, (1, 4, 5, 6))
    assert ops(apply(FoldScales(), model)) == ["multiply", "nn.conv2d", "add"]
    assert ops(apply(FoldScales(), apply(FoldScales(), model))) == ["nn.conv2d", "add"]


def test_a_shift_in_front_of_padding_stays() -> None:
    def body(emit: Any, x: Any) -> Any:
        return _conv(emit, emit(op.add(x, const(1, 3, 1, 1))), padding=1)

    assert ops(apply(FoldScales(), make(body, (1, 3, 5, 5)))) == ["add", "nn.conv2d"]


def test_a_scale_per_pixel_stays() -> None:
    def body(emit: Any, x: Any) -> Any:
        return emit(op.multiply(_conv(emit, x), const(1, 1, 3, 3)))

    assert ops(apply(FoldScales(), make(body, (1, 3, 5, 5)))) == ["nn.conv2d", "multiply"]


def test_a_scale_that_broadcasts_the_result_stays() -> None:
    def body(emit: Any, x: Any) -> Any:
        return emit(op.multiply(_conv(emit, x, 3, 1), const(1, 4, 1, 1)))

    assert ops(apply(FoldScales(), make(body, (1, 3, 5, 5)))) == ["nn.conv2d", "multiply"]


def test_a_layer_with_two_readers_stays() -> None:
    def body(emit: Any, x: Any) -> Any:
        y = _conv(emit, x)
        return [emit(op.multiply(y, scalar(2.0))), y]

    assert ops(apply(FoldScales(), make(body, (1, 3, 5, 5)))) == ["nn.conv2d", "multiply"]


def test_transposed_convolution_folds_both_sides() -> None:
    def body(emit: Any, x: Any) -> Any:
        y = emit(op.multiply(x, const(1, 4, 1, 1)))
        y = emit(op.nn.conv2d_transpose(y, const(4, 3, 3, 3), strides=2, padding=1, output_padding=1, groups=2))
        return emit(op.multiply(y, const(1, 6, 1, 1, seed=3)))

    assert ops(apply(FoldScales(), make(body, (1, 4, 5, 4)))) == ["nn.conv2d_transpose"]


def test_dense_folds_on_both_sides() -> None:
    def body(emit: Any, x: Any) -> Any:
        y = emit(op.add(emit(op.multiply(x, const(5))), const(1, 5, seed=1)))
        y = emit(op.add(emit(op.matmul(y, const(5, 3))), const(3, seed=2)))
        return emit(op.add(emit(op.multiply(y, const(3, seed=3))), const(3, seed=4)))

    model = make(body, (2, 5))
    for _ in range(3):
        model = apply(FoldScales(), model)
    assert ops(model) == ["matmul", "add"]


def test_weights_that_are_dequantized_keep_their_arithmetic() -> None:
    def body(emit: Any, x: Any) -> Any:
        weight = emit(op.dequantize(const(5, 3, dtype="int8"), scalar(0.1), scalar(0, "int8"), axis=1))
        return emit(op.multiply(emit(op.matmul(x, weight)), const(3)))

    assert ops(apply(FoldScales(), make(body, (2, 5)))) == ["dequantize", "matmul", "multiply"]


def test_pad_folds_into_convolution() -> None:
    def body(emit: Any, x: Any) -> Any:
        return _conv(emit, emit(op.nn.pad(x, (0, 0, 0, 0, 1, 2, 0, 3))), padding=[0, 1, 0, 1], strides=2)

    after = apply(FoldPads(), make(body, (1, 3, 5, 5)))
    assert ops(after) == ["nn.conv2d"]
    assert read(after).nodes[0].attributes["padding"] == (1, 1, 2, 4)


@pytest.mark.parametrize(("widths", "value", "mode"), [
    ((0, 0, 1, 0, 1, 1, 1, 1), 0.0, "constant"),
    ((0, 0, 0, 0, 1, 1, 1, 1), 1.0, "constant"),
    ((0, 0, 0, 0, 1, 1, 1, 1), 0.0, "reflect"),
])  # fmt: skip
def test_pads_a_convolution_cannot_do_stay(widths: tuple[int, ...], value: float, mode: str) -> None:
    def body(emit: Any, x: Any) -> Any:
        return _conv(emit, emit(op.nn.pad(x, widths, mode, value)), 3 + widths[2])

    assert ops(apply(FoldPads(), make(body, (1, 3, 5, 5)))) == ["nn.pad", "nn.conv2d"]


def test_pad_folds_into_average_pooling_and_counts() -> None:
    def body(emit: Any, x: Any) -> Any:
        return emit(op.nn.avg_pool2d(emit(op.nn.pad(x, (0, 0, 0, 0, 1, 1, 1, 0))), (2, 3), (2, 2)))

    after = apply(FoldPads(), make(body, (1, 3, 5, 5)))
    assert ops(after) == ["nn.avg_pool2d"]
    assert read(after).nodes[0].attributes["count_include_pad"] == 1


def test_pad_and_uncounted_padding_do_not_mix() -> None:
    def body(emit: Any, x: Any) -> Any:
        padded = emit(op.nn.pad(x, (0, 0, 0, 0, 1, 1, 1, 1)))
        return emit(op.nn.avg_pool2d(padded, (3, 3), (2, 2), 1, count_include_pad=False))

    assert ops(apply(FoldPads(), make(body, (1, 3, 6, 6)))) == ["nn.pad", "nn.avg_pool2d"]


@pytest.mark.parametrize(("value", "relu", "folds"), [
    (-math.inf, False, True), (0.0, True, True), (0.0, False, False), (1.0, True, False),
])  # fmt: skip
def test_pad_and_max_pooling(value: float, relu: bool, folds: bool) -> None:
    def body(emit: Any, x: Any) -> Any:
        x = emit(op.nn.relu(x)) if relu else x
        return emit(op.nn.max_pool2d(emit(op.nn.pad(x, (0, 0, 0, 0, 1, 0, 0, 1), pad_value=value)), (2, 2), (2, 2)))

    after = apply(FoldPads(), make(body, (1, 3, 5, 5)))
    assert ("nn.pad" not in ops(after)) == folds


def test_a_window_of_zero_padding_alone_keeps_the_pad() -> None:
    def body(emit: Any, x: Any) -> Any:
        padded = emit(op.nn.pad(emit(op.nn.relu(x)), (0, 0, 0, 0, 2, 0, 0, 0)))
        return emit(op.nn.max_pool2d(padded, (2, 2), (1, 1)))

    assert ops(apply(FoldPads(), make(body, (1, 1, 3, 3)))) == ["nn.relu", "nn.pad", "nn.max_pool2d"]


def test_a_dilated_window_that_skips_the_data_keeps_the_pad() -> None:
    def body(emit: Any, x: Any) -> Any:
        padded = emit(op.nn.pad(emit(op.nn.relu(x)), (0, 0, 0, 0, 1, 1, 1, 1)))
        return emit(op.nn.max_pool2d(padded, (2, 2), (1, 1), dilation=(3, 3)))

    assert "nn.pad" in ops(apply(FoldPads(), make(body, (1, 1, 2, 2))))
