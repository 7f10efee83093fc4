"""From options to a prepared model and planned targets: what several verbs share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright.compiler.cli.options import parse_bits, parse_input_shapes, settings_for
from gatewright.compiler.driver import Prepared, Request, TargetResult, plan_target
from gatewright.compiler.errors import UsageError

if TYPE_CHECKING:
    from gatewright.compiler.cli.output import Progress
    from gatewright.targets.base import Estimate, Finding, Target

__all__ = ["error_row", "estimate_row", "finding_row", "planned", "request_of", "targets_named"]


def request_of(model: Path, options: Mapping[str, Any]) -> Request:
    """The request of a verb's options; the quantizer's own fields are whatever is left over.

    Raises:
        UsageError: an option's value.
    """
    from gatewright.compiler.quantize.options import QuantizeOptions

    fields = dict(options)
    shapes = parse_input_shapes(fields.pop("input_shapes"))
    validate = fields.pop("validate_passes")
    calibration, seed = fields.pop("calib"), fields.pop("seed")
    weight_bits, activation_bits = parse_bits(fields.pop("bits"))
    chosen = None
    if fields["profile"] == "float":
        if calibration is not None:
            raise UsageError("GW0007", "--calib", "profile float quantizes nothing", "leave --calib or --profile out")
    else:
        chosen = QuantizeOptions.from_mapping(
            {**fields, "weight_bits": weight_bits, "activation_bits": activation_bits, "seed": seed}
        )
    return Request(model, shapes, validate, chosen, calibration, seed)


def targets_named(names: Sequence[str]) -> list[Target]:
    """The targets of ``-t``, each once, in order.

    Raises:
        UsageError: GW0008 with two names of one folder; GW002x for an unknown target.
    """
    from gatewright.compiler.plugins import get_target

    targets = [get_target(name) for name in dict.fromkeys(names)]
    folders: dict[str, str] = {}
    for target in targets:
        other = folders.setdefault(target.name.folder, str(target.name))
        if other != str(target.name):
            raise UsageError("GW0008", "-t", f"{other} and {target.name} share one folder name", "build them apart")
    return targets


def planned(
    targets: Sequence[Target], ready: Prepared, settings: Mapping[str, Any], progress: Progress
) -> list[TargetResult]:
    """Plan every target; what one refuses is no concern of the others.

    Raises:
        UsageError: a setting that nobody takes.
    """
    known = {target.name.family: target.options() for target in targets}
    by_family = settings_for(settings, known)
    return [plan_target(target, ready.model, by_family[target.name.family], progress) for target in targets]


def finding_row(finding: Finding) -> dict[str, Any]:
    """Plain data of one finding."""
    return {
        "severity": finding.severity,
        "code": finding.code,
        "place": finding.place,
        "reason": finding.reason,
        "actions": list(finding.actions),
    }


def error_row(result: TargetResult) -> dict[str, Any]:
    """The ``error`` entry of a target that failed; empty for one that did not."""
    return {} if result.error is None else {"error": result.error.to_json()}


_RESOURCES = ("lut", "ff", "dsp", "bram_18k", "uram")
_TIMES = ("latency_cycles", "interval_cycles", "clock_mhz", "latency_us", "inferences_per_second")


def estimate_row(estimate: Estimate) -> dict[str, Any]:
    """One row of ``estimate --json``: totals flat, measured ones beside them, the rest by layer."""
    totals = estimate.totals
    row: dict[str, Any] = {"target": estimate.target}
    for name in _TIMES:
        row[name] = totals[name].value if name in totals else None
    row["resources"] = {name: figure.value for name, figure in totals.items() if name not in _TIMES}
    row["layers"] = [
        {"layer": layer.layer, "op": layer.op, **{name: figure.value for name, figure in layer.figures.items()}}
        for layer in estimate.layers
    ]
    row["models"] = dict(estimate.models)
    row["errors"] = {name: figure.error for name, figure in totals.items()}
    for name, figure in totals.items():
        if figure.measured is not None:
            row[f"measured_{name}"] = figure.measured
    return row
