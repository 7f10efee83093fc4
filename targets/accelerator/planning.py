"""The plan: residency and tilings as plain data; with graph and spec they say every byte of the program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatewright.compiler.errors import TargetError
from gatewright.compiler.model import QuantizedModel
from gatewright.schedules.accelerator.analysis import Operation, analyse
from gatewright.schedules.accelerator.image import packaged
from gatewright.schedules.accelerator.planner import Plan, Schedule, plan_network, program_of
from gatewright.schedules.accelerator.search.convolution import Budget
from gatewright.schedules.accelerator.serialization import Package
from gatewright.schedules.accelerator.spec import Spec
from gatewright.targets.accelerator.options import AcceleratorOptions
from gatewright.targets.base import BuildPlan

__all__ = ["make_plan", "package_of", "plan_of", "spec_of"]


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
    plan = plan_network(spec, graph, Budget(options.candidates, options.search_seconds))
    schedule = plan.schedule.to_json()
    settings = {
        "spec": spec.model_dump(mode="json"),
        "schedule": schedule,
        "host_layers": plan.analysis.host_layers,
        "dram_bytes": plan.program.dram_bytes,
        "resident": sorted(region.request.name for region in plan.program.scratchpad),
    }
    rows = tuple(_row(op, schedule["tilings"].get(op.name)) for op in plan.analysis.operations)
    return BuildPlan(target, graph.digest(), options.model_dump(mode="json"), rows, settings, model)


def _row(op: Operation, tiling: Mapping[str, Any] | None) -> dict[str, Any]:
    row: dict[str, Any] = {"layer": op.name, "op": op.layer.op, "unit": op.kind}
    if op.reason:
        row["reason"] = op.reason
    if tiling is not None:
        row["tiling"] = tiling
    return row


def spec_of(plan: BuildPlan) -> Spec:
    """The accelerator of a plan."""
    return Spec.model_validate(plan.settings["spec"])


def plan_of(plan: BuildPlan) -> Plan:
    """The network's plan from what the target's plan says of it."""
    spec, graph = spec_of(plan), plan.model.integer
    assert graph is not None
    analysis = analyse(spec, graph)
    schedule = Schedule.from_json(plan.settings["schedule"])
    return Plan(analysis, schedule, program_of(spec, analysis, schedule))


def package_of(plan: BuildPlan) -> Package:
    """The program of a plan with its constants."""
    return packaged(spec_of(plan), plan_of(plan))
