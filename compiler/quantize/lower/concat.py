"""Concatenation."""

from __future__ import annotations

from gatewright.compiler.floatgraph.operators.types import integer
from gatewright.compiler.integer.layers import Concat
from gatewright.compiler.integer.requantization import multipliers_of
from gatewright.compiler.quantize.blocks import Block
from gatewright.compiler.quantize.lower.context import Lowering

__all__ = ["lower_concat"]


def lower_concat(block: Block, context: Lowering) -> None:
    """One Concat layer; every operand is brought to the result's scale."""
    target = context.rounding(block)
    axis = integer(block.anchor.attributes.get("axis") or 0) % len(block.shape)
    reals = [context.parameters[name].scale / target.scale for name in block.inputs]
    multiplier, shift = multipliers_of(reals, context.options.multiplier_bits, block.name)
    clamp = target.clamp(block.low, block.high)
    context.emit(Concat(block.name, block.inputs, context.type_of(block.name), axis, multiplier, shift, clamp))
