"""The cycle and resource models held against published designs: how wrong is each figure?

:func:`comparison` computes every design of ``published.toml`` anew; ``accuracy.toml`` stores its outcome, and the error
texts of the estimates come from there. A test keeps the two equal.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from gatewright.schedules.fpga.choices import Choice, make_choice
from gatewright.schedules.fpga.costs import IMPLEMENTED_LUT, Dsp
from gatewright.schedules.fpga.dataflow import overlap
from gatewright.schedules.fpga.kernels import Kernel
from gatewright.schedules.fpga.resources import total

__all__ = ["Row", "comparison", "error_texts", "render"]

_DSP48E2 = Dsp(27, 18)
_RESOURCES = ("csynth_lut", "ff", "dsp", "bram_18k")
_NAMES = {
    "csynth": "kernels in C synthesis reports (the models were fitted to them)",
    "board": "boards timed one inference at a time, driver included",
    "implementation": "pairs of C synthesis and implementation (the factor between them alone)",
}


@dataclass(frozen=True)
class Row:
    """One figure of one design.

    Attributes:
        group: ``csynth``, ``board`` or ``implementation``.
        estimated, measured: in the figure's unit.
    """

    design: str
    group: str
    figure: str
    estimated: float
    measured: float

    @property
    def error_percent(self) -> float:
        """(estimated - measured) / measured; a count of 0 is compared as if it were 1."""
        return round(100 * (self.estimated - self.measured) / max(self.measured, 1), 1)


def comparison() -> tuple[Row, ...]:
    """Every figure of every published design, estimated."""
    table = tomllib.loads(files("gatewright.targets.xilinx").joinpath("published.toml").read_text("utf-8"))
    designs = {design["name"]: design for design in table["design"]}
    rows: list[Row] = []
    for design in designs.values():
        for figure, value in _estimate(design, designs).items():
            measured = _measured(design, figure)
            if measured is not None:
                rows.append(Row(design["name"], design["group"], figure, value, measured))
    return tuple(rows)


def _measured(design: Mapping[str, Any], figure: str) -> float | None:
    found = design["measured"]
    if figure == "latency_cycles" and "inferences_per_second" in found:
        # one at a time: the rate is the inverse of the latency
        return round(1e6 * design["clock_mhz"] / found["inferences_per_second"], 1)
    return float(found[figure]) if figure in found else None


def _estimate(design: Mapping[str, Any], designs: Mapping[str, Any]) -> dict[str, float]:
    if design["group"] == "implementation":
        return {"lut": round(design["csynth_percent"] * IMPLEMENTED_LUT, 1)}
    layers = design.get("layers") or designs[design["same_layers_as"]]["layers"]
    factors = design.get("reuse_factors") or [layer["reuse_factor"] for layer in layers]
    chosen: list[Choice] = []
    for position, (layer, factor) in enumerate(zip(layers, factors, strict=True)):
        fields = {name: value for name, value in layer.items() if name not in ("strategy", "reuse_factor")}
        # The kernels of the reports convert without rounding: their result is as wide as the accumulator.
        kernel = Kernel(
            **{"layer": str(position), "op": "none", "output_bits": fields.get("accumulator_bits", 8), **fields}
        )
        chosen.append(make_choice(kernel, layer["strategy"], factor, design.get("io_type", "io_stream"), _DSP48E2))
    chain = [(str(i), [str(i - 1)] if i else ["in"]) for i in range(len(chosen))]
    times = {str(i): choice.timing for i, choice in enumerate(chosen)}
    first_beats = layers[0].get("pixels_in", 1)
    finished = overlap(chain, {"in": first_beats - 1}, times, design.get("io_type", "io_stream"))
    resources = total(choice.resources for choice in chosen)
    latency = chosen[0].timing.latency_cycles if len(chosen) == 1 else finished[chain[-1][0]]
    return {
        "latency_cycles": latency,
        "interval_cycles": max(choice.timing.interval_cycles for choice in chosen),
        **{name: getattr(resources, name) for name in _RESOURCES},
    }


def error_texts(rows: tuple[Row, ...]) -> dict[str, str]:
    """Figure -> range of its errors, by group: the text beside every estimate."""
    texts: dict[str, str] = {}
    for figure in ("latency_cycles", "interval_cycles", "lut", *_RESOURCES):
        parts = []
        for group, what in _NAMES.items():
            errors = [row.error_percent for row in rows if row.figure == figure and row.group == group]
            if errors:
                parts.append(f"{min(errors):+.0f}..{max(errors):+.0f} % over {len(errors)} {what}")
        if figure == "lut":
            parts.append("on top of the error of csynth_lut")
        texts[figure] = "; ".join(parts) + "; unmeasured for this design"
    return texts


def render(rows: tuple[Row, ...]) -> str:
    """The text of ``accuracy.toml``."""
    lines = [
        "# Made by tests/benchmarks/xilinx_published.py --update from published.toml; a test keeps it so.",
        "",
        "[error]",
        *(f'{figure} = "{text}"' for figure, text in error_texts(rows).items()),
        "",
    ]
    for row in rows:
        lines += [
            "[[row]]",
            f'design = "{row.design}"',
            f'group = "{row.group}"',
            f'figure = "{row.figure}"',
            f"estimated = {row.estimated}",
            f"measured = {row.measured}",
            f"error_percent = {row.error_percent}",
            "",
        ]
    return "\n".join(lines)
