"""Constants as the machine reads them: folds of weights, records of parameters, depthwise taps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewright.compiler.integer.tensor import IntArray
from gatewright.schedules.accelerator.shapes import ConvShape
from gatewright.schedules.accelerator.tile import Tiling, depth_tiles, output_tiles

__all__ = ["StoredWeights", "pack_parameters", "pack_taps", "pack_weights", "stored_weights"]

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class StoredWeights:
    """Weights as bytes the array can read: their stored value minus ``zero`` is the weight minus its zero point.

    Attributes:
        parts: one array (O, ...) of bytes a pass; the passes' contributions add up.
        zero: subtracted as weights are loaded; also what absent channels hold.
        signed: whether the bytes are two's complement.
    """

    parts: tuple[Bytes, ...]
    zero: int
    signed: bool

    @property
    def passes(self) -> int:
        """How often the window is gone through."""
        return len(self.parts)


def stored_weights(weight: IntArray, zero_point: IntArray, signed: bool) -> StoredWeights:
    """The cheapest form: centred signed bytes; else as stored with one zero point for all; else several passes.

    Args:
        weight: (O, ...) of up to 8 bits.
        zero_point: (O,).
        signed: of the weights.
    """
    centred = weight.astype(np.int64) - zero_point.astype(np.int64).reshape(-1, *(1,) * (weight.ndim - 1))
    if not centred.size or (centred.min() >= -128 and centred.max() <= 127):
        return StoredWeights((_bytes(centred),), 0, True)
    if zero_point.min() == zero_point.max():
        return StoredWeights((_bytes(weight),), int(zero_point.flat[0]), signed)
    # Two signed bytes reach -256..254: 255 would take three passes, or a byte's range moved up by one.
    zero = -1 if centred.max() > 254 else 0
    parts, rest = [], centred
    while rest.any():
        part = np.clip(rest, -128 - zero, 127 - zero)
        parts.append(_bytes(part + zero))
        rest = rest - part
    return StoredWeights(tuple(parts), zero, True)


def _bytes(values: IntArray) -> Bytes:
    return (np.asarray(values, np.int64) & 0xFF).astype(np.uint8)


def pack_weights(shape: ConvShape, tiling: Tiling, weights: StoredWeights) -> Bytes:
    """Folds in the order of output tiles, then depth tiles.

    Args:
        shape: of the convolution.
        tiling: of it.
        weights: (O, I / groups, KH, KW).
    """
    rows, columns = shape.rows, shape.columns
    per_group_in, per_group_out = shape.channels // shape.groups, shape.out_channels // shape.groups
    # (KH, KW, O, I / groups): what a fold takes stands together.
    parts = [np.ascontiguousarray(part.transpose(2, 3, 0, 1)) for part in weights.parts]
    absent = weights.zero & 0xFF
    chunks: list[Bytes] = []
    for outputs in output_tiles(shape, tiling):
        first, last = outputs.first * columns, min((outputs.first + outputs.count) * columns, shape.out_channels)
        wide = []
        for part in parts:
            # Dense over the input blocks of the tile: (KH, KW, inputs, outputs), 0 where groups do not connect.
            size = (*shape.kernel, (outputs.high - outputs.low) * rows, outputs.count * columns)
            full = np.full(size, absent, np.uint8)
            for group in range(first // per_group_out, (last - 1) // per_group_out + 1):
                low, high = max(first, group * per_group_out), min(last, (group + 1) * per_group_out)
                at = group * per_group_in - outputs.low * rows
                full[:, :, at : at + per_group_in, low - first : high - first] = part[:, :, low:high].transpose(
                    0, 1, 3, 2
                )
            wide.append(full)
        for depth in depth_tiles(shape, tiling, outputs):
            at = (depth.low - outputs.low) * rows
            block = wide[depth.part][
                depth.u : depth.u + depth.height, depth.v : depth.v + depth.width, at : at + depth.count * rows
            ]
            folds = block.reshape(depth.height * depth.width * depth.count * rows, outputs.count, columns)
            chunks.append(np.ascontiguousarray(folds.transpose(1, 0, 2)).reshape(-1))
    return np.concatenate(chunks)


def pack_parameters(bias: IntArray, multiplier: IntArray, shift: IntArray, columns: int) -> Bytes:
    """Records of C channels: biases and multipliers of 4 bytes, shifts of 1 byte; absent channels are 0.

    Args:
        bias: (O,), kept modulo 2**32.
        multiplier: (O,).
        shift: (O,).
        columns: C.
    """
    blocks = -(-len(bias) // columns)
    table = np.zeros((3, blocks * columns), np.int64)
    table[:, : len(bias)] = bias, multiplier, shift
    words = (table[:2] & 0xFFFFFFFF).astype("<u4").reshape(2, blocks, columns)
    records = np.zeros((blocks, 9 * columns), np.uint8)
    records[:, : 4 * columns] = words[0].view(np.uint8).reshape(blocks, -1)
    records[:, 4 * columns : 8 * columns] = words[1].view(np.uint8).reshape(blocks, -1)
    records[:, 8 * columns :] = table[2].astype(np.uint8).reshape(blocks, columns)
    return records.reshape(-1)


def pack_taps(weights: StoredWeights, columns: int) -> Bytes:
    """Depthwise weights (O, 1, KH, KW) of one pass as (blocks, KH * KW, C) bytes."""
    (part,) = weights.parts
    channels, _, height, width = part.shape
    blocks = -(-channels // columns)
    taps = np.full((blocks * columns, height * width), weights.zero & 0xFF, np.uint8)
    taps[:channels] = part.reshape(channels, -1)
    return np.ascontiguousarray(taps.reshape(blocks, columns, -1).transpose(0, 2, 1)).reshape(-1)
