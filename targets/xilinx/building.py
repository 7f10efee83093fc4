"""Building: the HLS project, its C simulation, and the pages that say what was planned.

Products in the target's folder: ``hls/`` (the project), ``plan.json``, ``estimate.json``, ``build.json`` (what was
built and what was not, and why), ``README.md``; with ``synth`` also ``measured.json``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from gatewright.compiler.errors import ToolError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.targets.base import BuildPlan, Estimate, IntegerLibrary, ModelledTiming
from gatewright.targets.products import MEASURED, read_measured, write_json
from gatewright.targets.xilinx.estimating import make_estimate
from gatewright.targets.xilinx.synth import command, synthesize

__all__ = ["build", "estimate_json", "load", "read_modelled"]

PROJECT = "hls"


def build(plan: BuildPlan, directory: Path) -> None:
    """Write everything into ``directory``.

    Raises:
        ToolError: GW5001, GW5002: the C simulation was demanded and cannot be compiled; GW51xx: of synthesis.
    """
    from gatewright.hls import project

    graph = plan.model.integer
    assert graph is not None  # the plan was made for it
    folder = directory / PROJECT
    if plan.options["synth"]:
        # a missing tool is said now, not after the C simulation has been compiled
        command(str(plan.settings["backend"]), bool(plan.options["vsynth"]))
    project.write(graph, plan.layers, _hls_settings(plan, graph), folder)
    write_json(directory / "plan.json", plan.to_json())
    status: dict[str, Any] = {"schema_version": 1, "project": PROJECT, "csim": "not asked for", "warnings": []}
    if plan.options["csim"] is not False:
        _simulation(plan, folder, status)
    measured = None
    if plan.options["synth"]:
        timeout_s, vsynth = float(plan.options["synth_timeout_s"]), bool(plan.options["vsynth"])
        measured = synthesize(folder, plan.settings, timeout_s, vsynth)
        write_json(directory / MEASURED, measured)
    write_json(directory / "build.json", status)
    estimate = make_estimate(plan, measured)
    write_json(directory / "estimate.json", estimate_json(estimate))
    (directory / "README.md").write_text(_readme(plan, estimate, status), encoding="utf-8")


def load(directory: Path) -> IntegerLibrary:
    """The compiled C simulation of the artefact in ``directory``.

    Raises:
        ToolError: GW5003 when it was not compiled.
    """
    from gatewright.hls import csim

    return cast(IntegerLibrary, csim.load(directory / PROJECT))


def read_modelled(directory: Path) -> ModelledTiming:
    """The kernel's cycles, of C synthesis where it ran and else of the estimate, at the clock the design can have."""
    plan = json.loads((directory / "plan.json").read_text("utf-8"))["settings"]
    measured = read_measured(directory)
    clock_mhz = min(float(plan["clock_mhz"]), measured.get("clock_mhz", math.inf))
    latency, interval = (measured.get(name, plan[name]) for name in ("latency_cycles", "interval_cycles"))
    source = "cycles of C synthesis" if measured else "estimated cycles, unmeasured for this design,"
    return ModelledTiming.from_cycles(
        latency, max(1, interval), clock_mhz,
        f"{source} at {clock_mhz:g} MHz, without transfers, driver and host tail",
    )  # fmt: skip


def estimate_json(estimate: Estimate) -> dict[str, Any]:
    """The estimate as plain data."""

    def figures(group: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: {
                "value": f.value, "unit": f.unit, "model": f.model, "error": f.error,
                **({"measured": f.measured} if f.measured is not None else {}),
            }
            for name, f in group.items()
        }  # fmt: skip

    return {
        "schema_version": 1,
        "target": estimate.target,
        "totals": figures(estimate.totals),
        "layers": [{"layer": row.layer, "op": row.op, "figures": figures(row.figures)} for row in estimate.layers],
        "models": dict(estimate.models),
    }


def _hls_settings(plan: BuildPlan, graph: IntegerGraph) -> dict[str, Any]:
    """The settings in the HLS side's words (:func:`gatewright.hls.lowering.lower`)."""
    from gatewright.hls.lowering.driver import design

    wanted = ("part", "clock_period_ns", "io_type", "backend", "project_name")
    settings = {**{name: plan.settings[name] for name in wanted}, "board": plan.settings["hls4ml_board"]}
    depths = dict(plan.settings["fifo_depths"])
    if plan.settings["io_type"] == "io_stream":
        # hls4ml puts a zero-padding layer, zp2d_*, before a padded convolution; a row of it is slack enough
        for layer in design(graph, plan.layers, "io_stream").builder.layers:
            if layer["class_name"] in ("Conv2D", "DepthwiseConv2D"):
                depths[f"zp2d_{layer['name']}"] = layer["in_width"] + layer["pad_left"] + layer["pad_right"]
    return {**settings, "fifo_depths": depths}


def _simulation(plan: BuildPlan, folder: Path, status: dict[str, Any]) -> None:
    from gatewright.hls import csim

    try:
        csim.compile(folder)
    except ToolError as error:
        # Only a missing compiler is forgiven, and only where nobody demanded the simulation.
        if error.code != "GW5001" or plan.options["csim"] is True:
            raise
        status["csim"] = "missing"
        status["warnings"].append(
            {"code": error.code, "place": error.place, "reason": error.reason, "actions": list(error.actions)}
        )
    else:
        status["csim"] = "built"


def _readme(plan: BuildPlan, estimate: Estimate, status: Mapping[str, Any]) -> str:
    import jinja2

    template = files("gatewright.targets.xilinx").joinpath("README.md.j2").read_text("utf-8")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text: str = environment.from_string(template).render(
        plan=plan,
        settings=plan.settings,
        totals=estimate.totals,
        status=status,
        project=PROJECT,
        measured=any(figure.measured is not None for figure in estimate.totals.values()),
    )
    return text
