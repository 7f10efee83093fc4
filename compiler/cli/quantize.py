"""``gatewright quantize``: the integer graph, layer by layer, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gatewright.compiler.cli.options import model_argument, model_options, quantize_options
from gatewright.compiler.cli.output import Outcome, Progress, verb

__all__ = ["command"]


@click.command("quantize")
@model_argument
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="DIR", help="Write the graphs as an artefact.")
@click.option(
    "--inputs", "inputs", type=click.Path(path_type=Path), metavar="FILE.npz",
    help="Samples to measure on, with labels y for the accuracy; the calibration file by default.",
)  # fmt: skip
@model_options
@quantize_options
@verb
def command(model: Path, out: Path | None, inputs: Path | None, progress: Progress, **options: Any) -> Outcome:
    """Quantize MODEL and print ranges, scales, SQNR and saturation of every layer.

    With labels y in --inputs (or in --calib) the accuracy of the float model and of the integer graph stand below.
    """
    from gatewright.compiler.artifact.staging import check_replaceable
    from gatewright.compiler.cli.stages import request_of
    from gatewright.compiler.driver import prepare
    from gatewright.compiler.errors import UsageError
    from gatewright.compiler.reports.quantization import layer_rows, show_quantization
    from gatewright.compiler.verification.model import measure

    request = request_of(model, options)
    if request.options is None:
        raise UsageError("GW0009", "--profile", "float is no integer profile", "choose scaled or fixed")
    if out is not None:
        check_replaceable(out)
    ready = prepare(request, progress)
    measured = None
    source = inputs or request.calibration
    if source is not None:
        from gatewright.compiler.samples import read_samples

        samples = read_samples(source, ready.inputs)
        with progress.step("measure"):
            measured = measure(ready.model, samples)
    if out is not None:
        from gatewright.compiler.cli.write import write

        write(out, ready, [], request, progress)
    row = {
        "model": ready.model.name,
        "profile": request.options.profile,
        "layers": layer_rows(ready.model),
        **(measured.to_json() if measured is not None else {}),
    }
    return Outcome([row], lambda console: show_quantization(console, row))
