"""Where the integer graph ends: host tails, what may not stand in front of a convolution, several outputs."""

from __future__ import annotations

import numpy as np
import pytest

from gatewright.compiler.errors import QuantizeError
from gatewright.compiler.quantize import QuantizeOptions, quantize_graph
from tests.quantize.graphs import Builder, normal
from tests.quantize.run import floats, integers, outputs, sound


def test_functions_and_movements_at_the_end_are_the_hosts() -> None:
    """conv -> add (stays) -> transpose -> reshape -> sigmoid (all three on the host, in float)."""
    b = Builder()
    x = b.input("x", 1, 2, 4, 4)
    total = b.node("add", b.conv(x, normal(0, 2, 2, 1, 1)), x)
    y = b.node("sigmoid", b.node("reshape", b.node("permute_dims", total, axes=(0, 2, 3, 1)), shape=(1, 16, 2)))
    data = {"x": normal(1, 8, 2, 4, 4)}
    model = sound(quantize_graph("m", b.graph(y), data, QuantizeOptions()))
    assert model.integer is not None and model.tail is not None
    assert [layer.op for layer in model.integer] == ["input", "conv2d", "add"]
    assert [node.op for node in model.tail.nodes] == ["dequantize", "permute_dims", "reshape", "sigmoid"]
    assert model.integer.outputs == (total,)
    assert np.abs(outputs(model, data)["out0"] - floats(b.graph(y), data)["out0"]).max() < 0.05


def test_decoding_of_boxes_is_the_hosts() -> None:
    """Sums and products of functions alone: centre - size / 2 with size = exp(w) * prior."""
    b = Builder()
    raw = b.conv(b.input("x", 1, 2, 4, 4), normal(0, 4, 2, 1, 1))
    boxes = b.node("reshape", raw, shape=(1, 16, 4))
    where = b.node("strided_slice", boxes, axes=(2,), begin=(0,), end=(2,), strides=(1,))
    size = b.node("exp", b.node("strided_slice", boxes, axes=(2,), begin=(2,), end=(4,), strides=(1,)))
    priors = b.constant(np.abs(normal(1, 1, 16, 2)) + 0.5)
    size = b.node("multiply", size, priors)
    centre = b.node("multiply", where, priors)
    low = b.node("subtract", centre, b.node("multiply", size, b.constant(0.5)))
    y = b.node("concat", low, b.node("add", low, size), axis=2)
    data = {"x": normal(2, 8, 2, 4, 4)}
    model = sound(quantize_graph("m", b.graph(y), data, QuantizeOptions()))
    assert model.integer is not None
    assert [layer.op for layer in model.integer] == ["input", "conv2d"]
    ours, real = outputs(model, data)["out0"], floats(b.graph(y), data)["out0"]
    assert np.sqrt(np.mean((ours - real) ** 2)) < 0.05 * np.sqrt(np.mean(real**2))


def test_a_table_followed_by_a_convolution_is_integer() -> None:
    b = Builder()
    x = b.conv(b.input("x", 1, 2, 4, 4), normal(0, 2, 2, 1, 1))
    y = b.conv(b.node("sigmoid", x), normal(1, 2, 2, 1, 1))
    model = sound(quantize_graph("m", b.graph(y), {"x": normal(2, 4, 2, 4, 4)}, QuantizeOptions()))
    assert model.integer is not None and model.tail is not None
    assert [layer.op for layer in model.integer] == ["input", "conv2d", "table", "conv2d"]
    assert [node.op for node in model.tail.nodes] == ["dequantize"]


def test_a_product_behind_an_operator_without_integer_semantics_is_refused() -> None:
    b = Builder()
    soft = b.node("nn.softmax", b.dense(b.input("x", 1, 6), normal(0, 6, 4)), axis=-1)
    y = b.dense(soft, normal(1, 4, 2))
    with pytest.raises(QuantizeError) as caught:
        quantize_graph("m", b.graph(y), {"x": normal(2, 4, 6)}, QuantizeOptions())
    assert (caught.value.code, caught.value.place) == ("GW3302", soft)
    assert "nn.softmax" in caught.value.reason and y in caught.value.reason


def test_all_causes_of_a_refusal_come_at_once() -> None:
    b = Builder()
    x = b.input("x", 1, 6)
    causes = [b.node("nn.softmax", b.dense(x, normal(i, 6, 4)), axis=-1) for i in range(2)]
    y = b.node("add", *(b.dense(cause, normal(3, 4, 2)) for cause in causes))
    with pytest.raises(QuantizeError) as caught:
        quantize_graph("m", b.graph(y), {"x": normal(2, 4, 6)}, QuantizeOptions())
    assert caught.value.code == "GW3302"
    assert [finding.place for finding in caught.value.findings] == causes


def test_several_outputs_with_a_shared_tensor_and_an_output_in_the_middle() -> None:
    b = Builder()
    trunk = b.node("nn.relu", b.conv(b.input("x", 1, 3, 6, 6), normal(0, 4, 3, 3, 3), normal(1, 4)))
    scores = b.node("nn.softmax", b.node("reshape", b.conv(trunk, normal(2, 2, 4, 1, 1)), shape=(1, 2, 16)), axis=1)
    boxes = b.conv(trunk, normal(3, 4, 4, 1, 1))
    graph = b.graph(scores, boxes, trunk, names=("scores", "boxes", "trunk"))
    data = {"x": normal(4, 16, 3, 6, 6)}
    model = sound(quantize_graph("m", graph, data, QuantizeOptions()))
    assert model.integer is not None and model.tail is not None
    assert len(model.integer.outputs) == 3
    ours, real = outputs(model, data), floats(graph, data)
    assert list(ours) == ["scores", "boxes", "trunk"]
    for name, array in real.items():
        assert ours[name].dtype == np.float32
        assert np.sqrt(np.mean((ours[name] - array) ** 2)) < 0.03 * np.sqrt(np.mean(array**2)) + 1e-3


def test_one_tensor_as_two_outputs() -> None:
    b = Builder()
    y = b.dense(b.input("x", 1, 4), normal(0, 4, 3))
    graph = b.graph(y, y, names=("a", "b"))
    data = {"x": normal(1, 8, 4)}
    model = sound(quantize_graph("m", graph, data, QuantizeOptions()))
    ours = outputs(model, data)
    assert np.array_equal(ours["a"], ours["b"])
    assert model.integer is not None and len(model.integer.outputs) == 1


def test_a_function_of_a_wide_tensor_has_no_table() -> None:
    b = Builder()
    x = b.conv(b.input("x", 1, 2, 4, 4), normal(0, 2, 2, 1, 1))
    table = b.node("tanh", x)
    y = b.conv(table, normal(1, 2, 2, 1, 1))
    with pytest.raises(QuantizeError) as caught:
        quantize_graph("m", b.graph(y), {"x": normal(2, 4, 2, 4, 4)}, QuantizeOptions(activation_bits=12))
    assert (caught.value.code, caught.value.place) == ("GW3304", table)


def test_sixteen_bit_activations_are_far_closer_than_eight() -> None:
    b = Builder()
    y = b.conv(b.node("nn.relu", b.conv(b.input("x", 1, 2, 5, 5), normal(0, 4, 2, 3, 3))), normal(1, 2, 4, 1, 1))
    data = {"x": normal(2, 16, 2, 5, 5)}

    def error(bits: int) -> float:
        options = QuantizeOptions(activation_bits=bits, multiplier_bits=20)
        model = sound(quantize_graph("m", b.graph(y), data, options))
        return float(np.mean((outputs(model, data)["out0"] - floats(b.graph(y), data)["out0"]) ** 2))

    assert error(16) < error(8) / 2  # the 8-bit weights' own error remains


@pytest.mark.parametrize("profile", ["scaled", "fixed"])
def test_two_runs_make_the_same_bytes(profile: str) -> None:
    b = Builder()
    trunk = b.node("nn.relu", b.conv(b.input("x", 1, 3, 6, 6), normal(0, 4, 3, 3, 3), normal(1, 4)))
    y = b.conv(b.node("sigmoid", trunk), normal(2, 2, 4, 1, 1))
    data = {"x": normal(3, 16, 3, 6, 6)}
    options = QuantizeOptions(profile=profile, equalize=True)  # type: ignore[arg-type]
    first, second = (quantize_graph("m", b.graph(y), data, options) for _ in range(2))
    assert first.integer is not None and second.integer is not None
    assert first.integer.digest() == second.integer.digest()
    assert first.facts == second.facts


def test_the_layer_table_tells_ranges_noise_saturation_and_accumulator_widths() -> None:
    b = Builder()
    x = b.input("x", 1, 2, 4, 4)
    y = b.conv(x, normal(0, 2, 2, 3, 3), normal(1, 2))
    data = {"x": normal(2, 64, 2, 4, 4)}
    model = quantize_graph("m", b.graph(y), data, QuantizeOptions())
    rows = {row["layer"]: row for row in model.facts["layers"]}  # type: ignore[attr-defined]
    real = floats(b.graph(y), data)["out0"]
    assert rows[y]["op"] == "conv2d"
    assert (rows[y]["min"], rows[y]["max"]) == (float(real.min()), float(real.max()))
    assert 30 < rows[y]["sqnr_db"] < 60
    assert 0 <= rows[y]["saturated"] < 0.05
    assert 15 <= rows[y]["accumulator_bits"] <= 21
    assert rows["x"]["accumulator_bits"] is None
    assert integers(model, data)[y].dtype == np.int8


def test_an_input_too_wide_for_an_integer_tensor_is_named() -> None:
    b = Builder()
    y = b.node(
        "add",
        b.node("astype", b.input("ids", 1, 4, dtype="int64"), shape=(1, 4)),
        b.dense(b.input("x", 1, 6), normal(0, 6, 4)),
    )
    data = {"x": normal(2, 4, 6), "ids": np.zeros((4, 4), np.int64)}
    with pytest.raises(QuantizeError) as caught:
        quantize_graph("m", b.graph(y), data, QuantizeOptions())
    assert (caught.value.code, caught.value.place) == ("GW3307", "ids")


def test_integers_that_only_the_host_reads_enter_as_they_are() -> None:
    b = Builder()
    moved = b.node("permute_dims", b.input("flags", 1, 4, 3, dtype="uint8"), axes=(0, 2, 1), dtype="uint8")
    mask = b.node("nn.softmax", b.node("astype", moved, shape=(1, 3, 4)), axis=-1)
    y = b.node("multiply", mask, b.node("reshape", b.dense(b.input("x", 1, 6), normal(0, 6, 12)), shape=(1, 3, 4)))
    data = {"x": normal(2, 4, 6), "flags": np.random.default_rng(0).integers(0, 4, (4, 4, 3)).astype(np.uint8)}
    graph = b.graph(y)
    model = sound(quantize_graph("m", graph, data, QuantizeOptions()))
    assert model.integer is not None
    assert model.integer["flags"].output.code == "u8"
    ours, real = outputs(model, data)["out0"], floats(graph, data)["out0"]
    assert np.abs(ours - real).max() < 0.05
