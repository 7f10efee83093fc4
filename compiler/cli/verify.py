"""``gatewright verify``: do all builds compute the same bytes?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from gatewright.compiler.cli.options import artifact_argument, built_targets
from gatewright.compiler.cli.output import Outcome, Progress, verb
from gatewright.compiler.errors import UsageError

__all__ = ["command", "sample_limits"]


def sample_limits(texts: Sequence[str], targets: Sequence[str]) -> dict[str, int | None]:
    """``N`` for every target, ``TARGET=N`` for one.

    Raises:
        UsageError: GW0015.
    """
    limits: dict[str, int | None] = dict.fromkeys(targets)
    for text in sorted(texts, key=lambda text: "=" in text):  # the general number first
        target, found, number = text.rpartition("=")
        if not number.isdecimal() or int(number) < 1 or (found and target not in limits):
            wanted = f"N or TARGET=N; targets are {', '.join(targets)}"
            raise UsageError("GW0015", "--samples", f"{text!r} is not {wanted}", "write e.g. --samples 256")
        limits.update({target: int(number)} if found else dict.fromkeys(targets, int(number)))
    return limits


@click.command("verify")
@artifact_argument
@click.option(
    "--inputs", type=click.Path(path_type=Path), metavar="FILE.npz", required=True, help="Samples; labels as y."
)
@click.option("-t", "--target", "targets", multiple=True, help="Verify this target only; repeatable.")
@click.option(
    "--samples", "samples", multiple=True, metavar="[TARGET=]N",
    help="Use the first N samples, for all targets or for one (simulations are slow).",
)  # fmt: skip
@verb
def command(
    artifact: Path, inputs: Path, targets: tuple[str, ...], samples: tuple[str, ...], progress: Progress
) -> Outcome:
    """Replay FILE.npz through every target built in ARTIFACT and compare it with the golden reference.

    Exit code 5 when a single byte differs.
    """
    from gatewright.compiler.artifact.reader import read_manifest
    from gatewright.compiler.errors import ExitCode
    from gatewright.compiler.reports.tables import show_verification
    from gatewright.compiler.samples import read_samples
    from gatewright.compiler.verification.verify import Verifier

    manifest = read_manifest(artifact)
    chosen = built_targets(artifact, manifest, targets)
    limits = sample_limits(samples, chosen)
    given = read_samples(inputs, [tensor.spec() for tensor in manifest.inputs])
    counts = [limit for limit in limits.values() if limit is not None]
    if len(counts) == len(limits):
        given = given.head(max(counts))
    with progress.step("reference"):
        verifier = Verifier(artifact, manifest, given)
    rows = [verifier.run(name, progress.track, limits[name]) for name in chosen]
    code = ExitCode.OK if all(row.passed for row in rows) else ExitCode.MISMATCH
    table = [row.to_json() for row in rows]
    return Outcome(table, lambda console: show_verification(console, table), code)
