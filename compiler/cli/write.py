"""Building targets into an artefact folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright.compiler.artifact.graphs import write_graphs
from gatewright.compiler.artifact.staging import staged
from gatewright.compiler.artifact.writer import seal, write_report
from gatewright.compiler.cli.output import Progress, plain
from gatewright.compiler.cli.stages import error_row, estimate_row, finding_row
from gatewright.compiler.driver import Prepared, Request, TargetResult, build_target
from gatewright.compiler.reports.quantization import layer_rows

if TYPE_CHECKING:
    from gatewright.targets.base import Target

__all__ = ["target_rows", "write"]

Planned = Sequence[tuple["Target", TargetResult]]


def write(
    directory: Path,
    ready: Prepared,
    planned: Planned,
    request: Request,
    progress: Progress,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Build every planned target and write graphs, manifest and report; nothing appears before all of it is there.

    Raises:
        GatewrightError: the first target's error, when targets were asked for and none could be built.
        UsageError: GW0030 when ``directory`` holds something else.
    """  # fmt: skip
    with staged(directory) as part:
        built: dict[str, str] = {}
        for target, result in planned:
            build_target(target, result, part / target.name.folder, progress)
            if result.plan is not None and result.error is None:
                built[result.name] = target.name.folder
        if planned and not built:
            raise next(result.error for _, result in planned if result.error is not None)
        with progress.step("write"):
            write_graphs(part, ready.model)
            manifest = seal(
                part,
                ready.model,
                inputs=ready.inputs,
                outputs=ready.outputs,
                facts=plain(ready.facts),
                targets=built,
                options=_options(request, planned, settings or {}),
                seed=request.seed,
            )
        report = {
            "schema_version": 1,
            "model": manifest.model,
            "profile": manifest.profile,
            "seconds": progress.seconds,
            "passes": [asdict(record) for record in ready.passes],
            "quantization": layer_rows(ready.model),
            "targets": target_rows([result for _, result in planned]),
        }
        write_report(part, plain(report))


def target_rows(results: Sequence[TargetResult]) -> list[dict[str, Any]]:
    """One row a target: whether it was built, its estimate, findings and error."""
    rows = []
    for result in results:
        row: dict[str, Any] = {"target": result.name, "ok": result.error is None}
        if result.estimate is not None:
            row |= estimate_row(result.estimate)
        if result.plan is not None:
            row["plan"] = result.plan.digest()
            row["settings"] = dict(result.plan.settings)
        row["findings"] = [finding_row(finding) for finding in result.findings]
        rows.append(plain(row | error_row(result)))
    return rows


def _options(request: Request, planned: Planned, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Everything the user chose, after defaults, without a path of this machine."""
    return plain(
        {
            "input_shapes": dict(request.input_shapes),
            "quantize": request.options.to_json() if request.options is not None else None,
            "settings": dict(settings),
            "targets": {result.name: dict(result.plan.options) for _, result in planned if result.plan is not None},
        }
    )
