"""The grid of tilings a search looks at, as arrays: one entry a tiling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from gatewright.schedules.accelerator.shapes import ConvShape
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.tile import Tiling

__all__ = ["Grid", "convolution_grid", "halvings"]

Array = npt.NDArray[np.int64]
_MOST_SLOTS = 64


@dataclass(frozen=True)
class Grid:
    """Tilings of one convolution, (n,) each; fields as in :class:`~gatewright.schedules.accelerator.tile.Tiling`.

    Attributes:
        pixels_outside: whether the order is ``pixels``.
    """

    height: Array
    width: Array
    outputs: Array
    kernel_height: Array
    kernel_width: Array
    inputs: Array
    pixels_outside: npt.NDArray[np.bool_]
    input_slots: Array
    weight_slots: Array
    output_slots: Array
    accumulator_slots: Array

    def __len__(self) -> int:
        return len(self.height)

    def tiling(self, index: int) -> Tiling:
        """One of them."""
        numbers = {name: int(values[index]) for name, values in vars(self).items() if name != "pixels_outside"}
        return Tiling(**numbers, order="pixels" if self.pixels_outside[index] else "outputs")


def halvings(size: int) -> list[int]:
    """``size``, then half of it rounded up, down to 1."""
    steps = [size]
    while steps[-1] > 1:
        steps.append(-(-steps[-1] // 2))
    return steps


def convolution_grid(spec: Spec, shape: ConvShape, resident: tuple[bool, bool], limit: int) -> Grid:
    """What fits, with the whole window in a tile first, then cut. A larger scratchpad takes nothing away.

    Args:
        spec: the accelerator.
        shape: of the convolution.
        resident: whether the input and the output are resident.
        limit: of the activation scratchpad, in bytes.
    """
    base = np.array(list(_bases(spec, shape)), np.int64).reshape(-1, 7)
    slots = _slots(shape, base)
    sizes = np.repeat(base.T, slots.shape[1], axis=1)
    places = slots.reshape(-1, 4).T
    height, width, outputs, kernel_height, kernel_width, inputs, outside = sizes
    grid = Grid(height, width, outputs, kernel_height, kernel_width, inputs, outside == 1, *places)
    there = (grid.input_slots > 0) & _fits(spec, shape, grid, resident, limit)
    return Grid(**{name: values[there] for name, values in vars(grid).items()})


def _bases(spec: Spec, shape: ConvShape) -> Iterator[tuple[int, ...]]:
    """Everything but slots."""
    heights, widths = halvings(shape.out_height), halvings(shape.out_width)
    pixels = dict.fromkeys([*((h, widths[0]) for h in heights), *((h, w) for h in heights[-3:] for w in widths[1:])])
    outputs = halvings(max(span.count for span in shape.spans))
    inputs = halvings(max(span.high - span.low for span in shape.spans))
    for (kh, kw), (height, width), n, k in product(_kernels(shape), pixels, outputs, inputs):
        if height * width * n > spec.accumulator_rows or max(height, width, n, k) >= 1 << 16:
            continue
        tiles = shape.samples * -(-shape.out_height // height) * -(-shape.out_width // width)
        groups = sum(-(-span.count // n) for span in shape.spans)
        yield height, width, n, kh, kw, k, 1
        if tiles > 1 and groups > 1:
            yield height, width, n, kh, kw, k, 0


def _kernels(shape: ConvShape) -> list[tuple[int, int]]:
    height, width = shape.kernel
    return list(dict.fromkeys([(height, width), (1, width), (1, 1)]))


def _slots(shape: ConvShape, base: Array) -> Array:
    """Numbers of places worth trying, (n, 5, 4): inputs, weights, outputs, accumulators; 0 where there is no fifth."""
    height, width, outputs, kernel_height, kernel_width, inputs, outside = base.T
    whole = max(span.high - span.low for span in shape.spans)
    depth = (
        shape.passes * -(-shape.kernel[0] // kernel_height) * -(-shape.kernel[1] // kernel_width) * -(-whole // inputs)
    )
    tiles = shape.samples * -(-shape.out_height // height) * -(-shape.out_width // width)
    groups = sum(-(-span.count // outputs) for span in shape.spans)
    distinct_inputs, distinct_weights = tiles * depth, groups * depth
    # What a sweep over the inner loop reuses: all of its tiles, or double buffering of what streams past.
    few_inputs, few_weights = np.minimum(2, distinct_inputs), np.minimum(2, distinct_weights)
    all_inputs = np.where(outside, np.minimum(depth, distinct_inputs), distinct_inputs)
    all_weights = np.where(outside, distinct_weights, np.minimum(depth, distinct_weights))
    double = np.minimum(2, tiles * groups)
    found = np.zeros((len(base), 5, 4), np.int64)
    at_inputs = np.sort([few_inputs, all_inputs], axis=0)
    at_weights = np.sort([few_weights, all_weights], axis=0)
    for place, (i, w) in enumerate(product(range(2), range(2))):
        one, other = at_inputs[i], at_weights[w]
        new = (one < _MOST_SLOTS) & (other < _MOST_SLOTS)
        new &= (i == 0) | (at_inputs[0] != at_inputs[1])
        new &= (w == 0) | (at_weights[0] != at_weights[1])
        found[new, place] = np.stack([one, other, double, double], axis=1)[new]
    single = ~(found[:, :4] == 1).all(axis=2).any(axis=1)
    found[single, 4] = 1
    return found


def _fits(spec: Spec, shape: ConvShape, grid: Grid, resident: tuple[bool, bool], limit: int) -> npt.NDArray[np.bool_]:
    """Where :func:`~gatewright.schedules.accelerator.lowering.convolution.place_slots` finds places."""
    pads = spec.scratchpads
    used = np.zeros(len(grid), np.int64)
    if not resident[0]:
        rows = (grid.height - 1) * shape.strides[0] + (grid.kernel_height - 1) * shape.dilation[0] + 1
        columns = (grid.width - 1) * shape.strides[1] + (grid.kernel_width - 1) * shape.dilation[1] + 1
        used += rows * columns * grid.inputs * spec.matrix.rows * grid.input_slots
    if not resident[1]:
        used += grid.height * grid.width * grid.outputs * spec.matrix.columns * grid.output_slots
    folds = grid.kernel_height * grid.kernel_width * grid.inputs * grid.outputs
    return np.asarray(
        (used <= limit)
        & (folds * spec.fold_bytes * grid.weight_slots <= pads.weight.bytes)
        & (grid.height * grid.width * grid.outputs * grid.accumulator_slots <= spec.accumulator_rows)
        & (grid.outputs * spec.parameter_bytes <= pads.constant.bytes)
    )
