"""Figures of a plan: cycles, latency, resources, each with its model and that model's error."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from gatewright.schedules.fpga import costs, cycles
from gatewright.targets.base import BuildPlan, Estimate, Figure, LayerEstimate

__all__ = ["error_text", "make_estimate"]

_RESOURCES = {
    "lut": "LUT",
    "ff": "FF",
    "dsp": "DSP",
    "bram_18k": "RAMB18",
    "uram": "URAM",
    "csynth_lut": "LUT in the C synthesis report",
}
_RESOURCE_MODEL = {
    "lut": "logic",
    "ff": "logic",
    "dsp": "multipliers",
    "bram_18k": "memory",
    "uram": "memory",
    "csynth_lut": "logic",
}


@cache
def _accuracy() -> Mapping[str, Any]:
    return tomllib.loads(files("gatewright.targets.xilinx").joinpath("accuracy.toml").read_text("utf-8"))


def error_text(figure: str) -> str:
    """The measured error of the model behind ``figure``, over the designs of published.toml, or ``unmeasured``."""
    return str(_accuracy()["error"].get(figure, "unmeasured"))


def make_estimate(plan: BuildPlan, measured: Mapping[str, float] | None = None) -> Estimate:
    """Figures of ``plan``; ``measured`` holds what a synthesis run found, by the name of the total."""
    settings = plan.settings
    found = measured or {}

    def figure(name: str, value: float, unit: str, model: str, error_of: str = "") -> Figure:
        return Figure(value, unit, model, error_text(error_of or name), found.get(name))

    clock_mhz = float(settings["clock_mhz"])
    interval, latency = int(settings["interval_cycles"]), int(settings["latency_cycles"])
    totals = {
        "latency_cycles": figure("latency_cycles", latency, "cycles", "dataflow"),
        "interval_cycles": figure("interval_cycles", interval, "cycles", "dataflow"),
        "clock_mhz": Figure(clock_mhz, "MHz", "set", "a target, not checked without synthesis", found.get("clock_mhz")),
        "latency_us": figure("latency_us", round(latency / clock_mhz, 4), "us", "dataflow", "latency_cycles"),
        "inferences_per_second": figure(
            "inferences_per_second", round(1e6 * clock_mhz / max(1, interval), 2), "1/s", "dataflow", "interval_cycles"
        ),
        **{
            name: figure(name, int(settings["resources"][name]), unit, _RESOURCE_MODEL[name])
            for name, unit in _RESOURCES.items()
        },
    }
    if settings["warnings"]:
        doubted = totals["lut"]
        totals["lut"] = replace(doubted, error="; ".join([doubted.error, *settings["warnings"]]))
    unseen = [row["layer"] for row in plan.layers if _in_no_report(row)]
    if unseen:
        note = f"{len(unseen)} of {len(plan.layers)} layers are kernels of ours that no synthesis report covers yet"
        for name in ("latency_cycles", "latency_us", "interval_cycles", "inferences_per_second", *_RESOURCES):
            totals[name] = replace(totals[name], error=f"{totals[name].error}; {note}")
    layers = tuple(LayerEstimate(row["layer"], row["op"], _layer(row)) for row in plan.layers)
    return Estimate(plan.target, totals, layers, {**costs.MODELS, **cycles.CYCLE_MODELS})


def _in_no_report(row: Mapping[str, Any]) -> bool:
    return str(row["cycle_model"]) == "reduce" or str(row["cycle_model"]).endswith("_serial")


def _layer(row: Mapping[str, Any]) -> dict[str, Figure]:
    cycle_model, unseen = str(row["cycle_model"]), _in_no_report(row)
    figures = {
        name: Figure(row[name], "cycles", cycle_model, "unmeasured" if unseen else error_text(name))
        for name in ("interval_cycles", "latency_cycles")
    }
    for name, unit in _RESOURCES.items():
        model = "serial" if cycle_model.endswith("_serial") else _RESOURCE_MODEL[name]
        figures[name] = Figure(row[name], unit, model, "unmeasured" if unseen else error_text(name))
    return figures
