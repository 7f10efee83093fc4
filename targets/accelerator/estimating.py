"""Figures of a plan: the event-driven model on the plan's own command stream."""

from __future__ import annotations

from gatewright.schedules.accelerator.timing.event import simulate
from gatewright.targets.accelerator.planning import program_of_plan
from gatewright.targets.base import BuildPlan, Estimate, Figure, LayerEstimate

__all__ = ["MODELS", "make_estimate"]

MODELS = {
    "event": "event-driven model, one event an instruction (schedules/accelerator/timing/event.py)",
    "set": "asked for by the spec",
    "counted": "counted in the command stream",
}


def make_estimate(plan: BuildPlan) -> Estimate:
    """Figures of ``plan``."""
    spec, _, _, program = program_of_plan(plan)
    timelines = [simulate(spec, run.words) for run in program.runs]
    cycles = sum(timeline.total_cycles for timeline in timelines)
    error = "unmeasured"
    latency_us = cycles / spec.clock_mhz
    hosted = len(plan.settings["host_layers"])
    totals = {
        "latency_cycles": Figure(cycles, "cycles", "event", error),
        "interval_cycles": Figure(cycles, "cycles", "event", error),
        "clock_mhz": Figure(spec.clock_mhz, "MHz", "set", "of the spec"),
        "latency_us": Figure(round(latency_us, 4), "us", "event", error),
        "inferences_per_second": Figure(round(1e6 / latency_us, 2) if cycles else 0.0, "1/s", "event", error),
        "host_layers": Figure(hosted, "layers", "counted", "exact; their time is in no figure"),
        "instructions": Figure(sum(len(run.words) for run in program.runs), "instructions", "counted", "exact"),
    }
    return Estimate(plan.target, totals, _layers(plan), MODELS)


def _layers(plan: BuildPlan) -> tuple[LayerEstimate, ...]:
    return tuple(LayerEstimate(row["layer"], row["op"], {}) for row in plan.layers)
