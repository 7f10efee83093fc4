"""The per-layer table of ``gatewright quantize``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

__all__ = ["layer_table"]

_COLUMNS: Mapping[str, tuple[str, str]] = {
    "layer": ("layer", "left"),
    "op": ("op", "left"),
    "type": ("type", "left"),
    "min": ("min", "right"),
    "max": ("max", "right"),
    "scale": ("scale", "right"),
    "zero_point": ("zero", "right"),
    "sqnr_db": ("SQNR dB", "right"),
    "saturated": ("saturated", "right"),
    "accumulator_bits": ("acc bits", "right"),
}


def layer_table(rows: Sequence[Mapping[str, object]]) -> Table:
    """``facts["layers"]`` as a rich table; what was not measured is a dash."""
    table = Table(title="quantized layers")
    for title, side in _COLUMNS.values():
        table.add_column(title, justify=side, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(_text(key, row.get(key)) for key in _COLUMNS))
    return table


def _text(key: str, value: object) -> str:
    if value is None:
        return "-"
    if key == "saturated":
        return f"{float(value):.3%}"  # type: ignore[arg-type]
    if key == "sqnr_db":
        return f"{float(value):.1f}"  # type: ignore[arg-type]
    return f"{value:.4g}" if isinstance(value, float) else str(value)
