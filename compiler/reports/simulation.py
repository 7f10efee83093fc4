"""Tables for people: what the cycles, bytes and energy of an accelerator program go into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gatewright.compiler.reports.tables import number

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["show_simulation"]

Row = Mapping[str, Any]


def show_simulation(console: Console, row: Row, by_layer: bool) -> None:
    """Totals, a line a layer, what the host does, what was run; with ``by_layer`` bytes and energy of every layer."""
    _say(console, f"{row['target']}: {number(row['cycles'])} cycles, {number(row['latency_us'])} us at "
         f"{row['clock_mhz']:g} MHz")  # fmt: skip
    _say(console, f"  at least {number(row['closed_form_cycles'])} cycles if DRAM took no time, "
         f"{number(row['roofline_cycles'])} by the roofline")  # fmt: skip
    _say(console, f"  {number(row['macs'])} MACs, {row['utilisation']:.1%} of what the array could do")
    _say(console, "  bytes: " + ", ".join(f"{_words(name)} {number(value)}" for name, value in row["bytes"].items()))
    energy = row["energy_pj"]
    parts = ", ".join(f"{name} {_share(value, sum(energy.values()))}" for name, value in energy.items())
    _say(console, f"  energy by table {row['energy_table']}: {number(row['energy_uj'])} uJ ({parts})")
    if row["layers"]:
        console.print()
        _cycles(console, row)
    if row["layers"] and by_layer:
        console.print()
        _bytes_and_energy(console, row["layers"])
    _host(console, row["host_layers"])
    _samples(console, row.get("samples"))
    for kind, path in row["files"].items():
        _say(console, f"{kind}: {path}")
    if by_layer:
        _say(console, "where the figures come from:")
        for name, source in row["models"].items():
            _say(console, f"  {name}: {source}")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole else "0%"


def _table(console: Console, columns: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("layer", overflow="fold")
    table.add_column("op")
    for column in columns:
        table.add_column(column, justify="right")
    for line in lines:
        table.add_row(*line)
    console.print(table)


def _cycles(console: Console, row: Row) -> None:
    lines = [
        (
            one["layer"],
            one["op"],
            number(one["cycles"]),
            *map(number, one["split"].values()),
            f"{one['utilisation']:.1%}",
        )
        for one in row["layers"]
    ]
    total = ("total", "", number(row["cycles"]), *map(number, row["split"].values()), f"{row['utilisation']:.1%}")
    _table(console, ["cycles", *map(_words, row["split"]), "utilisation"], [*lines, total])


def _bytes_and_energy(console: Console, layers: Sequence[Row]) -> None:
    lines = [
        (
            one["layer"],
            one["op"],
            number(one["macs"]),
            *map(number, one["bytes"].values()),
            number(one["energy_pj"] / 1e6),
        )
        for one in layers
    ]
    _table(console, ["MACs", *map(_words, layers[0]["bytes"]), "uJ"], lines)


def _host(console: Console, hosted: Mapping[str, str]) -> None:
    if hosted:
        _say(console, f"on the host, in no figure: {len(hosted)} layers")
        for layer, reason in hosted.items():
            _say(console, f"  {layer}: {reason}")
    else:
        _say(console, "on the host, in no figure: no layer")


def _samples(console: Console, samples: Row | None) -> None:
    if samples is None:
        return
    compared = f"{samples['mismatching_bytes']} of {samples['compared_bytes']} bytes differ from the golden reference"
    _say(console, f"{samples['count']} samples through the same command stream: {compared}")
    first = samples["first_mismatch"]
    if first:
        place = f"sample {first['sample']}, {first['tensor']}{list(first['index'])}"
        _say(console, f"  first mismatch at {place}: expected {first['expected']}, got {first['got']}")
