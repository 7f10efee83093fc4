"""``gatewright targets``: families, devices and boards, from the data that ships with the targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from gatewright.compiler.cli.output import Outcome, Progress, verb

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["command"]


@click.command("targets")
@click.argument("family", required=False)
@verb
def command(family: str | None, progress: Progress) -> Outcome:
    """List what can be built for; FAMILY shows one family with the operators it takes.

    FAMILY:VARIANT prints the data file that describes one target, where the family has one: start your own from it.
    """
    from gatewright.compiler.plugins import families, family_class, get_target

    if family and ":" in family:
        text = get_target(family).data()
        shown = [{"target": family, "family": family.partition(":")[0], "data": text}]
        return Outcome(shown, lambda console: console.print(text, markup=False, highlight=False, soft_wrap=True))
    rows: list[dict[str, Any]] = []
    for name in [family] if family else families():
        chosen = family_class(name)
        rows += [{"target": target, "family": name, "description": text} for target, text in chosen.variants()]
    layers = dict(family_class(family).supported_layers()) if family else {}
    options = dict(family_class(family).options()) if family else {}
    if family:
        rows = [{**row, "layers": layers, "options": options} for row in rows]

    def render(console: Console) -> None:
        show(console, ("target", "what it is"), {row["target"]: row["description"] for row in rows})
        if family:
            show(console, ("layer", "note"), layers)
            show(console, ("--set", "what it does"), options)

    return Outcome(rows, render)


def show(console: Console, columns: tuple[str, str], lines: Mapping[str, str]) -> None:
    """A table of two columns, if it has a line."""
    from rich.table import Table

    if not lines:
        return
    table = Table(*columns, box=None, pad_edge=False)
    for name, text in lines.items():
        table.add_row(name, text)
    console.print(table)
    console.print()
