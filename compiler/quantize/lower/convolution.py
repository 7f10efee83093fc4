"""Convolutions: two-dimensional, one-dimensional, transposed."""

from __future__ import annotations

import numpy as np

from gatewright.compiler.floatgraph.operators.types import integer, integers
from gatewright.compiler.integer.layers import Conv2d, Reshape
from gatewright.compiler.quantize.blocks import Block
from gatewright.compiler.quantize.lower.context import Lowering
from gatewright.compiler.quantize.lower.linear import linear_constants, weights_and_bias

__all__ = ["lower_conv1d", "lower_conv2d"]


def lower_conv2d(block: Block, context: Lowering) -> None:
    """One Conv2d layer."""
    attributes = block.anchor.attributes
    weights, bias = weights_and_bias(block, context, np.asarray)
    strides, padding = integers(attributes["strides"]), integers(attributes["padding"])
    dilation = integers(attributes["dilation"])
    context.emit(
        Conv2d(
            block.name, block.inputs, context.type_of(block.name),
            **linear_constants(block, context, weights, bias).fields(),
            strides=(strides[0], strides[1]), padding=_four(padding), dilation=(dilation[0], dilation[1]),
            groups=integer(attributes["groups"]),
        )
    )  # fmt: skip


def lower_conv1d(block: Block, context: Lowering) -> None:
    """Reshape (N, C, W) -> (N, C, 1, W), a convolution of height one, and back."""
    attributes, (source,) = block.anchor.attributes, block.inputs
    n, c, width = context.program.shapes[source]
    wide = context.emit(Reshape(f"{block.name}.wide", (source,), context.type_of(source, (n, c, 1, width))))
    weights, bias = weights_and_bias(block, context, lambda w: np.asarray(w)[:, :, None, :])
    left, right = integers(attributes["padding"])
    n, o, length = block.shape
    convolved = context.emit(
        Conv2d(
            f"{block.name}.conv", (wide,), context.type_of(block.name, (n, o, 1, length)),
            **linear_constants(block, context, weights, bias).fields(),
            strides=(1, integers(attributes["strides"])[0]), padding=(0, left, 0, right),
            dilation=(1, integers(attributes["dilation"])[0]), groups=integer(attributes["groups"]),
        )
    )  # fmt: skip
    context.emit(Reshape(block.name, (convolved,), context.type_of(block.name)))


def _four(padding: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Relax padding (one, two or four numbers) as (top, left, bottom, right)."""
    if len(padding) == 1:
        padding *= 4
    if len(padding) == 2:
        padding *= 2
    top, left, bottom, right = padding
    return top, left, bottom, right
