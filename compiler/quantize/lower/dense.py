"""Matrix product with a constant: (..., K) x (K, O)."""

from __future__ import annotations

import numpy as np

from gatewright.compiler.integer.layers import Dense
from gatewright.compiler.quantize.blocks import Block
from gatewright.compiler.quantize.lower.context import Lowering
from gatewright.compiler.quantize.lower.linear import linear_constants, weights_and_bias

__all__ = ["lower_dense"]


def lower_dense(block: Block, context: Lowering) -> None:
    """One Dense layer; its weight is stored (O, K)."""
    weights, bias = weights_and_bias(block, context, np.transpose)
    fields = linear_constants(block, context, weights, bias).fields()
    context.emit(Dense(block.name, block.inputs, context.type_of(block.name), **fields))
