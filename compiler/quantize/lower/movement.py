"""Layers that move elements: reshape, transpose, slice, pad, nearest-neighbour resize."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gatewright.compiler.floatgraph.operators.resizing import nearest_indices
from gatewright.compiler.floatgraph.operators.types import axes_of, integers
from gatewright.compiler.integer.layers import Layer, Pad, Reshape, Resize, Slice, Transpose
from gatewright.compiler.quantize.blocks import Block
from gatewright.compiler.quantize.lower.context import Lowering

__all__ = ["lower_pad", "lower_permute", "lower_reshape", "lower_resize", "lower_slice"]


def lower_reshape(block: Block, context: Lowering) -> None:
    """Reshape, squeeze, flatten: one Reshape layer."""
    _move(block, context, Reshape)


def lower_permute(block: Block, context: Lowering) -> None:
    """One Transpose layer."""
    rank = len(block.shape)
    _move(block, context, Transpose, permutation=axes_of(
        block.anchor.attributes.get("axes") or tuple(reversed(range(rank))), rank))  # fmt: skip


def lower_slice(block: Block, context: Lowering) -> None:
    """One Slice layer, every axis explicit."""
    attributes, shape = block.anchor.attributes, context.program.shapes[block.inputs[0]]
    begin, step = [0] * len(shape), [1] * len(shape)
    axes = axes_of(attributes["axes"], len(shape))
    strides = integers(attributes.get("strides"), (1,) * len(axes))
    ends = integers(attributes["end"])
    for axis, first, last, stride in zip(axes, integers(attributes["begin"]), ends, strides, strict=True):
        stop = last if stride > 0 or last >= -shape[axis] else None  # as the float operator reads it
        begin[axis], step[axis] = range(shape[axis])[slice(first, stop, stride)][0], stride
    _move(block, context, Slice, begin=tuple(begin), step=tuple(step))


def lower_pad(block: Block, context: Lowering) -> None:
    """One Pad layer."""
    flat = integers(block.anchor.attributes["pad_width"])
    value = float(block.anchor.attributes.get("pad_value", 0.0) or 0.0)  # type: ignore[arg-type]
    q = int(context.parameters[block.inputs[0]].quantize(value))
    _move(block, context, Pad, pads=tuple(zip(flat[0::2], flat[1::2], strict=True)), value=q)


def lower_resize(block: Block, context: Lowering) -> None:
    """One Resize layer."""
    rows, columns = nearest_indices(block.anchor, context.program.shapes[block.inputs[0]])
    _move(block, context, Resize, rows=rows, columns=columns)


def _move(block: Block, context: Lowering, layer: Callable[..., Layer], **fields: Any) -> None:
    """The layer, and a Requantize where the model gives the result other parameters."""
    (source,) = block.inputs
    before, after = context.parameters[source], context.parameters[block.name]
    output = before.of_shape(block.shape)
    if before == after:
        context.emit(layer(block.name, (source,), output, **fields))
        return
    moved = context.emit(layer(f"{block.name}.moved", (source,), output, **fields))
    context.requantized(moved, output, block.name, after)
