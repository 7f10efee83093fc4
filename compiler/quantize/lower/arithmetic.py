"""Sums and products of tensors."""

from __future__ import annotations

from gatewright.compiler.integer.layers import Add, Multiply
from gatewright.compiler.integer.requantization import common_multipliers
from gatewright.compiler.quantize.blocks import Block
from gatewright.compiler.quantize.lower.context import Lowering

__all__ = ["lower_add", "lower_multiply"]


def lower_add(block: Block, context: Lowering) -> None:
    """One Add layer; a subtracted operand has a negative multiplier."""
    target = context.rounding(block)
    signs = (1.0, -1.0 if block.anchor.op == "subtract" else 1.0)
    reals = [sign * context.parameters[n].scale / target.scale for sign, n in zip(signs, block.inputs, strict=True)]
    multiplier, shift = common_multipliers(reals, context.options.multiplier_bits, block.name)
    clamp = target.clamp(block.low, block.high)
    context.emit(Add(block.name, block.inputs, context.type_of(block.name), multiplier, shift, clamp))


def lower_multiply(block: Block, context: Lowering) -> None:
    """One Multiply layer."""
    target = context.rounding(block)
    first, second = (context.parameters[name].scale for name in block.inputs)
    multiplier, shift = context.multiplier(first * second / target.scale, block.name)
    clamp = target.clamp(block.low, block.high)
    context.emit(Multiply(block.name, block.inputs, context.type_of(block.name), multiplier, shift, clamp))
