"""``gatewright check``: can this model be compiled, and if not, what stands in the way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.compiler.cli.options import (
    model_argument,
    model_options,
    parse_settings,
    quantize_options,
    target_options,
)
from gatewright.compiler.cli.output import Outcome, Progress, verb
from gatewright.compiler.errors import ExitCode, GatewrightError, highest_priority

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["command"]


@click.command("check")
@model_argument
@target_options
@model_options
@quantize_options
@verb
def command(
    model: Path, targets: tuple[str, ...], settings: tuple[str, ...], progress: Progress, **options: Any
) -> Outcome:
    """Read MODEL, and with -t ask every target whether it can place it.

    Without --calib a float model is quantized with made-up ranges: enough to see what fits, not what it is worth.
    """
    from gatewright.compiler.cli.stages import error_row, finding_row, planned, request_of, targets_named
    from gatewright.compiler.driver import Prepared, prepare, simplified

    request = request_of(model, options)
    chosen = targets_named(targets)
    ready: Prepared | None = None
    if chosen:
        ready = prepare(request, progress, made_up_ranges=True)
        name, file_facts, inputs, outputs = ready.model.name, ready.facts, ready.inputs, ready.outputs
    else:
        imported, _ = simplified(request, progress)
        name, file_facts, inputs, outputs = imported.name, imported.facts, imported.inputs, imported.outputs
    facts = {
        "model": name,
        "opset": file_facts.get("opset"),
        "inputs": [{"name": s.name, "shape": s.shape, "dtype": s.dtype} for s in inputs],
        "outputs": [{"name": s.name, "shape": s.shape, "dtype": s.dtype} for s in outputs],
        "operators": file_facts.get("operators", {}),
    }
    if ready is None:
        return Outcome([{**facts, "ok": True}], lambda console: _show(console, facts, []))
    results = planned(chosen, ready, parse_settings(settings), progress)
    rows = [
        {
            **facts,
            "target": result.name,
            "ok": result.error is None,
            "findings": [finding_row(finding) for finding in result.findings],
            **error_row(result),
        }
        for result in results
    ]
    code = highest_priority([ExitCode.OK if r.error is None else r.error.exit_code for r in results])
    errors = [(result.name, result.error, result.findings) for result in results]
    return Outcome(rows, lambda console: _show(console, facts, errors), code)


def _show(console: Console, facts: dict[str, Any], results: list[tuple[str, GatewrightError | None, Any]]) -> None:
    console.print(f"{facts['model']}: opset {facts['opset']}")
    for kind in ("inputs", "outputs"):
        for spec in facts[kind]:
            console.print(f"  {kind[:-1]} {spec['name']}: {spec['dtype']}{list(spec['shape'])}", markup=False)
    operators = ", ".join(f"{count} {name}" for name, count in facts["operators"].items())
    console.print(f"  operators: {operators}", soft_wrap=True)
    if not results:
        console.print("ok: the model can be read; name a target with -t to check it there")
    for name, error, findings in results:
        console.print(f"{name}: {'ok' if error is None else 'refused'}")
        for finding in findings:
            console.print(f"  {finding.severity} {finding.code}: {finding.place}: {finding.reason}", markup=False)
            for action in finding.actions:
                console.print(f"    try: {action}", markup=False)
        if error is not None and not any(finding.severity == "error" for finding in findings):
            console.print("  " + error.render().replace("\n", "\n  "), markup=False)
