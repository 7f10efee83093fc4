"""Integer weights, bias and multipliers of convolutions and matrix products."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.integer.requantization import multipliers_of
from gatewright.compiler.integer.tensor import IntArray
from gatewright.compiler.quantize.blocks import Block
from gatewright.compiler.quantize.dialect import QuantizedConstant
from gatewright.compiler.quantize.lower.context import Lowering
from gatewright.compiler.quantize.weights import IntegerWeights, held_weights, quantize_bias, quantize_weights

__all__ = ["LinearConstants", "bias_of", "linear_constants", "weights_and_bias"]

Arrange = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
"""Brings a weight constant into the layer's layout, output channel first."""


@dataclass(frozen=True)
class LinearConstants:
    """The constant fields a Conv2d and a Dense layer share."""

    weights: IntegerWeights
    bias: IntArray
    multiplier: IntArray
    shift: IntArray
    clamp: tuple[int, int]

    def fields(self) -> dict[str, Any]:
        """As keyword arguments of the layer."""
        return {
            "weight": self.weights.q,
            "weight_zero_point": self.weights.zero_point,
            "bias": self.bias,
            "weight_scale": self.weights.scale,
            "multiplier": self.multiplier,
            "shift": self.shift,
            "clamp": self.clamp,
            "weight_bits": self.weights.bits,
            "weight_signed": self.weights.signed,
        }


def bias_of(block: Block, constants: Any, channels: int) -> npt.NDArray[np.float64]:
    """(O,) real bias: the sum of the block's bias constants."""
    bias = np.zeros(channels)
    for name, sign in zip(block.bias, block.bias_signs, strict=True):
        bias = bias + sign * np.broadcast_to(np.asarray(constants[name], np.float64).reshape(-1), (channels,))
    return bias


def weights_and_bias(block: Block, context: Lowering, arrange: Arrange) -> tuple[IntegerWeights, IntArray]:
    """Integer weights (the model's own where it holds integers) and bias of a block with a weight constant."""
    program = context.program
    weight = arrange(np.asarray(program.constants[block.weight], np.float64))
    bias = bias_of(block, program.constants, len(weight)) + context.corrections.get(block.name, 0.0)
    scale = context.parameters[block.inputs[0]].scale
    held = program.quantized.get(block.weight)
    weights = None if held is None else held_weights(_arranged(held, arrange))
    if weights is None:
        weights = quantize_weights(weight, bias, scale, context.options)
    exact = _held_bias(block, context, scale, weights)
    return weights, quantize_bias(bias, scale, weights.scale) if exact is None else exact


def linear_constants(block: Block, context: Lowering, weights: IntegerWeights, bias: IntArray) -> LinearConstants:
    """Add multipliers and the clamp."""
    source, target = context.parameters[block.inputs[0]], context.rounding(block)
    reals = source.scale * weights.scale.astype(np.float64) / target.scale
    multiplier, shift = multipliers_of(reals, context.options.multiplier_bits, block.name)
    return LinearConstants(weights, bias, multiplier, shift, target.clamp(block.low, block.high))


def _arranged(held: QuantizedConstant, arrange: Arrange) -> QuantizedConstant:
    return replace(held, q=arrange(held.q), scale=arrange(held.scale), zero_point=arrange(held.zero_point))


def _held_bias(block: Block, context: Lowering, input_scale: float, weights: IntegerWeights) -> IntArray | None:
    """The model's own int32 bias, when its scale is s_x * s_w: its float32 value may have lost low bits."""
    if len(block.bias) != 1 or block.bias_signs != (1.0,) or block.name in context.corrections:
        return None
    held = context.program.quantized.get(block.bias[0])
    if held is None or held.q.size != len(weights.scale) or np.any(held.zero_point):
        return None
    product = input_scale * weights.scale.astype(np.float64)
    return held.q.reshape(-1) if np.allclose(held.scale.reshape(-1), product, rtol=1e-5, atol=0.0) else None
