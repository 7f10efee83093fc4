"""Tilings of a convolution: all of a grid are scored by what each unit has to do at least; the best are simulated.

The busiest unit's cycles are a lower bound of the event-driven time, so candidates are simulated in the order of their
bound until the bound passes the best time found (branch and bound): the result is the best of the grid, unless the
budget ends the search first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
import numpy.typing as npt

from gatewright.schedules.accelerator.lowering.convolution import place_slots
from gatewright.schedules.accelerator.shapes import ConvShape
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.tile import Tiling
from gatewright.schedules.accelerator.timing.durations import MatrixWork, matrix_cycles, transfer_cycles, vector_cycles

__all__ = ["Budget", "Found", "convolution_tilings", "halvings", "search_convolution"]

Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Budget:
    """How much a search may do for one layer: candidates simulated, and seconds."""

    candidates: int = 4
    seconds: float = 2.0


@dataclass(frozen=True)
class Found:
    """The best tiling: its cycles by the event-driven model, and the bound it was ranked by."""

    tiling: Tiling
    cycles: int
    bound_cycles: int


def halvings(size: int) -> list[int]:
    """``size``, then half of it rounded up, down to 1."""
    steps = [size]
    while steps[-1] > 1:
        steps.append(-(-steps[-1] // 2))
    return steps


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
        resident: whether the input and the output are resident. limit: of the activation scratchpad, in bytes.
        evaluate: simulated cycles of the layer with a tiling.

    Returns:
        None when no tile fits.
    """
    candidates = convolution_tilings(spec, shape, resident, limit)
    if not candidates:
        return None
    bounds = _bounds(spec, shape, candidates, resident)
    best: Found | None = None
    began = time.monotonic()
    for rank, index in enumerate(np.argsort(bounds, kind="stable")):
        bound = int(bounds[index])
        late = rank >= budget.candidates or time.monotonic() - began > budget.seconds
        if best is not None and (late or bound >= best.cycles):
            break
        cycles = evaluate(candidates[index])
        if best is None or cycles < best.cycles:
            best = Found(candidates[index], cycles, bound)
    return best


def convolution_tilings(spec: Spec, shape: ConvShape, resident: tuple[bool, bool], limit: int) -> list[Tiling]:
    """The grid of the search: what fits, with the whole window in a tile if anything does so."""
    for kernel in _kernels(shape):
        candidates = list(_grid(spec, shape, kernel, resident, limit))
        if candidates:
            return candidates
    return []


def _kernels(shape: ConvShape) -> Iterator[tuple[int, int]]:
    height, width = shape.kernel
    yield height, width
    if height > 1:
        yield 1, width
    if width > 1:
        yield 1, 1


def _grid(
    spec: Spec, shape: ConvShape, kernel: tuple[int, int], resident: tuple[bool, bool], limit: int
) -> Iterator[Tiling]:
    heights, widths = halvings(shape.out_height), halvings(shape.out_width)
    pixels = [(h, widths[0]) for h in heights] + [(h, w) for h in heights[-3:] for w in widths[1:]]
    outputs = halvings(max(span.count for span in shape.spans))
    inputs = halvings(max(span.high - span.low for span in shape.spans))
    for (height, width), n, k in product(dict.fromkeys(pixels), outputs, inputs):
        if height * width * n > spec.accumulator_rows or max(height, width, n, k) >= 1 << 16:
            continue
        depth = shape.passes * -(-shape.kernel[0] // kernel[0]) * -(-shape.kernel[1] // kernel[1]) * -(-inputs[0] // k)
        tiles = shape.samples * -(-shape.out_height // height) * -(-shape.out_width // width)
        groups = sum(-(-span.count // n) for span in shape.spans)
        orders: list[Literal["pixels", "outputs"]] = ["pixels", "outputs"] if tiles > 1 and groups > 1 else ["pixels"]
        for order in orders:
            distinct_inputs, distinct_weights = tiles * depth, groups * depth
            for slots in _slots(order, depth, distinct_inputs, distinct_weights, tiles * groups):
                tiling = Tiling(height, width, n, *kernel, k, order, *slots)
                if place_slots(spec, shape, tiling, resident, limit) is not None:
                    yield tiling


def _slots(
    order: str, depth: int, inputs: int, weights: int, results: int
) -> list[tuple[int, int, int, int]]:
    """Numbers of places worth trying: (inputs, weights, outputs, accumulators)."""
    # What a sweep over the inner loop reuses: all of its tiles, or double buffering of what streams past.
    keep_inputs = {min(2, inputs), min(depth if order == "pixels" else inputs, inputs)}
    keep_weights = {min(2, weights), min(weights if order == "pixels" else depth, weights)}
    double = min(2, results)
    found = [(i, w, double, double) for i in sorted(keep_inputs) for w in sorted(keep_weights) if i < 64 and w < 64]
    return [*dict.fromkeys([*found, (1, 1, 1, 1)])]


def _bounds(spec: Spec, shape: ConvShape, tilings: list[Tiling], resident: tuple[bool, bool]) -> Array:
    """Cycles of the busiest unit, by tiling."""
    of = {
        name: np.array([getattr(t, name) for t in tilings], np.int64)
        for name in ("height", "width", "outputs", "kernel_height", "kernel_width", "inputs",
                     "input_slots", "weight_slots")
    }  # fmt: skip
    outer_pixels = np.array([t.order == "pixels" for t in tilings])
    span_inputs = max(span.high - span.low for span in shape.spans)
    span_outputs = max(span.count for span in shape.spans)
    kernel_parts = -(-shape.kernel[0] // of["kernel_height"]) * -(-shape.kernel[1] // of["kernel_width"])
    window = of["kernel_height"] * of["kernel_width"]
    rows, columns = spec.matrix.rows, spec.matrix.columns
    pixels_tiles = shape.samples * -(-shape.out_height // of["height"]) * -(-shape.out_width // of["width"])
    depth_tiles = shape.passes * kernel_parts * -(-span_inputs // of["inputs"])
    output_tiles = len(shape.spans) * -(-span_outputs // of["outputs"])
    matrix = np.zeros(len(tilings), np.int64)
    vector, load, store = matrix.copy(), matrix.copy(), matrix.copy()
    input_times = np.where(
        outer_pixels,
        np.where(depth_tiles <= of["input_slots"], 1, output_tiles),
        np.where(pixels_tiles * depth_tiles <= of["input_slots"], 1, output_tiles),
    )
    weight_times = np.where(
        outer_pixels,
        np.where(output_tiles * depth_tiles <= of["weight_slots"], 1, pixels_tiles),
        np.where(depth_tiles <= of["weight_slots"], 1, pixels_tiles),
    )
    one = np.ones_like(matrix)
    for (nh, h), (nw, w) in product(_parts(shape.out_height, of["height"]), _parts(shape.out_width, of["width"])):
        pixels, count = h * w, shape.samples * nh * nw
        for nk, k in _parts(span_inputs, of["inputs"]):
            ways = count * nk * kernel_parts * shape.passes
            for nn, n in _parts(span_outputs, of["outputs"]):
                work = MatrixWork(pixels, window * k, n, window * k * rows, n * columns)
                matrix += ways * nn * len(shape.spans) * np.where(pixels * n * k > 0, matrix_cycles(spec.matrix, work), 0)
            if not resident[0]:
                in_rows = (h - 1) * shape.strides[0] + (of["kernel_height"] - 1) * shape.dilation[0] + 1
                in_columns = (w - 1) * shape.strides[1] + (of["kernel_width"] - 1) * shape.dilation[1] + 1
                size = np.minimum(in_rows, shape.height) * np.minimum(in_columns, shape.width) * k * rows
                # Padding is not loaded: at most that share is missing, so this half is a bound in practice.
                load += np.where(pixels * k > 0, ways * input_times * transfer_cycles(spec.dma, one, size), 0)
        for nn, n in _parts(span_outputs, of["outputs"]):
            tiles = count * nn * len(shape.spans)
            vector += np.where(
                pixels * n > 0, tiles * vector_cycles(spec.vector, columns, pixels, one, one, n, one), 0
            )
            if not resident[1]:
                store += np.where(pixels * n > 0, tiles * transfer_cycles(spec.dma, one, pixels * n * columns), 0)
    for (nk, k), (nn, n) in product(_parts(span_inputs, of["inputs"]), _parts(span_outputs, of["outputs"])):
        size = window * k * n * spec.fold_bytes
        times = nk * nn * kernel_parts * shape.passes * len(shape.spans) * weight_times
        load += np.where(k * n > 0, times * transfer_cycles(spec.dma, one, size), 0)
    if spec.dma.channels == 1:
        load += store
    if spec.control.shared_compute:
        matrix += vector
    return np.maximum(np.maximum(matrix, vector), np.maximum(load, store))


def _parts(size: int, step: Array) -> list[tuple[Array, Array]]:
    """(how many, how large): whole tiles, and the remainder."""
    whole, rest = size // step, size % step
    return [(whole, np.minimum(step, size)), ((rest > 0).astype(np.int64), rest)]


