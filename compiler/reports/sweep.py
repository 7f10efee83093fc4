"""Tables for people: sweeps over parameters of a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gatewright.compiler.reports.tables import number

if TYPE_CHECKING:
    from rich.console import Console

    from gatewright.targets.base import Sweep

__all__ = ["show_sweep"]


def show_sweep(console: Console, target: str, rows: Sequence[Mapping[str, Any]], sweep: Sweep) -> None:
    """A line a point, a star where no other point beats it, then what is impossible and where the figures come from."""
    from rich.table import Table

    names = list(rows[0]["values"])
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name.replace(".", ".\n"), justify="right")  # a long name is no reason to cut it
    for figure, unit in sweep.units.items():
        table.add_column(_heading(figure, unit).replace(" (", "\n("), justify="right")
    table.add_column("optimal")
    for row in rows:
        values = [str(row["values"][name]) for name in names]
        figures = [number(row[figure]) if row["possible"] else "-" for figure in sweep.units]
        table.add_row(*values, *figures, "*" if row["optimal"] else "" if row["possible"] else "impossible")
    console.print(table)
    for row in rows:
        if not row["possible"]:
            place = ", ".join(f"{name}={value}" for name, value in row["values"].items())
            console.print(f"impossible: {place}: {row['reason']}", markup=False, soft_wrap=True)
    compared = ", ".join(_heading(figure, sweep.units[figure]) for figure in sweep.compared)
    found = sum(row["optimal"] for row in rows)
    console.print(
        f"{target}: {found} of {len(rows)} points are optimal (*): no other is as good in {compared} and better in one",
        markup=False, soft_wrap=True,
    )  # fmt: skip
    for figure, source in sweep.models.items():
        console.print(f"  {_heading(figure, sweep.units[figure])}: {source}", markup=False, soft_wrap=True)


def _heading(figure: str, unit: str) -> str:
    name = figure.removesuffix(f"_{unit.lower()}").replace("_", " ")
    return f"{name} ({unit})" if figure.endswith(f"_{unit.lower()}") else name
