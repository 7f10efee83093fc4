"""``gatewright estimate``: what a build would cost, without building it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gatewright.compiler.cli.options import (
    model_argument,
    model_options,
    parse_settings,
    quantize_options,
    target_options,
)
from gatewright.compiler.cli.output import Outcome, Progress, plain, verb

__all__ = ["command"]


@click.command("estimate")
@model_argument
@target_options
@click.option("--layers", "by_layer", is_flag=True, help="Show every layer's figures too.")
@model_options
@quantize_options
@verb
def command(
    model: Path, targets: tuple[str, ...], settings: tuple[str, ...], by_layer: bool, progress: Progress, **options: Any
) -> Outcome:
    """Plan MODEL (an ONNX file or an artefact folder) for every -t and print the estimates.

    Without --calib a float model is quantized with made-up ranges: cost hardly depends on them. A folder's own targets
    are planned with the settings they were built with, and what tools measured then stands beside.
    """
    from gatewright.compiler.cli.stages import planned, request_of, targets_named
    from gatewright.compiler.cli.write import target_rows
    from gatewright.compiler.driver import Prepared, prepare, with_measured
    from gatewright.compiler.errors import ExitCode, UsageError, highest_priority
    from gatewright.compiler.reports.tables import show_estimates

    chosen_settings, recorded = parse_settings(settings), None
    if model.is_dir():
        from gatewright.compiler.artifact.graphs import read_graphs
        from gatewright.compiler.artifact.reader import read_manifest

        manifest = read_manifest(model)
        if not targets:
            targets, recorded = tuple(manifest.targets), manifest
            chosen_settings = chosen_settings or dict(manifest.options["settings"])
        inputs, outputs = (tuple(t.spec() for t in tensors) for tensors in (manifest.inputs, manifest.outputs))
        ready = Prepared(read_graphs(model, manifest.model), inputs, outputs, manifest.facts)
    if not targets:
        raise UsageError("GW0013", "-t", "no target is named", "add e.g. -t xilinx:zcu104")
    chosen = targets_named(targets)
    if not model.is_dir():
        ready = prepare(request_of(model, options), progress, made_up_ranges=True)
    results = planned(chosen, ready, chosen_settings, progress)
    if recorded is not None:
        for target, result in zip(chosen, results, strict=True):
            same = result.plan is not None and plain(result.plan.options) == recorded.options["targets"].get(
                result.name
            )
            if same and result.estimate is not None:
                measured = target.measured(model / recorded.targets[result.name])
                result.estimate = with_measured(result.estimate, measured)
    rows = target_rows(results)
    codes = [ExitCode.OK if result.error is None else result.error.exit_code for result in results]
    return Outcome(rows, lambda console: show_estimates(console, rows, by_layer), highest_priority(codes))
