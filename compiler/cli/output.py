"""What a verb prints: results on stdout, as tables or as one JSON object; everything else on stderr."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gatewright.compiler.errors import ExitCode

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Outcome", "Progress", "json_object", "plain", "verb"]

SCHEMA_VERSION = 1

Item = TypeVar("Item")


@dataclass(frozen=True)
class Outcome:
    """What a verb found.

    Attributes:
        results: rows of plain data: ``results`` of the JSON object.
        render: prints the same for people.
        exit_code: of the process.
    """

    results: Sequence[Mapping[str, Any]]
    render: Callable[[Console], None]
    exit_code: ExitCode = ExitCode.OK


@dataclass
class Progress:
    """Steps of a verb on stderr: a spinner or bar while one runs longer than a second, on a terminal only.

    Attributes:
        quiet: show nothing.
        seconds: wall time of every finished step, for the report.
    """

    quiet: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def visible(self) -> bool:
        """Whether anything is drawn."""
        return not self.quiet and sys.stderr.isatty()

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Time one step and show that it runs."""
        started = time.perf_counter()
        with self._bar(title, None):
            yield
        self.seconds[title] = round(self.seconds.get(title, 0.0) + time.perf_counter() - started, 3)

    def track(self, items: Iterable[Item], title: str, total: int) -> Iterator[Item]:
        """Hand the items on and show how many are done."""
        started = time.perf_counter()
        with self._bar(title, total) as advance:
            for item in items:
                yield item
                advance()
        self.seconds[title] = round(self.seconds.get(title, 0.0) + time.perf_counter() - started, 3)

    @contextlib.contextmanager
    def _bar(self, title: str, total: int | None) -> Iterator[Callable[[], None]]:
        if not self.visible:
            yield lambda: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        columns = [SpinnerColumn(), TextColumn("{task.description}")]
        columns += [BarColumn(), MofNCompleteColumn()] if total is not None else []
        with Bars(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task(title, total=total)
            yield lambda: bars.advance(task)


def plain(value: Any) -> Any:
    """JSON-able form of NumPy scalars and arrays, tuples and mappings; infinities and NaN become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    return value


def json_object(command: str, results: Sequence[Mapping[str, Any]], **more: Any) -> str:
    """The one object of ``--json``: ``schema_version``, ``command``, ``results``, and ``error`` after a failure."""
    document = {"schema_version": SCHEMA_VERSION, "command": command, "results": plain(results), **plain(more)}
    return json.dumps(document, indent=2, ensure_ascii=False)


def verb(function: Callable[..., Outcome]) -> Callable[..., int]:
    """Wrap a verb: adds ``--json`` and ``--quiet``, hands it a :class:`Progress`, prints its :class:`Outcome`."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
    @click.option("--quiet", is_flag=True, help="No progress, no table.")
    @functools.wraps(function)
    def command(as_json: bool, quiet: bool, **arguments: Any) -> int:
        with _tool_chatter_hidden():
            outcome = function(progress=Progress(quiet), **arguments)
        name = click.get_current_context().command.name or ""
        if as_json:
            click.echo(json_object(name, outcome.results))
        elif not quiet:
            from rich.console import Console

            # Not a terminal: a table keeps its natural width, so that a log or a README shows every column.
            outcome.render(Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=120))
        return outcome.exit_code

    return command


@contextlib.contextmanager
def _tool_chatter_hidden() -> Iterator[None]:
    """Libraries and tools print and warn as they like; only results may stand on stdout.

    Their text goes to stderr with ``GATEWRIGHT_DEBUG=1``, else nowhere; what a user must know is a finding of ours.
    """
    sys.stdout.flush()
    keep = os.dup(1)
    debug = os.environ.get("GATEWRIGHT_DEBUG") == "1"
    sink = os.dup(2) if debug else os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 1)
        with (
            os.fdopen(os.dup(sink), "w") as stream,
            contextlib.redirect_stdout(stream),
            warnings.catch_warnings(),
        ):
            if not debug:
                warnings.simplefilter("ignore")
            yield
    finally:
        ctypes.CDLL(None).fflush(None)  # what C libraries may still hold would come out behind the results
        os.dup2(keep, 1)
        os.close(keep)
        os.close(sink)
