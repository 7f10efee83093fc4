"""The scenarios in modelled time: a pipelined target by its latency and interval. No clock is read, nothing sleeps.

The target is one server without batching: a sample starts when it is there and an interval has passed since the last
one started, and is done a latency later. Lindley's recursion (D. V. Lindley, "The theory of queues with a single
server", 1952) gives the waiting time of every sample exactly; it is evaluated for all of them at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gatewright.compiler.artifact.schema import Manifest
from gatewright.compiler.bench.scenarios import OFFLINE_SAMPLES, SCENARIOS, SERVER_QUERIES, Load, Result
from gatewright.compiler.errors import TargetError
from gatewright.compiler.plugins import family_class
from gatewright.compiler.runtime.integrity import check_files
from gatewright.targets.base import ModelledTiming

__all__ = ["modelled_timing", "simulate", "waits_seconds"]

Seconds = npt.NDArray[np.float64]

_MOST_QUERIES = 2**22
"""A simulation holds all waiting times in memory; a run of more queries ends earlier than it was asked to."""
_HALVINGS = 20
"""Of the search for the highest rate: to a millionth of the highest rate tried."""
_SETTLING = 10.0
"""Near full load u the queue needs in the order of 1/(1-u)^2 queries to settle (diffusion limit of M/D/1): the search
stops where a run is a hundred times as long. Beyond, a bound would be kept only because the run ends."""
_SHARE = 0.99
"""Part of the server's queries that must keep the bound."""


def modelled_timing(directory: Path, manifest: Manifest, target: str) -> ModelledTiming | None:
    """The timing of a built target, or None where it is to be timed by the clock.

    Raises:
        FrontendError: GW1903 changed files.
        TargetError: GW4390 a model that gives no time.
    """
    folder = manifest.targets[target]
    check_files(directory, manifest, (folder,))
    timing = family_class(target.partition(":")[0]).modelled(directory / folder)
    if timing is None:
        return None
    given = {"latency": timing.latency_seconds, "interval": timing.interval_seconds}
    for name, seconds in given.items():
        if not (math.isfinite(seconds) and seconds > 0):
            raise TargetError(
                "GW4390", target, f"its model gives a {name} of {seconds:g} s: there is no time to simulate",
                "see with 'gatewright report' whether a layer runs on the target at all",
            )  # fmt: skip
    return timing


def simulate(timing: ModelledTiming, load: Load, name: str) -> Result:
    """One scenario in modelled time. Equal arguments give equal results.

    The server scenario simulates ``load.target_qps``, or else searches for the highest rate that keeps the bound: by
    bisection, on one seeded schedule that is compressed or stretched, up to the load at which the run is too short for
    the queue to settle (0.5 % below one query an interval with 2^22 queries).

    Args:
        timing: of the target.
        load: what is asked. The offline scenario has at least 24 576 samples and the server scenario 270 336 queries,
            or as many as last ``load.duration_seconds`` at full rate, up to 2^22.
        name: of the scenario.
    """
    return {"server": _server, "offline": _offline}.get(name, _closed_loop)(timing, name, load)


def waits_seconds(gaps_seconds: Seconds, interval_seconds: float) -> Seconds:
    """How long each sample waits for its start.

    ``w[0] = 0``, ``w[k] = max(0, w[k-1] + interval - gaps[k])``, as the sum from the last time nobody waited.

    Args:
        gaps_seconds: (N,) time since the arrival before; the first is not read.
        interval_seconds: between two starts at least.
    """
    if not len(gaps_seconds):
        return np.zeros(0)
    drift = np.concatenate([[0.0], np.cumsum(interval_seconds - gaps_seconds[1:])])
    waits: Seconds = drift - np.minimum.accumulate(drift)
    return waits


def _closed_loop(timing: ModelledTiming, name: str, load: Load) -> Result:
    """Single-stream and multi-stream: the next query comes when the last sample of this one is done."""
    samples = load.samples_per_query if name == "multi-stream" else 1
    first = timing.latency_seconds + (samples - 1) * timing.interval_seconds
    # The next query starts at once, unless the interval outlasts the latency.
    usual = first + max(0.0, timing.interval_seconds - timing.latency_seconds)
    count = _count(load.duration_seconds + usual - first, usual, 1)
    latencies = np.full(count, usual)
    latencies[0] = first
    value = _percentile(latencies, 90 if name == "single-stream" else 99)
    return _result(timing, name, value, latencies, float(latencies.sum()), samples)


def _offline(timing: ModelledTiming, name: str, load: Load) -> Result:
    samples = _count(load.duration_seconds, timing.interval_seconds, OFFLINE_SAMPLES)
    latencies: Seconds = timing.latency_seconds + timing.interval_seconds * np.arange(samples, dtype=np.float64)
    duration = float(latencies[-1])
    return _result(timing, name, samples / duration, latencies, duration, samples)


def _server(timing: ModelledTiming, name: str, load: Load) -> Result:
    count = _count(load.duration_seconds, timing.interval_seconds, SERVER_QUERIES)
    most = (1 - _SETTLING / math.sqrt(count)) / timing.interval_seconds
    # Gaps at one query a second; at another rate they are divided by it, so that every rate sees the same schedule.
    gaps = np.random.default_rng(load.seed).exponential(size=count)

    def latencies(qps: float) -> Seconds:
        return timing.latency_seconds + waits_seconds(gaps / qps, timing.interval_seconds)

    def kept(qps: float) -> bool:
        return bool(np.mean(latencies(qps) <= load.latency_bound_seconds) >= _SHARE)

    bound = f"{1e3 * load.latency_bound_seconds:g} ms"
    reasons: tuple[str, ...] = ()
    if load.target_qps is not None:
        qps = load.target_qps
        if not kept(qps):
            reasons = (f"fewer than 99 % of the queries keep {bound} at {qps:g} queries per second",)
    else:
        qps = _highest(kept, most) if timing.latency_seconds <= load.latency_bound_seconds else 0.0
        if not qps:
            reasons = (f"the latency of one sample alone is {1e3 * timing.latency_seconds:.4g} ms, beyond {bound}",)
    taken = latencies(qps) if qps else np.full(1, timing.latency_seconds)
    duration = float(gaps[1:].sum() / qps + taken[-1]) if qps else timing.latency_seconds
    value = count / duration if reasons and qps else qps  # of a rate that is too high: what is completed
    return _result(timing, name, value, taken, duration, 1, reasons, not reasons, qps)


def _highest(kept: Callable[[float], bool], most: float) -> float:
    """The highest rate up to ``most`` that is ``kept``; higher rates are kept less. 0 where none is."""
    if kept(most):
        return most
    low, high = 0, 2**_HALVINGS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if kept(most * middle / 2**_HALVINGS) else (low, middle)
    return most * low / 2**_HALVINGS


def _result(
    timing: ModelledTiming,
    name: str,
    value: float,
    latencies: Seconds,
    duration: float,
    samples: int,
    reasons: tuple[str, ...] = (),
    bound_met: bool | None = None,
    qps: float | None = None,
) -> Result:
    found = {"mean": float(latencies.mean())} | {f"p{n}": _percentile(latencies, n) for n in (50, 90, 99)}
    queries = 1 if name == "offline" else len(latencies)
    return Result(
        name, "modelled", SCENARIOS[name].metric, value, not reasons, queries, samples, duration, found, timing.model,
        reasons, bound_met, qps,
    )  # fmt: skip


def _percentile(latencies: Seconds, percent: int) -> float:
    """The value that ``percent`` of the latencies do not exceed: one of them, not a mean of two."""
    return float(np.percentile(latencies, percent, method="inverted_cdf"))


def _count(duration: float, each: float, least: int) -> int:
    return min(max(math.ceil(duration / each), least), _MOST_QUERIES)
