"""Simulating: the event-driven model on a built command stream, and what its cycles, bytes and energy went into."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.schedules.accelerator.energy import Energy, EnergyTable, energy_of
from gatewright.schedules.accelerator.program import HostStep, Program
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.timing.attribution import PARTS, LayerCycles, attribute, joined, utilisation
from gatewright.schedules.accelerator.timing.closed import program_cycles
from gatewright.schedules.accelerator.timing.counts import Counts, by_layer, total_counts
from gatewright.schedules.accelerator.timing.event import simulate
from gatewright.schedules.accelerator.timing.roofline import network_roof
from gatewright.targets.accelerator.building import load_package
from gatewright.targets.accelerator.energy_tables import energy_table
from gatewright.targets.accelerator.roofline_plot import LayerPoint, roofline_svg
from gatewright.targets.accelerator.trace import write_trace
from gatewright.targets.base import Simulation

__all__ = ["layer_point", "simulation", "simulation_of"]

_PADS = ("activation", "weight", "constant", "accumulator")


def simulation_of(directory: Path) -> Simulation:
    """The timing model on the program in ``directory``.

    Raises:
        TargetError: GW4309 when a file is missing or damaged.
        UsageError: GW4320 when the spec names a table of energy that is not here.
    """
    package = load_package(directory)
    return simulation(package.spec, package.program, package.graph)


def simulation(spec: Spec, program: Program, graph: IntegerGraph) -> Simulation:
    """The timing model on a program."""
    timelines = [simulate(spec, run.words) for run in program.runs]
    pairs = list(zip(program.runs, timelines, strict=True))
    cycles = joined([attribute(spec, run.words, run.layers, timeline) for run, timeline in pairs])
    counts: dict[str, Counts] = {}
    for run in program.runs:
        for name, one in by_layer(spec, run.words, run.layers).items():
            counts[name] = counts.get(name, Counts()) + one
    table, total = energy_table(spec.energy), sum(timeline.total_cycles for timeline in timelines)
    rows = tuple(_row(spec, graph, name, cycles[name], counts[name], table) for name in counts)

    def trace(stream: TextIO, title: str) -> None:
        write_trace(stream, spec, program, timelines, title)

    def plot(title: str) -> str:
        return roofline_svg(spec, [layer_point(spec, name, cycles[name], counts[name]) for name in counts], title)

    return Simulation(
        totals={**_totals(spec, cycles, total_counts(counts), total, table), **_tiers(spec, program, counts)},
        layers=rows,
        host_layers={step.layer: step.reason for step in program.steps if isinstance(step, HostStep)},
        models={
            "cycles": "event-driven model of the command stream; split along its critical path",
            "closed_form_cycles": "both units with their dependences, as if DRAM and instructions took no time",
            "roofline_cycles": "work at full width or bytes at full bandwidth, whichever is longer",
            "roofline": "MACs over a layer's cycles, or over its busiest unit's where other work hides it",
            "utilisation": f"multiply-accumulates over cycles x {spec.matrix.rows} x {spec.matrix.columns}",
            "bytes": "counted in the command stream: through DMA, and through the ports of the scratchpads",
            "energy": f"counts x table {table.name} ({table.title}); arithmetic, scratchpads and DRAM alone",
        },
        write_trace=trace,
        roofline=plot,
    )


def _totals(
    spec: Spec, cycles: Mapping[str, LayerCycles], counts: Counts, total: int, table: EnergyTable
) -> dict[str, Any]:
    energy = energy_of(spec, counts, table)
    return {
        "cycles": total,
        "clock_mhz": spec.clock_mhz,
        "latency_us": round(total / spec.clock_mhz, 4),
        "utilisation": round(utilisation(spec, counts, total), 6),
        "macs": counts.macs,
        "energy_uj": round(energy.energy_pj / 1e6, 6),
        "energy_table": table.name,
        "split": {part: sum(getattr(layer, part) for layer in cycles.values()) for part in PARTS},
        "bytes": _bytes(counts),
        "energy_pj": {level: round(pj, 3) for level, pj in energy.pj.items()},
    }


def _tiers(spec: Spec, program: Program, counts: Mapping[str, Counts]) -> dict[str, int]:
    """The coarser tiers of the timing model: neither is ever above the event-driven one."""
    return {
        "closed_form_cycles": sum(program_cycles(spec, run.words) for run in program.runs),
        "roofline_cycles": network_roof(spec, counts).bound_cycles,
    }


def _row(
    spec: Spec, graph: IntegerGraph, name: str, cycles: LayerCycles, counts: Counts, table: EnergyTable
) -> dict[str, Any]:
    energy: Energy = energy_of(spec, counts, table)
    return {
        "layer": name,
        "op": graph[name].op,
        "cycles": cycles.cycles,
        "utilisation": round(utilisation(spec, counts, cycles.cycles), 6),
        "macs": counts.macs,
        "split": {part: getattr(cycles, part) for part in PARTS},
        "bytes": _bytes(counts),
        "energy_pj": round(energy.energy_pj, 3),
    }


def _bytes(counts: Counts) -> dict[str, int]:
    pads = {pad: getattr(counts, f"{pad}_read") + getattr(counts, f"{pad}_written") for pad in _PADS}
    return {"dram_read": counts.dram_read, "dram_written": counts.dram_written, **pads}


def layer_point(spec: Spec, name: str, cycles: LayerCycles, counts: Counts) -> LayerPoint:
    """A layer under the roof: over its share of the program's cycles, or over what its busiest unit works.

    The second is longer where other layers' work hides a part of the layer. So no layer lies above the roof.
    """
    busy = dict(cycles.busy)
    if spec.dma.channels == 1:
        busy["load"] += busy.pop("store")
    return LayerPoint(
        name,
        "matrix" if counts.matrix_macs else "vector",
        counts.macs,
        counts.dram_read + counts.dram_written,
        max(cycles.cycles, *busy.values()),
    )
