"""``gatewright run``: a built target on inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewright.compiler.cli.options import artifact_argument
from gatewright.compiler.cli.output import Outcome, Progress, verb
from gatewright.compiler.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["command"]


@click.command("run")
@artifact_argument
@click.option("-t", "--target", help="Which built target; not needed when there is one.")
@click.option("--inputs", type=click.Path(path_type=Path), metavar="FILE.npz", required=True, help="Samples to run.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="OUT.npz", required=True, help="Outputs, by name."
)
@click.option("--raw", is_flag=True, help="Write the integers that enter the host tail.")
@verb
def command(artifact: Path, target: str | None, inputs: Path, out: Path, raw: bool, progress: Progress) -> Outcome:
    """Run the target built in ARTIFACT on every sample of FILE.npz and save the outputs."""
    import numpy as np

    if out.resolve().is_relative_to(artifact.resolve()):
        raise UsageError("GW0033", str(out), f"lies inside the artefact {artifact}", "name a file elsewhere with -o")
    from gatewright.compiler.artifact.npz import save_arrays
    from gatewright.compiler.artifact.staging import staged_file
    from gatewright.compiler.runtime import open_artifact
    from gatewright.compiler.samples import read_samples

    with progress.step("load"):
        built = open_artifact(artifact, target)
        samples = read_samples(inputs, built.inputs)
    run = built.run_integer if raw else built.run
    outputs = [run(sample) for sample in progress.track(samples, "run", len(samples))]
    arrays = {name: np.concatenate([np.atleast_1d(output[name]) for output in outputs]) for name in outputs[0]}
    with staged_file(out) as part:
        save_arrays(part, arrays)
    seconds = progress.seconds["run"]
    row = {
        "target": built.target,
        "samples": len(samples),
        "seconds": seconds,
        "outputs": [{"name": name, "shape": a.shape, "dtype": str(a.dtype)} for name, a in arrays.items()],
    }

    def render(console: Console) -> None:
        console.print(f"{built.target}: {len(samples)} samples in {seconds:.3g} s -> {out}", markup=False)
        for name, array in arrays.items():
            console.print(f"  {name}: {array.dtype}{list(array.shape)}", markup=False)

    return Outcome([row], render)
