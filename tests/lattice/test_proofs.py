"""Proofs (Yosys and ABC) instead of examples: for every input, every stall, every sequence of so many cycles.

Every claim is also made about something broken, and has to be refuted there.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from importlib.resources import files
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

pytestmark = pytest.mark.slow

_YOSYS = "import sys; from pyosys import libyosys as ys; d = ys.Design(); ys.run_pass('script ' + sys.argv[1], d)"
_PREPARE = """proc; flatten; opt; memory -nomap; memory_map; opt -full; async2sync; techmap; opt; dffunmap
setundef -zero -undriven; aigmap; opt_clean
write_aiger -zinit claims.aig
"""


def library(*names: str) -> str:
    folder = files("gatewright.hls").joinpath("rtl")
    return "\n".join(folder.joinpath(f"{name}.v").read_text("utf-8") for name in names)


def holds(
    folder: Path, verilog: str, cycles: int = 0, parameters: Mapping[str, object] | None = None, cells: str = ""
) -> bool:
    """Whether the assertions of the module ``claims`` hold.

    Args:
        folder: where the files may lie.
        verilog: all modules. Registers without a value at first hold any.
        cycles: in so many cycles from the start; 0: for ever (property directed reachability).
        parameters: of ``claims``.
        cells: the family whose cells the library instantiates in synthesis; they are Yosys's own models. By default the
            library is as simulators see it.
    """
    (folder / "claims.v").write_text(verilog)
    given = " ".join(f"-chparam {name} {value}" for name, value in (parameters or {}).items())
    synthesis = f"-DSYNTHESIS claims.v\nread_verilog -defer -overwrite +/{cells}/cells_sim.v" if cells else "claims.v"
    script = f"read_verilog -defer -formal {synthesis}\nhierarchy -top claims {given}\n{_PREPARE}"
    (folder / "script.ys").write_text(script)
    run = partial(subprocess.run, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    made = run([sys.executable, "-c", _YOSYS, "script.ys"])
    assert not made.returncode, made.stdout[-2000:] + made.stderr[-2000:]
    spec = importlib.util.find_spec("pyosys")
    assert spec is not None and spec.origin is not None
    abc = Path(spec.origin).parent / "yosys-abc"
    search = f"bmc3 -F {cycles}" if cycles else "pdr"
    said = run([str(abc), "-c", f"read_aiger claims.aig; fold; strash; {search}"]).stdout
    proved = (f"No output asserted in {cycles} frames", "Property proved", "Explored all reachable states")
    good = any(words in said for words in proved)
    assert good != ("was asserted in frame" in said), said[-2000:]
    return good


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


# -- streams -----------------------------------------------------------------------------------------------------------

# A queue that is nothing but a list, beside the FIFO: the same to the outside, whatever happens.
QUEUE = """
module claims #(parameter DEPTH = 3, parameter ADDRESS = 2) (
    input wire clk, input wire rst, input wire push_valid, input wire [1:0] push_data, input wire pop_ready
);
    wire push_ready, pop_valid;
    wire [1:0] pop_data;
    gw_fifo #(.WIDTH(2), .DEPTH(DEPTH), .ADDRESS(ADDRESS)) fifo (
        clk, rst, push_valid, push_ready, push_data, pop_valid, pop_ready, pop_data
    );
    reg [2*DEPTH-1:0] list = 0;   // the oldest in the least significant bits
    reg [ADDRESS:0] count = 0;
    wire push = push_valid && count != DEPTH;
    wire pop = pop_ready && count != 0;
    wire [2*DEPTH-1:0] popped = pop ? list >> 2 : list;
    wire [ADDRESS:0] left = count - pop;
    always @(posedge clk)
        if (rst)
            count <= 0;
        else begin
            count <= left + push;
            list <= push ? (popped & ~({2*DEPTH{1'b1}} << 2 * left)) | (push_data << 2 * left) : popped;
        end
    always @* begin
        assert(push_ready == (count != DEPTH));
        assert(pop_valid == (count != 0));
        assert(!pop_valid || pop_data == list[1:0]);
    end
endmodule
"""


@pytest.mark.parametrize(("depth", "address"), [(2, 1), (3, 2), (4, 2)])
def test_fifo_is_a_queue(tmp_path: Path, depth: int, address: int) -> None:
    """For ever, under any offers, stalls and resets: order, no overflow, no underflow."""
    assert holds(tmp_path, library("gw_fifo") + QUEUE, 0, {"DEPTH": depth, "ADDRESS": address})


@pytest.mark.parametrize(("right", "wrong"), [("DEPTH - 1;", "DEPTH;"), ("push != pop", "push || pop")])
def test_broken_fifo(tmp_path: Path, right: str, wrong: str) -> None:
    text = library("gw_fifo")
    assert right in text
    assert not holds(tmp_path, text.replace(right, wrong) + QUEUE, 12)


# The FIFO in block memory holds more than DEPTH, so its tokens are numbered instead.
BLOCK = """
module claims (input wire clk, input wire rst, input wire offer, input wire take);
    wire ready, valid;
    wire [3:0] token;
    reg [3:0] given = 0, taken = 0;
    gw_fifo_block #(.WIDTH(4), .DEPTH(DEPTHS), .ADDRESS(2)) fifo (clk, rst, offer, ready, given, valid, take, token);
    always @(posedge clk) begin
        given <= rst ? 0 : given + (offer && ready);
        taken <= rst ? 0 : taken + (valid && take);
    end
    wire [3:0] inside = given - taken;
    always @* begin
        assert(!valid || token == taken);
        assert(inside <= DEPTHS + 2 && (ready || inside >= DEPTHS));
    end
endmodule
"""


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_fifo_in_block_memory_keeps_the_stream(tmp_path: Path, depth: int) -> None:
    """For ever, under any offers, stalls and resets: order, no loss, at least DEPTH tokens, at most two more."""
    text = library("gw_fifo_block", "gw_memory") + BLOCK.replace("DEPTHS", str(depth))
    assert holds(tmp_path, text)


@pytest.mark.parametrize(("right", "wrong"), [("(!pop_valid || pop_ready)", "1'b1"), ("DEPTH - 1;", "DEPTH;")])
def test_broken_fifo_in_block_memory(tmp_path: Path, right: str, wrong: str) -> None:
    text = library("gw_fifo_block", "gw_memory")
    assert right in text
    assert not holds(tmp_path, text.replace(right, wrong) + BLOCK.replace("DEPTHS", "2"), 14)


# Weights that come once: the same words again and again, in order, whatever stalls.
KEEP = """
module claims (input wire clk, input wire rst, input wire offer, input wire take, input wire [1:0] word);
    wire ready, valid;
    wire [1:0] token;
    reg [5:0] list = 0;
    reg [1:0] given = 0, place = 0;
    gw_keep #(.WIDTH(2), .WORDS(3), .ADDRESS(2)) keep (clk, rst, offer, ready, word, valid, take, token);
    wire [1:0] right = given > place ? list[2*place +: 2] : word;
    always @(posedge clk) begin
        if (offer && ready) begin
            list[2*given +: 2] <= word;
            given <= given + 1;
        end
        if (valid && take)
            place <= place == 2 ? 0 : place + 1;
        if (rst) begin
            given <= 0;
            place <= 0;
        end
    end
    always @* begin
        assert(!valid || token == right);
        assert(!(ready && given == 3));
    end
endmodule
"""


def test_kept_weights_come_again_and_again(tmp_path: Path) -> None:
    """For ever, under any offers, stalls and resets."""
    assert holds(tmp_path, library("gw_keep", "gw_spram") + KEEP)


def test_kept_weights_out_of_order(tmp_path: Path) -> None:
    text = library("gw_keep", "gw_spram")
    assert "fetched && (!held_valid || out_ready)" in text
    assert not holds(tmp_path, text.replace("fetched && (!held_valid || out_ready)", "fetched") + KEEP, 14)


# Credits, a pipeline of FLIGHT cycles and the FIFO behind it: what comes is always taken.
CREDIT = """
module claims #(parameter CREDITS = 3, parameter COUNT = 2, parameter FLIGHT = 3) (
    input wire clk, input wire rst, input wire offer, input wire take
);
    wire may_start, push_ready, pop_valid;
    wire start = offer && may_start;
    reg [FLIGHT-1:0] flight = 0;
    always @(posedge clk) flight <= rst ? 0 : {flight, start};
    gw_credit #(.CREDITS(CREDITS), .TAKE(1), .COUNT(COUNT)) credit (clk, rst, start, pop_valid && take, may_start);
    gw_fifo #(.WIDTH(1), .DEPTH(CREDITS), .ADDRESS(2)) fifo (
        clk, rst, flight[FLIGHT-1], push_ready, 1'b0, pop_valid, take,
    );
    always @* assert(!flight[FLIGHT-1] || push_ready);
endmodule
"""


def test_credits_never_overflow_the_fifo(tmp_path: Path) -> None:
    """For ever, under any offers, stalls and resets."""
    assert holds(tmp_path, library("gw_credit", "gw_fifo") + CREDIT)


def test_a_credit_too_many(tmp_path: Path) -> None:
    text = library("gw_credit", "gw_fifo")
    assert "next >= NEED" in text
    assert not holds(tmp_path, text.replace("next >= NEED", "next + 1 >= NEED") + CREDIT, 16)


# Narrow to wide and back is the stream itself; the tokens are counted, so what is lost or doubled shows.
WIDTHS = """
module claims (input wire clk, input wire rst, input wire offer, input wire take);
    wire ready, mid_valid, mid_ready, valid;
    wire [11:0] mid;
    wire [3:0] last;
    reg [3:0] given = 0, taken = 0;
    gw_width #(.BITS(4), .IN(1), .OUT(3), .COUNT(2)) widen (clk, rst, offer, ready, given, mid_valid, mid_ready, mid);
    gw_width #(.BITS(4), .IN(3), .OUT(1), .COUNT(2)) narrow (clk, rst, mid_valid, mid_ready, mid, valid, take, last);
    always @(posedge clk) begin
        given <= rst ? 0 : given + (offer && ready);
        taken <= rst ? 0 : taken + (valid && take);
    end
    always @* assert(!valid || last == taken);
endmodule
"""


def test_width_adapters_keep_the_stream(tmp_path: Path) -> None:
    """For ever, under any offers, stalls and resets."""
    assert holds(tmp_path, library("gw_width") + WIDTHS)


def test_a_wide_token_taken_too_early(tmp_path: Path) -> None:
    text = library("gw_width")
    right = "out_ready && count == LAST"
    assert right in text
    assert not holds(tmp_path, text.replace(right, "out_ready") + WIDTHS, 12)


# A fork whose readers stall as they like: all have seen the same tokens, in order.
FORK = """
module claims (input wire clk, input wire rst, input wire offer, input wire [1:0] take);
    wire ready;
    wire [1:0] in_valid, in_ready, valid;
    wire [1:0] token;
    wire [3:0] last;
    reg [1:0] given = 0;
    reg [3:0] taken = 0;
    gw_fork #(.WIDTH(2), .READERS(2)) branch (offer, ready, given, in_valid, in_ready, token);
    gw_fifo #(.WIDTH(2), .DEPTH(2), .ADDRESS(1)) a (
        clk, rst, in_valid[0], in_ready[0], token, valid[0], take[0], last[1:0]
    );
    gw_fifo #(.WIDTH(2), .DEPTH(2), .ADDRESS(1)) b (
        clk, rst, in_valid[1], in_ready[1], token, valid[1], take[1], last[3:2]
    );
    always @(posedge clk) begin
        given <= rst ? 0 : given + (offer && ready);
        taken[1:0] <= rst ? 0 : taken[1:0] + (valid[0] && take[0]);
        taken[3:2] <= rst ? 0 : taken[3:2] + (valid[1] && take[1]);
    end
    always @* begin
        assert(!valid[0] || last[1:0] == taken[1:0]);
        assert(!valid[1] || last[3:2] == taken[3:2]);
    end
endmodule
"""


def test_fork_gives_everybody_everything(tmp_path: Path) -> None:
    """For ever, under any offers, stalls and resets."""
    assert holds(tmp_path, library("gw_fork", "gw_fifo") + FORK)


def test_a_fork_that_does_not_wait(tmp_path: Path) -> None:
    text = library("gw_fork", "gw_fifo")
    assert "in_valid && in_ready" in text
    assert not holds(tmp_path, text.replace("{READERS{in_valid && in_ready}}", "{READERS{in_valid}}") + FORK, 10)


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
