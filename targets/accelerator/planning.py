"""The plan: residency and tilings as plain data; with graph and spec they say every byte of the program."""

from __future__ import annotations

from typing import Any

from gatewright.compiler.errors import TargetError
from gatewright.compiler.model import QuantizedModel
from gatewright.schedules.accelerator.analysis import Analysis, analyse
from gatewright.schedules.accelerator.image import constant_image
from gatewright.schedules.accelerator.planner import Schedule, plan_network, program_of
from gatewright.schedules.accelerator.program import Program
from gatewright.schedules.accelerator.search.convolution import Budget
from gatewright.schedules.accelerator.serialization import Package
from gatewright.schedules.accelerator.spec import Spec
from gatewright.targets.accelerator.options import AcceleratorOptions
from gatewright.targets.base import BuildPlan

__all__ = ["make_plan", "package_of", "program_of_plan", "spec_of"]


def make_plan(target: str, model: QuantizedModel, spec: Spec, options: AcceleratorOptions) -> BuildPlan:
    """Choose everything.

    Raises:
        TargetError: GW4330: there is no integer graph.
        ConstraintError: GW4308: a layer fits in no tiling.
    """
    graph = model.integer
    if graph is None:
        raise TargetError(
            "GW4330", target, "an accelerator needs an integer graph", "compile with --profile fixed or scaled"
        )
    analysis = analyse(spec, graph)
    schedule = plan_network(spec, graph, Budget(options.candidates, options.search_seconds))
    program = program_of(spec, analysis, schedule)
    settings = {
        "spec": spec.model_dump(mode="json"),
        "schedule": schedule.to_json(),
        "host_layers": analysis.host_layers,
        "dram_bytes": program.dram_bytes,
        "resident": sorted(region.request.name for region in program.scratchpad),
    }
    rows = tuple(_row(analysis, schedule, op.name) for op in analysis.operations)
    return BuildPlan(target, graph.digest(), options.model_dump(mode="json"), rows, settings, model)


def _row(analysis: Analysis, schedule: Schedule, name: str) -> dict[str, Any]:
    op = next(op for op in analysis.operations if op.name == name)
    row: dict[str, Any] = {"layer": name, "op": op.layer.op, "unit": op.kind}
    if op.reason:
        row["reason"] = op.reason
    if name in schedule.tilings:
        row["tiling"] = schedule.to_json()["tilings"][name]
    return row


def spec_of(plan: BuildPlan) -> Spec:
    """The accelerator of a plan."""
    return Spec.model_validate(plan.settings["spec"])


def program_of_plan(plan: BuildPlan) -> tuple[Spec, Analysis, Schedule, Program]:
    """The program of a plan and what it was made from."""
    spec, graph = spec_of(plan), plan.model.integer
    assert graph is not None
    analysis = analyse(spec, graph)
    schedule = Schedule.from_json(plan.settings["schedule"])
    return spec, analysis, schedule, program_of(spec, analysis, schedule)


def package_of(plan: BuildPlan) -> Package:
    """The program of a plan with its constants."""
    spec, analysis, schedule, program = program_of_plan(plan)
    return Package(spec, program, constant_image(spec, analysis, program, schedule.tilings), analysis.graph)
