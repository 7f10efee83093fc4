"""The quantizer's table: ranges, scales, signal to noise and saturation of every layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from gatewright.compiler.model import QuantizedModel

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["layer_rows", "show_quantization"]


def layer_rows(model: QuantizedModel) -> list[Mapping[str, Any]]:
    """The rows the quantizer measured; empty with profile ``float``."""
    return cast("list[Mapping[str, Any]]", list(cast("Any", model.facts.get("layers", ()))))


def show_quantization(console: Console, row: Mapping[str, Any]) -> None:
    """Print the table, and below it what was measured end to end."""
    from rich.table import Table

    table = Table("layer", "op", "type", box=None, pad_edge=False)
    for column in ("min", "max", "scale", "zero", "SQNR dB", "saturated", "acc bits"):
        table.add_column(column, justify="right")
    for layer in row["layers"]:
        table.add_row(
            layer["layer"],
            layer["op"],
            layer["type"],
            _text(layer["min"], "{:.4g}"),
            _text(layer["max"], "{:.4g}"),
            _text(layer["scale"], "{:.4g}"),
            _text(layer["zero_point"], "{}"),
            _text(layer["sqnr_db"], "{:.1f}"),
            _text(layer["saturated"], "{:.3%}"),
            _text(layer["accumulator_bits"], "{}"),
        )
    console.print(table)
    if "samples" not in row:
        return
    console.print(f"on {row['samples']} samples, against the float model:")
    for key, form in _MEASURED.items():
        if row[key] is not None:
            console.print(f"  {key.replace('_', ' '):<22}{form.format(row[key])}")


_MEASURED = {
    "float_max_abs_error": "{:.4g}",
    "float_mean_abs_error": "{:.4g}",
    "float_top1_agreement": "{:.2%}",
    "accuracy": "{:.2%}",
    "float_accuracy": "{:.2%}",
}


def _text(value: object, form: str) -> str:
    return "-" if value is None else form.format(value)
