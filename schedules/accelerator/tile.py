"""Tiles of a convolution, and the order they are worked in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

from gatewright.schedules.accelerator.shapes import ConvShape

__all__ = ["DepthTile", "OutputTile", "PixelTile", "Tiling", "depth_tiles", "output_tiles", "pixel_tiles"]


@dataclass(frozen=True)
class Tiling:
    """How a convolution is cut.

    Attributes:
        height, width: output pixels of a tile. outputs: blocks of C output channels of a tile.
        kernel_height, kernel_width: window positions of a tile. inputs: blocks of R input channels of a tile.
        order: ``pixels``: tiles of pixels outermost (inputs stay), ``outputs``: tiles of output channels outermost
            (weights stay). The sum over a window is always innermost: partial sums never leave the accumulators.
        input_slots, weight_slots, output_slots, accumulator_slots: tiles each scratchpad keeps; 2 is double buffering.
    """

    height: int
    width: int
    outputs: int
    kernel_height: int
    kernel_width: int
    inputs: int
    order: Literal["pixels", "outputs"]
    input_slots: int
    weight_slots: int
    output_slots: int
    accumulator_slots: int


@dataclass(frozen=True)
class PixelTile:
    """Output rows ``[top, top + height)`` and columns ``[left, left + width)`` of one sample."""

    sample: int
    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class OutputTile:
    """Output blocks ``[first, first + count)`` that read input blocks ``[low, high)``."""

    first: int
    count: int
    low: int
    high: int


@dataclass(frozen=True)
class DepthTile:
    """Window rows ``[u, u + height)``, columns ``[v, v + width)``, input blocks ``[low, low + count)``, one pass."""

    u: int
    height: int
    v: int
    width: int
    low: int
    count: int
    part: int


def _cut(size: int, step: int) -> Iterator[tuple[int, int]]:
    for first in range(0, size, step):
        yield first, min(step, size - first)


def pixel_tiles(shape: ConvShape, tiling: Tiling) -> list[PixelTile]:
    """All pixels, row by row of tiles."""
    return [
        PixelTile(sample, top, left, height, width)
        for sample in range(shape.samples)
        for top, height in _cut(shape.out_height, tiling.height)
        for left, width in _cut(shape.out_width, tiling.width)
    ]


def output_tiles(shape: ConvShape, tiling: Tiling) -> list[OutputTile]:
    """All output channels; a tile stays within a span."""
    return [
        OutputTile(span.first + first, count, span.low, span.high)
        for span in shape.spans
        for first, count in _cut(span.count, tiling.outputs)
    ]


def depth_tiles(shape: ConvShape, tiling: Tiling, outputs: OutputTile) -> list[DepthTile]:
    """All of the sum for one tile of outputs."""
    return [
        DepthTile(u, height, v, width, outputs.low + low, count, part)
        for part, (u, height), (v, width), (low, count) in product(
            range(shape.passes),
            _cut(shape.kernel[0], tiling.kernel_height),
            _cut(shape.kernel[1], tiling.kernel_width),
            _cut(outputs.high - outputs.low, tiling.inputs),
        )
    ]
