"""``gatewright targets``: families, devices and boards, from the data that ships with the targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gatewright.compiler.cli.output import Outcome, Progress, verb

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["command"]


@click.command("targets")
@click.argument("family", required=False)
@verb
def command(family: str | None, progress: Progress) -> Outcome:
    """List what can be built for; FAMILY shows one family with the operators it takes."""
    from gatewright.compiler.plugins import families, family_class

    rows = []
    for name in [family] if family else families():
        chosen = family_class(name)
        rows += [{"target": target, "family": name, "description": text} for target, text in chosen.variants()]
    layers = dict(family_class(family).supported_layers()) if family else {}
    for row in rows:
        if layers:
            row["layers"] = layers  # type: ignore[assignment]

    def render(console: Console) -> None:
        from rich.table import Table

        table = Table("target", "what it is", box=None, pad_edge=False)
        for row in rows:
            table.add_row(row["target"], row["description"])
        console.print(table)
        if layers:
            console.print()
            operators = Table("layer", "note", box=None, pad_edge=False)
            for layer, note in layers.items():
                operators.add_row(layer, note)
            console.print(operators)

    return Outcome(rows, render)
