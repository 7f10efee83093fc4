"""``gatewright simulate``: the timing model on a built command stream."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.compiler.cli.options import artifact_argument, built_targets
from gatewright.compiler.cli.output import Outcome, Progress, verb
from gatewright.compiler.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from gatewright.targets.base import Simulation

__all__ = ["command"]

_FILE = click.Path(path_type=Path)


@click.command("simulate")
@artifact_argument
@click.option("-t", "--target", help="Which built target; not needed when there is one that can be simulated.")
@click.option("--inputs", type=_FILE, metavar="FILE.npz", help="Run the samples, too, and compare every byte.")
@click.option("--trace", type=_FILE, metavar="FILE.json", help="Write a trace; open it in ui.perfetto.dev.")
@click.option("--roofline", type=_FILE, metavar="FILE.svg", help="Draw the layers under the roofline.")
@click.option("--layers", "by_layer", is_flag=True, help="Show every layer's bytes and energy, too.")
@verb
def command(
    artifact: Path,
    target: str | None,
    inputs: Path | None,
    trace: Path | None,
    roofline: Path | None,
    by_layer: bool,
    progress: Progress,
) -> Outcome:
    """Time the program that is built in ARTIFACT, and say what its cycles, bytes and energy go into.

    The timing model reads the bytes that the functional executor runs; with --inputs it runs them, and they are
    compared with the golden reference. Exit code 5 when a single byte differs.
    """
    from gatewright.compiler.artifact.reader import read_manifest
    from gatewright.compiler.artifact.schema import GRAPH_FOLDER
    from gatewright.compiler.reports.simulation import show_simulation
    from gatewright.compiler.runtime.integrity import check_files

    for path in (trace, roofline):
        _must_lie_outside(artifact, path)
    manifest = read_manifest(artifact)
    name = _chosen(artifact, built_targets(artifact, manifest, (target,) if target else ()))
    with progress.step("simulate"):
        check_files(artifact, manifest, (GRAPH_FOLDER, manifest.targets[name]))
        simulation = _simulated(artifact / manifest.targets[name], name)
    row: dict[str, Any] = {"target": name, **simulation.to_json()}
    code = ExitCode.OK
    if inputs is not None:
        row["samples"] = _compared(artifact, name, inputs, progress)
        code = ExitCode.MISMATCH if row["samples"]["mismatching_bytes"] else ExitCode.OK
    with progress.step("write"):
        row["files"] = _write(simulation, manifest.model, trace, roofline)
    return Outcome([row], lambda console: show_simulation(console, row, by_layer), code)


def _must_lie_outside(artifact: Path, path: Path | None) -> None:
    if path is not None and path.resolve().is_relative_to(artifact.resolve()):
        raise UsageError("GW0033", str(path), f"lies inside the artefact {artifact}", "name a file elsewhere")


def _chosen(artifact: Path, built: Sequence[str]) -> str:
    """The only one of the targets whose family has a timing model.

    Raises:
        UsageError: GW0016 when there are several.
    """
    from gatewright.compiler.plugins import family_class
    from gatewright.targets.base import Target

    default = Target.simulated.__qualname__
    modelled = [name for name in built if family_class(name.partition(":")[0]).simulated.__qualname__ != default]
    if len(modelled) > 1:
        reason = f"which target? Those with a timing model are: {', '.join(modelled)}"
        raise UsageError("GW0016", str(artifact), reason, "name one with -t")
    return (modelled or built)[0]


def _simulated(directory: Path, target: str) -> Simulation:
    """The simulation of a built target.

    Raises:
        UsageError: GW0034 when its family has no timing model.
    """
    from gatewright.compiler.plugins import family_class

    simulation = family_class(target.partition(":")[0]).simulated(directory)
    if simulation is None:
        raise UsageError(
            "GW0034", target, "has no command stream to simulate", "name a simulated accelerator with -t sim:...",
            "see 'gatewright estimate' or 'gatewright run' for other targets",
        )  # fmt: skip
    return simulation


def _compared(artifact: Path, target: str, inputs: Path, progress: Progress) -> dict[str, Any]:
    """Run the samples on the functional executor and compare the integers that enter the tail."""
    from gatewright.compiler.runtime import open_artifact
    from gatewright.compiler.samples import read_samples
    from gatewright.compiler.verification.comparison import byte_mismatches

    built = open_artifact(artifact, target)
    samples = read_samples(inputs, built.inputs)
    golden = built.golden()
    wrong, compared, first = 0, 0, None
    for number, sample in enumerate(progress.track(samples, "run", len(samples))):
        differing, size, place = byte_mismatches(number, golden.run_integer(sample), built.run_integer(sample))
        wrong, compared, first = wrong + differing, compared + size, first or place
    return {
        "count": len(samples),
        "mismatching_bytes": wrong,
        "compared_bytes": compared,
        "first_mismatch": None if first is None else first.to_json(),
    }


def _write(simulation: Simulation, model: str, trace: Path | None, roofline: Path | None) -> dict[str, str]:
    from gatewright.compiler.artifact.staging import staged_file

    written = {}
    if trace is not None:
        with staged_file(trace) as part, part.open("w", encoding="utf-8") as stream:
            simulation.write_trace(stream, model)
        written["trace"] = str(trace)
    if roofline is not None:
        with staged_file(roofline) as part:
            part.write_text(simulation.roofline(model), encoding="utf-8")
        written["roofline"] = str(roofline)
    return written
