"""The four scenarios of MLPerf Inference: how queries come, and which figure counts.

Source: the rules in ``mlcommons/inference_policies`` (inference_rules.adoc, section "Scenarios") and LoadGen 6.0.17.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["OFFICIAL_SECONDS", "OFFLINE_SAMPLES", "SCENARIOS", "SERVER_QUERIES", "Load", "Result", "Scenario"]

OFFICIAL_SECONDS = 600.0
"""Time a scenario lasts at least in a submission."""

OFFLINE_SAMPLES = 24_576
"""Samples the one query of the offline scenario holds at least."""

SERVER_QUERIES = 270_336
"""Queries that give the 99th percentile to within 0.05 % with 99 % confidence, rounded up to a multiple of 2^13."""


@dataclass(frozen=True)
class Scenario:
    """One scenario.

    Attributes:
        name: on the command line.
        loadgen: name in LoadGen's ``TestScenario``.
        metric: what the result's ``value`` is, and its unit in the name.
        queries: how queries come.
    """

    name: str
    loadgen: str
    metric: str
    queries: str


SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("single-stream", "SingleStream", "latency_p90_seconds", "one sample, when the last is done"),
        Scenario("multi-stream", "MultiStream", "latency_p99_seconds", "N samples, when the last are done"),
        Scenario("server", "Server", "queries_per_second", "one sample, at random (Poisson)"),
        Scenario("offline", "Offline", "samples_per_second", "all samples at once"),
    )
}
"""By name, in MLPerf's order."""


@dataclass(frozen=True)
class Load:
    """What is asked of a target.

    Attributes:
        duration_seconds: time a scenario lasts at least.
        seed: of arrivals and of the order of samples.
        samples_per_query: N of the multi-stream scenario.
        target_qps: rate at which the server scenario offers queries; None: see ``simulate`` and ``LoadGen``.
        latency_bound_seconds: what 99 % of the server scenario's queries must keep; MLPerf's for ResNet-50 is 15 ms.
    """

    duration_seconds: float
    seed: int = 0
    samples_per_query: int = 8
    target_qps: float | None = None
    latency_bound_seconds: float = 0.015


@dataclass(frozen=True)
class Result:
    """What a scenario found on a target.

    Attributes:
        scenario: its name.
        time: whether a clock was read or a model was asked.
        metric: what ``value`` is.
        value: the scenario's figure; 0 of a server that keeps the bound at no rate.
        valid: of wall-clock time, what LoadGen says; of modelled time, whether the server's bound is kept.
        reasons: why it is not valid.
        bound_met: whether 99 % of the server's queries kept the bound; None in other scenarios.
        queries: completed.
        samples_per_query: of each.
        duration_seconds: how long they took.
        latency_seconds: of a query, by ``mean``, ``p50``, ``p90``, ``p99``; of a sample in the offline scenario.
        target_qps: rate at which the server's queries were offered.
        source: of the times, and what they include.
    """

    scenario: str
    time: Literal["wall clock", "modelled"]
    metric: str
    value: float
    valid: bool
    queries: int
    samples_per_query: int
    duration_seconds: float
    latency_seconds: Mapping[str, float]
    source: str
    reasons: tuple[str, ...] = ()
    bound_met: bool | None = None
    target_qps: float | None = None

    def to_json(self, target: str, load: Load) -> dict[str, Any]:
        """A row of the verb's results."""
        row = {"target": target, **asdict(self), "seed": load.seed}
        row |= {f"latency_{name}_seconds": seconds for name, seconds in row.pop("latency_seconds").items()}
        row["latency_bound_seconds"] = load.latency_bound_seconds if self.scenario == "server" else None
        return row
