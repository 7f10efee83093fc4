"""Sums, products, pooling, tables, concatenation and movements against float, layer by layer."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.compiler.integer.layers import AvgPool2d, Conv2d, Table
from gatewright.compiler.quantize import QuantizeOptions, quantize_graph
from gatewright.compiler.quantize.parameters import Parameters
from tests.quantize.graphs import Builder, normal
from tests.quantize.run import floats, integers, sound

PROFILES = ("scaled", "fixed")


def steps_apart(builder: Builder, result: str, data: dict[str, np.ndarray], profile: str) -> np.ndarray:
    """|integer - float| of the tensor ``result`` in steps of its scale, the float graph fed the dequantized inputs.

    Calibrated with min-max, so that only rounding remains (and the clipping that profile ``fixed`` never does here).
    """
    graph = builder.graph(result)
    options = QuantizeOptions(profile=profile, calibration="minmax")  # type: ignore[arg-type]
    model = sound(quantize_graph("m", graph, data, options))
    assert model.integer is not None
    q = integers(model, data)
    real = {
        layer.name: ((q[layer.name].astype(np.float64) - layer.output.zero_point) * layer.output.scale).astype(
            np.float32
        )
        for layer in model.integer.inputs
    }
    kind = model.integer[result].output
    y = floats(graph, real)["out0"].astype(np.float64)
    inside = np.clip(y / kind.scale + kind.zero_point, kind.qmin, kind.qmax)
    return np.asarray(np.abs(q[result] - inside))


# A pool or sum that nothing follows would move nothing: a product behind it keeps movements in the integer graph.
def followed(builder: Builder, y: str) -> str:
    weight = normal(9, 2, builder.shapes[y][1], 1, 1)
    return builder.conv(y, weight)


@given(st.integers(0, 1 << 16), st.sampled_from(PROFILES), st.sampled_from(["add", "subtract", "multiply"]),
       st.booleans(), st.booleans())  # fmt: skip
def test_arithmetic(seed: int, profile: str, op: str, broadcast: bool, relu: bool) -> None:
    b = Builder()
    small = (1, 3, 1, 1) if broadcast else (1, 3, 4, 4)
    y = b.node(op, b.input("x", 1, 3, 4, 4), b.input("y", *small))
    if relu:
        y = b.node("nn.relu", y)
    data = {"x": normal(seed, 6, 3, 4, 4), "y": normal(seed + 1, 6, *small[1:], scale=3.0)}
    assert steps_apart(b, y, data, profile).max() <= 0.5 + 1e-3  # one rounding; multipliers are exact to 2**-31


@given(
    st.integers(0, 1 << 16), st.sampled_from(PROFILES), st.integers(1, 3), st.integers(1, 2), st.booleans(),
    st.booleans(), st.integers(0, 1),
)  # fmt: skip
def test_average_pooling(
    seed: int, profile: str, kernel: int, stride: int, count_pad: bool, ceil: bool, pad: int
) -> None:
    """Every padding and ceil mode; the divisor table is by position where it has to be."""
    pad = min(pad, kernel - 1)
    b = Builder()
    x = b.input("x", 1, 2, 6, 5)

    def size(length: int) -> int:
        span = length + 2 * pad - kernel
        whole = -(-span // stride) if ceil else span // stride
        # ONNX: a window must begin inside the input or its padding before it
        return whole if ceil and whole * stride >= length + pad else whole + 1

    shape = (1, 2, size(6), size(5))
    y = b.node(
        "nn.avg_pool2d", x, shape=shape, pool_size=(kernel, kernel), strides=(stride, stride), dilation=(1, 1),
        padding=(pad,) * 4, ceil_mode=ceil, count_include_pad=count_pad,
    )  # fmt: skip
    assert steps_apart(b, y, {"x": normal(seed, 4, 2, 6, 5)}, profile).max() <= 0.5 + 1e-3


def test_uniform_windows_share_one_divisor_and_border_windows_do_not() -> None:
    def table(pad: int) -> tuple[int, ...]:
        b = Builder()
        y = b.node(
            "nn.avg_pool2d", b.input("x", 1, 1, 4, 4), shape=(1, 1, 2 + 2 * pad, 2 + 2 * pad), pool_size=(3, 3),
            strides=(1, 1), dilation=(1, 1), padding=(pad,) * 4, ceil_mode=False, count_include_pad=False,
        )  # fmt: skip
        model = quantize_graph("m", b.graph(y), {"x": normal(0, 4, 1, 4, 4)}, QuantizeOptions())
        assert model.integer is not None
        layer = model.integer[y]
        assert isinstance(layer, AvgPool2d)
        return layer.multiplier.shape

    assert table(0) == (1, 1)
    assert table(1) == (4, 4)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("keepdims", [True, False])
def test_global_mean(profile: str, keepdims: bool) -> None:
    b = Builder()
    y = b.node("mean", b.input("x", 1, 3, 5, 7), axis=(2, 3), keepdims=keepdims)
    assert steps_apart(b, y, {"x": normal(0, 8, 3, 5, 7)}, profile).max() <= 0.5 + 1e-3


@given(st.integers(0, 1 << 16), st.sampled_from(PROFILES), st.integers(1, 3), st.integers(1, 2), st.integers(0, 1))
def test_max_pooling_moves_integers(seed: int, profile: str, kernel: int, stride: int, pad: int) -> None:
    pad = min(pad, kernel - 1)
    b = Builder()
    out = tuple((n + 2 * pad - kernel) // stride + 1 for n in (6, 5))
    y = b.node(
        "nn.max_pool2d", b.input("x", 1, 2, 6, 5), shape=(1, 2, *out), pool_size=(kernel, kernel),
        strides=(stride, stride), dilation=(1, 1), padding=(pad,) * 4, ceil_mode=False,
    )  # fmt: skip
    assert steps_apart(b, y, {"x": normal(seed, 4, 2, 6, 5)}, profile).max() <= 1e-3


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("op", "limit"), [("nn.max_pool1d", 0.0), ("nn.avg_pool1d", 0.5), ("mean", 0.5),
                                           ("nn.adaptive_avg_pool1d", 0.5)])  # fmt: skip
def test_pooling_over_one_dimension(op: str, limit: float, profile: str) -> None:
    b = Builder()
    x = b.input("x", 1, 3, 9)
    if op == "mean":
        y = b.node(op, x, axis=(2,), keepdims=False)
    elif op == "nn.adaptive_avg_pool1d":
        y = b.node(op, x, shape=(1, 3, 1), output_size=(1,))
    else:
        y = b.node(op, x, shape=(1, 3, 5), pool_size=(3,), strides=(2,), dilation=(1,), padding=(1, 1), ceil_mode=False,
                   count_include_pad=False)  # fmt: skip
    assert steps_apart(b, y, {"x": normal(0, 8, 3, 9)}, profile).max() <= limit + 1e-3


@pytest.mark.parametrize("profile", PROFILES)
def test_concatenation_shares_the_scale_of_operands_nobody_else_reads(profile: str) -> None:
    b = Builder()
    x = b.input("x", 1, 3, 4, 4)
    first = b.conv(x, normal(1, 2, 3, 1, 1), normal(2, 2))
    second = b.node("nn.relu", b.conv(x, normal(3, 5, 3, 1, 1, scale=4.0), normal(4, 5)))
    joined = b.node("concat", first, second, axis=1)
    y = followed(b, joined)
    data = {"x": normal(5, 16, 3, 4, 4)}
    model = sound(quantize_graph("m", b.graph(y), data, QuantizeOptions(profile=profile)))  # type: ignore[arg-type]
    assert model.integer is not None
    kinds = {(model.integer[n].output.scale, model.integer[n].output.zero_point) for n in (first, second, joined)}
    assert len(kinds) == 1
    q = integers(model, data)
    assert np.array_equal(q[joined], np.concatenate([q[first], q[second]], axis=1))


MOVEMENTS: dict[str, tuple[Callable[[Builder, str], str], str]] = {
    "reshape": (lambda b, x: b.node("reshape", x, shape=(1, 4, 6, 2)), "reshape"),
    "permute": (lambda b, x: b.node("permute_dims", x, axes=(0, 3, 1, 2)), "transpose"),
    "slice": (
        lambda b, x: b.node("strided_slice", x, axes=(2, 3), begin=(-1, 1), end=(-100, 3), strides=(-2, 1)),
        "slice",
    ),
    "pad": (
        lambda b, x: b.node("nn.pad", x, pad_width=(0, 0, 1, 2, 0, 0, 3, 0), pad_mode="constant", pad_value=0.5),
        "pad",
    ),
    "resize": (
        lambda b, x: b.node("image.resize2d", x, shape=(1, 2, 8, 9), method="nearest_neighbor", layout="NCHW",
                            coordinate_transformation_mode="asymmetric", rounding_method="floor"),
        "resize",
    ),
}  # fmt: skip


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", MOVEMENTS)
def test_movements_keep_the_integers(name: str, profile: str) -> None:
    """The moved tensor is the float operator applied to the integers (a padded 0.5 is rounded to the grid)."""
    move, op = MOVEMENTS[name]
    b = Builder()
    x = b.conv(b.input("x", 1, 2, 4, 6), normal(0, 2, 2, 1, 1))
    moved = move(b, x)
    y = followed(b, moved)
    data = {"x": normal(1, 8, 2, 4, 6)}
    model = sound(quantize_graph("m", b.graph(y), data, QuantizeOptions(profile=profile)))  # type: ignore[arg-type]
    assert model.integer is not None
    layer = model.integer[moved]
    assert layer.op == op
    q, kind = integers(model, data), layer.output
    node = next(n for n in b.nodes if n.name == moved)
    from gatewright.compiler.floatgraph.operators import OPERATORS

    real = OPERATORS[node.op](node, (q[x].astype(np.float64) - kind.zero_point) * kind.scale)
    assert np.abs((q[moved].astype(np.float64) - kind.zero_point) * kind.scale - real).max() <= kind.scale / 2 + 1e-6


@pytest.mark.parametrize("profile", PROFILES)
def test_a_padding_value_beyond_the_tensor_is_representable(profile: str) -> None:
    b = Builder()
    x = b.conv(b.input("x", 1, 2, 4, 4), normal(0, 2, 2, 1, 1))
    padded = b.node("nn.pad", x, pad_width=(0, 0, 0, 0, 1, 1, 1, 1), pad_mode="constant", pad_value=20.0)
    data = {"x": normal(1, 8, 2, 4, 4)}
    graph = b.graph(followed(b, padded))
    model = sound(quantize_graph("m", graph, data, QuantizeOptions(profile=profile)))  # type: ignore[arg-type]
    assert model.integer is not None
    q, kind = integers(model, data)[padded], model.integer[padded].output
    assert abs((int(q[0, 0, 0, 0]) - kind.zero_point) * kind.scale - 20.0) <= kind.scale / 2


FUNCTIONS = ("sigmoid", "tanh", "exp", "nn.gelu", "nn.silu", "abs", "square")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("op", FUNCTIONS)
def test_a_function_is_one_table(op: str, profile: str) -> None:
    b = Builder()
    x = b.conv(b.input("x", 1, 2, 4, 4), normal(0, 2, 2, 1, 1))
    half = b.node("multiply", b.node(op, x), b.constant(0.5))
    y = followed(b, half)
    data = {"x": normal(1, 8, 2, 4, 4)}
    model = sound(quantize_graph("m", b.graph(y), data, QuantizeOptions(profile=profile)))  # type: ignore[arg-type]
    assert model.integer is not None
    layer = model.integer[half]
    assert isinstance(layer, Table)
    assert layer.function == f"{op.removeprefix('nn.')}+multiply"
    before, after = (Parameters(k.bits, k.signed, k.scale, k.zero_point) for k in
                     (model.integer[x].output, layer.output))  # fmt: skip
    every = np.arange(before.limits[0], before.limits[1] + 1)
    node = next(n for n in b.nodes if n.op == op)
    from gatewright.compiler.floatgraph.operators import OPERATORS

    real = OPERATORS[op](node, before.dequantize(every)) * np.float32(0.5)
    assert np.array_equal(layer.table, after.quantize(real))


def test_a_function_that_reads_its_argument_twice_is_one_table() -> None:
    """hard-swish spelled out: x * clip(x / 6 + 0.5, 0, 1)."""
    b = Builder()
    x = b.conv(b.input("x", 1, 2, 4, 4), normal(0, 2, 2, 1, 1, scale=4.0))
    gate = b.node("clip", b.node("add", b.node("divide", x, b.constant(6.0)), b.constant(0.5)), min=0.0, max=1.0)
    y = followed(b, b.node("multiply", x, gate))
    model = sound(quantize_graph("m", b.graph(y), {"x": normal(1, 8, 2, 4, 4)}, QuantizeOptions()))
    assert model.integer is not None
    assert [layer.op for layer in model.integer] == ["input", "conv2d", "table", "conv2d"]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("shape", "constant", "ops"), [
    ((1, 3, 4, 4), (1, 3, 1, 1), ["conv2d"]),
    ((1, 6), (6,), ["reshape", "conv2d", "reshape"]),
    ((1, 3, 2, 2), (3, 2, 2), ["reshape", "conv2d", "reshape"]),
])  # fmt: skip
def test_unfoldable_factors_and_offsets_are_a_depthwise_convolution(
    profile: str, shape: tuple[int, ...], constant: tuple[int, ...], ops: list[str]
) -> None:
    b = Builder()
    factor = b.constant(np.abs(normal(0, *constant)) + 0.1)
    y = b.node("multiply", b.input("x", *shape), factor)
    shifted = b.node("add", y, b.input("z", *shape))
    data = {"x": normal(2, 16, *shape[1:]), "z": normal(3, 16, *shape[1:])}
    model = sound(quantize_graph("m", b.graph(shifted), data, QuantizeOptions(profile=profile)))  # type: ignore[arg-type]
    assert model.integer is not None
    assert [layer.op for layer in model.integer][2:-1] == ops
    assert next(layer for layer in model.integer if isinstance(layer, Conv2d)).weight.shape[1:] == (1, 1, 1)
    kind, q = model.integer[shifted].output, integers(model, data)[shifted]
    real = floats(b.graph(shifted), data)["out0"]
    noise = np.mean(((q.astype(np.float64) - kind.zero_point) * kind.scale - real) ** 2)
    assert noise < 2e-3 * np.mean(real**2)  # 27 dB; 8 bits with clipping give 30 to 40
    assert kind.shape == shape


def test_a_lone_relu_is_a_requantization_with_a_clamp() -> None:
    """The tensor in front of it has another reader, so it cannot be fused."""
    b = Builder()
    x = b.conv(b.input("x", 1, 2, 4, 4), normal(0, 2, 2, 1, 1))
    relu = b.node("nn.relu", x)
    y = b.node("add", x, b.conv(relu, normal(1, 2, 2, 1, 1)))
    data = {"x": normal(2, 8, 2, 4, 4)}
    model = sound(quantize_graph("m", b.graph(y), data, QuantizeOptions()))
    assert model.integer is not None
    assert model.integer[relu].op == "requantize"
    q, kind = integers(model, data), model.integer[relu].output
    assert kind.zero_point == 0 and not kind.signed and q[relu].min() == 0


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("op", ["add", "subtract", "from", "divide"])
def test_constants_by_channel_are_added_subtracted_and_divided(op: str, profile: str) -> None:
    b = Builder()
    x, constant = b.input("x", 1, 3, 4, 4), b.constant(np.array([0.5, -1.5, 2.0]).reshape(1, 3, 1, 1))
    y = b.node("subtract", constant, x) if op == "from" else b.node(op, x, constant)
    total = b.node("add", y, b.input("z", 1, 3, 4, 4))
    data = {"x": normal(0, 16, 3, 4, 4), "z": normal(1, 16, 3, 4, 4)}
    model = sound(quantize_graph("m", b.graph(total), data, QuantizeOptions(profile=profile)))  # type: ignore[arg-type]
    assert model.integer is not None
    q, kind = integers(model, data)[total], model.integer[total].output
    real = floats(b.graph(total), data)["out0"]
    noise = np.mean(((q.astype(np.float64) - kind.zero_point) * kind.scale - real) ** 2)
    assert noise < 2e-3 * np.mean(real**2)


@pytest.mark.parametrize("shape", [(1, 5), (1, 4, 6), (2, 3, 4, 5), (1, 2, 3, 4, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_a_mean_over_any_axes_but_the_batch(shape: tuple[int, ...], keepdims: bool) -> None:
    for count in range(1, len(shape)):
        for axes in itertools.combinations(range(1, len(shape)), count):
            b = Builder()
            y = b.node("mean", b.input("x", *shape), axis=axes, keepdims=keepdims)
            data = {"x": normal(sum(axes), 6 * shape[0], *shape[1:])}
            assert steps_apart(b, y, data, "scaled").max() <= 0.5 + 1e-3  # one rounding
