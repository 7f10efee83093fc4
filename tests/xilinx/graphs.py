"""Hand-made integer graphs for the xilinx tests."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gatewright.compiler.integer.graph import IntegerGraph, Profile
from gatewright.compiler.integer.layers import Add, AvgPool2d, Conv2d, Dense, Input, Layer, MaxPool2d, Reshape
from gatewright.compiler.integer.requantization import common_multipliers, multiplier_of, multipliers_of
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.model import QuantizedModel
from gatewright.compiler.numeric.windows import output_size

__all__ = ["mlp", "model_of", "residual_cnn", "single_conv"]

_SCALE = 0.25


def model_of(graph: IntegerGraph) -> QuantizedModel:
    """A quantized model that is nothing but its integer graph."""
    return QuantizedModel("hand_made", None, None, graph, None)


def _conv(
    name: str, source: str, shape: tuple[int, ...], filters: int, kernel: int, *, stride: int = 1, pad: int = 0,
    groups: int = 1, seed: int = 0,
) -> Conv2d:  # fmt: skip
    rng = np.random.default_rng(seed)
    _, channels, height, width = shape
    out = (
        1,
        filters,
        output_size(height, kernel, stride, 2 * pad),
        output_size(width, kernel, stride, 2 * pad),
    )
    m, n = multipliers_of(np.full(filters, 0.004), 31, name)
    return Conv2d(
        name, (source,), TensorType(out, 8, True, _SCALE),
        weight=rng.integers(-128, 128, (filters, channels // groups, kernel, kernel)).astype(np.int8),
        weight_zero_point=np.zeros(filters, np.int64), bias=rng.integers(-500, 500, filters),
        weight_scale=np.full(filters, 0.125, np.float32), multiplier=m, shift=n, clamp=(-128, 127),
        strides=(stride, stride), padding=(pad, pad, pad, pad), groups=groups,
    )  # fmt: skip


def _dense(name: str, source: str, inputs: int, outputs: int, seed: int = 0) -> Dense:
    rng = np.random.default_rng(seed)
    m, n = multipliers_of(np.full(outputs, 0.01), 31, name)
    return Dense(
        name, (source,), TensorType((1, outputs), 8, True, _SCALE),
        weight=rng.integers(-128, 128, (outputs, inputs)).astype(np.int8),
        weight_zero_point=np.zeros(outputs, np.int64), bias=rng.integers(-100, 100, outputs),
        weight_scale=np.full(outputs, 0.25, np.float32), multiplier=m, shift=n, clamp=(-128, 127),
    )  # fmt: skip


def single_conv(
    height: int, width: int, channels: int, filters: int, kernel: int, stride: int = 1, pad: int = 0, groups: int = 1
) -> IntegerGraph:
    """One convolution."""
    shape = (1, channels, height, width)
    layers: list[Layer] = [
        Input("x", (), TensorType(shape, 8, True, _SCALE)),
        _conv("conv", "x", shape, filters, kernel, stride=stride, pad=pad, groups=groups),
    ]
    return IntegerGraph(layers, ["conv"])


def mlp(sizes: Sequence[int] = (16, 64, 32, 32, 5), profile: Profile = "scaled") -> IntegerGraph:
    """Dense layers in a row; the default is the jet tagging network of hls4ml."""
    layers: list[Layer] = [Input("x", (), TensorType((1, sizes[0]), 8, True, _SCALE))]
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        layers.append(_dense(f"fc{i}", layers[-1].name, inputs, outputs, i))
    return IntegerGraph(layers, [layers[-1].name], profile)


def residual_cnn(channels: int = 8) -> IntegerGraph:
    """conv - (conv - depthwise) + skip - max pool - average pool - dense."""
    plane = (1, channels, 8, 8)
    add_m, add_n = common_multipliers([1.0, 0.5], 31, "add")
    avg_m, avg_n = multiplier_of(1 / 16, 31, "average")
    layers: list[Layer] = [
        Input("x", (), TensorType((1, 3, 8, 8), 8, True, _SCALE)),
        _conv("first", "x", (1, 3, 8, 8), channels, 3, pad=1),
        _conv("second", "first", plane, channels, 3, pad=1, seed=1),
        _conv("depthwise", "second", plane, channels, 3, pad=1, groups=channels, seed=2),
        _conv("pointwise", "depthwise", plane, channels, 1, seed=3),
        Add(
            "sum", ("first", "pointwise"), TensorType(plane, 8, True, _SCALE), multiplier=add_m, shift=add_n,
            clamp=(-128, 127),
        ),
        MaxPool2d(
            "max", ("sum",), TensorType((1, channels, 4, 4), 8, True, _SCALE), kernel=(2, 2), strides=(2, 2),
            clamp=(-128, 127),
        ),
        AvgPool2d(
            "average", ("max",), TensorType((1, channels, 1, 1), 8, True, _SCALE), kernel=(4, 4),
            multiplier=np.array([[avg_m]]), shift=np.array([[avg_n]]), clamp=(-128, 127),
        ),
        Reshape("flat", ("average",), TensorType((1, channels), 8, True, _SCALE)),
        _dense("logits", "flat", channels, 10, 4),
    ]  # fmt: skip
    return IntegerGraph(layers, ["logits"])
