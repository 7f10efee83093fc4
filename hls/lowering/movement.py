"""Layers that move values: free where only the order changes, else a gather."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gatewright.compiler.integer.layers import Layer, Pad, Reshape, Resize, Slice, Transpose
from gatewright.hls.layout import Positions, Wire, canonical_index, canonical_shape
from gatewright.hls.lowering.builder import Builder

__all__ = ["pad", "reshape", "resize", "slice_", "transpose"]


def reshape(builder: Builder, layer: Reshape) -> Wire:
    """The elements stay where they are: their logical numbers do not change."""
    return replace(builder.wires[layer.inputs[0]], logical=layer.output.shape)


def transpose(builder: Builder, layer: Transpose) -> Wire:
    """The elements stay where they are; only their logical numbers change."""
    x = builder.wires[layer.inputs[0]]
    old = np.arange(x.index.size, dtype=np.int64).reshape(x.logical).transpose(layer.permutation).ravel()
    renumber = np.empty_like(old)
    renumber[old] = np.arange(old.size)
    return replace(x, index=renumber[x.index], logical=layer.output.shape)


def pad(builder: Builder, layer: Pad) -> Wire:
    """Constant padding."""
    x = builder.wires[layer.inputs[0]]
    wanted = np.pad(_positions(x), layer.pads, constant_values=-1)
    return _gather(builder, layer, x, wanted, layer.value - layer.output.zero_point)


def slice_(builder: Builder, layer: Slice) -> Wire:
    """Strided slice."""
    x = builder.wires[layer.inputs[0]]
    axes = [
        begin + step * np.arange(size)
        for begin, step, size in zip(layer.begin, layer.step, layer.output.shape, strict=True)
    ]
    return _gather(builder, layer, x, _positions(x)[np.ix_(*axes)])


def resize(builder: Builder, layer: Resize) -> Wire:
    """Nearest neighbour."""
    x = builder.wires[layer.inputs[0]]
    return _gather(builder, layer, x, _positions(x)[:, :, layer.rows][:, :, :, layer.columns])


def _positions(x: Wire) -> Positions:
    return np.arange(x.index.size, dtype=np.int64).reshape(x.logical)


def _gather(builder: Builder, layer: Layer, x: Wire, wanted: Positions, fill: int = 0) -> Wire:
    """``wanted``: logical source of every logical element of the result."""
    index = canonical_index(layer.output.shape)
    return builder.gather(
        layer, "", x, canonical_shape(layer.output.shape), wanted.ravel()[index], index, layer.output.shape, fill
    )
