"""Proofs (Yosys and ABC) instead of examples: products, and a whole layer, for every input.

Every claim is also made about something broken, and has to be refuted there.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gatewright.compiler.integer.graph import IntegerGraph, Profile
from gatewright.compiler.integer.layers import Dense, Input
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.integer.verifier import verify
from gatewright.hls.lattice.lowering import lower
from gatewright.hls.lattice.verilog import write_network
from gatewright.schedules.stream.devices import FABRICS
from gatewright.schedules.stream.hardware import Fold
from gatewright.schedules.stream.network import assemble
from gatewright.schedules.stream.timing import time_network
from tests.lattice.proving import holds, library

pytestmark = pytest.mark.slow

# -- products --------------------------------------------------------------------------------------------------------

PRODUCT = """
module claims #(parameter A = 4, parameter A_SIGNED = 1, parameter B = 4, parameter TERNARY = 0) (
    input wire clk, input wire [A-1:0] a, input wire [B-1:0] any_b
);
    wire [B-1:0] b = TERNARY ? (any_b[0] ? {{(B-1){any_b[B-1]}}, 1'b1} : {B{1'b0}}) : any_b;
    wire signed [A+B-1:0] product;
    gw_multiplier #(.A(A), .A_SIGNED(A_SIGNED), .B(B), .STYLE("STYLE")) multiplier (clk, a, b, product);
    wire signed [A:0] wide_a = {A_SIGNED ? a[A-1] : 1'b0, a};
    wire signed [B-1:0] signed_b = b;
    localparam CYCLES = "STYLE" == "ccu2c" ? 3 : 2;
    reg signed [A+B-1:0] first, second, third;
    reg [1:0] step = 0;
    always @(posedge clk) begin
        step <= step + (step != CYCLES);
        first <= wide_a * signed_b;
        second <= first;
        third <= second;
    end
    always @* if (step == CYCLES) assert(product == (CYCLES == 3 ? third : second));
endmodule
"""


CELLS = """
module claims #(parameter A = 4, parameter A_SIGNED = 1, parameter B = 4) (
    input wire clk, input wire [A-1:0] a, input wire [B-1:0] b
);
    wire signed [A+B-1:0] product;
    gw_ccu2c_multiplier #(.A(A), .A_SIGNED(A_SIGNED), .B(B), .CYCLES(1)) multiplier (clk, a, b, product);
    wire signed [A:0] wide_a = {A_SIGNED ? a[A-1] : 1'b0, a};
    wire signed [B-1:0] signed_b = b;
    reg signed [A+B-1:0] expected;
    reg known = 0;
    always @(posedge clk) begin
        known <= 1;
        expected <= wide_a * signed_b;
    end
    always @* if (known) assert(product == expected);
endmodule
"""


def product_claims(style: str) -> str:
    return PRODUCT.replace('"STYLE"', f'"{style}"')


MULTIPLIER = ("gw_multiplier", "gw_lut_multiplier", "gw_ccu2c_multiplier", "gw_mult18x18d", "gw_sb_mac16")


@pytest.mark.parametrize(
    ("a", "a_signed", "b", "style"),
    [(4, 1, 4, "lut"), (5, 0, 6, "lut"), (6, 1, 6, "lut"), (6, 1, 1, "lut"), (1, 0, 5, "lut"), (8, 1, 3, "lut"),
     (8, 1, 2, "ternary"), (8, 0, 3, "ternary")],
)  # fmt: skip
def test_products(tmp_path: Path, a: int, a_signed: int, b: int, style: str) -> None:
    given = {"A": a, "A_SIGNED": a_signed, "B": b, "TERNARY": int(style == "ternary")}
    assert holds(tmp_path, library(*MULTIPLIER) + product_claims(style), 5, given)


@pytest.mark.parametrize(
    ("style", "right", "wrong"),
    [("lut", "- (wide_b[2*i+1] ? twice : 0)", "+ (wide_b[2*i+1] ? twice : 0)"), ("ternary", "-wide_a", "~wide_a")],
)
def test_wrong_products(tmp_path: Path, style: str, right: str, wrong: str) -> None:
    text = library(*MULTIPLIER)
    assert right in text
    given = {"B": 2, "TERNARY": int(style == "ternary")}
    assert not holds(tmp_path, text.replace(right, wrong) + product_claims(style), 5, given)


@pytest.mark.parametrize(
    ("a", "a_signed", "b", "style", "cells"),
    [(4, 1, 4, "ccu2c", "ecp5"), (7, 0, 5, "ccu2c", "ecp5"), (5, 1, 2, "ccu2c", "ecp5"), (6, 1, 1, "ccu2c", "ecp5"),
     (5, 0, 4, "mac16", "ice40"), (4, 1, 5, "mac16", "ice40")],
)  # fmt: skip
def test_products_of_cells(tmp_path: Path, a: int, a_signed: int, b: int, style: str, cells: str) -> None:
    """The cells that are instantiated multiply as their stand-ins for simulators do."""
    given = {"A": a, "A_SIGNED": a_signed, "B": b}
    assert holds(tmp_path, library(*MULTIPLIER) + product_claims(style), 5, given, cells)


@pytest.mark.parametrize(("a", "a_signed", "b"), [(5, 1, 5), (4, 0, 6), (3, 1, 9)])
def test_a_product_of_cells_in_one_cycle(tmp_path: Path, a: int, a_signed: int, b: int) -> None:
    text = library("gw_ccu2c_multiplier") + CELLS
    assert holds(tmp_path, text, 3, {"A": a, "A_SIGNED": a_signed, "B": b}, "ecp5")


def test_a_product_of_cells_in_one_cycle_can_be_wrong(tmp_path: Path) -> None:
    text = library("gw_ccu2c_multiplier")
    right = "CYCLES == 1 ? pairs[j] : late_pairs[j]"
    assert right in text
    assert not holds(tmp_path, text.replace(right, "late_pairs[j]") + CELLS, 3, cells="ecp5")


@pytest.mark.parametrize(("right", "wrong"), [("16'h8777 :", "16'h7888 :"), (".INIT0(START)", ".INIT0(16'h0000)")])
def test_wrong_cells(tmp_path: Path, right: str, wrong: str) -> None:
    text = library(*MULTIPLIER)
    assert right in text
    assert not holds(tmp_path, text.replace(right, wrong) + product_claims("ccu2c"), 5, cells="ecp5")


DUAL = """
module claims #(parameter A_SIGNED = 1) (input wire clk, input wire [7:0] a, input wire [7:0] b);
    wire signed [4:0] a0 = {A_SIGNED ? a[3] : 1'b0, a[3:0]}, a1 = {A_SIGNED ? a[7] : 1'b0, a[7:4]};
    wire signed [3:0] b0 = b[3:0], b1 = b[7:4];
    wire [31:0] p;
    gw_sb_mac16_dual #(.A_SIGNED(A_SIGNED)) multiplier (
        clk, {{3{a1[4]}}, a1, {3{a0[4]}}, a0}, {{4{b1[3]}}, b1, {4{b0[3]}}, b0}, p
    );
    reg signed [15:0] first0, first1, second0, second1;
    reg [1:0] step = 0;
    always @(posedge clk) begin
        step <= step + (step != 2);
        {first0, first1} <= {a0 * b0 + 16'sd0, a1 * b1 + 16'sd0};
        {second0, second1} <= {first0, first1};
    end
    always @* if (step == 2) assert(p == {second1, second0});
endmodule
"""


@pytest.mark.parametrize("a_signed", [0, 1])
@pytest.mark.parametrize("cells", ["", "ice40"])
def test_two_products_in_a_cell(tmp_path: Path, a_signed: int, cells: str) -> None:
    assert holds(tmp_path, library("gw_sb_mac16_dual") + DUAL, 4, {"A_SIGNED": a_signed}, cells)


# -- requantization and a whole layer ----------------------------------------------------------------------------------


def small_layer(profile: Profile, features: int = 3, neurons: int = 2) -> IntegerGraph:
    """A dense layer of 3-bit weights; zero points, a clamp, different factors or powers of two."""
    rng = np.random.default_rng(3)
    scaled = profile == "scaled"
    x = TensorType((1, features), 3, True, 0.5, -3 if scaled else 0)
    y = TensorType((1, neurons), 5, True, 0.25, 4 if scaled else 0)
    layer = Dense(
        "neurons", ("x",), y,
        weight=rng.integers(-4, 4, (neurons, features)).astype(np.int8),
        weight_zero_point=np.zeros(neurons, np.int64),
        bias=rng.integers(-20, 20, neurons),
        weight_scale=np.full(neurons, 0.5, np.float32),
        multiplier=np.array([181, 255] if scaled else [128, 128], np.int64),
        shift=np.array([10, 9] if scaled else [8, 9], np.int64),
        clamp=(y.zero_point, y.qmax) if scaled else (y.qmin, y.qmax),
        weight_bits=3, weight_signed=True,
    )  # fmt: skip
    return verify(IntegerGraph([Input("x", (), x), layer], ["neurons"], profile, 8))


def formula(graph: IntegerGraph) -> str:
    """``result``, the outputs side by side, as a function of ``x``: written from the numbers of the graph alone."""
    x, layer = graph["x"].output, graph["neurons"]
    assert isinstance(layer, Dense)
    outputs, features = layer.weight.shape
    lines = []
    for o in range(outputs):
        terms = [
            f"({int(layer.weight[o, i])}) * ($signed(x[{x.bits * i} +: {x.bits}]) - ({x.zero_point}))"
            for i in range(features)
        ]
        n = int(layer.shift[o])
        low, high = layer.clamp
        lines += [
            f"wire signed [31:0] acc{o} = {' + '.join(terms)} + ({int(layer.bias[o])});",
            f"wire signed [31:0] q{o} = ((acc{o} * {int(layer.multiplier[o])} + {1 << n >> 1}) >>> {n})"
            f" + ({layer.output.zero_point});",
            f"wire signed [31:0] y{o} = q{o} < {low} ? {low} : q{o} > {high} ? {high} : q{o};",
        ]
    bits = layer.output.bits
    joined = ", ".join(f"y{o}[{bits - 1}:0]" for o in reversed(range(outputs)))
    lines.append(f"wire [{bits * outputs - 1}:0] result = {{{joined}}};")
    return "\n    ".join(lines)


def layer_claims(graph: IntegerGraph, fabric: str, fold: Fold, folder: Path) -> tuple[str, int]:
    """network.v in a module that feeds it one frame, and the cycle count after which the claim has been made.

    The frame enters without a pause right after reset; in the cycle the model of time names, its last token leaves.
    """
    network = assemble(lower(graph), {"neurons": fold}, FABRICS[fabric])
    sources = write_network(network)
    for name, text in sources.memories.items():
        (folder / name).write_text(text)
    modules = library(*(name.removesuffix(".v") for name in sources.library_files()))
    entering, leaving = network.nodes[0].outputs[0], network.nodes[-1].inputs[0]
    latency = time_network(network).latency_cycles
    layer = graph["neurons"]
    assert isinstance(layer, Dense)
    # The tokens of the result leave one after another, the last in the cycle the model says.
    asserts = "\n".join(
        f"        if (step == {latency - leaving.tokens + 1 + i})"
        f" assert(m_valid && m_data == result[{leaving.width * i} +: {leaving.width}]);"
        for i in range(leaving.tokens)
    )
    claims = f"""
module claims (input wire clk, input wire [{entering.width - 1}:0] token);
    reg [5:0] step = 0;           // reset in step 0, the first token in step 1
    reg [3:0] given = 0;
    reg [{entering.width * entering.tokens - 1}:0] x = 0;
    wire rst = step == 0;
    wire s_valid = !rst && given < {entering.tokens};
    wire s_ready, m_valid;
    wire [{leaving.width - 1}:0] m_data;
    network network (.clk(clk), .rst(rst), .s0_valid(s_valid), .s0_ready(s_ready), .s0_data(token),
        .m0_valid(m_valid), .m0_ready(1'b1), .m0_data(m_data));
    {formula(graph)}
    always @(posedge clk) begin
        step <= step + 1;
        if (s_valid && s_ready) begin
            x[{entering.width} * given +: {entering.width}] <= token;
            given <= given + 1;
        end
    end
    always @* begin
{asserts}
    end
endmodule
"""
    return modules + sources.text + claims, latency + 2


LAYERS = [("fixed", "ecp5", Fold(2, 3, 0)), ("scaled", "ice40", Fold(2, 3, 0)), ("scaled", "ecp5", Fold(2, 1, 0))]


@pytest.mark.parametrize(("profile", "fabric", "fold"), LAYERS)
def test_a_layer(tmp_path: Path, profile: Profile, fabric: str, fold: Fold) -> None:
    """For every x: what the whole chain from the graph to network.v makes is the formula, and it comes in time."""
    verilog, cycles = layer_claims(small_layer(profile), fabric, fold, tmp_path)
    assert holds(tmp_path, verilog, cycles)


@pytest.mark.parametrize("what", ["weight", "bias", "shift"])
def test_a_layer_with_a_wrong_number(tmp_path: Path, what: str) -> None:
    """The network of a graph in which one number differs by one is refuted by the formula of the right one."""
    right = small_layer("scaled")
    layer = right["neurons"]
    assert isinstance(layer, Dense)
    changed = getattr(layer, what).copy()
    changed.flat[1] += 1
    wrong = verify(IntegerGraph([right["x"], replace(layer, **{what: changed})], ["neurons"], "scaled", 8))
    verilog, cycles = layer_claims(wrong, "ecp5", Fold(2, 3, 0), tmp_path)
    assert formula(wrong) in verilog
    assert not holds(tmp_path, verilog.replace(formula(wrong), formula(right)), cycles)
