"""``gatewright compile``: a model in, an artefact folder with one build a target out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from gatewright.compiler.cli.options import model_argument, model_options, quantize_options, target_options
from gatewright.compiler.cli.output import Outcome, Progress, verb

__all__ = ["command"]


@click.command("compile")
@model_argument
@target_options
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="DIR", required=True, help="Artefact folder.")
@click.option("--synth", is_flag=True, help="Run the vendor's tools after the build and report what they measure.")
@click.option("--jobs", type=click.IntRange(1), help="Threads that libraries and tools may use; default: theirs.")
@model_options
@quantize_options
@verb
def command(
    model: Path,
    targets: tuple[str, ...],
    settings: tuple[str, ...],
    out: Path,
    synth: bool,
    jobs: int,
    progress: Progress,
    **options: Any,
) -> Outcome:
    """Compile MODEL for every -t into DIR.

    Targets that succeed are kept when others fail; the exit code is the most urgent one.
    """  # fmt: skip
    from gatewright.compiler.artifact.staging import check_replaceable
    from gatewright.compiler.cli.options import parse_settings
    from gatewright.compiler.cli.stages import planned, request_of, targets_named
    from gatewright.compiler.cli.write import target_rows, write
    from gatewright.compiler.driver import prepare
    from gatewright.compiler.errors import ExitCode, UsageError, highest_priority
    from gatewright.compiler.reports.tables import show_targets

    if jobs is not None:
        os.environ.update({"OMP_NUM_THREADS": str(jobs), "TVM_NUM_THREADS": str(jobs)})
    if not targets:
        raise UsageError("GW0013", "-t", "no target is named", "add e.g. -t cpu", "list them with 'gatewright targets'")
    request = request_of(model, options)
    chosen = targets_named(targets)
    check_replaceable(out)
    if synth:
        if not any("synth" in target.options() for target in chosen):
            raise UsageError("GW0022", "--synth", "no target named here has vendor tools to run", "leave --synth out")
        settings = (*settings, "synth=true")
    ready = prepare(request, progress)
    results = planned(chosen, ready, parse_settings(settings), progress)
    write(out, ready, list(zip(chosen, results, strict=True)), request, progress, parse_settings(settings))
    rows = target_rows(results)
    codes = [ExitCode.OK if result.error is None else result.error.exit_code for result in results]
    return Outcome(rows, lambda console: show_targets(console, rows, out), highest_priority(codes))
