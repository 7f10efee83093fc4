"""Tilings of a convolution: all of a grid are scored by what each unit has to do at least; the best are simulated.

The busiest unit's cycles are a lower bound of the event-driven time, so only candidates whose bound is below the best
time found are simulated (branch and bound), the most promising first: the result is the best of the grid, unless the
budget ends the search before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gatewright.schedules.accelerator.search.bounds import grid_bounds
from gatewright.schedules.accelerator.search.grid import convolution_grid
from gatewright.schedules.accelerator.shapes import ConvShape
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.tile import Tiling

__all__ = ["Budget", "Found", "search_convolution"]


@dataclass(frozen=True)
class Budget:
    """How much a search may do for one layer: candidates simulated, and seconds."""

    candidates: int = 4
    seconds: float = 2.0


@dataclass(frozen=True)
class Found:
    """The best tiling: its cycles by the event-driven model, and its lower bound."""

    tiling: Tiling
    cycles: int
    bound_cycles: int


def search_convolution(
    spec: Spec,
    shape: ConvShape,
    resident: tuple[bool, bool],
    limit: int,
    evaluate: Callable[[Tiling], int],
    budget: Budget,
) -> Found | None:
    """The best tiling.

    Args:
        spec: the accelerator.
        shape: of the convolution.
        resident: whether the input and the output are resident.
        limit: of the activation scratchpad, in bytes.
        evaluate: simulated cycles of the layer with a tiling.
        budget: ends the search early.

    Returns:
        None when no tile fits.
    """
    grid = convolution_grid(spec, shape, resident, limit)
    bounds = grid_bounds(spec, shape, grid, resident)
    best: Found | None = None
    began = time.monotonic()
    simulated = 0
    for index in np.argsort(bounds.guess, kind="stable"):
        bound = int(bounds.cycles[index])
        if best is not None and (simulated >= budget.candidates or time.monotonic() - began > budget.seconds):
            break
        if best is not None and bound >= best.cycles:
            continue
        simulated += 1
        tiling = grid.tiling(index)
        cycles = evaluate(tiling)
        if best is None or cycles < best.cycles:
            best = Found(tiling, cycles, bound)
    return best
