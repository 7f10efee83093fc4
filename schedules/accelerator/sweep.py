"""Sweeps: one network on every accelerator of a grid of parameters, and which of them are not beaten.

A grid is the Cartesian product of its axes. A point whose parameters contradict each other, or on which a layer fits in
no tiling, is impossible: a row with the reason, no error.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from typing import Any

from gatewright.compiler.errors import GatewrightError, UsageError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.schedules.accelerator.area import area_proxy
from gatewright.schedules.accelerator.documents import validate
from gatewright.schedules.accelerator.energy import EnergyTable, energy_of
from gatewright.schedules.accelerator.planner import plan_network
from gatewright.schedules.accelerator.search.convolution import Budget
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.timing.counts import Counts, by_layer, total_counts

__all__ = ["Axis", "GridPoint", "Outcome", "evaluated", "grid", "not_beaten"]


@dataclass(frozen=True)
class Axis:
    """Parameters that vary together.

    Attributes:
        paths: dotted names in the spec, e.g. ``("matrix.rows", "matrix.columns")``; all take the same value.
        values: one after the other.
    """

    paths: tuple[str, ...]
    values: tuple[Any, ...]


@dataclass(frozen=True)
class GridPoint:
    """One accelerator of a grid.

    Attributes:
        values: path -> value.
        spec: None where there is no such accelerator.
        reason: why not.
    """

    values: Mapping[str, Any]
    spec: Spec | None
    reason: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a network takes there; figures are 0 where ``reason`` says why there are none.

    Attributes:
        cycles: of all runs by the event-driven model. latency_us: at the clock of the spec.
        energy_uj: of one inference. area_mm2: the proxy of :mod:`gatewright.schedules.accelerator.area`.
        host_layers: layers that the accelerator leaves to the host: in no figure.
        reason: why the network does not run, else "".
    """

    cycles: int = 0
    latency_us: float = 0.0
    energy_uj: float = 0.0
    area_mm2: float = 0.0
    host_layers: int = 0
    reason: str = ""


def grid(spec: Spec, axes: Sequence[Axis]) -> list[GridPoint]:
    """Every combination, the last axis fastest.

    Args:
        spec: gives every parameter that does not vary.
        axes: what varies.

    Raises:
        UsageError: GW4301 on a name that is no parameter, or that varies twice.
    """
    base = spec.model_dump(mode="json")
    seen: set[str] = set()
    for axis in axes:
        for path in axis.paths:
            _check_path(base, path, seen)
    points = []
    for combination in product(*(axis.values for axis in axes)):
        values = {path: value for axis, value in zip(axes, combination, strict=True) for path in axis.paths}
        points.append(_point(base, values))
    return points


def _check_path(base: Mapping[str, Any], path: str, seen: set[str]) -> None:
    known = list(_leaves(base))
    if path not in known:
        section = path.rpartition(".")[0]
        near = [name for name in known if name.rpartition(".")[0] == section] or known
        raise UsageError("GW4301", path, "no such parameter of a spec", f"use one of: {', '.join(near)}")
    if path in seen:
        raise UsageError("GW4301", path, "varies twice", "name every parameter in one --vary only")
    seen.add(path)


def _leaves(data: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in data.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        elif prefix or name in ("clock_mhz", "energy"):
            yield prefix + name


def _point(base: Mapping[str, Any], values: Mapping[str, Any]) -> GridPoint:
    data = deepcopy(dict(base))
    for path, value in values.items():
        *sections, name = path.split(".")
        place = data
        for section in sections:
            place = place[section]
        place[name] = value
    try:
        return GridPoint(values, validate(Spec, data))
    except ValueError as error:
        return GridPoint(values, None, str(error))


@dataclass(frozen=True)
class _Task:
    graph: IntegerGraph
    budget: Budget
    tables: Mapping[str, EnergyTable]

    def run(self, point: GridPoint) -> Outcome:
        spec = point.spec
        if spec is None:
            return Outcome(reason=point.reason)
        if spec.energy not in self.tables:
            return Outcome(reason=f"energy: no table {spec.energy!r}; there are {', '.join(self.tables)}")
        try:
            plan = plan_network(spec, self.graph, self.budget)
        except GatewrightError as error:
            return Outcome(reason=f"{error.place}: {error.reason}")
        runs, cycles = plan.program.runs, plan.schedule.cycles
        counts = sum((total_counts(by_layer(spec, run.words, run.layers)) for run in runs), Counts())
        energy_pj = energy_of(spec, counts, self.tables[spec.energy]).energy_pj
        return Outcome(
            cycles, cycles / spec.clock_mhz, energy_pj / 1e6, area_proxy(spec).total_mm2, len(plan.analysis.host_layers)
        )


_task: _Task | None = None


def _start(task: _Task) -> None:
    global _task
    _task = task


def _run(point: GridPoint) -> Outcome:
    assert _task is not None
    return _task.run(point)


def evaluated(
    graph: IntegerGraph, points: Iterable[GridPoint], budget: Budget, tables: Mapping[str, EnergyTable], jobs: int = 1
) -> Iterator[Outcome]:
    """Plan and time the network on every point, in order; the same whatever ``jobs``.

    Args:
        graph: the network.
        points: of a grid.
        budget: of the search for tilings.
        tables: of energy, by the name a spec gives.
        jobs: processes.
    """
    task = _Task(graph, budget, tables)
    if jobs == 1:
        yield from map(task.run, points)
        return
    # A forked child would inherit whatever threads of the compiler hold.
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _start, (task,))
    try:
        yield from pool.map(_run, points)
    finally:
        pool.shutdown(cancel_futures=True)


def not_beaten(outcomes: Sequence[Outcome]) -> list[bool]:
    """Which are Pareto-optimal: no other is at most as large, slow and hungry, and less in one of the three."""
    costs = [(o.area_mm2, o.latency_us, o.energy_uj) for o in outcomes]
    possible = [not outcome.reason for outcome in outcomes]

    def beaten(cost: tuple[float, ...]) -> bool:
        return any(
            there and other != cost and all(a <= b for a, b in zip(other, cost, strict=True))
            for other, there in zip(costs, possible, strict=True)
        )

    return [there and not beaten(cost) for cost, there in zip(costs, possible, strict=True)]
