"""The roofline tier: every layer as long as its work at full width, or its bytes at full bandwidth (Williams 2009).

It knows nothing of tiles' shapes, latencies or dependences: a bound from below, and a picture of what binds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.timing.counts import Counts, total_counts

__all__ = ["Roof", "network_roof", "roof"]


@dataclass(frozen=True)
class Roof:
    """One layer, or a whole network.

    Attributes:
        matrix_cycles: multiply-accumulates of the matrix unit over its cells. vector_cycles: values over lanes.
        read_cycles, write_cycles: bytes of a direction of DRAM over its bandwidth.
        macs: multiply-accumulates. peak_macs_per_cycle: of the unit that does most of them.
        dram_bytes: read and written.
        cycles: achieved, by a finer model; 0 where none was asked.
        shared_compute: matrix and vector unit take turns. shared_dma: both directions share one path.
    """

    matrix_cycles: int
    vector_cycles: int
    read_cycles: int
    write_cycles: int
    macs: int
    peak_macs_per_cycle: int
    dram_bytes: int
    cycles: int = 0
    shared_compute: bool = False
    shared_dma: bool = False

    @property
    def compute_cycles(self) -> int:
        """The busier unit, or both where they take turns."""
        if self.shared_compute:
            return self.matrix_cycles + self.vector_cycles
        return max(self.matrix_cycles, self.vector_cycles)

    @property
    def memory_cycles(self) -> int:
        """The busier direction of DRAM, or both where they share a path."""
        return self.read_cycles + self.write_cycles if self.shared_dma else max(self.read_cycles, self.write_cycles)

    @property
    def bound_cycles(self) -> int:
        """No schedule with these bytes is faster."""
        return max(self.compute_cycles, self.memory_cycles)

    @property
    def binds(self) -> str:
        """``matrix``, ``vector``, ``read``, ``write``, or ``compute`` and ``memory`` where units share."""
        if self.compute_cycles >= self.memory_cycles:
            if self.shared_compute:
                return "compute"
            return "matrix" if self.matrix_cycles >= self.vector_cycles else "vector"
        if self.shared_dma:
            return "memory"
        return "read" if self.read_cycles >= self.write_cycles else "write"

    @property
    def intensity(self) -> float:
        """Multiply-accumulates a byte of DRAM; infinite where nothing is moved."""
        if self.dram_bytes:
            return self.macs / self.dram_bytes
        return float("inf") if self.macs else 0.0

    @property
    def attainable_macs_per_cycle(self) -> float:
        """Under the roof: peak, or what the bound leaves of it."""
        return min(float(self.peak_macs_per_cycle), self.macs / self.bound_cycles) if self.bound_cycles else 0.0

    @property
    def achieved_macs_per_cycle(self) -> float:
        """By the finer model; 0 where there is none."""
        return self.macs / self.cycles if self.cycles else 0.0


def roof(spec: Spec, counts: Counts, cycles: int = 0) -> Roof:
    """The roofline of some work.

    Args:
        spec: the accelerator.
        counts: the work.
        cycles: of a finer model, to compare.
    """
    cells, lanes = spec.matrix.rows * spec.matrix.columns, spec.vector.lanes
    on_vector = counts.macs and not counts.array_macs
    return Roof(
        matrix_cycles=-(-counts.matrix_macs // cells),
        vector_cycles=-(-counts.vector_operations // lanes),
        read_cycles=ceil(counts.dram_read / spec.dma.bytes_per_cycle),
        write_cycles=ceil(counts.dram_written / spec.dma.bytes_per_cycle),
        macs=counts.macs,
        peak_macs_per_cycle=lanes if on_vector else cells,
        dram_bytes=counts.dram_read + counts.dram_written,
        cycles=cycles,
        shared_compute=spec.control.shared_compute,
        shared_dma=spec.dma.channels == 1,
    )


def network_roof(spec: Spec, counts: Mapping[str, Counts], cycles: int = 0) -> Roof:
    """Of the network as one: units of different layers may overlap, so it is no sum of the layers' bounds."""
    return roof(spec, total_counts(counts), cycles)
