"""Building: the design folder, its RTL simulation, the bitstream, and what came out of place and route.

Products in the target's folder: ``design/`` (``rtl/``, ``design.json``, ``sim/``, ``build/`` with the bitstream and the
report of every seed), ``plan.json``, ``build.json`` (what was built and what was not, and why), ``measured.json``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np

from gatewright.compiler.errors import ToolError
from gatewright.hls.lattice.database import Site
from gatewright.schedules.stream.resources import RESOURCES
from gatewright.targets.base import BuildPlan, IntegerLibrary, ModelledTiming
from gatewright.targets.products import MEASURED, say, write_json

__all__ = ["build", "load", "read_modelled"]

DESIGN = "design"
_SELF_TEST_SAMPLES = 4


def build(plan: BuildPlan, directory: Path, site: Site) -> None:
    """Write everything into ``directory``.

    Raises:
        ToolError: GW50xx: a tool is missing or fails.
        ConstraintError: GW4210 when the clock is missed, GW4211 when the device is too small.
    """
    from gatewright.hls.lattice import project
    from gatewright.targets.lattice.planning import network_of

    design = directory / DESIGN
    design.mkdir()
    project.write(network_of(plan), design, {"plan": plan.digest(), "device": site.device.name})
    write_json(directory / "plan.json", plan.to_json())
    status: dict[str, Any] = {"schema_version": 1, "simulation": "not asked for", "bitstream": "", "warnings": []}
    if plan.options["simulate"] is not False:
        _simulation(plan, design, status)
    if plan.settings["bitstream"]:
        _bitstream(plan, directory, design, site, status)
    write_json(directory / "build.json", status)


def load(directory: Path) -> IntegerLibrary:
    """The RTL simulation of the artefact in ``directory``.

    Raises:
        ToolError: GW5024 when it was not built.
    """
    from gatewright.hls.lattice.simulation import Simulation

    return cast(IntegerLibrary, Simulation(directory / DESIGN))


def read_modelled(directory: Path) -> ModelledTiming:
    """Exact cycles of the network at the clock of the bitstream, or without one at the clock asked for."""
    plan = json.loads((directory / "plan.json").read_text("utf-8"))["settings"]
    status = json.loads((directory / "build.json").read_text("utf-8"))
    clock_mhz = float(status.get("clock_mhz", plan["clock_mhz"]))
    latency, interval, flash = (int(plan[f"{name}_cycles"]) for name in ("latency", "interval", "flash"))
    source = "the bitstream's" if status["bitstream"] else "asked for, no bitstream"
    return ModelledTiming.from_cycles(
        max(latency, flash), max(1, interval, flash), clock_mhz,
        f"exact cycles of the network at {clock_mhz:g} MHz ({source}), without the serial link and the host tail",
    )  # fmt: skip


def _simulation(plan: BuildPlan, design: Path, status: dict[str, Any]) -> None:
    from gatewright.hls.lattice.simulation import build as build_simulation

    try:
        build_simulation(design, jobs=int(plan.options["jobs"]), timeout_s=float(plan.options["timeout_s"]))
    except ToolError as error:
        # Only a missing tool is forgiven, and only where nobody demanded the simulation.
        if error.code not in ("GW5001", "GW5020") or plan.options["simulate"] is True:
            raise
        status["simulation"] = "missing"
        status["warnings"].append(
            {"code": error.code, "place": error.place, "reason": error.reason, "actions": list(error.actions)}
        )
    else:
        status["simulation"] = "built"


def _bitstream(plan: BuildPlan, directory: Path, design: Path, site: Site, status: dict[str, Any]) -> None:
    from gatewright.hls.lattice.project import WEIGHTS
    from gatewright.hls.lattice.toolchain.build import build_bitstream

    options = plan.options
    made = build_bitstream(
        design, site, float(plan.settings["clock_mhz"]), range(1, int(options["seeds"]) + 1), int(options["jobs"]),
        say, baud=options["baud"], self_test=_vectors(plan) if options["self_test"] else None,
        timeout_s=float(options["timeout_s"]),
    )  # fmt: skip
    status["bitstream"] = str(made.path.relative_to(directory.resolve()))
    status["clock_mhz"] = made.board.clock_mhz
    notes = [made.board.note] if made.board.note else []
    if made.board.weights_offset:
        notes.append(f"write design/{WEIGHTS} into the flash at {made.board.weights_offset:#x}")
    status["note"] = "; ".join(notes)
    for note in notes:
        say(note)
    fmax = made.best.fmax_mhz
    measured = {
        "clock_mhz": round(fmax, 2),
        "latency_us": round(max(int(plan.settings[f"{name}_cycles"]) for name in ("latency", "flash")) / fmax, 4),
        "inferences_per_second": round(1e6 * fmax / _cycles(plan), 2),
        **{name: value for name, value in made.best.used.items() if name in RESOURCES},
    }
    for stage, counts in made.synthesis.stages.items():
        for name in RESOURCES:
            measured[f"{stage}.{name}"] = getattr(counts, name)
    write_json(directory / MEASURED, measured)


def _cycles(plan: BuildPlan) -> int:
    """Cycles a frame takes: the network's, or the flash chip's that brings weights."""
    return max(1, int(plan.settings["interval_cycles"]), int(plan.settings["flash_cycles"]))


def _vectors(plan: BuildPlan) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs of a self test, seeded by the plan, and what the golden reference makes of them."""
    from gatewright.compiler.integer.reference import Reference

    graph = plan.model.integer
    assert graph is not None
    generator = np.random.default_rng(int(plan.digest()[:8], 16))
    inputs = {
        layer.name: generator.integers(
            layer.output.qmin, layer.output.qmax, (_SELF_TEST_SAMPLES, *layer.output.shape[1:]), endpoint=True
        ).astype(layer.output.dtype)
        for layer in graph.inputs
    }
    return inputs, dict(Reference(graph).run(inputs))
