"""The layers of ``nvdla_reference.csv``: shapes, and what NVDLA's spreadsheet says of them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from gatewright.schedules.accelerator.timing.layers import LayerShape

NETWORKS = ("AlexNet", "GoogLeNet", "ResNet-50")
_TABLE = Path(__file__).parent / "nvdla_reference.csv"


@dataclass(frozen=True)
class SheetLayer:
    """One row.

    Attributes:
        shape: of the layer, one image.
        dram_only: cycles by part, without SRAM: ``dram``, ``mac`` and their ``max``.
        sram: cycles by part, with 4 MB of SRAM: ``dram``, ``read``, ``write``, ``mac``, ``max``.
    """

    shape: LayerShape
    dram_only: dict[str, float]
    sram: dict[str, float]


def layers(network: str) -> list[SheetLayer]:
    """A network's rows, in order."""
    lines = [line for line in _TABLE.read_text("utf-8").splitlines() if not line.startswith("#")]
    return [_layer(row) for row in csv.DictReader(lines) if row["network"] == network]


def _layer(row: dict[str, str]) -> SheetLayer:
    number = {name: int(row[name]) for name in ("c", "h", "w", "k", "r", "s", "stride_y", "stride_x", "pad_y", "pad_x")}
    pad_y, pad_x = number["pad_y"], number["pad_x"]
    return SheetLayer(
        LayerShape(
            row["layer"],
            row["kind"],
            *(number[name] for name in ("c", "h", "w", "k")),
            kernel=(number["r"], number["s"]),
            strides=(number["stride_y"], number["stride_x"]),
            padding=(pad_y // 2, pad_x // 2, pad_y - pad_y // 2, pad_x - pad_x // 2),
            pooled=(int(row["pooled_h"]), int(row["pooled_w"])) if row["pooled_h"] else None,
            residual=row["residual"] == "1",
        ),
        {name: float(row[f"dram_only_{name}"]) for name in ("dram", "mac", "max")},
        {name: float(row[f"sram_{name}"]) for name in ("dram", "read", "write", "mac", "max")},
    )
