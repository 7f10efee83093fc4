"""Layers that move values, as copies between stored tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gatewright.compiler.integer.layers import Concat, Pad, Reshape, Resize, Slice, Transpose
from gatewright.compiler.integer.tensor import IntArray, TensorType
from gatewright.schedules.accelerator.analysis import Analysis, Operation
from gatewright.schedules.accelerator.lowering.movement import Copy, common_axes
from gatewright.schedules.accelerator.storage import Storage

__all__ = ["copies_of", "rescaled_operands"]

_Axes = list[tuple[int, int, int]]


def rescaled_operands(op: Operation, kinds: Sequence[TensorType]) -> list[int]:
    """Operands of a concatenation that are not yet in the scale of the result: they are rescaled first."""
    layer = op.layer
    if not isinstance(layer, Concat):
        return []
    found = []
    for index, kind in enumerate(kinds):
        multiplier, shift = int(layer.multiplier[index]), int(layer.shift[index])
        identity = multiplier == 1 << shift and kind.zero_point == layer.output.zero_point
        within = layer.clamp[0] <= kind.qmin and kind.qmax <= layer.clamp[1] and kind.signed == layer.output.signed
        if not (identity and within):
            found.append(index)
    return found


def copies_of(
    analysis: Analysis, op: Operation, sources: Sequence[tuple[int, Storage]], target: tuple[int, Storage]
) -> list[Copy]:
    """Copies of a layer.

    Args:
        analysis: of the network.
        op: the layer.
        sources: (DRAM address, storage) of the operands; those that had to be rescaled are so already.
        target: the same of the result.
    """
    layer = op.layer
    (first, storage), (to, result) = sources[0], target
    match layer:
        case Reshape():
            axes = common_axes(storage.shape, storage.strides, result.shape, result.strides)
            assert axes is not None, "placed on the host otherwise"
            return [Copy(first, to, axes)]
        case Transpose():
            strides = [storage.strides[axis] for axis in layer.permutation]
            return [
                Copy(first, to, _whole(storage, result, list(zip(result.shape, strides, result.strides, strict=True))))
            ]
        case Slice():
            offset = sum(b * s for b, s in zip(layer.begin, storage.strides, strict=True))
            strides = [k * s for k, s in zip(layer.step, storage.strides, strict=True)]
            axes_ = list(zip(result.shape, strides, result.strides, strict=True))
            return [Copy(first + offset, to, _whole(storage, result, axes_))]
        case Pad():
            offset = sum(b * s for (b, _), s in zip(layer.pads, result.strides, strict=True))
            axes_ = list(zip(storage.shape, storage.strides, result.strides, strict=True))
            return [Copy(first, to + offset, _whole(storage, result, axes_))]
        case Concat():
            found, position = [], 0
            for address, operand in sources:
                axes_ = list(zip(operand.shape, operand.strides, result.strides, strict=True))
                at = to + position * result.strides[layer.axis]
                found.append(Copy(address, at, _whole(operand, result, axes_)))
                position += operand.shape[layer.axis]
            return found
        case Resize():
            return list(_resize(layer.rows, layer.columns, first, storage, to, result))
    raise TypeError(f"{layer.op} moves more than values")


def _whole(source: Storage, target: Storage, axes: _Axes) -> tuple[tuple[int, int, int], ...]:
    """Axes with whole pixels where all channels go with their padding: rows then merge."""
    if source.channels == target.channels and source.pitch_bytes == target.pitch_bytes:
        wide = [(source.pitch_bytes, 1, 1) if axis == (source.channels, 1, 1) else axis for axis in axes]
        if sum(axis == (source.channels, 1, 1) for axis in axes) == 1:
            return tuple(wide)
    return tuple(axes)


def _resize(
    rows: IntArray, columns: IntArray, first: int, storage: Storage, to: int, result: Storage
) -> Iterator[Copy]:
    samples, channels = result.shape[:2]
    for y, height, row, row_step in _runs(rows):
        for x, width, column, column_step in _runs(columns):
            axes = [
                (samples, storage.strides[0], result.strides[0]),
                (height, row_step * storage.strides[2], result.strides[2]),
                (width, column_step * storage.strides[3], result.strides[3]),
                (channels, 1, 1),
            ]
            source = first + row * storage.strides[2] + column * storage.strides[3]
            yield Copy(source, to + y * result.strides[2] + x * result.strides[3], _whole(storage, result, axes))


def _runs(indices: IntArray) -> Iterator[tuple[int, int, int, int]]:
    """(position, length, first index, step) of arithmetic runs."""
    values = np.asarray(indices).tolist()
    position = 0
    while position < len(values):
        length, step = 1, 0
        if position + 1 < len(values):
            step = values[position + 1] - values[position]
            while position + length < len(values) and values[position + length] - values[position + length - 1] == step:
                length += 1
        yield position, length, values[position], step
        position += length
