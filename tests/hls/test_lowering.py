"""What the lowering makes of graphs: layouts that vanish, exact types, native requantization. No compiler needed."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

from gatewright.compiler.integer.graph import IntegerGraph, Profile
from gatewright.compiler.integer.layers import Add, Conv2d, Dense, Input, Layer, Requantize
from gatewright.compiler.integer.reference import Reference
from gatewright.compiler.integer.semantics import Interval
from gatewright.compiler.integer.tensor import TensorType
from gatewright.hls.check import PLACED, check_graph
from gatewright.hls.exact import exact_type, saturating_type, type_width, weight_type
from gatewright.hls.lowering.driver import HANDLERS, Design, design
from gatewright.hls.reuse import closest_reuse_factor, legal_reuse_factors
from tests.hls.graphs import fixed_graph, serial_graph, small_graph, zoo_graph
from tests.strategies import integer_graphs, random_inputs


def classes(made: Design) -> Counter[str]:
    return Counter(layer["class_name"] for layer in made.builder.layers)


def test_every_operator_is_placed() -> None:
    assert {*HANDLERS, "input"} == set(PLACED)


def test_nhwc_border_and_flatten_cost_nothing() -> None:
    """The transpose becomes the order of the port, the flatten the order of the dense layer's columns."""
    made = design(small_graph(), [], "io_parallel")
    assert classes(made)["GatewrightGather"] == classes(made)["GatewrightRepack"] == 0
    (port,) = made.inputs
    np.testing.assert_array_equal(port.wire.index, np.arange(4 * 4 * 2))  # (H, W, C) as the model gives it


def test_no_stream_has_more_readers_than_hls4ml_clones() -> None:
    made = design(zoo_graph(), [], "io_stream")
    readers = Counter(name for layer in made.builder.layers for name in layer.get("inputs", []))
    readers.update(port.wire.name for port in made.outputs)
    assert max(readers.values()) == 7


_SERIAL = ("GatewrightConvolution", "GatewrightDepthwise", "GatewrightPointwise")


def unfolded(graph: IntegerGraph) -> list[dict[str, object]]:
    """Rows that leave every layer to hls4ml's kernels."""
    return [{"layer": layer.name, "strategy": "latency", "reuse_factor": 1} for layer in graph]


def test_profile_fixed_is_native_where_the_conversion_is_ours() -> None:
    made = design(fixed_graph(), unfolded(fixed_graph()), "io_stream")
    names = {layer["name"]: layer["class_name"] for layer in made.builder.layers}
    result = {name: made.builder.config[name]["Precision"]["result"] for name in names}
    assert "AP_RND,AP_SAT>" in result["relu"] and result["relu"].startswith("ap_ufixed<7,")
    assert "AP_SAT_SYM" in result["symmetric"]
    assert names["by_channel"] == "Conv2D"  # shifts by channel: weights on one binary point
    assert type_width(made.builder.config["by_channel"]["Precision"]["weight"]) == 8 + 3
    assert names["relu6"] == "GatewrightRequantize"  # 96 is no bound of AP_SAT
    assert names["far_apart"] == "GatewrightRequantize"  # 20-bit weights


@pytest.mark.parametrize("profile", ["scaled", "fixed"])
def test_serial_kernels_do_a_layer_each(profile: Profile) -> None:
    """One of our kernels a layer, requantization included; a factor they do not know becomes the nearest."""
    graph = serial_graph(profile)
    rows = [{"layer": layer.name, "strategy": "serial", "reuse_factor": 4} for layer in graph]
    made = design(graph, rows, "io_stream")
    convolutions = sum(isinstance(layer, Conv2d | Dense) for layer in graph)
    found = classes(made)
    assert sum(found[kind] for kind in _SERIAL) == convolutions
    assert found["GatewrightAverage"] == 1 and found["GatewrightRequantize"] == found["Conv2D"] == 0
    by_name = {layer["name"]: layer["constants"] for layer in made.builder.layers if "constants" in layer}
    assert made.builder.config["plain"]["ReuseFactor"] == 3  # of 1, 2, 3 and 6 channels
    assert (by_name["mix"]["parallel_in"], by_name["mix"]["parallel_out"]) == (6, 3)  # 9 outputs, 3 a cycle
    for layer in made.builder.layers:
        if layer["class_name"] == "GatewrightDepthwise":
            assert layer["constants"]["n_chan"] % made.builder.config[layer["name"]]["ReuseFactor"] == 0
    # folded, depthwise and 1x1 are serial, others hls4ml's
    folded = classes(design(graph, [], "io_stream"))
    assert folded["GatewrightConvolution"] == 0 < folded["Conv2D"]
    assert folded["GatewrightDepthwise"] + folded["GatewrightPointwise"] + folded["Conv2D"] == convolutions
    # arrays, and layers left to hls4ml, know no serial kernel
    for made in (design(graph, rows, "io_parallel"), design(graph, unfolded(graph), "io_stream")):
        assert not set(_SERIAL) & set(classes(made))


@pytest.mark.parametrize("layer", ["relu6_acc", "linear"])
def test_accumulators_are_as_wide_as_proven(layer: str) -> None:
    made = design(fixed_graph(), unfolded(fixed_graph()), "io_stream")
    accum = made.builder.config[layer]["Precision"]["accum"]
    assert type_width(accum) == made.builder.proofs[layer.removesuffix("_acc")].accumulator.bits


@settings(max_examples=15)
@given(integer_graphs(layers=8, batch=1))
def test_every_value_fits_its_wire(graph: IntegerGraph) -> None:
    """Random graphs: the wire of every tensor holds every centred value the reference computes, once each."""
    made = design(graph, [], "io_stream")

    def inside(layer: Layer, array: np.ndarray) -> None:
        wire = made.builder.wires.get(layer.name)
        if wire is None:
            return  # reaches no output
        centred = array.astype(np.int64) - (0 if isinstance(layer, Input) else layer.output.zero_point)
        if isinstance(layer, Input) and wire.interval.low != layer.output.qmin:
            centred -= layer.output.zero_point
        assert wire.interval.low <= centred.min() and centred.max() <= wire.interval.high, layer.name
        np.testing.assert_array_equal(np.sort(wire.index), np.arange(wire.index.size))

    Reference(graph).run(random_inputs(graph), observe=inside)


@pytest.mark.parametrize(
    ("low", "high", "fraction", "kind"),
    [
        (0, 255, None, "ap_uint<8>"),
        (-1, 255, None, "ap_int<9>"),
        (-128, 127, None, "ap_int<8>"),
        (0, 0, None, "ap_uint<1>"),
        (-128, 127, 3, "ap_fixed<8,5>"),
        (0, 96, -2, "ap_ufixed<7,9>"),
    ],
)
def test_exact_types(low: int, high: int, fraction: int | None, kind: str) -> None:
    assert exact_type(Interval(low, high), fraction) == kind


def test_two_bit_weights_are_not_ternary() -> None:
    assert weight_type(Interval(-2, 1)) == "ap_int<3>"


@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [
        (0, 127, "ap_ufixed<7,4,AP_RND,AP_SAT>"),
        (-128, 127, "ap_fixed<8,5,AP_RND,AP_SAT>"),
        (-127, 127, "ap_fixed<8,5,AP_RND,AP_SAT_SYM>"),
        (0, 96, None),
        (-100, 127, None),
        (0, 0, None),
    ],
)
def test_saturating_types(low: int, high: int, kind: str | None) -> None:
    assert saturating_type(Interval(low, high), 3) == kind


def test_reuse_factors_are_those_hls4ml_accepts() -> None:
    from hls4ml.backends import get_backend

    vitis = get_backend("Vitis")
    for n_in, n_out in ((1, 3), (8, 11), (27, 8), (30, 12), (64, 10)):
        legal = legal_reuse_factors(n_in, n_out)
        assert list(legal) == vitis.get_valid_reuse_factors(n_in, n_out)
        for wanted in range(1, n_in * n_out + 2):
            assert closest_reuse_factor(n_in, n_out, wanted) == vitis.get_closest_reuse_factor(list(legal), wanted)
    assert closest_reuse_factor(1, 3, 3, limit=1) == 1


def test_all_findings_at_once() -> None:
    kind = TensorType((2, 4))
    layers = [
        Input("a", (), kind),
        Input("b", (), kind),
        Add("sum", ("a", "b"), kind, np.array([1 << 30, 1 << 30]), 31, (-128, 127)),
    ]
    findings = check_graph(IntegerGraph(layers, ["sum"]), backend="VivadoAccelerator")
    assert [place for place, _, _ in findings] == ["a", "b", "a"]
    assert "--input-shape a:[1,...]" in findings[0][2]
    assert check_graph(small_graph(), backend="VivadoAccelerator") == []


def test_names_are_identifiers_and_unique() -> None:
    kind = TensorType((1, 4))
    names = ["a b", "a_b", "A:B", "1", "input", "for", "x_bias", "x_weight", "x"]
    layers: list[Layer] = [Input(names[0], (), kind)]
    layers += [Requantize(name, (before,), kind, 1 << 30, 30, (-128, 127)) for before, name in pairwise(names)]
    made = [layer["name"] for layer in design(IntegerGraph(layers, ["x"]), [], "io_stream").builder.layers]
    assert all(name.isidentifier() for name in made)
    assert len({name.lower() for name in made}) == len(made)
    assert not {"input", "for", "x_bias", "x_weight"} & set(made)


def test_checking_and_lowering_import_no_tvm_and_checking_no_hls4ml() -> None:
    code = (
        "import sys, gatewright.hls, gatewright.hls.check, gatewright.hls.csim, gatewright.hls.reuse\n"
        "assert 'hls4ml' not in sys.modules\n"
        "import gatewright.hls.project, gatewright.hls.lowering.driver\n"
        "gatewright.hls.lowering.driver.register()\n"
        "assert not {'tvm', 'onnx', 'pyosys'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_requantization_drops_common_powers_of_two() -> None:
    """A power-of-two multiplier becomes 1: a shift."""
    kind = TensorType((1, 4))
    graph = IntegerGraph([Input("x", (), kind), Requantize("y", ("x",), kind, 1 << 30, 33, (-128, 127))], ["y"])
    made = design(graph, [], "io_stream")
    constants = made.builder.layers[-1]["constants"]
    assert (constants["multiplier"], constants["shift"]) == (1, 3)
    same = replace(graph["y"], multiplier=(1 << 30) + 2)  # type: ignore[call-arg]  # a Requantize
    made = design(IntegerGraph([graph["x"], same], ["y"]), [], "io_stream")
    constants = made.builder.layers[-1]["constants"]
    assert (constants["multiplier"], constants["shift"]) == ((1 << 29) + 1, 32)
