"""Integer weights, bias and multipliers of convolutions and matrix products."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

__all__ = ["LinearConstants", "affine_of", "linear_constants", "weights_and_bias"]

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


def affine_of(
    block: Block, constants: Mapping[str, npt.NDArray[Any]], channels: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(factor, offset), each (O,): what the block's affine nodes make of the anchor's result."""
    factor, offset = np.ones(channels), np.zeros(channels)
    for node in block.affine:
        name = next(name for name in node.inputs if name in constants)
        value = np.broadcast_to(np.asarray(constants[name], np.float64).reshape(-1), (channels,))
        if node.op in ("multiply", "divide"):
            value = value if node.op == "multiply" else 1.0 / value
            factor, offset = factor * value, offset * value
        else:
            offset = offset + (value if node.op == "add" else -value)
    return factor, offset


def weights_and_bias(block: Block, context: Lowering, arrange: Arrange) -> tuple[IntegerWeights, IntArray]:
    """Integer weights (the model's own where it holds integers) and bias of a block with a weight constant."""
    program = context.program
    weight = arrange(np.asarray(program.constants[block.weight], np.float64))
    factor, bias = affine_of(block, program.constants, len(weight))
    bias = bias + context.corrections.get(block.name, 0.0)
    scale = context.parameters[block.inputs[0]].scale
    held = program.quantized.get(block.weight)
    weights = None if held is None else held_weights(_arranged(held, arrange))
    if weights is None:
        real = weight if block.plain else weight * factor.reshape(-1, *(1,) * (weight.ndim - 1))
        weights = quantize_weights(real, bias, scale, context.options)
    elif not block.plain:
        weights = replace(weights, scale=(weights.scale.astype(np.float64) * factor).astype(np.float32))
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
    if len(block.affine) != 1 or block.affine[0].op != "add" or block.name in context.corrections:
        return None
    held = next((h for n in block.affine[0].inputs if (h := context.program.quantized.get(n)) is not None), None)
    if held is None or held.q.size != len(weights.scale) or np.any(held.zero_point):
        return None
    product = input_scale * weights.scale.astype(np.float64)
    return held.q.reshape(-1) if np.allclose(held.scale.reshape(-1), product, rtol=1e-5, atol=0.0) else None
