"""Layers that move numbers: a stream has hls4ml's own order, so that reshapes are free."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gatewright.hls.lattice.plugin.builder import Builder, Wire
from gatewright.hls.lattice.plugin.fixed import Unsupported
from gatewright.hls.lattice.plugin.weights import result_kind

__all__ = ["crop", "reshape", "resize", "transpose", "zero_padding"]


def reshape(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``Reshape`` and flattening."""
    wire = builder.padded(wires[0])
    return builder.cast(replace(wire, shape=tuple(node.get_output_variable().shape)), result_kind(node))


def transpose(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``Transpose``."""
    wire, shape = builder.padded(wires[0]), tuple(node.get_output_variable().shape)
    source = np.arange(wire.size).reshape(wire.shape).transpose(node.get_attr("perm"))
    return builder.cast(builder.gathered(wire, source, shape), result_kind(node))


def zero_padding(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``ZeroPadding1D`` and ``ZeroPadding2D``: left to the layer behind, which may be a convolution."""
    wire = builder.cast(builder.padded(wires[0]), result_kind(node))
    _channels_last(node)
    top, left, bottom, right = (int(node.get_attr(f"pad_{side}", 0)) for side in ("top", "left", "bottom", "right"))
    return replace(wire, padding=(top, left, bottom, right))


def crop(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``Cropping1D`` and ``Cropping2D``."""
    wire, shape = builder.padded(wires[0]), tuple(node.get_output_variable().shape)
    _channels_last(node)
    top, left = (int(node.get_attr(f"crop_{side}", 0)) for side in ("top", "left"))
    height, width, channels = wire.shape if len(wire.shape) == 3 else (1, *wire.shape)
    rows, columns = (1, *shape)[-3:-1]
    image = np.arange(wire.size).reshape(height, width, channels)
    return builder.cast(
        builder.gathered(wire, image[top : top + rows, left : left + columns], shape), result_kind(node)
    )


def resize(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``Resize`` to the nearest pixel, with hls4ml's own ratios of 16 bits."""
    if node.get_attr("algorithm") != "nearest":
        raise Unsupported(f"{node.get_attr('algorithm')} resizing", "use nearest")
    _channels_last(node)
    wire, shape = builder.padded(wires[0]), tuple(node.get_output_variable().shape)
    height, width, channels = wire.shape if len(wire.shape) == 3 else (1, *wire.shape)
    rows, columns = (1, *shape)[-3:-1]
    y, x = (
        np.arange(new) * ((old << 16) // new + 1) >> 16 for old, new in ((height, rows), (width, columns))
    )  # fmt: skip
    image = np.arange(wire.size).reshape(height, width, channels)
    return builder.cast(builder.gathered(wire, image[y][:, x], shape), result_kind(node))


def _channels_last(node: Any) -> None:
    if node.get_attr("data_format", "channels_last") != "channels_last":
        raise Unsupported("channels first", "convert with channels_last_conversion")
