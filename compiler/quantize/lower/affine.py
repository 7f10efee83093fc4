"""Multiplication and addition of constants that nothing could absorb: a depthwise 1x1 convolution."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.operators import OPERATORS
from gatewright.compiler.integer.layers import Conv2d, Reshape
from gatewright.compiler.quantize.blocks import Block
from gatewright.compiler.quantize.lower.context import Lowering
from gatewright.compiler.quantize.lower.linear import linear_constants
from gatewright.compiler.quantize.weights import quantize_bias, quantize_weights

__all__ = ["affine_of", "lower_scale"]


def affine_of(block: Block, context: Lowering) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(factor, offset) of ``factor * x + offset``, each of the operand's shape with batch 1: read off at 0 and 1."""
    shape = (1, *context.program.shapes[block.inputs[0]][1:])
    constants = context.program.constants
    ends = []
    for value in (0.0, 1.0):
        x: npt.NDArray[np.generic] = np.full(shape, value)
        names = {block.inputs[0]}
        for node in block.nodes[: len(block.nodes) - int(block.attributes.get("clamps", 0))]:  # type: ignore[call-overload]
            x = OPERATORS[node.op](node, *(x if name in names else np.asarray(constants[name], np.float64)
                                           for name in node.inputs))  # fmt: skip
            names.add(node.name)
        ends.append(np.broadcast_to(np.asarray(x, np.float64), shape))
    return ends[1] - ends[0], ends[0]


def lower_scale(block: Block, context: Lowering) -> None:
    """A depthwise 1x1 Conv2d; where the constants vary along more than the channel axis, every element is a channel."""
    (source,) = block.inputs
    shape = context.program.shapes[source]
    factor, offset = affine_of(block, context)
    by_channel = len(shape) == 4 and all(np.all(a == a[:, :, :1, :1]) for a in (factor, offset))
    if by_channel:
        factor, offset = factor[0, :, 0, 0], offset[0, :, 0, 0]
        flat = shape
    else:
        factor, offset = factor.ravel(), offset.ravel()
        flat = (shape[0], math.prod(shape[1:]), 1, 1)
    reading = source
    if flat != shape:
        reading = context.emit(Reshape(f"{block.name}.flat", (source,), context.type_of(source, flat)))
    offset = offset + context.corrections.get(block.name, 0.0)
    scale = context.parameters[source].scale
    weights = quantize_weights(factor.reshape(-1, 1, 1, 1), offset, scale, context.options)
    constants = linear_constants(block, context, weights, quantize_bias(offset, scale, weights.scale))
    name = block.name if flat == shape else f"{block.name}.scaled"
    output = context.type_of(block.name, flat)
    context.emit(Conv2d(name, (reading,), output, **constants.fields(), groups=len(factor)))
    if flat != shape:
        context.emit(Reshape(block.name, (name,), context.type_of(block.name)))
