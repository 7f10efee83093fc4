"""``gatewright sweep``: one model on a grid of designs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.compiler.cli.options import (
    model_argument,
    model_options,
    parse_settings,
    quantize_options,
    settings_for,
    target_options,
)
from gatewright.compiler.cli.output import Outcome, Progress, verb
from gatewright.compiler.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from gatewright.compiler.model import QuantizedModel
    from gatewright.targets.base import Sweep, Target, Variation

__all__ = ["command", "parse_variations"]

_MOST_POINTS = 4096
"""Of one sweep: each takes seconds."""


def parse_variations(texts: Sequence[str]) -> list[Variation]:
    """``NAME[,NAME...]=VALUE[,VALUE...]``: values are numbers, true or false where they read as such, else text.

    Raises:
        UsageError: GW0035.
    """
    from gatewright.targets.base import Variation

    found, points = [], 1
    for text in texts:
        left, equals, right = text.partition("=")
        names, values = tuple(left.split(",")), tuple(right.split(","))
        if not equals or not all(part.strip() == part != "" for part in (*names, *values)):
            raise UsageError(
                "GW0035", "--vary", f"{text!r} is not NAME=VALUE,VALUE", "write e.g. --vary dma.bytes_per_cycle=4,8"
            )
        if len(set(values)) < len(values):
            raise UsageError("GW0035", "--vary", f"{text!r} names a value twice", "name every value once")
        found.append(Variation(names, tuple(map(_value, values))))
        points *= len(values)
    if not found:
        raise UsageError("GW0035", "--vary", "nothing varies", "add e.g. --vary matrix.rows,matrix.columns=8,16")
    if points > _MOST_POINTS:
        raise UsageError("GW0035", "--vary", f"{points} combinations are too many", f"ask for at most {_MOST_POINTS}")
    return found


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float) else text


@click.command("sweep")
@model_argument
@target_options
@click.option(
    "--vary", "variations", multiple=True, metavar="NAME[,NAME]=VALUE,VALUE",
    help="A parameter and its values; several names take the same value; repeatable: every combination.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="Designs at a time.")
@model_options
@quantize_options
@verb
def command(
    model: Path,
    targets: tuple[str, ...],
    settings: tuple[str, ...],
    variations: tuple[str, ...],
    jobs: int,
    progress: Progress,
    **options: Any,
) -> Outcome:
    """Plan MODEL (an ONNX file or an artefact folder) on every combination of the varied parameters.

    The model is read and quantized once; without --calib with made-up ranges, as cost hardly depends on them. A
    combination that cannot be is a row with the reason. Marked are the points that no other beats in area, latency and
    energy at once. Exit code 4 when no combination is possible.
    """
    from gatewright.compiler.cli.stages import targets_named
    from gatewright.compiler.reports.sweep import show_sweep

    axes = parse_variations(variations)
    if len(targets) != 1:
        reason = f"{len(targets)} targets are named" if targets else "no target is named"
        raise UsageError("GW0013", "-t", reason, "name one, e.g. -t sim:systolic-8x8-ws")
    (target,) = targets_named(targets)
    chosen = settings_for(parse_settings(settings), {target.name.family: target.options()})[target.name.family]
    quantized = _quantized(model, options, progress)
    swept = _swept(target, quantized, axes, chosen, progress, jobs)
    rows = [{"target": str(target.name), **point.to_json()} for point in swept.points]
    code = ExitCode.OK if any(row["possible"] for row in rows) else ExitCode.CONSTRAINT
    return Outcome(rows, lambda console: show_sweep(console, str(target.name), rows, swept), code)


def _quantized(model: Path, options: dict[str, Any], progress: Progress) -> QuantizedModel:
    from gatewright.compiler.cli.stages import request_of
    from gatewright.compiler.driver import prepare

    if model.is_dir():
        from gatewright.compiler.artifact.graphs import read_graphs
        from gatewright.compiler.artifact.reader import read_manifest

        return read_graphs(model, read_manifest(model).model)
    return prepare(request_of(model, options), progress, made_up_ranges=True).model


def _swept(
    target: Target,
    model: QuantizedModel,
    axes: Sequence[Variation],
    settings: dict[str, Any],
    progress: Progress,
    jobs: int,
) -> Sweep:
    """The sweep.

    Raises:
        UsageError: GW0036 when the family has nothing to vary.
    """
    swept = target.sweep(model, axes, settings, progress.track, jobs)
    if swept is None:
        raise UsageError(
            "GW0036",
            str(target.name),
            "has no parameters to sweep over",
            "name an accelerator, e.g. -t sim:systolic-8x8-ws",
        )
    return swept
