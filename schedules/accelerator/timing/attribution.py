"""Where a program's cycles go: the critical path, cut into kinds of work by layer.

Every cycle of the path belongs to exactly one instruction, so the parts of all layers sum exactly to the program's
cycles. What is hidden behind other work is on no path and costs nothing; :attr:`LayerCycles.busy` counts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gatewright.schedules.accelerator.isa.encoding import Words, columns
from gatewright.schedules.accelerator.isa.fields import SPACES, UNITS
from gatewright.schedules.accelerator.ranges import conflicts, program_ranges
from gatewright.schedules.accelerator.spec import Matrix, Spec
from gatewright.schedules.accelerator.timing.counts import Counts, layer_numbers
from gatewright.schedules.accelerator.timing.critical import CriticalPath, critical_path, queue_orders
from gatewright.schedules.accelerator.timing.durations import MatrixWork, instruction_cycles
from gatewright.schedules.accelerator.timing.event import Timeline

__all__ = ["PARTS", "LayerCycles", "attribute", "instruction_parts", "joined", "matrix_parts", "utilisation"]

Column = npt.NDArray[np.int64]
PARTS = ("compute", "weight_load", "dma", "dependency", "drain")
"""Kinds of cycles, the fields of :class:`LayerCycles`."""
_COMPUTE, _WEIGHT_LOAD, _DMA, _DEPENDENCY, _DRAIN = range(len(PARTS))


@dataclass(frozen=True)
class LayerCycles:
    """Cycles of one layer; of several runs, summed.

    Attributes:
        compute: the matrix or the vector unit takes operands.
        weight_load: the array waits for its stationary operand to be shifted in, the vector unit for the constants of
            a block of channels, or anything for a load of weights or constants.
        dma: anything waits for activations to be loaded or stored, or for a border to be filled.
        dependency: an instruction is fetched, or a unit waits only for a port of a bank that another one holds.
        drain: the array's pipeline fills and drains, and a unit starts and ends.
        busy: unit -> cycles it works for the layer, on the critical path or hidden.
        first_cycle, last_cycle: from the start of the layer's first instruction to the end of its last, in its run.
    """

    compute: int
    weight_load: int
    dma: int
    dependency: int
    drain: int
    busy: Mapping[str, int]
    first_cycle: int
    last_cycle: int

    @property
    def cycles(self) -> int:
        """The layer's share of the program's cycles."""
        return self.compute + self.weight_load + self.dma + self.dependency + self.drain


def utilisation(spec: Spec, counts: Counts, cycles: int) -> float:
    """Multiply-accumulates of both units over what the array could do in ``cycles``; 0..1."""
    return counts.macs / (spec.matrix.rows * spec.matrix.columns * cycles) if cycles else 0.0


def matrix_parts(matrix: Matrix, work: MatrixWork, cycles: Column) -> tuple[Column, Column]:
    """(compute, weight load) of matrix instructions; what is left of ``cycles`` fills and drains.

    A cycle computes when an operand enters the array: every fold takes a cycle a pixel (``ws``, ``gemm``, ``dot``), a
    cycle an output channel (``is``), or a cycle a value summed over (``os``). Shifting a stationary operand in takes r
    cycles, of which a shadow register hides as many as the fold before computes. Of a latency function of a spec's own
    only the cycles a pixel and fold are known: those count as compute, the rest as drain.
    """
    r, c, m = matrix.rows, matrix.columns, work.pixels
    folds = work.input_blocks * work.output_blocks
    none = np.zeros_like(folds)
    if matrix.cycles:
        return np.minimum(m * folds, cycles), none
    if matrix.dataflow == "os":
        return -(-m // r) * work.output_blocks * work.depth, none
    if matrix.dataflow == "is":
        folds, m = work.input_blocks * -(-m // c), work.output_blocks * c
        return m * folds, _shifting(folds, m, r)
    if matrix.dataflow == "ws":
        return m * folds, _shifting(folds, m, r) if matrix.shadow_weights else r * folds
    return m * folds, none


def _shifting(folds: Column, computing: Column, rows: int) -> Column:
    waiting: Column = rows + folds * np.maximum(rows - computing, 0)
    return waiting


def instruction_parts(spec: Spec, words: Words) -> Column:
    """Cycles of every instruction by kind, (n, len(PARTS)); a row sums to the instruction's cycles."""
    cycles = instruction_cycles(spec, words)
    parts = np.zeros((len(words), len(PARTS)), np.int64)
    for mnemonic, where, of in columns(words):
        if mnemonic == "matmul":
            inside = cycles[where] - spec.matrix.start_cycles
            parts[where, _COMPUTE], parts[where, _WEIGHT_LOAD] = matrix_parts(spec.matrix, MatrixWork.of(of), inside)
        elif mnemonic == "vector":
            parts[where, _WEIGHT_LOAD] = of["per_channel"] * of["blocks"] * spec.vector.block_cycles
            parts[where, _COMPUTE] = cycles[where] - parts[where, _WEIGHT_LOAD] - spec.vector.start_cycles
        elif mnemonic == "load":
            constant = (of["space"] == SPACES["weight"]) | (of["space"] == SPACES["constant"])
            parts[where, np.where(constant, _WEIGHT_LOAD, _DMA)] = cycles[where]
        else:
            parts[where, _DMA] = cycles[where]
    parts[:, _DRAIN] = cycles - parts.sum(axis=1)
    return parts


def attribute(spec: Spec, words: Words, layers: Sequence[str], timeline: Timeline) -> dict[str, LayerCycles]:
    """Cycles of every layer of a program; their ``cycles`` sum to ``timeline.total_cycles``.

    Args:
        spec: the accelerator.
        words: (n, 32).
        layers: name of the layer of each instruction; the final halt has none and counts for the layer before.
        timeline: of the program, with durations of ``spec``.
    """
    path = critical_path(spec, timeline)
    parts = instruction_parts(spec, words)
    # Whatever the instruction did that held a port: to the one that waits for the port it is no data.
    parts[_held_ports(spec, words, timeline, path)] = 0
    spent = np.zeros_like(parts)
    spent[path.work] = parts[path.work]
    worked = (timeline.end - timeline.start)[path.work]
    spent[path.work, _DEPENDENCY] += worked - parts[path.work].sum(axis=1)
    spent[:, _DEPENDENCY] += path.sequencing
    names, which = layer_numbers(_without_gaps(layers))
    total = np.zeros((len(names), len(PARTS)), np.int64)
    np.add.at(total, which, spent)
    busy = np.zeros((len(names), len(UNITS) + 1), np.int64)
    np.add.at(busy, (which, timeline.unit), timeline.end - timeline.start)
    first, last = np.full(len(names), np.iinfo(np.int64).max), np.zeros(len(names), np.int64)
    np.minimum.at(first, which, timeline.start)
    np.maximum.at(last, which, timeline.end)
    return {
        name: LayerCycles(
            **{part: int(value) for part, value in zip(PARTS, total[index], strict=True)},
            busy={unit: int(busy[index, number]) for number, unit in enumerate(UNITS)},
            first_cycle=int(first[index]),
            last_cycle=int(last[index]),
        )
        for index, name in enumerate(names)
    }


def _without_gaps(layers: Sequence[str]) -> list[str]:
    named, name = [], next((name for name in layers if name), "")
    for layer in layers:
        name = layer or name
        named.append(name)
    return named


def _held_ports(spec: Spec, words: Words, timeline: Timeline, path: CriticalPath) -> Column:
    """Instructions of the path that the next one on it waited for though it shares no data with them: for a port."""
    before, _ = queue_orders(spec, timeline.unit)
    waiting, work = path.waiting, path.work
    crossed = (waiting >= 0) & (before[waiting] != work) & (timeline.unit[waiting] >= 0)
    waiting, work = waiting[crossed], work[crossed]
    if not len(work):
        return work
    both = np.unique(np.concatenate([waiting, work]))
    ranges = program_ranges(spec, words[both])
    return work[~conflicts(ranges, np.searchsorted(both, waiting), np.searchsorted(both, work))]


def joined(runs: Sequence[Mapping[str, LayerCycles]]) -> dict[str, LayerCycles]:
    """Layers of several runs of a network; one with instructions in two runs has the sum, and its last run's span."""
    found: dict[str, LayerCycles] = {}
    for run in runs:
        for name, layer in run.items():
            if name in found:
                known = found[name]
                layer = replace(
                    layer,
                    **{part: getattr(known, part) + getattr(layer, part) for part in PARTS},
                    busy={unit: known.busy[unit] + layer.busy[unit] for unit in UNITS},
                )
            found[name] = layer
    return found
