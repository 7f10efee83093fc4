"""Figures of a plan: the event-driven model on the plan's own command stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatewright.compiler.errors import UsageError
from gatewright.schedules.accelerator.spec import Spec
from gatewright.targets.accelerator.planning import plan_of, spec_of
from gatewright.targets.accelerator.simulating import simulation
from gatewright.targets.base import BuildPlan, Estimate, Figure, LayerEstimate

__all__ = ["cycles_error", "make_estimate"]

_MODELS = {
    "event": "event-driven model of the command stream (schedules/accelerator/timing/event.py)",
    "set": "said by the spec",
    "counted": "counted in the command stream",
}


def cycles_error(spec: Spec) -> str:
    """What is known of the error of the model's cycles."""
    from gatewright.hls.accelerator.verilog import check_covered

    try:
        check_covered(spec)
    except UsageError:
        return "unmeasured: there is no RTL of this spec"
    return "exact: equals RTL simulation, instruction by instruction, with a memory of the spec's latency"


def make_estimate(plan: BuildPlan) -> Estimate:
    """Figures of ``plan``."""
    spec, network = spec_of(plan), plan_of(plan)
    program = network.program
    found = simulation(spec, program, network.analysis.graph)
    totals, error = found.totals, cycles_error(spec)
    cycles, latency_us = int(totals["cycles"]), float(totals["latency_us"])
    bytes_ = totals["bytes"]
    figures = {
        "latency_cycles": Figure(cycles, "cycles", "event", error),
        "interval_cycles": Figure(cycles, "cycles", "event", error),
        "closed_form_cycles": Figure(
            totals["closed_form_cycles"], "cycles", "closed_form", "never above latency_cycles"
        ),
        "roofline_cycles": Figure(totals["roofline_cycles"], "cycles", "roofline", "never above latency_cycles"),
        "clock_mhz": Figure(spec.clock_mhz, "MHz", "set", "of the spec"),
        "latency_us": Figure(latency_us, "us", "event", error),
        "inferences_per_second": Figure(round(1e6 / latency_us, 2) if cycles else 0.0, "1/s", "event", error),
        "utilisation": Figure(totals["utilisation"], "of the array", "event", error),
        "energy_uj": Figure(totals["energy_uj"], "uJ", "energy", "unmeasured"),
        "dram_bytes": Figure(bytes_["dram_read"] + bytes_["dram_written"], "bytes", "counted", "exact"),
        "macs": Figure(totals["macs"], "MAC", "counted", "exact"),
        "instructions": Figure(sum(len(run.words) for run in program.runs), "instructions", "counted", "exact"),
        "host_layers": Figure(len(plan.settings["host_layers"]), "layers", "counted", "exact; in no figure"),
    }
    rows = {row["layer"]: row for row in found.layers}
    layers = tuple(LayerEstimate(row["layer"], row["op"], _layer(rows.get(row["layer"]), error)) for row in plan.layers)
    tiers = {name: found.models[f"{name}_cycles"] for name in ("closed_form", "roofline")}
    return Estimate(plan.target, figures, layers, {**_MODELS, **tiers, "energy": found.models["energy"]})


def _layer(row: Mapping[str, Any] | None, error: str) -> dict[str, Figure]:
    """Figures of a layer; none for one on the host."""
    if row is None:
        return {}
    split = {f"{part}_cycles": Figure(value, "cycles", "event", error) for part, value in row["split"].items()}
    return {
        "cycles": Figure(row["cycles"], "cycles", "event", error),
        **split,
        "utilisation": Figure(row["utilisation"], "of the array", "event", error),
        "energy_pj": Figure(row["energy_pj"], "pJ", "energy", "unmeasured"),
        "dram_bytes": Figure(row["bytes"]["dram_read"] + row["bytes"]["dram_written"], "bytes", "counted", "exact"),
    }
