"""Two products in one SB_MAC16 of an iCE40 UltraPlus, and weights that need none: ternary and binary."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from gatewright.hls.lattice import project
from gatewright.hls.lattice.database import devices
from gatewright.hls.lattice.simulation import Simulation, build
from gatewright.hls.lattice.toolchain.synthesis import synthesize
from gatewright.schedules.stream.devices import FABRICS
from gatewright.schedules.stream.folding import fold_design
from gatewright.schedules.stream.hardware import Fold, hardware
from gatewright.schedules.stream.reference import execute
from gatewright.schedules.stream.resources import Resources
from gatewright.schedules.stream.stages import Design, Mac, Port, Rescale, Stream, Window
from tests.lattice.random_designs import _side_by_side, assembled

SAMPLES = 6
SHAPES = {"dense": (6, 6), "depthwise": (6, 1)}


def layer(
    kind: str = "dense", x_bits: int = 8, signed: bool = True, weights: tuple[int, ...] = (-128, 127, -1, 0, 77),
    scaled: bool = False,
) -> Design:  # fmt: skip
    """A 3 x 3 convolution (or depthwise) over six channels; every result is read whole."""
    rng = np.random.default_rng(1)
    window = Window(4, 3, 6, (3, 3), padding=(1, 1, 1, 1))
    weight = rng.choice(weights, (*SHAPES[kind], 3, 3))
    low, high = (-(1 << x_bits - 1), (1 << x_bits - 1) - 1) if signed else (0, (1 << x_bits) - 1)
    x = Stream(12, 6, x_bits, signed, low, high)
    reach = 54 * 128 * 256
    ones = np.ones(1, np.int64)
    how = Rescale(0 * ones, ones, 0 * ones, 0, -reach, reach, -reach, reach, -reach, reach)
    if scaled:
        how = replace(how, multiplier=181 * ones, shift=7 * ones)
    out = Stream(12, 6, 26, True, -reach, reach)
    mac = Mac("m", ("x",), out, "m", x, window, weight, 1 if kind == "dense" else 6, how)
    ports = [Port(name, name, (1, 72), np.arange(72), "int32") for name in ("x", "m")]
    return Design("one", (ports[0],), (ports[1],), {"x": x}, (mac,))


# -- counts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("design", "fabric", "hard", "products", "slices"),
    [
        (layer(), "ice40-up", -1, 18, 9),
        (layer(signed=False), "ice40-up", -1, 18, 9),
        (layer(), "ice40-up", 7, 7, 4),
        (layer(), "ice40-up", 0, 0, 0),
        (layer(x_bits=9), "ice40-up", -1, 18, 18),
        (layer(weights=(-129, 5)), "ice40-up", -1, 18, 18),
        (layer(x_bits=17), "ice40-up", -1, 0, 0),
        (layer(weights=(-1, 1)), "ice40-up", -1, 0, 0),
        (layer(), "ecp5", -1, 18, 18),
        (layer(), "ice40", -1, 0, 0),
    ],
)
def test_slices_of_an_array(design: Design, fabric: str, hard: int, products: int, slices: int) -> None:
    made = hardware(design["m"], Fold(6, 3, hard), FABRICS[fabric])
    assert (made.hard_multipliers, made.dsp) == (products, slices)


def test_a_rescale_has_slices_of_its_own() -> None:
    made = hardware(layer(scaled=True)["m"], Fold(2, 3), FABRICS["ice40-up"])
    assert made.scaling is not None and made.scaling.multipliers == 2
    assert made.dsp == 3 + made.scaling.multipliers * made.lanes


def test_folding_shares_slices_not_products() -> None:
    """8 slices: 16 of the 18 products of the array, or 6 of them beside a rescale that takes 2."""
    plenty = Resources(10**6, 10**6, 8, 10**6)
    for scaled, hard in ((False, 16), (True, 12)):
        fixed = {"m": Fold(6, 3)}
        made = fold_design(layer(scaled=scaled), FABRICS["ice40-up"], plenty, fixed=fixed).network.stages[0].hardware
        assert (made.hard_multipliers, made.dsp) == (hard, 8)


# -- in hardware -------------------------------------------------------------------------------------------------------


def _cases() -> Iterator[tuple[Design, Fold]]:
    """Signs, widths, odd counts, pairs over the end of a sum, a rest in logic."""
    yield layer(), Fold(6, 3)
    yield layer(signed=False), Fold(3, 3)
    yield layer(x_bits=5), Fold(2, 6)
    yield layer(x_bits=5, signed=False, weights=(-8, 7, 3)), Fold(1, 3)
    yield layer(x_bits=1, signed=False), Fold(2, 3)
    yield layer(), Fold(6, 3, 7)
    yield layer("depthwise"), Fold(6)
    yield layer("depthwise", signed=False), Fold(3)
    yield layer(x_bits=9, signed=False), Fold(3, 2)
    yield layer(scaled=True), Fold(2, 3)


def _narrow() -> Iterator[tuple[Design, Fold]]:
    for weights in ((-1, 0, 1), (-1, 1), (0, 1), (-1, 0), (0,)):
        yield layer(weights=weights), Fold(3, 2)
    yield layer(weights=(-1, 1), signed=False), Fold(2, 3)
    yield layer(weights=(-1, 0, 1), x_bits=1, signed=False), Fold(2, 3)
    yield layer("depthwise", weights=(-1, 1), x_bits=4), Fold(2)


def _inputs(design: Design, seed: int) -> np.ndarray:
    stream = design.stream("x")
    rng = np.random.default_rng(seed)
    values = rng.integers(stream.low, stream.high, (SAMPLES, 72), endpoint=True)
    ends = rng.choice((stream.low, stream.high, 0), values.shape)
    return np.where(rng.random(values.shape) < 0.5, ends, values).astype(np.int32)


@pytest.mark.slow
@pytest.mark.parametrize("fabric", ["ice40-up", "ice40", "ecp5", "nexus"])
def test_products_in_hardware(tmp_path: Path, fabric: str) -> None:
    """Pairs where there are SB_MAC16, and ternary and binary weights everywhere."""
    cases = [*(_cases() if fabric == "ice40-up" else ()), *_narrow()]
    folds = {f"c{i}_m": fold for i, (_, fold) in enumerate(cases)}
    network, timing = assembled(_side_by_side([design for design, _ in cases]), folds, fabric)
    project.write(network, tmp_path)
    build(tmp_path)
    simulation = Simulation(tmp_path)
    inputs = {f"c{i}:x": _inputs(design, i) for i, (design, _) in enumerate(cases)}
    made = simulation.run(inputs, back_pressure=(0.7, 0.7), seed=2)
    for i, (design, _) in enumerate(cases):
        expected = execute(design, {"x": inputs[f"c{i}:x"]})["m"]
        assert np.array_equal(made[f"c{i}:m"], expected), i
    cycles = simulation.measure(inputs)
    assert cycles.finished[0] - cycles.entered[0] + 1 == timing.latency_cycles


@pytest.mark.slow
def test_slices_as_synthesized(tmp_path: Path) -> None:
    cases = list(_cases())
    folds = {f"c{i}_m": fold for i, (_, fold) in enumerate(cases)}
    network, _ = assembled(_side_by_side([design for design, _ in cases]), folds, "ice40-up")
    project.write(network, tmp_path)
    sources = json.loads((tmp_path / "design.json").read_text(encoding="utf-8"))["sources"]
    cells = synthesize(tmp_path / "rtl", sources, "network", devices()["ice40-up5k"])
    assert cells.cells.dsp == sum(node.hardware.dsp for node in network.stages)
    assert {node.name: cells.stages[node.name].dsp for node in network.stages} == {
        node.name: node.hardware.dsp for node in network.stages
    }


@pytest.mark.slow
def test_the_cell_is_what_simulators_are_told(tmp_path: Path) -> None:
    """All pairs of bytes, in both halves, through Yosys's model of the cell and through ours."""
    spec = find_spec("pyosys")
    assert spec is not None and spec.origin is not None
    text = Path(spec.origin).parent.joinpath("share", "ice40", "cells_sim.v").read_text("utf-8")
    start = text.index("module SB_MAC16 (")
    cell = text[start : text.index("endmodule", start)] + "endmodule\n"
    ours = files("gatewright.hls").joinpath("rtl", "gw_sb_mac16_dual.v").read_text("utf-8")
    wires = "".join(
        f"gw_sb_mac16_dual #({signed}) ours{signed} (clk, a, b, p[{64 * signed} +: 32]);\n"
        f"gw_sb_mac16_dual_cell #({signed}) cell{signed} (clk, a, b, p[{64 * signed + 32} +: 32]);\n"
        for signed in (0, 1)
    )
    top = f"""
module network (input wire clk, input wire rst, input wire s0_valid, output wire s0_ready, input wire [31:0] s0_data,
    output wire m0_valid, input wire m0_ready, output wire [127:0] m0_data);
    wire [15:0] a = s0_data[15:0];
    wire [15:0] b = s0_data[31:16];
    wire [127:0] p;
    reg [1:0] valid = 0;
    always @(posedge clk) valid <= rst ? 2'b0 : {{valid[0], s0_valid}};
    assign s0_ready = 1'b1, m0_valid = valid[1], m0_data = p;
    {wires}
endmodule
"""
    rtl = tmp_path / "rtl"
    rtl.mkdir()
    renamed = ours.replace("module gw_sb_mac16_dual", "module gw_sb_mac16_dual_cell")
    (rtl / "network.v").write_text(f"{ours}\n{cell}\n`define SYNTHESIS\n{renamed}\n{top}", encoding="utf-8")
    port = {"signed": True, "bits": 8, "lanes": 4, "tokens": 1 << 16, "dtype": "int8", "axes": [0, 1]}
    shape = [1, 1 << 16, 4]
    ports = {
        "inputs": [{**port, "name": "s0", "port": "s0", "shape": shape}],
        "outputs": [{**port, "name": "m0", "port": "m0", "shape": [1, 1 << 16, 8], "bits": 16, "lanes": 8,
                     "dtype": "int16"}],
    }  # fmt: skip
    data = {"schema_version": 1, "name": "test", "sources": ["network.v"], "extra": {}, **ports}
    (tmp_path / "design.json").write_text(json.dumps(data), encoding="utf-8")
    build(tmp_path)
    i, j = (k.reshape(-1) for k in np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)))
    made = Simulation(tmp_path).run({"s0": np.stack([i, j, j, i], axis=1)[None].astype(np.int8)})["m0"][0]
    # bottom, top: of ours and of the cell; first with unsigned a
    assert np.array_equal(made[:, 0:2], np.stack([i % 256 * j, j % 256 * i], axis=1))
    assert np.array_equal(made[:, 4:6], np.stack([i * j, j * i], axis=1))
    assert np.array_equal(made[:, 0:2], made[:, 2:4])
    assert np.array_equal(made[:, 4:6], made[:, 6:8])
