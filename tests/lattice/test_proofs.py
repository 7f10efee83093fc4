"""Proofs by SAT (Yosys) instead of examples: for every input, every stall, every sequence of so many cycles.

Every claim is also made about something broken, and has to be refuted there.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
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
_PREPARE = "proc; flatten; opt; memory -nomap; memory_map; opt -full; async2sync"


def library(*names: str) -> str:
    folder = files("gatewright.hls").joinpath("rtl")
    return "\n".join(folder.joinpath(f"{name}.v").read_text("utf-8") for name in names)


def proved(folder: Path, verilog: str, claim: str, parameters: str = "", prepare: str = _PREPARE) -> bool:
    """Whether the assertions of the module ``claims`` hold, in the words of Yosys's ``sat``."""
    (folder / "claims.v").write_text(verilog)
    script = f"read_verilog -defer -formal claims.v\nhierarchy -top claims {parameters}\n{prepare}\nsat {claim} claims\n"
    (folder / "script.ys").write_text(script)
    command = [sys.executable, "-c", _YOSYS, "script.ys"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    verdicts = re.findall(r"SUCCESS!|FAIL!", said.stdout)
    assert len(verdicts) == 1 and not said.returncode, said.stdout[-3000:] + said.stderr[-2000:]
    return verdicts == ["SUCCESS!"]


# -- products --------------------------------------------------------------------------------------------------------

PRODUCT = """
module claims #(parameter A = 4, parameter A_SIGNED = 1, parameter B = 4, parameter STYLE = "lut", parameter TERNARY = 0) (
    input wire clk, input wire [A-1:0] a, input wire [B-1:0] any_b
);
    wire [B-1:0] b = TERNARY ? (any_b[0] ? {{(B-1){any_b[B-1]}}, 1'b1} : {B{1'b0}}) : any_b;
    wire signed [A+B-1:0] product;
    gw_multiplier #(.A(A), .A_SIGNED(A_SIGNED), .B(B), .STYLE(STYLE)) multiplier (clk, a, b, product);
    wire signed [A:0] wide_a = {A_SIGNED ? a[A-1] : 1'b0, a};
    wire signed [B-1:0] signed_b = b;
    reg signed [A+B-1:0] first, second;
    always @(posedge clk) begin
        first <= wide_a * signed_b;
        second <= first;
    end
    always @* assert(product == second);
endmodule
"""
MULTIPLIER = ("gw_multiplier", "gw_lut_multiplier", "gw_mult18x18d", "gw_sb_mac16")
# Whatever the registers hold at first: after two cycles nothing of it is left.
AFTER_TWO = "-seq 4 -prove-skip 3 -prove-asserts -set-def-inputs"


@pytest.mark.parametrize(
    ("a", "a_signed", "b", "style"),
    [(4, 1, 4, "lut"), (5, 0, 6, "lut"), (7, 1, 7, "lut"), (6, 1, 1, "lut"), (1, 0, 5, "lut"), (8, 1, 3, "lut"),
     (8, 1, 2, "ternary"), (8, 0, 3, "ternary")],
)  # fmt: skip
def test_products(tmp_path: Path, a: int, a_signed: int, b: int, style: str) -> None:
    given = {"A": a, "A_SIGNED": a_signed, "B": b, "STYLE": f'"{style}"', "TERNARY": int(style == "ternary")}
    parameters = " ".join(f"-chparam {name} {value}" for name, value in given.items())
    assert proved(tmp_path, library(*MULTIPLIER) + PRODUCT, AFTER_TWO, parameters)


@pytest.mark.parametrize(
    ("style", "right", "wrong"),
    [("lut", "- (wide_b[2*i+1] ? twice : 0)", "+ (wide_b[2*i+1] ? twice : 0)"), ("ternary", "-wide_a", "~wide_a")],
)
def test_wrong_products(tmp_path: Path, style: str, right: str, wrong: str) -> None:
    text = library(*MULTIPLIER)
    assert right in text
    parameters = f'-chparam B 2 -chparam STYLE "{style}" -chparam TERNARY {int(style == "ternary")}'
    assert not proved(tmp_path, text.replace(right, wrong) + PRODUCT, AFTER_TWO, parameters)


@pytest.mark.parametrize("flow", ["ecp5", "ice40"])
def test_products_as_synthesized(tmp_path: Path, flow: str) -> None:
    """The cells Yosys makes of the product in logic (carry chains on both families) still multiply."""
    # The multiplier is mapped alone, then put back as the simulation models of its cells.
    models = f"read_verilog -overwrite +/{flow}/cells_sim.v"
    prepare = "\n".join(
        [
            "proc", "hierarchy -check -top claims", "select -module gw_lut_multiplier*", "select -clear",
            "setattr -mod -set keep_hierarchy 1 *gw_lut_multiplier*", "design -save whole",
            "hierarchy -top *gw_lut_multiplier*",
        ]
    )  # fmt: skip
    del models, prepare
    pytest.skip("not yet")


# -- requantization and a whole layer ----------------------------------------------------------------------------------


def small_layer(profile: Profile, features: int = 4, neurons: int = 3) -> IntegerGraph:
    """A dense layer of 3-bit weights; numbers as awkward as they come."""
    rng = np.random.default_rng(3)
    scaled = profile == "scaled"
    x = TensorType((1, features), 4, True, 0.5, -3 if scaled else 0)
    y = TensorType((1, neurons), 5, True, 0.25 if not scaled else 0.3, 4 if scaled else 0)
    layer = Dense(
        "neurons", ("x",), y,
        weight=rng.integers(-4, 4, (neurons, features)).astype(np.int8),
        weight_zero_point=np.zeros(neurons, np.int64),
        bias=rng.integers(-30, 30, neurons),
        weight_scale=np.full(neurons, 0.5, np.float32),
        multiplier=np.array([181, 255, 129][:neurons] if scaled else [128, 128, 128][:neurons], np.int64),
        shift=np.array([10, 11, 9][:neurons] if scaled else [8, 10, 9][:neurons], np.int64),
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
    lines.append(
        f"wire [{bits * outputs - 1}:0] result = {{{', '.join(f'y{o}[{bits - 1}:0]' for o in reversed(range(outputs)))}}};"
    )
    return "\n    ".join(lines)


def layer_claims(graph: IntegerGraph, fabric: str, fold: Fold, folder: Path) -> tuple[str, int]:
    """network.v with claims around it, and after how many cycles the result leaves: one frame, any x, any stalls."""
    network = assemble(lower(graph), {"neurons": fold}, FABRICS[fabric])
    sources = write_network(network)
    for name, text in sources.memories.items():
        (folder / name).write_text(text)
    modules = library(*(name.removesuffix(".v") for name in sources.library_files()))
    channel = network.nodes[0].outputs[0]
    out = network.nodes[-1].inputs[0]
    layer = graph["neurons"]
    assert isinstance(layer, Dense)
    whole = layer.output.bits * layer.weight.shape[0]
    claims = f"""
module claims (input wire clk, input wire rst, input wire offer, input wire take, input wire [{channel.width - 1}:0] token);
    wire s_ready, m_valid;
    wire [{out.width - 1}:0] m_data;
    reg [3:0] given = 0;
    reg [3:0] taken = 0;
    reg [{channel.width * channel.tokens - 1}:0] x = 0;
    wire s_valid = offer && given < {channel.tokens};
    network network (.clk(clk), .rst(rst), .s0_valid(s_valid), .s0_ready(s_ready), .s0_data(token),
        .m0_valid(m_valid), .m0_ready(take), .m0_data(m_data));
    {formula(graph)}
    always @(posedge clk)
        if (!rst) begin
            if (s_valid && s_ready) begin
                x[{channel.width} * given +: {channel.width}] <= token;
                given <= given + 1;
            end
            if (m_valid && take)
                taken <= taken + 1;
        end
    wire [{whole - 1}:0] rest = result >> ({out.width} * taken);
    always @* if (!rst && m_valid) assert(given == {channel.tokens} && taken < {out.tokens} && m_data == rest[{out.width - 1}:0]);
endmodule
"""
    return modules + sources.text + claims, time_network(network).latency_cycles


ONE_FRAME = "-seq {cycles} -set-at 1 rst 1 {later} -prove-asserts -set-def-inputs -set-init-def"


def after_reset(cycles: int, more: Sequence[str] = ()) -> str:
    later = " ".join(f"-set-at {cycle} rst 0" for cycle in range(2, cycles + 1))
    return " ".join(["-seq", str(cycles), "-set-at 1 rst 1", later, *more, "-prove-asserts -set-def-inputs"])
