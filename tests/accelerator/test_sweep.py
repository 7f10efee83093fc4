"""Sweeps: the grid, impossible points, the Pareto set, and figures that other parts compute, too."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.compiler.errors import UsageError
from gatewright.schedules.accelerator.area import area_proxy
from gatewright.schedules.accelerator.planner import plan_network
from gatewright.schedules.accelerator.search.convolution import Budget
from gatewright.schedules.accelerator.sweep import Axis, Outcome, evaluated, grid, not_beaten
from gatewright.targets.accelerator.database import shipped
from gatewright.targets.accelerator.energy_tables import shipped_tables
from gatewright.targets.accelerator.simulating import simulation
from tests.strategies import random_graph

_SPEC = shipped()["systolic-8x8-ws"]
_BUDGET = Budget(4, 60.0)
_AXES = (
    Axis(("matrix.rows", "matrix.columns", "vector.lanes"), (8, 12, 16)),
    Axis(("dma.bytes_per_cycle",), (4, 16)),
    Axis(("scratchpads.activation.bytes",), (64, 65536)),
)


def test_the_grid_is_the_product_with_the_last_axis_fastest() -> None:
    points = grid(_SPEC, _AXES)
    assert [tuple(point.values.values()) for point in points] == [
        (side, side, side, rate, size) for side in (8, 12, 16) for rate in (4, 16) for size in (64, 65536)
    ]
    for point in points:
        if point.spec is not None:
            assert point.spec.matrix.rows == point.spec.vector.lanes == point.values["matrix.rows"]
            assert point.spec.dma.bytes_per_cycle == point.values["dma.bytes_per_cycle"]
            assert point.spec.control == _SPEC.control
    impossible = {point.values["matrix.rows"]: point.reason for point in points if point.spec is None}
    assert set(impossible) == {12}  # no whole number of accumulator rows, or of DMA's grains
    assert impossible[12]


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (("matrix.row",), "no such parameter"),
        (("matrix",), "no such parameter"),
        (("name",), "no such parameter"),
        (("matrix.rows", "matrix.rows"), "varies twice"),
    ],
)
def test_wrong_names_are_refused(paths: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        grid(_SPEC, [Axis(paths, (8,))])
    assert refused.value.code == "GW4301"


def test_a_value_of_a_wrong_type_is_impossible() -> None:
    (point,) = grid(_SPEC, [Axis(("dma.channels",), ("many",))])
    assert point.spec is None
    assert point.reason.startswith("dma.channels: ")


def test_figures_are_those_of_a_build() -> None:
    graph = random_graph(11, layers=4, max_bits=8)
    points = grid(_SPEC, _AXES[:2])
    outcomes = list(evaluated(graph, points, _BUDGET, shipped_tables()))
    possible = [(p, o) for p, o in zip(points, outcomes, strict=True) if not o.reason]
    assert len(possible) == 4
    for point, outcome in possible:
        spec = point.spec
        assert spec is not None
        plan = plan_network(spec, graph, _BUDGET)
        totals = simulation(spec, plan.program, graph).totals
        assert outcome.cycles == totals["cycles"]
        assert round(outcome.energy_uj, 6) == totals["energy_uj"]
        assert outcome.latency_us == outcome.cycles / spec.clock_mhz
        assert outcome.host_layers == len(plan.analysis.host_layers)
        assert outcome.area_mm2 == area_proxy(spec).total_mm2


def test_what_does_not_fit_is_impossible_with_a_reason() -> None:
    graph = random_graph(5, layers=1, operators=("conv2d",), max_bits=8)
    points = grid(_SPEC, [Axis(("scratchpads.activation.bytes",), (64, 65536)), Axis(("energy",), ("horowitz45", "?"))])
    outcomes = list(evaluated(graph, points, _BUDGET, shipped_tables()))
    reasons = {(p.values["scratchpads.activation.bytes"], p.values["energy"]): o.reason
               for p, o in zip(points, outcomes, strict=True)}  # fmt: skip
    assert reasons[65536, "horowitz45"] == ""
    assert "no table '?'" in reasons[65536, "?"]


@pytest.mark.slow
def test_jobs_change_nothing() -> None:
    graph = random_graph(7, layers=3, max_bits=8)
    points = grid(_SPEC, _AXES)
    alone = list(evaluated(graph, points, _BUDGET, shipped_tables()))
    assert list(evaluated(graph, points, _BUDGET, shipped_tables(), jobs=2)) == alone
    assert any(outcome.reason for outcome in alone)


_COST = st.integers(1, 4)


@given(st.lists(st.tuples(_COST, _COST, _COST, st.booleans()), max_size=20))
def test_optimal_points_are_those_nobody_beats(costs: list[tuple[int, int, int, bool]]) -> None:
    outcomes = [Outcome(1, b, c, a, 0, "" if possible else "no") for a, b, c, possible in costs]
    best = not_beaten(outcomes)
    for mine, optimal in zip(costs, best, strict=True):
        beaten = [
            other for other in costs
            if other[3] and other[:3] != mine[:3] and all(x <= y for x, y in zip(other[:3], mine[:3], strict=True))
        ]  # fmt: skip
        assert optimal == (mine[3] and not beaten)
    assert any(best) == any(possible for *_, possible in costs)


def test_the_area_proxy_by_hand() -> None:
    area = area_proxy(_SPEC)
    assert area.matrix_um2 == 64 * (282 + 137)
    assert area.vector_um2 == 8 * (282 + 3495 + 2 * 137)
    assert area.scratchpads_um2 == pytest.approx(8 * (65536 + 32768 + 8192 + 32768) * 0.346)
    assert area.total_mm2 == pytest.approx((area.matrix_um2 + area.vector_um2 + area.scratchpads_um2) / 1e6)
    halved = _SPEC.model_copy(update={"matrix": _SPEC.matrix.model_copy(update={"weight_bits": 4})})
    assert area_proxy(halved).matrix_um2 == 64 * (141 + 137)
    assert area_proxy(halved) == replace(area, matrix_um2=64 * (141 + 137))
