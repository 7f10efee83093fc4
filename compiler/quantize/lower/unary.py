"""Functions of one tensor: tables, and ReLUs and clips that stand alone."""

from __future__ import annotations

import numpy as np

from gatewright.compiler.errors import QuantizeError
from gatewright.compiler.integer.layers import Table
from gatewright.compiler.quantize.blocks import Block
from gatewright.compiler.quantize.functions import evaluate, name_of
from gatewright.compiler.quantize.lower.context import Lowering

__all__ = ["lower_clip", "lower_table"]


def lower_table(block: Block, context: Lowering) -> None:
    """One Table layer: the function at the real value of every q, quantized.

    Raises:
        QuantizeError: GW3304 when the operand is wider than 8 bits.
    """
    (source,) = block.inputs
    before, after = context.parameters[source], context.parameters[block.name]
    if before.bits > 8:
        raise QuantizeError(
            "GW3304", block.name,
            f"{name_of(block.nodes)} is tabulated, and {source} has {before.bits} bits, not 8 or fewer",
            "quantize activations to 8 bits or fewer (--bits W,8)",
        )  # fmt: skip
    low, high = before.limits
    values = evaluate(block.nodes, source, before.dequantize(np.arange(low, high + 1)), context.program.constants)
    # A value outside the function's domain (the logarithm of a negative number) is never met by a sound model.
    table = after.quantize(np.where(np.isnan(values), np.float32(0), values))
    context.emit(Table(block.name, (source,), context.type_of(block.name), table, name_of(block.nodes)))


def lower_clip(block: Block, context: Lowering) -> None:
    """One Requantize layer with a clamp; also a plain change of parameters."""
    (source,) = block.inputs
    target = context.parameters[block.name]
    clamp = context.rounding(block).clamp(block.low, block.high)
    context.requantized(source, context.type_of(source), block.name, target, clamp, block.gain)
