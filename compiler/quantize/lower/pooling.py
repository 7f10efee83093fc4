"""Window maximum and window average."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.floatgraph.operators.types import integers
from gatewright.compiler.integer.layers import AvgPool2d, MaxPool2d, Reshape
from gatewright.compiler.integer.requantization import multipliers_of
from gatewright.compiler.numeric.windows import pad_spatial, positions
from gatewright.compiler.quantize.blocks import Block
from gatewright.compiler.quantize.lower.context import Lowering

__all__ = ["lower_avg_pool2d", "lower_max_pool2d"]

Pads = tuple[int, int, int, int]


def lower_max_pool2d(block: Block, context: Lowering) -> None:
    """One MaxPool2d layer, and a Requantize where the model gives the result other parameters."""
    (source,), node = block.inputs, block.anchor
    before, target = context.parameters[source], context.parameters[block.name]
    kernel, strides, dilation = (integers(node.attributes[key]) for key in ("pool_size", "strides", "dilation"))
    pads = _pads(node, context.program.shapes[source], kernel, strides, dilation)
    same = before == target
    name = block.name if same else f"{block.name}.pool"
    clamp = before.clamp(block.low, block.high) if same else before.limits
    output = before.of_shape(block.shape)
    context.emit(
        MaxPool2d(name, (source,), output, (kernel[0], kernel[1]), clamp, (strides[0], strides[1]), pads,
                  (dilation[0], dilation[1]))
    )  # fmt: skip
    if not same:
        context.requantized(name, output, block.name, target, target.clamp(block.low, block.high))


def lower_avg_pool2d(block: Block, context: Lowering) -> None:
    """One AvgPool2d layer; the divisor is a table by position where windows hold different numbers of elements."""
    (source,), node = block.inputs, block.anchor
    shape, target = context.program.shapes[source], context.rounding(block)
    pads: Pads = (0, 0, 0, 0)
    if node.op == "nn.avg_pool2d":
        kernel, strides = integers(node.attributes["pool_size"]), integers(node.attributes["strides"])
        pads = _pads(node, shape, kernel, strides, (1, 1))
        counts = _counts(node, shape, kernel, strides, pads)
    else:  # a global mean
        kernel = strides = shape[2:]
        counts = np.full((1, 1), float(kernel[0] * kernel[1]))
    if np.all(counts == counts[0, 0]):
        counts = counts[:1, :1]
    reals = context.parameters[source].scale / target.scale / counts
    multiplier, shift = multipliers_of(reals, context.options.multiplier_bits, block.name)
    full = block.shape if len(block.shape) == 4 else (*shape[:2], 1, 1)
    name = block.name if full == block.shape else f"{block.name}.pool"
    context.emit(
        AvgPool2d(name, (source,), context.type_of(block.name, full), (kernel[0], kernel[1]), multiplier, shift,
                  target.clamp(block.low, block.high), (strides[0], strides[1]), pads)
    )  # fmt: skip
    if name != block.name:
        context.emit(Reshape(block.name, (name,), context.type_of(block.name)))


def _pads(
    node: Node, shape: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...], dilation: tuple[int, ...]
) -> Pads:
    """Declared padding, with the overhang of ceil mode added at the bottom and right."""
    top, left, bottom, right = integers(node.attributes["padding"])
    over = [
        (out - 1) * s + (k - 1) * d + 1 - size - before
        for out, s, k, d, size, before in zip(
            node.shape[2:], strides, kernel, dilation, shape[2:], (top, left), strict=True
        )
    ]
    return top, left, max(over[0], bottom), max(over[1], right)


def _counts(
    node: Node, shape: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...], pads: Pads
) -> npt.NDArray[np.float64]:
    """(OH, OW) divisors: elements inside the input, and inside declared padding when that counts (ONNX AveragePool)."""
    top, left, bottom, right = integers(node.attributes["padding"])
    inside = np.ones((1, 1, *shape[2:]))
    counted = bool(node.attributes.get("count_include_pad"))
    if counted:
        inside = pad_spatial(inside, (top, left, bottom, right), 1)
    rest: Pads = (0, 0, pads[2] - bottom, pads[3] - right) if counted else pads
    windows = positions(pad_spatial(inside, rest, 0), (kernel[0], kernel[1]), (strides[0], strides[1]))
    total = sum(view for _, _, view in windows)
    return np.asarray(total, np.float64)[0, 0, : node.shape[2], : node.shape[3]]
