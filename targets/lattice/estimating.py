"""Figures of a plan: cycles from the exact timing model, resources from the fitted one, each with its error."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from gatewright.schedules.stream.resources import RESOURCES
from gatewright.targets.base import BuildPlan, Estimate, Figure, LayerEstimate

__all__ = ["MODELS", "make_estimate"]

MODELS = {
    "max-plus": "exact cycle counts of the network of stages (schedules/stream/timing), equal to RTL simulation",
    "flash": "cycles of the reader of the flash chip that holds weights: bits, commands and pauses counted",
    "fitted": "LUTs and flip-flops fitted to yosys's and nextpnr's counts (schedules/stream/resources)",
    "counted": "multipliers and block memories are instantiated one by one",
    "set": "asked for by the user or the board",
}
_EXACT = "exact: equals RTL simulation with a source that always offers and a sink that always takes"
_UNITS = {"lut": "LUT", "ff": "FF", "dsp": "multipliers", "ebr": "EBR", "spram": "SPRAM"}


@cache
def _accuracy() -> Mapping[str, Any]:
    return tomllib.loads(files("gatewright.schedules.stream").joinpath("accuracy.toml").read_text("utf-8"))


def _error(resource: str) -> str:
    if resource in ("dsp", "ebr", "spram"):
        return "exact"
    return str(_accuracy().get(resource, "unmeasured"))


def make_estimate(plan: BuildPlan, measured: Mapping[str, float] | None = None) -> Estimate:
    """Figures of ``plan``; ``measured`` holds what place and route found, by the name of the total."""
    settings, found = plan.settings, measured or {}
    clock_mhz = float(settings["clock_mhz"])
    interval, latency = int(settings["interval_cycles"]), int(settings["latency_cycles"])
    flash = int(settings["flash_cycles"])
    per_frame = max(1, interval, flash)

    def figure(name: str, value: float, unit: str, model: str, error: str) -> Figure:
        return Figure(value, unit, model, error, found.get(name))

    at_clock = "exact at this clock"
    totals = {
        "latency_cycles": figure("latency_cycles", latency, "cycles", "max-plus", _EXACT),
        "interval_cycles": figure("interval_cycles", interval, "cycles", "max-plus", _EXACT),
        "clock_mhz": figure("clock_mhz", clock_mhz, "MHz", "set", "asked for; place and route decides"),
        "latency_us": figure(
            "latency_us", round(max(latency, flash) / clock_mhz, 4), "us", "flash" if flash > latency else "max-plus",
            "at least: what the flash takes for one sample" if flash > latency else at_clock,
        ),
        "inferences_per_second": figure(
            "inferences_per_second", round(1e6 * clock_mhz / per_frame, 2), "1/s",
            "flash" if flash > interval else "max-plus", at_clock
        ),
        **{
            name: figure(
                name, int(settings["resources"][name]), _UNITS[name],
                "fitted" if name in ("lut", "ff") else "counted", _error(name),
            )
            for name in _there(plan)
        },
    }  # fmt: skip
    if flash:
        totals["flash_cycles"] = figure("flash_cycles", flash, "cycles", "flash", "a simulated flash chip: -7..+3 %")
    rows = tuple(LayerEstimate(row["layer"], row["op"], _row(row, found, _there(plan))) for row in plan.layers)
    return Estimate(plan.target, totals, rows, MODELS)


def _there(plan: BuildPlan) -> list[str]:
    """Resources the device has."""
    return [name for name in RESOURCES if plan.settings["available"][name] or name != "spram"]


def _row(row: Mapping[str, Any], found: Mapping[str, float], resources: Sequence[str]) -> dict[str, Figure]:
    figures = {"interval_cycles": Figure(row["work_cycles"], "cycles", "max-plus", "exact")}
    for name in resources:
        model = "fitted" if name in ("lut", "ff") else "counted"
        measured = found.get(f"{row['stage']}.{name}")
        figures[name] = Figure(row[name], _UNITS[name], model, _error(name), measured)
    return figures
