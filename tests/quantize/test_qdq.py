"""QDQ models: scales, zero points, weights and biases are taken as the model states them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.compiler.errors import QuantizeError
from gatewright.compiler.integer.layers import Conv2d, Dense
from gatewright.compiler.quantize import QuantizeOptions, quantize_graph
from tests.quantize.graphs import Builder, normal
from tests.quantize.run import floats, integers, outputs, sound


def held(
    b: Builder, rng: np.random.Generator, *shape: int, channels: bool, dtype: str = "int8"
) -> tuple[str, np.ndarray]:
    """dequantize(constant) with a scale and zero point by output channel (axis 0) or one; (name, scales)."""
    info = np.iinfo(dtype)
    q = b.constant(rng.integers(info.min, info.max + 1, shape), dtype)
    count = shape[0] if channels else 1
    scale = rng.uniform(0.002, 0.02, count).astype(np.float32)
    zero = rng.integers(-3, 4, count) if dtype == "int8" else rng.integers(120, 136, count)
    axis = 0
    if not channels:
        return b.dequantize(q, scale[0], zero[0]), scale
    return b.dequantize(q, scale, zero, axis), scale


@given(
    st.integers(0, 1 << 16), st.booleans(), st.sampled_from(["int8", "uint8"]), st.booleans(), st.sampled_from([1, 2])
)
def test_a_quantized_convolution_is_exact_up_to_ties(
    seed: int, channels: bool, dtype: str, relu: bool, groups: int
) -> None:
    """Against the float graph with its own Q and DQ nodes: at most one step, and that only where float32 or a tie
    decides (less than one element in a hundred)."""
    rng = np.random.default_rng(seed)
    b = Builder()
    info = np.iinfo(dtype)
    s_x, z_x = float(np.float32(rng.uniform(0.01, 0.1))), int(rng.integers(info.min, info.max + 1))
    x = b.dequantize(b.input("x", 1, 4, 6, 6, dtype=dtype), s_x, z_x)
    weight, scales = held(b, rng, 6, 4 // groups, 3, 3, channels=channels)
    bias_q = b.constant(rng.integers(-5000, 5000, 6), "int32")
    bias = b.dequantize(bias_q, (s_x * scales.astype(np.float64)).astype(np.float32) if channels else
                        np.float32(s_x * float(scales[0])), np.zeros(len(scales)) if channels else 0, 0)  # fmt: skip
    y = b.conv(x, weight, b.node("reshape", bias, shape=(1, 6, 1, 1)), padding=(1, 1, 1, 1), groups=groups)
    if relu:
        y = b.node("nn.relu", y)
    q = b.quantize(y, float(np.float32(rng.uniform(0.05, 0.3))), int(rng.integers(info.min, info.max + 1)), dtype)
    graph = b.graph(q)
    model = sound(quantize_graph("m", graph, None, QuantizeOptions()))
    data = {"x": rng.integers(info.min, info.max + 1, (4, 4, 6, 6)).astype(dtype)}
    ours, theirs = outputs(model, data)["out0"], floats(graph, data)["out0"]
    assert ours.dtype == theirs.dtype == np.dtype(dtype)
    apart = np.abs(ours.astype(int) - theirs.astype(int))
    assert apart.max() <= 1
    assert np.mean(apart != 0) < 0.01
    assert model.integer is not None
    layer = next(layer for layer in model.integer if isinstance(layer, Conv2d))
    node = next(n for n in graph.nodes if n.name == weight)
    assert np.array_equal(layer.weight, graph.constants[node.inputs[0]])
    assert np.array_equal(layer.bias, graph.constants[bias_q])
    assert model.tail is not None and model.tail.nodes == ()  # integers leave as they are


def network(b: Builder, rng: np.random.Generator, *, annotate_middle: bool = True) -> str:
    """int8 input -> dense -> relu -> Q -> reshape -> dense -> Q -> softmax -> Q."""
    x = b.dequantize(b.input("x", 1, 8, dtype="int8"), 0.05, -3)
    first, _ = held(b, rng, 8, 6, channels=False)
    y = b.node("nn.relu", b.dense(x, first, b.constant(normal(0, 6))))
    if annotate_middle:
        y = b.rounded(y, 0.04, -128)
    second, _ = held(b, rng, 6, 4, channels=False)
    z = b.rounded(b.dense(y, second), 0.1, 5)
    return b.quantize(b.node("nn.softmax", z, axis=-1), 1 / 256, -128)


def test_float_work_after_the_last_integer_tensor_keeps_its_own_quantize_node() -> None:
    rng = np.random.default_rng(0)
    b = Builder()
    graph = b.graph(network(b, rng))
    model = sound(quantize_graph("m", graph, None, QuantizeOptions()))
    assert model.tail is not None and model.integer is not None
    assert [node.op for node in model.tail.nodes] == ["dequantize", "nn.softmax", "quantize"]
    assert [layer.op for layer in model.integer] == ["input", "dense", "dense"]
    assert (model.integer.inputs[0].output.scale, model.integer.inputs[0].output.zero_point) == (
        float(np.float32(0.05)),
        -3,
    )
    data = {"x": rng.integers(-128, 128, (64, 8)).astype(np.int8)}
    apart = np.abs(outputs(model, data)["out0"].astype(int) - floats(graph, data)["out0"].astype(int))
    assert apart.max() <= 2 and np.mean(apart != 0) < 0.05  # a flipped logit moves probabilities by a step or two


def test_a_partly_quantized_model_names_the_tensor_or_is_calibrated() -> None:
    b = Builder()
    graph = b.graph(network(b, np.random.default_rng(0), annotate_middle=False))
    with pytest.raises(QuantizeError) as caught:
        quantize_graph("m", graph, None, QuantizeOptions())
    assert caught.value.code == "GW3303"
    assert caught.value.place.startswith("relu")
    data = {"x": np.random.default_rng(1).integers(-128, 128, (64, 8)).astype(np.int8)}
    model = sound(quantize_graph("m", graph, data, QuantizeOptions()))
    assert model.integer is not None
    logits = [layer for layer in model.integer if isinstance(layer, Dense)][-1].output
    assert (logits.scale, logits.zero_point) == (float(np.float32(0.1)), 5)


@pytest.mark.parametrize("channels", [False, True])
def test_a_factor_behind_a_quantized_product_joins_the_weight_scales(channels: bool) -> None:
    """As MatMulInteger, Cast, Mul, Add models read: ((x . w) * f + b), f per tensor or column."""
    b = Builder()
    rng = np.random.default_rng(0)
    x = b.dequantize(b.input("x", 1, 8, dtype="int8"), 1.0, 3)
    w = b.dequantize(b.constant(rng.integers(-127, 128, (8, 6)), "int8"), 1.0, 0)
    factor = rng.uniform(2e-4, 9e-4, 6 if channels else 1).astype(np.float32)
    y = b.node("add", b.node("multiply", b.dense(x, w), b.constant(factor)), b.constant(normal(1, 6)))
    graph = b.graph(b.quantize(y, 0.03, 4))
    model = sound(quantize_graph("m", graph, None, QuantizeOptions()))
    assert model.integer is not None
    assert [layer.op for layer in model.integer] == ["input", "dense"]
    layer = model.integer.layers[1]
    assert isinstance(layer, Dense)
    assert np.array_equal(layer.weight_scale, np.broadcast_to(factor, 6))
    data = {"x": rng.integers(-128, 128, (200, 8)).astype(np.int8)}
    apart = np.abs(outputs(model, data)["out0"].astype(int) - floats(graph, data)["out0"].astype(int))
    # The bias in units of s_x s_w is rounded once more than in float: half a unit, far below a step.
    assert apart.max() <= 1 and np.mean(apart != 0) < 0.03


def test_moved_integers_keep_their_parameters_and_a_second_quantize_is_a_requantization() -> None:
    b = Builder()
    rng = np.random.default_rng(0)
    q = b.input("x", 1, 3, 4, 2, dtype="int8")
    x = b.dequantize(b.node("permute_dims", q, axes=(0, 3, 1, 2), dtype="int8"), 0.05, 7)
    again = b.rounded(b.rounded(x, 0.05, 7), 0.11, -2)
    weight, _ = held(b, rng, 3, 2, 1, 1, channels=True)
    graph = b.graph(b.quantize(b.conv(again, weight), 0.2, 0))
    model = sound(quantize_graph("m", graph, None, QuantizeOptions()))
    assert model.integer is not None
    assert [layer.op for layer in model.integer] == ["input", "transpose", "requantize", "conv2d"]
    data = {"x": rng.integers(-128, 128, (8, 3, 4, 2)).astype(np.int8)}
    apart = np.abs(outputs(model, data)["out0"].astype(int) - floats(graph, data)["out0"].astype(int))
    assert apart.max() <= 2 and np.mean(apart != 0) < 0.02


def test_a_movement_between_two_scales_is_followed_by_a_requantization() -> None:
    b = Builder()
    rng = np.random.default_rng(0)
    x = b.dequantize(b.input("x", 1, 2, 4, 4, dtype="int8"), 0.05, 7)
    pooled = b.node("nn.max_pool2d", x, shape=(1, 2, 2, 2), pool_size=(2, 2), strides=(2, 2), dilation=(1, 1),
                    padding=(0, 0, 0, 0), ceil_mode=False)  # fmt: skip
    flat = b.rounded(b.node("reshape", b.rounded(pooled, 0.07, 1), shape=(1, 8)), 0.06, -4)
    weight, _ = held(b, rng, 8, 3, channels=False)
    graph = b.graph(b.quantize(b.dense(flat, weight), 0.2, 0))
    model = sound(quantize_graph("m", graph, None, QuantizeOptions()))
    assert model.integer is not None
    assert [layer.op for layer in model.integer] == [
        "input",
        "max_pool2d",
        "requantize",
        "reshape",
        "requantize",
        "dense",
    ]
    data = {"x": rng.integers(-128, 128, (8, 2, 4, 4)).astype(np.int8)}
    apart = np.abs(outputs(model, data)["out0"].astype(int) - floats(graph, data)["out0"].astype(int))
    assert apart.max() <= 1


def test_movements_and_relus_without_a_quantize_node_carry_the_parameters_on() -> None:
    b = Builder()
    rng = np.random.default_rng(0)
    x = b.rounded(b.dequantize(b.input("x", 1, 2, 2, 4, dtype="int8"), 0.05, 7), 0.05, 7)
    flat = b.node("reshape", b.node("nn.relu", b.node("permute_dims", x, axes=(0, 2, 3, 1))), shape=(1, 16))
    weight, _ = held(b, rng, 16, 3, channels=False)
    graph = b.graph(b.quantize(b.dense(flat, weight), 0.2, 0))
    model = sound(quantize_graph("m", graph, None, QuantizeOptions()))
    assert model.integer is not None
    assert {(layer.output.scale, layer.output.zero_point) for layer in model.integer.layers[:-1]} == {
        (float(np.float32(0.05)), 7)
    }
    data = {"x": rng.integers(-128, 128, (32, 2, 2, 4)).astype(np.int8)}
    assert np.abs(outputs(model, data)["out0"].astype(int) - floats(graph, data)["out0"].astype(int)).max() <= 1


def test_an_integer_cast_to_float_enters_with_scale_one() -> None:
    b = Builder()
    x = b.node("astype", b.input("x", 1, 3, 4, 4, dtype="uint8"), dtype="float32", shape=(1, 3, 4, 4))
    y = b.conv(x, normal(0, 2, 3, 1, 1))
    data = {"x": np.random.default_rng(0).integers(0, 256, (4, 3, 4, 4)).astype(np.uint8)}
    model = sound(quantize_graph("m", b.graph(y), data, QuantizeOptions(profile="fixed")))
    assert model.integer is not None
    source = model.integer.inputs[0]
    assert (source.source_dtype, source.output.code, source.output.scale) == ("uint8", "u8", 1.0)
    assert np.array_equal(integers(model, data)["x"], data["x"])


def test_profile_fixed_refuses_stated_scales_that_are_no_powers_of_two() -> None:
    b = Builder()
    graph = b.graph(network(b, np.random.default_rng(0)))
    with pytest.raises(QuantizeError) as caught:
        quantize_graph("m", graph, None, QuantizeOptions(profile="fixed"))
    assert caught.value.code == "GW3306"


def test_unreadable_quantization_is_refused() -> None:
    b = Builder()
    x = b.input("x", 1, 2, 4, 4)
    q = b.node(
        "quantize", x, b.constant([0.1, 0.2]), b.constant([0, 0], "int8"), dtype="int8", shape=(1, 2, 4, 4), axis=1
    )
    y = b.node("dequantize", q, b.constant([0.1, 0.2]), b.constant([0, 0], "int8"), shape=(1, 2, 4, 4), axis=1)
    with pytest.raises(QuantizeError) as caught:
        quantize_graph("m", b.graph(b.conv(y, normal(0, 2, 2, 1, 1))), None, QuantizeOptions())
    assert (caught.value.code, caught.value.place) == ("GW3301", q)
    b = Builder()
    q = b.quantize(b.input("x", 1, 4), 0.1, 0)
    y = b.dequantize(q, 0.2, 0)
    with pytest.raises(QuantizeError) as caught:
        quantize_graph("m", b.graph(b.dense(y, normal(0, 4, 2))), None, QuantizeOptions())
    assert (caught.value.code, caught.value.place) == ("GW3301", y)


@pytest.mark.parametrize("second", [0.05, 0.06])
def test_integers_are_joined_only_where_they_mean_the_same(second: float) -> None:
    b = Builder()
    rng = np.random.default_rng(0)
    x, y = b.input("x", 1, 4), b.input("y", 1, 4)
    joined = b.node("concat", b.quantize(x, 0.05, 3), b.quantize(y, second, 3), axis=1, dtype="int8")
    weight, _ = held(b, rng, 8, 3, channels=False)
    graph = b.graph(b.quantize(b.dense(b.dequantize(joined, 0.05, 3), weight), 0.2, 0))
    if second != 0.05:
        with pytest.raises(QuantizeError) as caught:
            quantize_graph("m", graph, None, QuantizeOptions())
        assert (caught.value.code, caught.value.place) == ("GW3301", joined)
        return
    model = sound(quantize_graph("m", graph, None, QuantizeOptions()))
    data = {"x": normal(0, 20, 4, scale=3), "y": normal(1, 20, 4, scale=3)}
    assert np.abs(outputs(model, data)["out0"].astype(int) - floats(graph, data)["out0"].astype(int)).max() <= 1


def test_a_relu_behind_a_quantize_node_rounds_a_second_time() -> None:
    """Fusing would remove the first rounding."""
    b = Builder()
    rng = np.random.default_rng(0)
    x = b.dequantize(b.input("x", 1, 8, dtype="int8"), 0.05, -3)
    weight, _ = held(b, rng, 8, 6, channels=False)
    first = b.rounded(b.dense(x, weight), 0.3, 5)
    graph = b.graph(b.quantize(b.node("nn.relu", first), 0.07, -128))
    model = sound(quantize_graph("m", graph, None, QuantizeOptions()))
    assert model.integer is not None
    assert [layer.op for layer in model.integer] == ["input", "dense"]  # the host's, as nothing follows
    b = Builder()
    x = b.dequantize(b.input("x", 1, 8, dtype="int8"), 0.05, -3)
    weight, _ = held(b, rng, 8, 6, channels=False)
    second = b.rounded(b.node("nn.relu", b.rounded(b.dense(x, weight), 0.3, 5)), 0.07, -128)
    last, _ = held(b, rng, 6, 3, channels=False)
    graph = b.graph(b.quantize(b.dense(second, last), 0.2, 0))
    model = sound(quantize_graph("m", graph, None, QuantizeOptions()))
    assert model.integer is not None
    assert [layer.op for layer in model.integer] == ["input", "dense", "requantize", "dense"]
    data = {"x": rng.integers(-128, 128, (64, 8)).astype(np.int8)}
    apart = np.abs(outputs(model, data)["out0"].astype(int) - floats(graph, data)["out0"].astype(int))
    assert apart.max() <= 2 and np.mean(apart != 0) < 0.05


@pytest.mark.parametrize("moved", [False, True])
def test_stored_integers_are_padded_with_an_integer(moved: bool) -> None:
    """The padding value of a tensor between quantize and dequantize is one of its integers, not a real number."""
    b = Builder()
    q = b.quantize(b.input("x", 1, 2, 3, 3), 0.02, -5)
    if moved:
        q = b.node("permute_dims", q, axes=(0, 1, 3, 2), dtype="int8")
    padded = b.node("nn.pad", q, pad_width=(0, 0, 0, 0, 1, 0, 2, 0), pad_value=-9.0, pad_mode="constant", dtype="int8")
    if moved:
        padded = b.node("permute_dims", padded, axes=(0, 1, 3, 2), dtype="int8")
    weight, _ = held(b, np.random.default_rng(0), 4, 2, 2, 2, channels=False)
    graph = b.graph(b.quantize(b.conv(b.dequantize(padded, 0.02, -5), weight), 0.05, 3))
    model = sound(quantize_graph("m", graph, None, QuantizeOptions()))
    data = {"x": normal(0, 8, 2, 3, 3)}
    assert np.abs(outputs(model, data)["out0"].astype(int) - floats(graph, data)["out0"].astype(int)).max() <= 1
