"""Sweeps over parameters of a spec: area, latency and energy of every point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gatewright.compiler.errors import TargetError, UsageError
from gatewright.compiler.model import QuantizedModel
from gatewright.schedules.accelerator.area import AREA_MODEL
from gatewright.schedules.accelerator.search.convolution import Budget
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.sweep import Axis, GridPoint, Outcome, evaluated, grid, not_beaten
from gatewright.targets.accelerator.energy_tables import energy_table
from gatewright.targets.accelerator.options import AcceleratorOptions
from gatewright.targets.base import Sweep, SweepPoint, Track, Variation

__all__ = ["make_sweep"]

_UNITS = {"area_mm2": "mm2", "latency_us": "us", "energy_uj": "uJ", "cycles": "cycles", "host_layers": "layers"}


def make_sweep(
    target: str,
    model: QuantizedModel,
    spec: Spec,
    variations: Sequence[Variation],
    options: AcceleratorOptions,
    track: Track[Any],
    jobs: int,
) -> Sweep:
    """Plan and time ``model`` on every accelerator of the grid.

    Raises:
        TargetError: GW4330: there is no integer graph.
        UsageError: GW4301: a parameter that a spec does not have.
    """
    if model.integer is None:
        raise TargetError(
            "GW4330", target, "an accelerator needs an integer graph", "compile with --profile fixed or scaled"
        )
    points = grid(spec, [Axis(variation.names, variation.values) for variation in variations])
    budget = Budget(options.candidates, options.search_seconds)
    tables = {}
    for name in dict.fromkeys(point.spec.energy for point in points if point.spec is not None):
        try:
            tables[name] = energy_table(name)
        except UsageError:
            if name == spec.energy:
                raise  # a name that a variation gives is a reason of its points
    outcomes = list(track(evaluated(model.integer, points, budget, tables, jobs), "sweep", len(points)))
    best = not_beaten(outcomes)
    return Sweep(
        points=tuple(_point(*three) for three in zip(points, outcomes, best, strict=True)),
        units=_UNITS,
        compared=("area_mm2", "latency_us", "energy_uj"),
        models={
            "area_mm2": AREA_MODEL,
            "latency_us": "event-driven model at the clock of the spec; host layers take no time",
            "energy_uj": f"counts x table {', '.join(tables)}; arithmetic, scratchpads and DRAM alone",
        },
    )


def _point(point: GridPoint, outcome: Outcome, optimal: bool) -> SweepPoint:
    if outcome.reason:
        return SweepPoint(point.values, {}, False, outcome.reason)
    figures = {
        "area_mm2": round(outcome.area_mm2, 6),
        "latency_us": round(outcome.latency_us, 4),
        "energy_uj": round(outcome.energy_uj, 6),
        "cycles": outcome.cycles,
        "host_layers": outcome.host_layers,
    }
    return SweepPoint(point.values, figures, optimal)
