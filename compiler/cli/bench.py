"""``gatewright bench``: built targets under MLPerf's scenarios."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewright.compiler.bench.scenarios import OFFICIAL_SECONDS, SCENARIOS, Load
from gatewright.compiler.cli.options import artifact_argument, built_targets
from gatewright.compiler.cli.output import Outcome, Progress, verb

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["command"]

_SECONDS = 3.0
_RANDOM_SAMPLES = 64


class _Positive(click.FloatRange):
    """A number above 0 that is neither infinite nor NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no number to count with.", param, ctx)
        return number


_POSITIVE = _Positive(min=0, min_open=True)


@click.command("bench")
@artifact_argument
@click.option("-t", "--target", "targets", multiple=True, help="This built target only; repeatable.")
@click.option(
    "--scenario", "scenarios", multiple=True, type=click.Choice(tuple(SCENARIOS)),
    help="Repeatable; all four by default.",
)  # fmt: skip
@click.option(
    "--inputs", type=click.Path(path_type=Path), metavar="FILE.npz",
    help="Samples; random ones by default. Modelled time does not depend on them.",
)  # fmt: skip
@click.option(
    "--duration", type=_POSITIVE, metavar="SECONDS",
    help="What a scenario lasts at least: by default 3 s by the clock, MLPerf's 600 s in modelled time.",
)  # fmt: skip
@click.option(
    "--target-qps", type=_POSITIVE, metavar="N",
    help="Rate of the server scenario; by default the highest that keeps the bound in modelled time, half of what the "
    "target can take by the clock.",
)  # fmt: skip
@click.option(
    "--latency-bound-ms", type=_POSITIVE, metavar="MS",
    help="What 99 % of the server scenario's queries must keep; 15 ms by default, as MLPerf has it for ResNet-50.",
)  # fmt: skip
@click.option(
    "--samples-per-query", type=click.IntRange(1, 4096), default=8, show_default=True, help="Of multi-stream."
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--logs", type=click.Path(path_type=Path), metavar="DIR", help="Keep LoadGen's logs there.")
@verb
def command(
    artifact: Path,
    targets: tuple[str, ...],
    scenarios: tuple[str, ...],
    inputs: Path | None,
    duration: float | None,
    target_qps: float | None,
    latency_bound_ms: float | None,
    samples_per_query: int,
    seed: int,
    logs: Path | None,
    progress: Progress,
) -> Outcome:
    """Drive every target built in ARTIFACT as MLPerf Inference does: one sample at a time, queries of several, queries
    at random, all at once.

    A CPU library is timed by the clock, through MLPerf LoadGen. A design that is only simulated here is not: the same
    scenarios are simulated in the time its model or its tools give it, and every row says so. Exit code 4 when the
    server scenario misses a bound or rate you gave.
    """
    from gatewright.compiler.artifact.reader import read_manifest
    from gatewright.compiler.bench.loadgen import LoadGen
    from gatewright.compiler.bench.modelled import modelled_timing, simulate
    from gatewright.compiler.errors import ExitCode
    from gatewright.compiler.reports.bench import show_scenarios
    from gatewright.compiler.runtime import open_artifact
    from gatewright.compiler.samples import noise, read_samples

    manifest = read_manifest(artifact)
    chosen = built_targets(artifact, manifest, targets)
    specs = [tensor.spec() for tensor in manifest.inputs]
    samples = noise(specs, seed, _RANDOM_SAMPLES) if inputs is None else read_samples(inputs, specs)
    bound = Load.latency_bound_seconds if latency_bound_ms is None else latency_bound_ms / 1000
    asked = Load(duration or OFFICIAL_SECONDS, seed, samples_per_query, target_qps, bound)
    rows: list[dict[str, Any]] = []
    for target in chosen:
        timing = modelled_timing(artifact, manifest, target)
        if timing is None:
            load = replace(asked, duration_seconds=duration or _SECONDS)
            with progress.step(f"warm up {target}"):
                run = LoadGen(artifact, open_artifact(artifact, target), samples, load, logs).run
        else:
            load, run = asked, partial(simulate, timing, asked)
        for name in (name for name in SCENARIOS if not scenarios or name in scenarios):
            with progress.step(f"{target} {name}"):
                rows.append(run(name).to_json(target, load))

    def render(console: Console) -> None:
        show_scenarios(console, rows, OFFICIAL_SECONDS)

    given = target_qps is not None or latency_bound_ms is not None
    missed = given and any(row["bound_met"] is False for row in rows)
    return Outcome(rows, render, ExitCode.CONSTRAINT if missed else ExitCode.OK)
