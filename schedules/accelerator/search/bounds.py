"""What every unit has to do at least for a tiled convolution, for all tilings of a grid at once.

The busiest unit's cycles are a lower bound of the event-driven time, so a search may pass over tilings whose bound is
not below the best time found. Tests hold every bound against the event model. A guess of that time says in which order
to look: the bound, and what no double buffering hides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewright.schedules.accelerator.search.grid import Grid
from gatewright.schedules.accelerator.shapes import ConvShape, Span
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.timing.durations import MatrixWork, matrix_cycles, transfer_cycles, vector_cycles

__all__ = ["Bounds", "grid_bounds"]

Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Bounds:
    """Cycles of every tiling, (n,): at least, and as guessed."""

    cycles: Array
    guess: Array


@dataclass(frozen=True)
class _Class:
    """Spans of output channels that are alike: how many, and their blocks and channels."""

    count: int
    outputs: int
    inputs: int
    output_channels: int
    input_channels: int


def grid_bounds(spec: Spec, shape: ConvShape, grid: Grid, resident: tuple[bool, bool]) -> Bounds:
    """Bound and guess of every tiling."""
    if not len(grid):
        return Bounds(np.zeros(0, np.int64), np.zeros(0, np.int64))
    classes = [_Class(count, *sizes) for sizes, count in Counter(_sizes(shape, span) for span in shape.spans).items()]
    matrix, vector = _compute(spec, shape, grid, classes)
    load = likely = _weights(spec, shape, grid, classes)
    # Into a single place nothing is loaded while the matrix unit reads it.
    exposed = np.where(grid.weight_slots == 1, load, 0)
    if not resident[0]:
        least, most = _inputs(spec, shape, grid, classes)
        load, likely = load + least, load + most
        exposed += np.where(grid.input_slots == 1, most, 0)
    store = np.zeros_like(load) if resident[1] else _outputs(spec, shape, grid, classes)
    serial = matrix + vector + likely + store
    if spec.dma.channels == 1:
        load, likely = load + store, likely + store
    if spec.control.shared_compute:
        matrix = matrix + vector
    others = np.maximum(np.maximum(matrix, vector), store)
    bound = np.maximum(others, load)
    reached = np.maximum(np.maximum(others, likely), matrix + exposed)
    pixels = sum(count for count, _ in _pixels(shape, grid))
    tiles = pixels * sum(alike.count * -(-alike.outputs // grid.outputs) for alike in classes)
    depths = sum(alike.count * -(-alike.outputs // grid.outputs) * -(-alike.inputs // grid.inputs) for alike in classes)
    # At equal cycles the shorter program; so an instruction costs a cycle, whatever hides its fetch.
    instructions = pixels * depths * _kernel_parts(shape, grid) * shape.passes + tiles
    # The first operands come before anything works, the last result is rescaled and stored behind everything.
    around = _first_operands(spec, shape, grid, resident[0]) + (vector + store) // tiles
    overlaps = (tiles == 1) | (grid.accumulator_slots > 1)
    return Bounds(bound, np.where(overlaps, np.minimum(reached + around, serial), serial) + instructions)


def _first_operands(spec: Spec, shape: ConvShape, grid: Grid, resident: bool) -> Array:
    one = np.ones(len(grid), np.int64)
    window = grid.kernel_height * grid.kernel_width
    cycles = transfer_cycles(spec.dma, one, window * grid.inputs * grid.outputs * spec.fold_bytes)
    if resident:
        return cycles
    rows = (grid.height - 1) * shape.strides[0] + (grid.kernel_height - 1) * shape.dilation[0] + 1
    columns = (grid.width - 1) * shape.strides[1] + (grid.kernel_width - 1) * shape.dilation[1] + 1
    size = np.minimum(rows, shape.height) * np.minimum(columns, shape.width) * grid.inputs * spec.matrix.rows
    both: Array = cycles + transfer_cycles(spec.dma, one, size)
    return both


def _sizes(shape: ConvShape, span: Span) -> tuple[int, int, int, int]:
    outputs = min((span.first + span.count) * shape.columns, shape.out_channels) - span.first * shape.columns
    inputs = min(span.high * shape.rows, shape.channels) - span.low * shape.rows
    return span.count, span.high - span.low, outputs, inputs


def _parts(size: int, step: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """(how many, how large): all tiles but the last, and the last."""
    before = -(-size // step) - 1
    return (before, np.minimum(step, size)), (np.ones_like(step), size - before * step)


def _pixels(shape: ConvShape, grid: Grid) -> Iterator[tuple[Array, Array]]:
    """(how many tiles, of how many pixels)."""
    for nh, h in _parts(shape.out_height, grid.height):
        for nw, w in _parts(shape.out_width, grid.width):
            yield shape.samples * nh * nw, h * w


def _kernel_parts(shape: ConvShape, grid: Grid) -> Array:
    return (shape.kernel[0] // grid.kernel_height) * (shape.kernel[1] // grid.kernel_width)


def _compute(spec: Spec, shape: ConvShape, grid: Grid, classes: list[_Class]) -> tuple[Array, Array]:
    """Cycles of the matrix and of the vector unit: every instruction at its exact size."""
    rows, columns = spec.matrix.rows, spec.matrix.columns
    window, parts = grid.kernel_height * grid.kernel_width, _kernel_parts(shape, grid)
    matrix, vector = np.zeros(len(grid), np.int64), np.zeros(len(grid), np.int64)
    one = np.ones_like(matrix)
    for alike in classes:
        for count, pixels in _pixels(shape, grid):
            for number, (nn, n) in enumerate(_parts(alike.outputs, grid.outputs)):
                outputs = n * columns if not number else alike.output_channels - (alike.outputs - n) * columns
                tiles = alike.count * count * nn
                vector += tiles * vector_cycles(spec.vector, columns, pixels, one, one, n, one)
                for last, (nk, k) in enumerate(_parts(alike.inputs, grid.inputs)):
                    depth = k * rows if not last else alike.input_channels - (alike.inputs - k) * rows
                    work = MatrixWork(pixels, window * k, n, window * depth, outputs)
                    matrix += tiles * nk * parts * shape.passes * matrix_cycles(spec.matrix, work)
    return matrix, vector


def _weights(spec: Spec, shape: ConvShape, grid: Grid, classes: list[_Class]) -> Array:
    """Cycles of loads of weights: once if all of a sweep stay, else again for every tile of pixels."""
    window, parts = grid.kernel_height * grid.kernel_width, _kernel_parts(shape, grid)
    tiles = sum(count for count, _ in _pixels(shape, grid))
    depths = [shape.passes * parts * -(-alike.inputs // grid.inputs) for alike in classes]
    all_weights = sum(
        alike.count * -(-alike.outputs // grid.outputs) * depth for alike, depth in zip(classes, depths, strict=True)
    )
    load = np.zeros(len(grid), np.int64)
    for alike, depth in zip(classes, depths, strict=True):
        stay = np.where(grid.pixels_outside, all_weights, depth) <= grid.weight_slots
        for nk, k in _parts(alike.inputs, grid.inputs):
            for nn, n in _parts(alike.outputs, grid.outputs):
                once = transfer_cycles(spec.dma, np.ones_like(n), window * k * n * spec.fold_bytes)
                load += alike.count * nk * nn * parts * shape.passes * np.where(stay, 1, tiles) * once
    return load


def _outputs(spec: Spec, shape: ConvShape, grid: Grid, classes: list[_Class]) -> Array:
    """Cycles of stores."""
    store = np.zeros(len(grid), np.int64)
    for alike in classes:
        for count, pixels in _pixels(shape, grid):
            for nn, n in _parts(alike.outputs, grid.outputs):
                size = pixels * n * spec.matrix.columns
                store += alike.count * count * nn * transfer_cycles(spec.dma, np.ones_like(n), size)
    return store


def _inputs(spec: Spec, shape: ConvShape, grid: Grid, classes: list[_Class]) -> tuple[Array, Array]:
    """Cycles of loads of inputs, without padding: at least, and if nothing is there by chance.

    Tiles of a cut window overlap: the rectangle that one position of the window needs for a tile of pixels may be that
    of another position for another tile. So at least, of the first sweep, only the position that covers most counts,
    and spans that share inputs have no first sweep at all.
    """
    dma, tile_rows = spec.dma, spec.matrix.rows
    rows = [_covered(shape, grid, 0), _covered(shape, grid, 1)]
    parts = _kernel_parts(shape, grid)
    tiles = sum(count for count, _ in _pixels(shape, grid))
    shared = any(one.high > other.low for one, other in zip(shape.spans, shape.spans[1:], strict=False))
    least, most = np.zeros(len(grid)), np.zeros(len(grid))

    def cycles(which: int, blocks: Array, alike: _Class) -> npt.NDArray[np.float64]:
        number, area = rows[0][which][0] * rows[1][which][0], rows[0][which][1] * rows[1][which][1]
        size = area * shape.samples * alike.inputs * tile_rows
        loads = number * shape.samples * blocks
        gaps = np.maximum(size / dma.burst_bytes - loads, 0) * dma.burst_gap_cycles
        return loads * (dma.start_cycles + dma.latency_cycles) + size / dma.bytes_per_cycle + gaps

    for alike in classes:
        blocks = -(-alike.inputs // grid.inputs)
        distinct, sweeps = parts * blocks, -(-alike.outputs // grid.outputs)
        # Tiles of a further pass are the same again; so are those of another tile of outputs.
        passes = np.where(distinct <= grid.input_slots, 1, shape.passes)
        inside = np.where(distinct <= grid.input_slots, 1, sweeps * passes)
        stay = tiles * distinct <= grid.input_slots
        times, certain = (
            np.where(grid.pixels_outside, inside, np.where(stay, 1, again * passes))
            for again in (sweeps, np.where(parts == 1, sweeps, 1))
        )
        one, whole = cycles(0, blocks, alike), cycles(1, blocks, alike)
        least += alike.count * ((0 if shared else one) + (certain - 1) * whole)
        most += alike.count * times * whole
    # Sums of many quotients: a cycle less is still a bound.
    return np.maximum(np.floor(least * (1 - 1e-9)).astype(np.int64), 0), np.ceil(most).astype(np.int64)


def _covered(shape: ConvShape, grid: Grid, axis: int) -> list[tuple[Array, Array]]:
    """((tiles, lines) of the position of the window that covers most, (tiles, lines) of all positions).

    Tiles that lie outside the image are not loaded; lines are pixels inside it, over all tiles along the axis.
    """
    steps, kernels = (grid.height, grid.kernel_height) if axis == 0 else (grid.width, grid.kernel_width)
    size, out = ((shape.height, shape.out_height), (shape.width, shape.out_width))[axis]
    result = np.zeros((4, len(grid)), np.int64)
    keys = steps * (1 << 32) + kernels
    for key in np.unique(keys):
        step, kernel = int(key >> 32), int(key & 0xFFFFFFFF)
        tops = np.arange(0, out, step)
        lengths = np.minimum(step, out - tops)
        at = np.arange(0, shape.kernel[axis], kernel)[:, None] * shape.dilation[axis]
        first = tops * shape.strides[axis] - shape.padding[axis] + at
        last = first + (lengths - 1) * shape.strides[axis] + (kernel - 1) * shape.dilation[axis] + 1
        lines = np.maximum(np.minimum(last, size) - np.maximum(first, 0), 0)
        most = int(np.argmax(lines.sum(axis=1)))
        found = (lines[most] > 0).sum(), lines[most].sum(), (lines > 0).sum(), lines.sum()
        result[:, keys == key] = np.array(found)[:, None]
    return [(result[0], result[1]), (result[2], result[3])]
