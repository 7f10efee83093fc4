"""The command ``gatewright``: its verbs, each imported only when it is called."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType

import click

from gatewright.compiler.cli.boundary import guarded

__all__ = ["VERBS", "cli", "main"]

VERBS: Mapping[str, str] = {
    "check": "Say whether a model can be compiled, and for which targets.",
    "quantize": "Turn a float model into the integer graph and show what it costs.",
    "compile": "Build a model for one or more targets.",
    "run": "Run a built target on inputs.",
    "estimate": "Estimate cycles, latency and resources; build nothing.",
    "simulate": "Show what the cycles, bytes and energy of a built accelerator program go into.",
    "sweep": "Vary an accelerator's parameters: area, latency and energy of every combination.",
    "verify": "Compare every built target with the golden reference, byte for byte.",
    "bench": "Drive built targets with MLPerf LoadGen's scenarios, or in modelled time.",
    "inspect": "Show a model or a built artefact.",
    "report": "Show the report of a built artefact.",
    "targets": "List targets, devices and boards.",
    "doctor": "Say which tools and packages are here and which are missing.",
}
"""Verb -> one line of help. The verb lives in the module of the same name."""


class _LazyVerbs(click.Group):
    """Lists the verbs without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"gatewright.compiler.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            ctx.fail(f"no such verb {args[0]!r}; verbs are: {', '.join(VERBS)}")
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        click.echo(f"gatewright {version('gatewright')}")
        ctx.exit()


@click.group(cls=_LazyVerbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--version", is_flag=True, callback=_version, expose_value=False, is_eager=True, help="Show the version.")
def cli() -> None:
    """One ONNX model in, verified builds out: the same integer graph and the same bytes on every target.

    Exit codes: 0 ok, 1 bug in gatewright, 2 usage, 3 unsupported model, 4 constraint missed, 5 mismatch found,
    6 external tool missing or failed, 7 limit exceeded, 130 interrupted.
    """


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the console script; ends the process with the exit code of design section 5."""
    # A polite kill cleans up as Ctrl-C does: nothing half-written stays behind.
    signal.signal(signal.SIGTERM, _interrupt)
    if os.environ.get("GATEWRIGHT_DEBUG") != "1":
        # A file some library left open on a full disk: the error itself is reported, this would be a second traceback.
        sys.unraisablehook = lambda unraisable: None
    sys.exit(guarded(cli, list(sys.argv[1:] if arguments is None else arguments)))
