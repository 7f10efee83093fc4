"""Tilings of the vector unit's layers: those that a rough count of cycles ranks first are simulated."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

from gatewright.schedules.accelerator.lowering.window import WindowJob, WindowTiling, place_window_slots
from gatewright.schedules.accelerator.search.convolution import Budget
from gatewright.schedules.accelerator.search.grid import halvings
from gatewright.schedules.accelerator.spec import Spec

__all__ = ["search_window"]


def search_window(
    spec: Spec, job: WindowJob, limit: int, evaluate: Callable[[WindowTiling], int], budget: Budget
) -> WindowTiling | None:
    """The best tiling of a grid, or None when no tile fits below ``limit`` of the activation scratchpad."""
    candidates = list(_grid(spec, job, limit))
    if not candidates:
        return None
    scores = np.array([_score(spec, job, tiling) for tiling in candidates])
    best, best_cycles = candidates[int(np.argmin(scores))], -1
    began = time.monotonic()
    for index in np.argsort(scores, kind="stable")[: budget.candidates]:
        cycles = evaluate(candidates[index])
        if best_cycles < 0 or cycles < best_cycles:
            best, best_cycles = candidates[index], cycles
        if time.monotonic() - began > budget.seconds:
            break
    return best


def _grid(spec: Spec, job: WindowJob, limit: int) -> Iterator[WindowTiling]:
    samples, height, width = job.grid
    blocks = -(-job.channels // spec.matrix.columns)
    heights, widths = halvings(height), halvings(width)
    pixels = [(h, widths[0]) for h in heights] + [(1, w) for w in widths[1:]]
    for (h, w), b in product(dict.fromkeys(pixels), halvings(blocks)):
        if max(h, w, b) >= 1 << 16 or b * spec.matrix.columns >= 1 << 16:
            continue
        slots = 2 if samples * -(-height // h) * -(-width // w) * -(-blocks // b) > 1 else 1
        for count in {slots, 1}:
            tiling = WindowTiling(h, w, b, count, count)
            if place_window_slots(spec, job, tiling, limit) is not None:
                yield tiling


def _score(spec: Spec, job: WindowJob, tiling: WindowTiling) -> float:
    """Rough cycles: overheads of every tile, and bytes read again where windows overlap."""
    samples, height, width = job.grid
    blocks = -(-job.channels // spec.matrix.columns)
    tiles = samples * -(-height // tiling.height) * -(-width // tiling.width) * -(-blocks // tiling.blocks)
    rows = (tiling.height - 1) * job.strides[0] + (job.kernel[0] - 1) * job.dilation[0] + 1
    columns = (tiling.width - 1) * job.strides[1] + (job.kernel[1] - 1) * job.dilation[1] + 1
    pixel = tiling.blocks * spec.matrix.columns
    loaded = 0 if job.source.resident else rows * columns * pixel
    overhead = spec.vector.start_cycles + spec.dma.start_cycles + spec.dma.latency_cycles / tiling.input_slots
    compute = tiling.height * tiling.width * job.kernel[0] * job.kernel[1] * pixel / spec.vector.lanes
    # A single tile is never hidden behind another: prefer a few.
    return tiles * (max(loaded / spec.dma.bytes_per_cycle, compute) + overhead) + loaded / spec.dma.bytes_per_cycle
