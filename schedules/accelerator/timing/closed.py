"""The closed-form tier: what the matrix and the vector unit need when data is always there.

Unlimited bandwidth, no latency of DRAM, instructions for nothing, no bank in the way: then only the two units and the
accumulators between them are left. A tiled convolution is a flow shop of two machines with a buffer (Johnson 1954,
Papadimitriou and Kanellakis 1980): tile after tile through the matrix unit, then the vector unit, at most
``accumulator_slots`` tiles between the start of the one and the end of the other. For n equal tiles of M and V cycles
that is ``M + (n - 1) max(M, V) + V`` with two slots and ``n (M + V)`` with one.

Event-driven times are never below: both are longest paths in one graph, and here edges are missing or shorter. They
come as near as the cycles that transfers still take (:func:`transfer_total`): lengthening an instruction by d cycles
lengthens no path by more than d. They are equal, in the limit, where loads and stores have queues of their own; with
one DMA queue a load also waits for the stores before it.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np

from gatewright.schedules.accelerator.isa.encoding import Words
from gatewright.schedules.accelerator.isa.fields import OPCODES
from gatewright.schedules.accelerator.shapes import ConvShape
from gatewright.schedules.accelerator.spec import Matrix, Spec
from gatewright.schedules.accelerator.tile import (
    DepthTile,
    OutputTile,
    PixelTile,
    Tiling,
    depth_tiles,
    output_tiles,
    pixel_tiles,
)
from gatewright.schedules.accelerator.timing.durations import (
    MatrixWork,
    instruction_cycles,
    matrix_cycles,
    vector_cycles,
)
from gatewright.schedules.accelerator.timing.event import simulate

__all__ = ["array_cycles", "compute_durations", "convolution_cycles", "flow_shop_cycles", "program_cycles",
           "transfer_total"]  # fmt: skip


def array_cycles(matrix: Matrix, shape: ConvShape) -> int:
    """A convolution as one instruction a span of output channels, as if every memory held all of it.

    With shadow weights: ``r + f max(m, r) + r + c - 2`` for f folds of m pixels; without: ``f (2 r + c + m - 2)``
    (see :class:`~gatewright.schedules.accelerator.spec.Matrix`).
    """
    pixels = shape.samples * shape.out_height * shape.out_width
    window = shape.kernel[0] * shape.kernel[1] * shape.passes
    total = 0
    for span in shape.spans:
        blocks = window * (span.high - span.low)
        channels = min(span.high * shape.rows, shape.channels) - span.low * shape.rows
        outputs = min((span.first + span.count) * shape.columns, shape.out_channels) - span.first * shape.columns
        total += _matrix(matrix, pixels, blocks, span.count, window * channels, outputs)
    return total


def _matrix(matrix: Matrix, pixels: int, input_blocks: int, output_blocks: int, depth: int, outputs: int) -> int:
    sizes = (np.array(size, np.int64) for size in (pixels, input_blocks, output_blocks, depth, outputs))
    return int(matrix_cycles(matrix, MatrixWork(*sizes)))


def flow_shop_cycles(matrix: list[int], vector: list[int], slots: int) -> int:
    """Cycles of tiles through two units in order.

    Args:
        matrix: cycles in the first unit, by tile.
        vector: cycles in the second.
        slots: tiles between the two at most.
    """
    first = 0
    ends = [0] * slots
    for index, (m, v) in enumerate(zip(matrix, vector, strict=True)):
        # The place of the tile `slots` places before is free when the vector unit has read it.
        first = max(first, ends[index % slots]) + m
        ends[index % slots] = max(first, ends[index % slots - 1]) + v
    return max(ends)


def convolution_cycles(spec: Spec, shape: ConvShape, tiling: Tiling) -> int:
    """A tiled convolution or matrix product in the limit."""
    outputs = output_tiles(shape, tiling)
    depths = [depth_tiles(shape, tiling, tile) for tile in outputs]
    known: dict[tuple[int, int], tuple[int, int]] = {}

    def cycles(pixels: PixelTile, number: int) -> tuple[int, int]:
        count = pixels.height * pixels.width
        if (count, number) not in known:
            tile = outputs[number]
            matrix = sum(_tile_cycles(spec, shape, count, tile, depth, len(list(same)))
                         for depth, same in groupby(depths[number], key=lambda d: _size(shape, d)))  # fmt: skip
            one = np.ones((), np.int64)
            vector = vector_cycles(
                spec.vector, spec.matrix.columns, count * one, one, one, tile.count * one, one
            )  # fmt: skip
            known[count, number] = matrix, int(vector)
        return known[count, number]

    tiles = pixel_tiles(shape, tiling)
    if tiling.order == "pixels":
        order = [(pixels, number) for pixels in tiles for number in range(len(outputs))]
    else:
        order = [(pixels, number) for number in range(len(outputs)) for pixels in tiles]
    pairs = [cycles(pixels, number) for pixels, number in order]
    matrix, vector = [m for m, _ in pairs], [v for _, v in pairs]
    if spec.control.shared_compute:
        return sum(matrix) + sum(vector)
    return flow_shop_cycles(matrix, vector, tiling.accumulator_slots)


def _size(shape: ConvShape, depth: DepthTile) -> tuple[int, int, int]:
    """(window positions, blocks of R, channels that are no padding): all that an instruction's time depends on."""
    channels = min(depth.count * shape.rows, shape.channels - depth.low * shape.rows)
    return depth.height * depth.width, depth.count, channels


def _tile_cycles(
    spec: Spec, shape: ConvShape, pixels: int, tile: OutputTile, size: tuple[int, int, int], times: int
) -> int:
    window, blocks, channels = size
    outputs = min(tile.count * shape.columns, shape.out_channels - tile.first * shape.columns)
    return times * _matrix(spec.matrix, pixels, window * blocks, tile.count, window * channels, outputs)


def _computes(words: Words) -> np.ndarray:
    opcodes = words[:, 0] & 0xFF
    return (opcodes == OPCODES["matmul"]) | (opcodes == OPCODES["vector"])


def compute_durations(spec: Spec, words: Words) -> np.ndarray:
    """Cycles of every instruction of a program in the limit, (n,): transfers take none."""
    return np.where(_computes(words), instruction_cycles(spec, words), 0)


def program_cycles(spec: Spec, words: Words) -> int:
    """Any program in the limit, with the dependences it names (ports of banks, too) and none for its instructions."""
    nothing = ("fetch_cycles", "first_cycles", "issue_cycles", "refill_cycles", "halt_cycles")
    control = spec.control.model_copy(update=dict.fromkeys(nothing, 0))
    limit = spec.model_copy(update={"control": control})
    return simulate(limit, words, compute_durations(spec, words)).total_cycles


def transfer_total(spec: Spec, words: Words) -> int:
    """Cycles of all loads, stores and fills of a program: how far its event-driven time, with instructions for nothing,
    can lie above :func:`program_cycles`.
    """
    return int(np.where(_computes(words), 0, instruction_cycles(spec, words)).sum())
