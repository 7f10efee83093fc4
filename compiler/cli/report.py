"""``gatewright report``: the report.json of an artefact, for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewright.compiler.cli.options import artifact_argument
from gatewright.compiler.cli.output import Outcome, Progress, verb

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["command"]


@click.command("report")
@artifact_argument
@verb
def command(artifact: Path, progress: Progress) -> Outcome:
    """Show what compiling the ARTIFACT did: passes, quantization, estimates of every target."""
    from gatewright.compiler.artifact.reader import read_manifest
    from gatewright.compiler.artifact.schema import REPORT_NAME
    from gatewright.compiler.errors import FrontendError
    from gatewright.compiler.reports.quantization import show_quantization
    from gatewright.compiler.reports.tables import show_estimates, show_passes

    read_manifest(artifact)
    path = artifact / REPORT_NAME
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        report["targets"], report["quantization"], report["passes"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FrontendError("GW1902", str(path), "is no report of gatewright", "compile the model again") from None

    def render(console: Console) -> None:
        console.print(f"[bold]{report['model']}[/bold], profile {report['profile']}")
        show_passes(console, report["passes"])
        if report["quantization"]:
            show_quantization(console, {"layers": report["quantization"]})
        show_estimates(console, report["targets"], True)

    return Outcome([report], render)
