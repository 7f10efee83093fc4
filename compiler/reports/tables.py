"""Tables for people: targets, estimates, passes, verification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["number", "show_estimates", "show_passes", "show_targets", "show_verification"]

Row = Mapping[str, Any]


def number(value: float | int | None) -> str:
    """Whole and large numbers in full, others with four digits; a dash for nothing."""
    if value is None:
        return "-"
    if isinstance(value, int) or float(value).is_integer() or abs(value) >= 1000:
        return f"{round(value):,}".replace(",", " ")
    return f"{value:.4g}"


_SHORT = 48  # longer remarks stand below the figures
_SUMMARY = {
    "inferences_per_second": "inferences/s",
    "latency_us": "us latency",
    "lut": "LUT",
    "ff": "FF",
    "dsp": "DSP",
    "bram_18k": "BRAM18",
    "ebr": "EBR",
    "spram": "SPRAM",
    "uram": "URAM",
    "macs": "MAC",
    "constant_bytes": "bytes of constants",
}
"""Figures worth a place in one line, and what to call them."""


def show_targets(console: Console, rows: Sequence[Row], directory: Path) -> None:
    """What compile built, where, and in one line what is expected of it."""
    for row in rows:
        _show_problems(console, row)
        if not row["ok"]:
            continue
        folder = row["target"].replace(":", "-").replace("/", "-")
        console.print(f"{row['target']}: built in {directory}/{folder}", markup=False, soft_wrap=True)
        figures = {**row.get("resources", {}), **row}
        found = [f"{number(figures[name])} {text}" for name, text in _SUMMARY.items() if figures.get(name)]
        if found:
            console.print(f"  estimate: {', '.join(found)}", markup=False, soft_wrap=True)
        measured = {name: row.get(f"measured_{name}") for name in _SUMMARY}
        seen = [f"{number(value)} {_SUMMARY[name]}" for name, value in measured.items() if value]
        if seen:
            console.print(f"  measured: {', '.join(seen)}", markup=False, soft_wrap=True)


def show_estimates(console: Console, rows: Sequence[Row], by_layer: bool) -> None:
    """Totals of every target, then its layers; each figure's source and error below."""
    for row in rows:
        _show_problems(console, row)
        if "resources" not in row:
            continue
        totals = {name: row[name] for name in ("latency_cycles", "interval_cycles", "clock_mhz", "latency_us",
                                               "inferences_per_second") if row.get(name) is not None}  # fmt: skip
        totals |= row["resources"]
        if not totals:
            continue
        console.print(f"\n[bold]{row['target']}[/bold]")
        notes: dict[str, int] = {}
        for name, value in totals.items():
            error = row.get("errors", {}).get(name, "")
            measured = row.get(f"measured_{name}")
            note = error if len(error) <= _SHORT else f"[{notes.setdefault(error, len(notes) + 1)}]"
            beside = f"measured {number(measured)}  {note}" if measured is not None else note
            console.print(f"  {name:<22}{number(value):>12}  {beside}".rstrip(), markup=False, soft_wrap=True)
        for note, place in notes.items():
            console.print(f"  [{place}] {note}", markup=False, soft_wrap=True)
        if by_layer and row["layers"]:
            _show_layers(console, row["layers"])
        if by_layer:
            console.print("  where the figures come from:")
            for model, source in row["models"].items():
                console.print(f"    {model}: {source}", markup=False, soft_wrap=True)


def _show_problems(console: Console, row: Row) -> None:
    for finding in row.get("findings", ()):
        if finding["severity"] != "error":
            text = f"{finding['severity']} {finding['code']}: {finding['place']}: {finding['reason']}"
            console.print(f"{row['target']}: {text}", markup=False, soft_wrap=True)
    if "error" in row:
        error = row["error"]
        lines = [f"{row['target']}: error {error['code']}: {error['place']}: {error['reason']}"]
        lines += [f"  {finding['place']}: {finding['reason']}" for finding in error.get("findings", ())]
        lines += [f"  try: {action}" for action in error["actions"]]
        console.print("\n".join(lines), markup=False, soft_wrap=True)


def _show_layers(console: Console, layers: Sequence[Row]) -> None:
    from rich.table import Table

    columns = [name for name in dict.fromkeys(key for layer in layers for key in layer) if name not in ("layer", "op")]
    table = Table("layer", "op", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right")
    for layer in layers:
        table.add_row(layer["layer"], layer["op"], *(number(layer.get(column)) for column in columns))
    console.print(table)


def show_passes(console: Console, passes: Sequence[Row]) -> None:
    """The passes that changed the model, one line each."""
    for record in passes:
        if record.get("modified"):
            error = record.get("max_abs_error")
            checked = "" if error is None else f", largest difference {error:.3g}"
            counts = f"{record['nodes_before']} -> {record['nodes_after']} operators"
            console.print(f"  pass {record['name']}: {counts}{checked}", markup=False)


def show_verification(console: Console, rows: Sequence[Row]) -> None:
    """One line a target, then where each mismatch begins."""
    from rich.table import Table

    columns = ("target", "samples", "mismatching bytes", "max |error|", "mean |error|", "top-1 agreement", "accuracy",
               "float accuracy")  # fmt: skip
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="left" if column == "target" else "right")
    for row in rows:
        table.add_row(
            row["target"],
            str(row["samples"]),
            "-" if row["mismatching_bytes"] is None else f"{row['mismatching_bytes']} of {row['compared_bytes']}",
            number(row["float_max_abs_error"]),
            number(row["float_mean_abs_error"]),
            *(
                "-" if row[key] is None else f"{row[key]:.2%}"
                for key in ("float_top1_agreement", "accuracy", "float_accuracy")
            ),
        )
    console.print(table)
    for row in rows:
        if row.get("first_mismatch"):
            first = row["first_mismatch"]
            place = f"sample {first['sample']}, {first['tensor']}{list(first['index'])}"
            values = f"expected {first['expected']}, got {first['got']}"
            console.print(f"{row['target']}: first mismatch at {place}: {values}", markup=False)
