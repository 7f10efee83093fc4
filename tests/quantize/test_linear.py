"""Convolution and matrix product: the integer result lies within the error that its own scales allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.floatgraph.operators import OPERATORS
from gatewright.compiler.integer.layers import Conv2d, Dense
from gatewright.compiler.numeric.convolution import convolve2d
from gatewright.compiler.quantize import QuantizeOptions, quantize_graph
from gatewright.compiler.quantize.lower.transposed import phases
from gatewright.compiler.quantize.weights import quantize_bias
from tests.quantize.graphs import Builder, normal
from tests.quantize.run import floats, integers, sound

PROFILES = ("scaled", "fixed")


def check_within_bound(builder: Builder, result: str, options: QuantizeOptions, x: np.ndarray) -> None:
    """One layer over one input: compare with the float layer on the dequantized input.

    |y - y'| <= s_y / 2 (one rounding) + |x| * |w - w'| (rounded weights) + s_x s_w / 2 (rounded bias) + 2**-m |y|
    (multiplier), where y is inside the range; float32 adds a few units of its last place.
    """
    graph = builder.graph(result)
    model = sound(quantize_graph("m", graph, {"x": x}, options))
    assert model.integer is not None
    layer = model.integer[result]
    assert isinstance(layer, Conv2d | Dense)
    q = integers(model, {"x": x})
    kind = model.integer.inputs[0].output
    real_x = ((q["x"].astype(np.float64) - kind.zero_point) * kind.scale).astype(np.float32)
    y = floats(graph, {"x": real_x})["out0"].astype(np.float64)
    ours = (q[result].astype(np.float64) - layer.output.zero_point) * layer.output.scale
    low, high = ((c - layer.output.zero_point) * layer.output.scale for c in layer.clamp)
    real_w = builder.constants[next(n.inputs[1] for n in builder.nodes if n.op in ("nn.conv2d", "matmul"))]
    real_w = real_w if isinstance(layer, Conv2d) else real_w.T
    column = (-1, *(1,) * (layer.weight.ndim - 1))
    w = (layer.weight.astype(np.float64) - layer.weight_zero_point.reshape(column)) * layer.weight_scale.reshape(column)
    reach = np.abs(real_x).max() * np.abs(w - real_w).reshape(len(w), -1).sum(axis=1)
    per_channel = reach + kind.scale * layer.weight_scale.astype(np.float64) / 2
    shape = (1, -1, 1, 1) if isinstance(layer, Conv2d) else (-1,)
    bound = layer.output.scale / 2 + per_channel.reshape(shape) + np.abs(y) * 2.0 ** (1 - options.multiplier_bits)
    assert np.all(np.abs(ours - np.clip(y, low, high)) <= bound + 1e-5 * np.abs(y).max())


@given(
    st.integers(0, 1 << 16), st.sampled_from(PROFILES), st.sampled_from([1, 2, 4]), st.integers(1, 2),
    st.integers(1, 2), st.integers(0, 2), st.sampled_from(["", "relu", "clip"]), st.sampled_from([8, 16, 31]),
)  # fmt: skip
def test_convolution(
    seed: int, profile: str, groups: int, stride: int, dilation: int, pad: int, clip: str, width: int
) -> None:
    b = Builder()
    x = normal(seed, 3, 4, 7, 6)
    weight = normal(seed + 1, 8, 4 // groups, 3, 2, scale=0.3)
    y = b.conv(
        b.input("x", 1, 4, 7, 6), weight, normal(seed + 2, 8), (stride, 1), (pad, 1, 0, pad), (dilation, 1), groups
    )
    if clip == "relu":
        y = b.node("nn.relu", y)
    elif clip == "clip":
        y = b.node("clip", y, min=-0.25, max=1.5)
    options = QuantizeOptions(profile=profile, calibration="minmax", multiplier_bits=width)  # type: ignore[arg-type]
    check_within_bound(b, y, options, x)


@given(st.integers(0, 1 << 16), st.sampled_from(PROFILES), st.sampled_from(["per_channel", "per_tensor"]),
       st.integers(2, 8), st.sampled_from([(5, 6), (2, 3, 6)]))  # fmt: skip
def test_dense(seed: int, profile: str, weights: str, bits: int, shape: tuple[int, ...]) -> None:
    b = Builder()
    x = normal(seed, *shape)
    y = b.dense(b.input("x", 1, *shape[1:]), normal(seed + 1, 6, 4), normal(seed + 2, 4))
    options = QuantizeOptions(profile=profile, weights=weights, weight_bits=bits, calibration="minmax")  # type: ignore[arg-type]
    check_within_bound(b, y, options, x)


@pytest.mark.parametrize("profile", PROFILES)
def test_dead_and_tiny_channels_keep_their_bias(profile: str) -> None:
    """Zero weights, and weights 1e-9 of the others', with live biases: the channel is the constant bias."""
    b = Builder()
    weight = normal(1, 4, 2, 3, 3)
    weight[1] = 0
    weight[2] *= 1e-9
    bias = np.array([0.1, 0.7, -0.4, 0.0], np.float32)
    y = b.conv(b.input("x", 1, 2, 5, 5), weight, bias)
    x = normal(2, 8, 2, 5, 5)
    options = QuantizeOptions(profile=profile, calibration="minmax")  # type: ignore[arg-type]
    model = sound(quantize_graph("m", b.graph(y), {"x": x}, options))
    assert model.integer is not None
    layer = model.integer[y]
    assert isinstance(layer, Conv2d)
    assert np.all(np.abs(layer.bias) < 1 << 30)
    assert layer.weight_scale.max() <= layer.weight_scale.min() * 2**8
    assert not layer.weight[1].any() and not layer.weight[2].any()
    real = (integers(model, {"x": x})[y].astype(float) - layer.output.zero_point) * layer.output.scale
    for channel in (1, 2):
        assert np.all(np.abs(real[:, channel] - bias[channel]) <= layer.output.scale / 2 + 1e-6)


def test_huge_bias_over_dead_weights_fits_into_30_bits() -> None:
    b = Builder()
    weight = np.full((2, 1, 1, 1), 1e-12, np.float32)
    y = b.conv(b.input("x", 1, 1, 2, 2), weight, np.array([3.0, -2.0], np.float32))
    model = sound(quantize_graph("m", b.graph(y), {"x": normal(0, 4, 1, 2, 2)}, QuantizeOptions()))
    assert model.integer is not None
    layer = model.integer[y]
    assert isinstance(layer, Conv2d)
    assert 0 < np.abs(layer.bias).max() < 1 << 30


def test_biases_round_half_to_even_in_units_of_both_scales() -> None:
    units = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 2.4, -2.6])
    q = quantize_bias(units * 0.25 * 0.5, 0.25, np.full(7, 0.5, np.float32))
    assert q.tolist() == [0, 2, 2, 0, -2, 2, -3]


def test_a_subtracted_constant_is_a_negative_bias_and_a_factor_scales_what_stands_before_it() -> None:
    b = Builder()
    y = b.node("subtract", b.dense(b.input("x", 1, 6), normal(0, 6, 4)), b.constant(normal(1, 4)))
    y = b.node("add", b.node("divide", y, b.constant([2.0, 0.5, 1.0, 4.0])), b.constant(normal(2, 4)))
    data = {"x": normal(3, 64, 6)}
    model = sound(quantize_graph("m", b.graph(y), data, QuantizeOptions()))
    assert model.integer is not None
    assert [layer.op for layer in model.integer] == ["input", "dense"]
    q, kind = integers(model, data)[y], model.integer[y].output
    real = floats(b.graph(y), data)["out0"]
    assert np.mean(((q.astype(np.float64) - kind.zero_point) * kind.scale - real) ** 2) < 1e-3 * np.mean(real**2)


def test_weights_trained_on_a_grid_stay_on_it() -> None:
    """Multiples of 2**-5 are exact in either profile, whatever their maximum is."""
    for profile in PROFILES:
        b = Builder()
        weight = (np.random.default_rng(0).integers(-20, 21, (6, 4)) / 32).astype(np.float32)
        y = b.dense(b.input("x", 1, 6), weight)
        options = QuantizeOptions(profile=profile)  # type: ignore[arg-type]
        model = quantize_graph("m", b.graph(y), {"x": normal(1, 16, 6)}, options)
        assert model.integer is not None
        layer = model.integer[y]
        assert isinstance(layer, Dense)
        assert np.array_equal(layer.weight * layer.weight_scale[:, None], weight.T)


def test_conv1d_is_a_convolution_of_height_one() -> None:
    b = Builder()
    x = b.input("x", 1, 3, 9)
    w = b.constant(normal(1, 5, 3, 3))
    y = b.node("nn.conv1d", x, w, strides=(2,), padding=(1, 0), dilation=(1,), groups=1)
    y = b.node("nn.relu", b.node("add", y, b.constant(normal(2, 1, 5, 1))))
    data = normal(3, 16, 3, 9)
    model = sound(quantize_graph("m", b.graph(y), {"x": data}, QuantizeOptions()))
    assert model.integer is not None
    assert [layer.op for layer in model.integer] == ["input", "reshape", "conv2d", "reshape"]
    q, kind = integers(model, {"x": data})[y], model.integer[y].output
    real = floats(b.graph(y), {"x": data})["out0"]
    noise = np.mean(((q.astype(float) - kind.zero_point) * kind.scale - real) ** 2)
    assert noise < 1e-3 * np.mean(real**2)  # 30 dB; 8 bits give about 40


@given(st.integers(0, 1 << 16), st.sampled_from(PROFILES), st.integers(1, 3), st.integers(1, 2), st.integers(1, 4),
       st.integers(0, 1), st.integers(0, 1), st.sampled_from([1, 2]), st.integers(1, 2))  # fmt: skip
def test_transposed_convolution_is_exact(
    seed: int, profile: str, sy: int, sx: int, kernel: int, pad: int, extra: int, groups: int, dilation: int
) -> None:
    """Phases, interleaving and cropping move no value: the same integers as the float operator on the integers."""
    pad, extra = min(pad, dilation * (kernel - 1)), min(extra, sy - 1)
    b = Builder()
    x = b.input("x", 1, 4, 3, 5)
    weight = b.constant(normal(seed, 4, 6 // groups, kernel, kernel))
    y = b.node("nn.conv2d_transpose", x, weight, strides=(sy, sx), padding=(pad,) * 4, dilation=(dilation,) * 2,
               output_padding=(extra, 0), groups=groups)  # fmt: skip
    y = b.node("nn.relu", b.node("add", y, b.constant(normal(seed + 1, 1, 6, 1, 1))))
    data = {"x": normal(seed + 2, 4, 4, 3, 5)}
    options = QuantizeOptions(profile=profile, calibration="minmax", bias_correction=False)  # type: ignore[arg-type]
    model = sound(quantize_graph("m", b.graph(y), data, options))
    assert model.integer is not None
    q = integers(model, data)
    kind = model.integer.inputs[0].output
    conv = next(layer for layer in model.integer if isinstance(layer, Conv2d))
    real = floats(b.graph(y), {"x": ((q["x"].astype(np.float64) - kind.zero_point) * kind.scale).astype(np.float32)})
    out = model.integer[y].output
    w = np.abs(conv.weight_scale).max() / 2 if profile == "scaled" else np.abs(conv.weight_scale).max() * 2
    reach = np.abs(data["x"]).max() * 1.1 * (4 // groups) * kernel**2 * w
    bound = out.scale / 2 + reach + kind.scale * w
    assert (
        np.abs((q[y].astype(np.float64) - out.zero_point) * out.scale - real["out0"]).max() <= bound * 1.01 + out.scale
    )


def test_phases_gather_what_a_transposed_convolution_scatters() -> None:
    """On integers, where nothing rounds: equality with the float operator, for every stride and kernel."""
    rng = np.random.default_rng(0)
    for sy, sx, kh, kw in [(1, 1, 3, 2), (2, 2, 2, 2), (2, 3, 3, 5), (3, 2, 1, 4)]:
        x = rng.integers(-9, 9, (1, 2, 4, 3)).astype(np.float64)
        kernel = rng.integers(-9, 9, (2, 3, kh, kw)).astype(np.float64)
        node = Node("y", "nn.conv2d_transpose", (), {"strides": (sy, sx), "padding": (0, 0, 0, 0), "dilation": (1, 1),
                                                    "output_padding": (0, 0), "groups": 1}, (), "float64")  # fmt: skip
        expected = OPERATORS["nn.conv2d_transpose"](node, x, kernel)
        w = phases(np.swapaxes(kernel, 0, 1), (sy, sx))
        th, tw = w.shape[2:]
        y = convolve2d(x, w, padding=(th - 1, tw - 1, th - 1, tw - 1)).reshape(1, 3, sy, sx, 4 + th - 1, 3 + tw - 1)
        y = y.transpose(0, 1, 4, 2, 5, 3).reshape(1, 3, (4 + th - 1) * sy, (3 + tw - 1) * sx)
        assert np.array_equal(y[:, :, : expected.shape[2], : expected.shape[3]], expected)
