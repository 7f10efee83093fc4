"""Tables for people: MLPerf's scenarios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gatewright.compiler.reports.tables import number

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["show_scenarios", "time_text"]

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def time_text(seconds: float) -> str:
    """Four digits and a unit: ``432 us``."""
    size, unit = next((pair for pair in _UNITS if seconds >= pair[0]), _UNITS[-1])
    return f"{seconds / size:.4g} {unit}"


def show_scenarios(console: Console, rows: Sequence[Mapping[str, Any]], official_seconds: float) -> None:
    """One line a scenario of a target, why some are not valid, and what the figures are not."""
    from rich.table import Table

    table = Table("target", "scenario", "time", "result", box=None, pad_edge=False)
    for column in ("latency p50", "p90", "p99", "queries"):
        table.add_column(column, justify="right")
    table.add_column("valid")
    for row in rows:
        latencies = (time_text(row[f"latency_p{percent}_seconds"]) for percent in (50, 90, 99))
        queries = f"{number(row['queries'])} x {number(row['samples_per_query'])}"
        table.add_row(row["target"], row["scenario"], row["time"], _result(row), *latencies, queries,
                      "yes" if row["valid"] else "NO")  # fmt: skip
    console.print(table)
    for row in rows:
        for reason in row["reasons"]:
            console.print(f"{row['target']} {row['scenario']}: {reason}", markup=False, soft_wrap=True)
    for target, (time, source) in {row["target"]: (row["time"], row["source"]) for row in rows}.items():
        console.print(f"{target}: {time}: {source}", markup=False, soft_wrap=True)
    clocked = [row["duration_seconds"] for row in rows if row["time"] == "wall clock"]
    if not clocked:
        console.print("no MLPerf submission: its rules want measured time")
    elif min(clocked) < official_seconds:
        console.print(f"no MLPerf submission: its rules want {official_seconds:g} s of every scenario (--duration)")


def _result(row: Mapping[str, Any]) -> str:
    kind, value = str(row["metric"]), row["value"]
    if kind.startswith("latency_"):
        return f"{kind.split('_')[1]} {time_text(value)}"
    return f"{number(value)} {kind.replace('_per_second', '')}/s"
