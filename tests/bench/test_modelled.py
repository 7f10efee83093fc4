"""Scenarios in modelled time, held against closed forms, a plain loop, and queueing theory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.compiler.bench.modelled import simulate, waits_seconds
from gatewright.compiler.bench.scenarios import OFFLINE_SAMPLES, SERVER_QUERIES, Load
from gatewright.targets.base import ModelledTiming

SHORT = Load(duration_seconds=1e-3)  # the least numbers of queries
TIMES = st.floats(1e-7, 1e-1)
TIMINGS = st.builds(ModelledTiming, TIMES, TIMES, st.just("made up"))


def _decay(load: float) -> float:
    """Lundberg's exponent t of M/D/1 in 1/interval: E exp(t (interval - gap)) = 1. P(wait > x) <= exp(-t x)."""
    low, high = 1e-9, 1e3
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle + math.log(load / (load + middle)) < 0 else (low, middle)
    return low


@given(TIMINGS)
def test_one_sample_at_a_time_takes_the_latency(timing: ModelledTiming) -> None:
    result = simulate(timing, SHORT, "single-stream")
    assert result.time == "modelled" and result.valid and result.source == "made up"
    assert result.metric == "latency_p90_seconds"
    if timing.interval_seconds <= timing.latency_seconds:
        assert result.value == timing.latency_seconds
        assert set(result.latency_seconds.values()) >= {result.value}
    elif result.queries > 9:  # the target is not ready for the next one yet
        assert result.value == pytest.approx(timing.interval_seconds, rel=1e-12)  # a sum and a difference of both


@given(TIMINGS, st.integers(1, 64))
def test_a_query_of_several_takes_an_interval_more_for_each(timing: ModelledTiming, samples: int) -> None:
    load = Load(duration_seconds=1.0, samples_per_query=samples)
    result = simulate(timing, load, "multi-stream")
    assert result.samples_per_query == samples
    if timing.interval_seconds <= timing.latency_seconds:
        assert result.value == timing.latency_seconds + (samples - 1) * timing.interval_seconds
    assert result.duration_seconds >= 1.0 or result.queries == 2**22


def test_eight_samples_by_default() -> None:
    result = simulate(ModelledTiming(2**-8, 2**-10, ""), SHORT, "multi-stream")
    assert result.value == 2**-8 + 7 * 2**-10


@given(TIMINGS)
@settings(max_examples=30)
def test_offline_throughput_goes_to_one_over_the_interval(timing: ModelledTiming) -> None:
    result = simulate(timing, SHORT, "offline")
    samples = max(OFFLINE_SAMPLES, math.ceil(1e-3 / timing.interval_seconds))
    fill = timing.latency_seconds / timing.interval_seconds - 1
    assert result.queries == 1 and result.samples_per_query == samples
    assert result.value * timing.interval_seconds == pytest.approx(samples / (samples + fill), rel=1e-9)
    longer = simulate(timing, Load(duration_seconds=100 * timing.interval_seconds * OFFLINE_SAMPLES), "offline")
    assert abs(longer.value * timing.interval_seconds - 1) <= abs(fill) / (90 * OFFLINE_SAMPLES) + 1e-9


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 20))
def test_waits_are_those_of_a_plain_loop(gaps: list[int], interval: int) -> None:
    wait, expected = 0, []
    for k, gap in enumerate(gaps):
        wait = max(0, wait + interval - gap) if k else 0
        expected.append(wait)
    assert waits_seconds(np.asarray(gaps, np.float64), float(interval)).tolist() == expected  # whole numbers: exact


@pytest.mark.parametrize("utilisation", [0.3, 0.6, 0.8])
def test_the_queue_is_that_of_theory(utilisation: float) -> None:
    """Pollaczek and Khinchine's mean wait of M/D/1, and Lundberg's bound on its tail."""
    timing = ModelledTiming(3e-3, 1e-3, "")
    result = simulate(timing, Load(1.0, target_qps=utilisation / 1e-3, latency_bound_seconds=1.0), "server")
    wait = utilisation * 1e-3 / (2 * (1 - utilisation))
    assert result.queries == SERVER_QUERIES and result.value == utilisation / 1e-3
    # Waits of neighbours are alike for some 1/(1-u)^2 queries: the mean of n has about n (1-u)^2 independent parts.
    error = 6 / math.sqrt(SERVER_QUERIES * (1 - utilisation) ** 2)
    assert result.latency_seconds["mean"] - 3e-3 == pytest.approx(wait, rel=error)
    assert result.latency_seconds["p99"] <= 3e-3 + 1e-3 * math.log(100) / _decay(utilisation) * (1 + error)


def test_a_queue_beyond_full_load_grows_and_keeps_no_bound() -> None:
    timing = ModelledTiming(3e-3, 1e-3, "")
    result = simulate(timing, Load(1.0, target_qps=1100.0, latency_bound_seconds=1.0), "server")
    assert not result.valid and result.bound_met is False and "1100 queries per second" in result.reasons[0]
    assert result.latency_seconds["p99"] > 1e-3 * SERVER_QUERIES * 0.08  # a tenth of the queries wait at the end
    assert result.value == pytest.approx(1000, rel=1e-3)  # what it completes


@given(TIMINGS, st.floats(1, 100), st.floats(1, 100), st.integers(0, 2**32 - 1))
@settings(max_examples=12, deadline=None)
def test_a_looser_bound_allows_more(timing: ModelledTiming, one: float, other: float, seed: int) -> None:
    def found(factor: float) -> float:
        bound = factor * (timing.latency_seconds + timing.interval_seconds)
        result = simulate(timing, Load(1e-3, seed, latency_bound_seconds=bound), "server")
        assert result.valid and result.bound_met
        assert result.latency_seconds["p99"] <= bound
        assert result.value < 1 / timing.interval_seconds
        return result.value

    assert found(min(one, other)) <= found(max(one, other))


def test_the_rate_found_is_the_highest() -> None:
    timing, load = ModelledTiming(1e-3, 1e-3, ""), Load(1.0, latency_bound_seconds=5e-3)
    best = simulate(timing, load, "server").value
    assert simulate(timing, Load(1.0, target_qps=best, latency_bound_seconds=5e-3), "server").valid
    # Search's step, and a little for ties of the schedule.
    assert not simulate(timing, Load(1.0, target_qps=best * 1.001, latency_bound_seconds=5e-3), "server").valid


def test_the_search_stops_where_a_run_is_too_short_for_the_queue() -> None:
    result = simulate(ModelledTiming(1e-3, 1e-3, ""), Load(1.0, latency_bound_seconds=1e6), "server")
    assert result.value == (1 - 10 / math.sqrt(SERVER_QUERIES)) / 1e-3


def test_a_bound_below_the_latency_is_kept_at_no_rate() -> None:
    result = simulate(ModelledTiming(1e-2, 1e-3, ""), Load(1.0, latency_bound_seconds=9e-3), "server")
    assert result.value == 0 and not result.valid and result.bound_met is False
    assert "10 ms" in result.reasons[0] and "9 ms" in result.reasons[0]


@pytest.mark.parametrize("name", ["single-stream", "multi-stream", "server", "offline"])
def test_equal_seeds_give_equal_results(name: str) -> None:
    timing = ModelledTiming(1e-3, 3e-4, "")
    first, again = (simulate(timing, Load(1.0, seed=5), name) for _ in range(2))
    assert first == again
    if name == "server":
        assert first != simulate(timing, Load(1.0, seed=6), name)
