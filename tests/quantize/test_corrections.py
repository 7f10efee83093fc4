"""Cross-layer equalization, bias correction, and quantizers that a model spells out."""

from __future__ import annotations

import numpy as np
import pytest

from gatewright.compiler.quantize import QuantizeOptions, quantize_graph
from gatewright.compiler.quantize.equalize import equalize
from tests.quantize.graphs import Builder, normal
from tests.quantize.run import floats, integers, outputs, sound


def uneven(depthwise: bool = False) -> tuple[Builder, str]:
    """Two layers with output channels of very different ranges."""
    b = Builder()
    ranges = np.logspace(-3, 1, 8).reshape(8, 1, 1, 1)
    y = b.node(
        "nn.relu", b.conv(b.input("x", 1, 4, 5, 5), normal(0, 8, 4, 1, 1) * ranges, normal(1, 8) * ranges.ravel())
    )
    if depthwise:
        y = b.node("nn.relu", b.conv(y, normal(2, 8, 1, 3, 3), normal(3, 8), groups=8))
    return b, b.conv(y, normal(4, 6, 8, 1, 1) / ranges.reshape(1, 8, 1, 1))


@pytest.mark.parametrize("depthwise", [False, True])
def test_equalization_keeps_the_function_and_evens_the_ranges(depthwise: bool) -> None:
    b, y = uneven(depthwise)
    graph = b.graph(y)
    data = {"x": normal(5, 4, 4, 5, 5)}
    equal = equalize(graph)
    before, after = floats(graph, data)["out0"], floats(equal, data)["out0"]
    # Every product is scaled up and down again in float32: a few units of the last place of the largest term.
    assert np.abs(after - before).max() <= 1e-4 * np.abs(before).max()

    def spread(constants: object) -> float:
        first = next(node.inputs[1] for node in graph.nodes if node.op == "nn.conv2d")
        w = np.abs(constants[first]).max(axis=(1, 2, 3))  # type: ignore[index]
        return float(w.max() / w.min())

    assert spread(equal.constants) < spread(graph.constants) / 10
    assert np.array_equal(graph.constants["c0"], b.constants["c0"])  # the source is untouched


def test_equalization_helps_weights_per_tensor() -> None:
    b, y = uneven()
    data = {"x": normal(5, 64, 4, 5, 5)}
    real = floats(b.graph(y), data)["out0"]

    def error(on: bool) -> float:
        options = QuantizeOptions(weights="per_tensor", equalize=on, bias_correction=False)
        return float(np.mean((outputs(quantize_graph("m", b.graph(y), data, options), data)["out0"] - real) ** 2))

    assert error(True) < error(False) / 2


def test_equalization_stops_at_a_clip_and_at_a_second_reader() -> None:
    b = Builder()
    first = b.node("clip", b.conv(b.input("x", 1, 2, 4, 4), normal(0, 3, 2, 1, 1)), min=0.0, max=6.0)
    second = b.node("nn.relu", b.conv(first, normal(1, 3, 3, 1, 1)))
    y = b.node("add", second, b.conv(second, normal(2, 3, 3, 1, 1)))
    graph = b.graph(y)
    equal = equalize(graph)
    assert all(np.array_equal(equal.constants[name], array) for name, array in graph.constants.items())


def test_bias_correction_restores_channel_means() -> None:
    """Four-bit weights on a positive input: rounding shifts the mean of every channel."""
    b = Builder()
    y = b.node("nn.relu", b.conv(b.input("x", 1, 4, 6, 6), normal(0, 8, 4, 3, 3), normal(1, 8)))
    y = b.conv(y, normal(2, 6, 8, 1, 1))
    data = {"x": np.abs(normal(3, 128, 4, 6, 6)) + 1}
    real = floats(b.graph(y), data)["out0"].mean(axis=(0, 2, 3))

    def shift(on: bool) -> float:
        options = QuantizeOptions(weight_bits=4, bias_correction=on)
        ours = outputs(sound(quantize_graph("m", b.graph(y), data, options)), data)["out0"]
        return float(np.abs(ours.mean(axis=(0, 2, 3)) - real).max())

    assert shift(True) < shift(False) / 10


def spelled_out(scale: float, low: float, high: float, gain: float = 1.0) -> tuple[Builder, str, str]:
    """dense -> clip -> * 1/s -> round -> * s * gain -> dense, as QKeras exports write a quantized activation."""
    b = Builder()
    x = b.node("clip", b.dense(b.input("x", 1, 6), normal(0, 6, 5)), min=low, max=high)
    x = b.node("round", b.node("multiply", x, b.constant(1 / scale)))
    grid = b.node("multiply", x, b.constant(scale * gain))
    return b, grid, b.dense(grid, normal(1, 5, 3))


@pytest.mark.parametrize(
    ("scale", "low", "high", "gain", "code"),
    [(0.25, 0.0, 1.75, 1.0, "u3"), (0.125, -1.0, 0.875, 1.0, "i4"), (0.25, 0.0, 1.75, 4.0, "u3")],
)
@pytest.mark.parametrize("profile", ["scaled", "fixed"])
def test_a_quantizer_in_the_model_is_the_grid_of_the_layer(
    scale: float, low: float, high: float, gain: float, code: str, profile: str
) -> None:
    b, grid, y = spelled_out(scale, low, high, gain)
    data = {"x": normal(2, 200, 6)}
    model = sound(quantize_graph("m", b.graph(y), data, QuantizeOptions(profile=profile)))  # type: ignore[arg-type]
    assert model.integer is not None
    assert [layer.op for layer in model.integer] == ["input", "dense", "dense"]
    kind = model.integer[grid].output
    assert (kind.code, kind.scale, kind.zero_point) == (code, scale * gain, 0)
    real = floats(b.graph(grid), data)["out0"]
    apart = np.abs(integers(model, data)[grid] * kind.scale - real)
    assert np.mean(apart > 1e-6) < 0.1  # only where the 8-bit operands fall on the other side of a step


def test_a_quantizer_whose_step_is_no_power_of_two_is_a_table_in_profile_fixed() -> None:
    b, grid, y = spelled_out(0.3, 0.0, 2.1)
    data = {"x": normal(2, 200, 6)}
    ops = {}
    for profile in ("scaled", "fixed"):
        model = sound(quantize_graph("m", b.graph(y), data, QuantizeOptions(profile=profile)))
        assert model.integer is not None
        ops[profile] = model.integer[grid].op
    assert ops == {"scaled": "dense", "fixed": "table"}


def test_rounding_without_a_bound_is_no_quantizer() -> None:
    """A ReLU bounds below only: the tensor could take any number of steps."""
    b = Builder()
    x = b.node("nn.relu", b.dense(b.input("x", 1, 6), normal(0, 6, 5)))
    y = b.dense(b.node("round", x), normal(1, 5, 3))
    model = sound(quantize_graph("m", b.graph(y), {"x": normal(2, 64, 6)}, QuantizeOptions()))
    assert model.integer is not None
    assert [layer.op for layer in model.integer] == ["input", "dense", "table", "dense"]
