"""Simulations: figures add up, and say the same as the parts they come from."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.schedules.accelerator.analysis import analyse
from gatewright.schedules.accelerator.isa.encoding import decode
from gatewright.schedules.accelerator.planner import plan_network
from gatewright.schedules.accelerator.program import Program
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.timing.attribution import LayerCycles
from gatewright.schedules.accelerator.timing.counts import Counts
from gatewright.schedules.accelerator.timing.event import simulate
from gatewright.targets.accelerator.database import shipped
from gatewright.targets.accelerator.roofline_plot import LayerPoint
from gatewright.targets.accelerator.simulating import layer_point, simulation
from tests.strategies import random_graph


def _made(name: str, seed: int) -> tuple[Spec, Program, IntegerGraph]:
    spec, graph = shipped()[name], random_graph(seed, layers=5, max_bits=8)
    return spec, plan_network(spec, graph).program, graph


@pytest.mark.parametrize("name", ["systolic-8x8-ws", "vta-pynq", "nvdla-small"])
@given(seed=st.integers(0, 2**16))
def test_figures_add_up(name: str, seed: int) -> None:
    spec, program, graph = _made(name, seed)
    found = simulation(spec, program, graph)
    totals = found.totals
    assert totals["cycles"] == sum(simulate(spec, run.words).total_cycles for run in program.runs)
    assert sum(totals["split"].values()) == totals["cycles"]
    assert sum(layer["cycles"] for layer in found.layers) == totals["cycles"]
    assert sum(totals["energy_pj"].values()) == pytest.approx(1e6 * totals["energy_uj"], abs=1.0)
    for layer in found.layers:
        assert sum(layer["split"].values()) == layer["cycles"]
    for key in ("bytes", "split"):
        for part, value in totals[key].items():
            assert sum(layer[key][part] for layer in found.layers) == value
    for part in ("macs", "energy_pj"):
        whole = sum(totals["energy_pj"].values()) if part == "energy_pj" else totals[part]
        assert sum(layer[part] for layer in found.layers) == pytest.approx(whole, abs=0.1)
    moved = {"load": 0, "store": 0}
    for run in program.runs:
        for i in decode(run.words):
            if i.mnemonic in moved:
                moved[i.mnemonic] += i["planes"] * i["rows"] * i["row_bytes"]
    assert (moved["load"], moved["store"]) == (totals["bytes"]["dram_read"], totals["bytes"]["dram_written"])
    assert dict(found.host_layers) == analyse(spec, graph).host_layers
    assert json.loads(json.dumps(found.to_json())) == found.to_json()


@pytest.mark.parametrize("name", ["systolic-16x16-ws", "systolic-16x16-os", "vta-pynq"])
@given(seed=st.integers(0, 2**16))
def test_no_layer_lies_above_the_roof(name: str, seed: int) -> None:
    spec, program, graph = _made(name, seed)
    points: list[LayerPoint] = []

    def caught(spec: Spec, found: list[LayerPoint], title: str) -> str:
        points.extend(found)
        return ""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gatewright.targets.accelerator.simulating.roofline_svg", caught)
        simulation(spec, program, graph).roofline("")
    assert len(points) == len(simulation(spec, program, graph).layers)
    for point in points:
        if point.drawable:
            peak = spec.matrix.rows * spec.matrix.columns if point.unit == "matrix" else spec.vector.lanes
            assert point.rate <= peak
            assert point.rate <= spec.dma.bytes_per_cycle * spec.dma.channels * point.intensity


@pytest.mark.parametrize(("channels", "share", "cycles"), [(2, 3, 50), (1, 3, 90), (2, 200, 200)])
def test_a_hidden_layer_takes_what_its_busiest_unit_does(channels: int, share: int, cycles: int) -> None:
    spec = shipped()["systolic-8x8-ws"]
    spec = spec.model_copy(update={"dma": spec.dma.model_copy(update={"channels": channels})})
    busy = {"load": 50, "store": 40, "matrix": 30, "vector": 0}
    found = layer_point(spec, "x", LayerCycles(share, 0, 0, 0, 0, busy, 0, 90), Counts(1000, dram_weight_read=8))
    assert found == LayerPoint("x", "matrix", 1000, 8, cycles)


def test_the_trace_and_the_plot_are_those_of_the_program() -> None:
    spec, program, graph = _made("systolic-8x8-ws", 3)
    found = simulation(spec, program, graph)
    stream = io.StringIO()
    found.write_trace(stream, "net")
    document = json.loads(stream.getvalue())
    assert document["otherData"]["total_cycles"] == found.totals["cycles"]
    assert document["traceEvents"][0]["args"]["name"] == "net on systolic-8x8-ws"
    assert found.roofline("net").count("</svg>") == 1
