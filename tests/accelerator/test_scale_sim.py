"""The SCALE-Sim-compatible closed forms equal what SCALE-Sim 3.0.0 reported (scale_sim_runs.csv).

``python -m tests.benchmarks.scale_sim --python ENV/bin/python --update`` runs SCALE-Sim again and rewrites the table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.schedules.accelerator.timing.scale_sim import (
    DATAFLOWS,
    Dataflow,
    Gemm,
    compute_cycles,
    compute_report,
)
from tests.benchmarks.scale_sim import RELATIVE, Result, runs, stored

RESULTS = stored()
SIZES = st.integers(1, 200)
GEMMS = st.builds(Gemm, SIZES, SIZES, SIZES)
SIDES = st.integers(1, 40)
FLOWS = st.sampled_from(DATAFLOWS)


def _name(result: Result) -> str:
    run = result.run
    return f"{run.layer.name}-{run.rows}x{run.columns}-{run.dataflow}"


@pytest.mark.parametrize("result", RESULTS, ids=_name)
def test_equals_scale_sim(result: Result) -> None:
    run, (overall, mapping, compute) = result.run, result.utilisations
    assert compute_cycles(run.layer.gemm, run.rows, run.columns, run.dataflow) == result.cycles
    report = compute_report(run.layer.gemm, run.rows, run.columns, run.dataflow)
    assert report.cycles == result.cycles
    assert report.overall_utilisation == overall
    # SCALE-Sim adds up rounded floats, a fold each.
    assert report.mapping_efficiency == pytest.approx(mapping, rel=RELATIVE, abs=0)
    assert report.compute_utilisation == pytest.approx(compute, rel=RELATIVE, abs=0)


def test_table_covers_every_dataflow_array_and_input() -> None:
    assert [result.run for result in RESULTS] == list(runs())
    layers = {result.run.layer for result in RESULTS}
    assert len(RESULTS) >= 100
    assert len(layers) >= 15
    assert {layer.kind for layer in layers} == {"gemm", "conv"}
    for layer in layers:
        assert {result.run.dataflow for result in RESULTS if result.run.layer == layer} == set(DATAFLOWS)
    for dataflow in DATAFLOWS:
        of_dataflow = [result.run for result in RESULTS if result.run.dataflow == dataflow]
        assert len({(run.rows, run.columns) for run in of_dataflow}) >= 3


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_arrays_give_what_scalars_give(dataflow: Dataflow) -> None:
    results = [result for result in RESULTS if result.run.dataflow == dataflow]
    gemms = [result.run.layer.gemm for result in results]
    # Narrow integers must not overflow inside.
    sizes: list[Any] = [np.array([getattr(gemm, name) for gemm in gemms], np.int16) for name in "mnk"]
    gemm = Gemm(*sizes)
    rows = np.array([result.run.rows for result in results], np.int8)
    columns = np.array([result.run.columns for result in results], np.int8)
    cycles = compute_cycles(gemm, rows, columns, dataflow)
    assert cycles.dtype == np.int64
    assert cycles.tolist() == [result.cycles for result in results]
    report = compute_report(gemm, rows, columns, dataflow)
    assert np.array_equal(report.overall_utilisation, [result.utilisations[0] for result in results])
    alone = [result.run.report() for result in results]
    assert np.array_equal(report.mapping_efficiency, [report.mapping_efficiency for report in alone])
    assert np.array_equal(report.compute_utilisation, [report.compute_utilisation for report in alone])


def test_sizes_of_the_array_broadcast() -> None:
    gemm = Gemm(np.array([[64], [65]]), np.array(33), np.array(7))
    cycles = compute_cycles(gemm, np.array([4, 8, 16]), 8, "ws")
    assert cycles.tolist() == [[compute_cycles(Gemm(m, 33, 7), r, 8, "ws") for r in (4, 8, 16)] for m in (64, 65)]


@given(GEMMS, SIDES, SIDES, FLOWS, SIZES)
def test_never_faster_with_more_to_do(gemm: Gemm[int], rows: int, columns: int, flow: Dataflow, more: int) -> None:
    cycles = compute_cycles(gemm, rows, columns, flow)
    assert compute_cycles(Gemm(gemm.m + more, gemm.n, gemm.k), rows, columns, flow) >= cycles
    assert compute_cycles(Gemm(gemm.m, gemm.n + more, gemm.k), rows, columns, flow) >= cycles
    assert compute_cycles(Gemm(gemm.m, gemm.n, gemm.k + more), rows, columns, flow) >= cycles


@given(GEMMS, SIDES, SIDES)
def test_transposing_the_product_exchanges_weights_and_inputs(gemm: Gemm[int], rows: int, columns: int) -> None:
    transposed = Gemm(gemm.n, gemm.m, gemm.k)
    assert compute_report(gemm, rows, columns, "ws") == compute_report(transposed, rows, columns, "is")


@given(GEMMS, SIDES, SIDES)
def test_os_of_the_transposed_product_on_the_transposed_array(gemm: Gemm[int], rows: int, columns: int) -> None:
    transposed = Gemm(gemm.n, gemm.m, gemm.k)
    assert compute_cycles(gemm, rows, columns, "os") == compute_cycles(transposed, columns, rows, "os")


@given(GEMMS, SIDES, SIDES, FLOWS)
def test_no_more_multiplications_than_elements_and_cycles(
    gemm: Gemm[int], rows: int, columns: int, flow: Dataflow
) -> None:
    """The last cycle's index is one less than their number."""
    cycles = compute_cycles(gemm, rows, columns, flow)
    assert (cycles + 1) * rows * columns >= gemm.macs
    if cycles:
        report = compute_report(gemm, rows, columns, flow)
        assert 0 < report.compute_utilisation <= report.mapping_efficiency <= 100


def test_convolutions_round_the_result_up() -> None:
    assert Gemm.of_convolution((32, 32), (1, 1), 16, 32, (2, 2)) == Gemm(17 * 17, 32, 16)
    assert Gemm.of_convolution((31, 31), (1, 1), 16, 32, (2, 2)) == Gemm(16 * 16, 32, 16)
    assert Gemm.of_convolution((7, 9), (3, 2), 3, 5, (1, 3)) == Gemm(5 * 4, 5, 18)


def test_one_multiplication_takes_no_cycles_where_scale_sim_divides_by_them() -> None:
    """SCALE-Sim 3.0.0 ends in a ZeroDivisionError on this one."""
    assert compute_cycles(Gemm(1, 1, 1), 1, 1, "os") == 0
    with pytest.raises(ZeroDivisionError):
        compute_report(Gemm(1, 1, 1), 1, 1, "os")
    with pytest.raises(ZeroDivisionError):
        compute_report(Gemm(np.array([1, 2]), np.array([1, 2]), np.array([1, 2])), 1, 1, "os")


def test_large_scalars_do_not_overflow() -> None:
    assert compute_cycles(Gemm(10**12, 10**12, 10**12), 1, 1, "ws") == 10**24 * (10**12 + 1) - 1
    size: Any = np.int8(100)
    cycles = compute_cycles(Gemm(size, size, size), size, size, "ws")
    assert type(cycles) is int
    assert cycles == 398 - 1


def test_what_is_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match="m must be at least 1, not 0"):
        Gemm(0, 1, 1)
    with pytest.raises(ValueError, match="k must be at least 1, not -3"):
        Gemm(np.array(1), np.array(1), np.array([2, -3]))
    real: Any = 2.0
    with pytest.raises(TypeError, match="n must be an integer"):
        Gemm(1, real, 1)
    with pytest.raises(ValueError, match="rows must be at least 1"):
        compute_cycles(Gemm(1, 1, 1), 0, 1, "ws")
    with pytest.raises(ValueError, match="unknown dataflow 'rs': one of ws, os, is"):
        compute_cycles(Gemm(1, 1, 1), 1, 1, "rs")
    with pytest.raises(ValueError, match="larger than the image"):
        Gemm.of_convolution((4, 2), (3, 3), 1, 1)
    with pytest.raises(ValueError, match="must be at least 1"):
        Gemm.of_convolution((4, 4), (3, 3), 1, 1, (1, 0))
