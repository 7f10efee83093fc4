"""Integer weights and their scales."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewright.compiler.integer.tensor import IntArray, storage_dtype
from gatewright.compiler.quantize.dialect import QuantizedConstant
from gatewright.compiler.quantize.options import QuantizeOptions

__all__ = ["IntegerWeights", "held_weights", "quantize_bias", "quantize_weights"]

_SPREAD = 2.0**8
"""Least ratio of a channel's scale to the tensor's largest (design section 2)."""

_BIAS_LIMIT = float((1 << 30) - (1 << 8))
"""Below 2**30 by more than the rounding of a scale to float32 can add."""

_FRACTIONS = np.linspace(1.0, 0.4, 31)


@dataclass(frozen=True)
class IntegerWeights:
    """Weights by output channel (axis 0): value = (q - zero_point) * scale.

    Attributes:
        q: any shape, first axis O, in storage type; scale: (O,) float32; zero_point: (O,).
    """

    q: IntArray
    scale: npt.NDArray[np.float32]
    zero_point: IntArray
    bits: int
    signed: bool

    def values(self) -> npt.NDArray[np.float64]:
        """The real weights these integers stand for."""
        column = (-1, *(1,) * (self.q.ndim - 1))
        scale = self.scale.astype(np.float64).reshape(column)
        return (self.q.astype(np.float64) - self.zero_point.reshape(column)) * scale


def quantize_weights(
    weight: npt.NDArray[np.generic], bias: npt.NDArray[np.float64], input_scale: float, options: QuantizeOptions
) -> IntegerWeights:
    """Symmetric weights in [-(2**(b-1) - 1), 2**(b-1) - 1].

    A dead or tiny channel gets a coarser scale than its weights ask for: until its bias fits into 30 bits and its
    scale is within 2**8 of the tensor's largest. Weights that then round to 0 leave a constant channel.

    Args:
        weight: real weights, first axis O.
        bias: (O,) real biases.
        input_scale: of the tensor the weights multiply.
        options: width, granularity, profile.
    """
    w = np.asarray(weight, np.float64)
    flat = w.reshape(len(w), -1)
    if options.weights == "per_tensor":
        flat = flat.reshape(1, -1)
    limit = (1 << options.weight_bits - 1) - 1
    scale = np.abs(flat).max(axis=1, initial=0.0) / limit
    largest = scale.max(initial=0.0)
    scale = np.where(scale > 0, scale, largest if largest > 0 else 1.0 / limit)
    fixed = options.profile == "fixed"
    scale = _best_powers(flat, scale, limit) if fixed else _best_scales(flat, scale, limit, options.weight_bits)
    scale = np.maximum(scale, scale.max() / _SPREAD)
    scale = np.broadcast_to(scale, (len(w),)) if len(scale) == 1 else scale
    least = np.abs(bias) / (input_scale * _BIAS_LIMIT)
    scale = np.maximum(scale, least if options.weights == "per_channel" else least.max(initial=0.0))
    scale = np.exp2(np.ceil(np.log2(scale))) if fixed else scale
    scale32 = np.maximum(scale.astype(np.float32), np.float32(2.0**-100))
    column = (-1, *(1,) * (w.ndim - 1))
    q = np.clip(np.rint(w / scale32.astype(np.float64).reshape(column)), -limit, limit)
    bits = options.weight_bits
    return IntegerWeights(q.astype(storage_dtype(bits, True)), scale32, np.zeros(len(w), np.int64), bits, True)


def _errors(flat: npt.NDArray[np.float64], scale: npt.NDArray[np.float64], limit: int) -> npt.NDArray[np.float64]:
    column = scale[:, None]
    q = np.clip(np.rint(flat / column), -limit, limit)
    return np.asarray(np.sum((q * column - flat) ** 2, axis=1))


def _best_powers(flat: npt.NDArray[np.float64], scale: npt.NDArray[np.float64], limit: int) -> npt.NDArray[np.float64]:
    """By row the power of two with the least squared error: the one that covers the range or one that clips it."""
    cover = np.exp2(np.ceil(np.log2(scale)))
    candidates = np.stack([cover, cover / 2, cover / 4])
    errors = np.stack([_errors(flat, c, limit) for c in candidates])
    return np.asarray(candidates[np.argmin(errors, axis=0), np.arange(len(scale))])


def _best_scales(
    flat: npt.NDArray[np.float64], scale: npt.NDArray[np.float64], limit: int, bits: int
) -> npt.NDArray[np.float64]:
    """By row the fraction of the covering scale with the least squared error; above 6 bits clipping never pays."""
    powers = np.exp2(np.ceil(np.log2(scale)))
    # Weights that were trained on a grid of powers of two stay on it.
    scale = np.where(_errors(flat, powers, limit) == 0, powers, scale)
    if bits > 6:
        return scale
    candidates = _FRACTIONS[:, None] * scale
    errors = np.stack([_errors(flat, c, limit) for c in candidates])
    return np.asarray(candidates[np.argmin(errors, axis=0), np.arange(len(scale))])


def quantize_bias(bias: npt.NDArray[np.float64], input_scale: float, weight_scale: npt.NDArray[np.float32]) -> IntArray:
    """``round_half_even(b / (s_x * s_w))``, the product of the scales in float64, saturated to 32 bits."""
    q = np.rint(bias / (input_scale * weight_scale.astype(np.float64)))
    return np.clip(q, -(2.0**31), 2.0**31 - 1).astype(np.int64)


def held_weights(held: QuantizedConstant) -> IntegerWeights | None:
    """The model's own integers, or None where the scale varies within an output channel (axis 0)."""
    count = len(held.q)
    scale, zero = held.scale.reshape(count, -1), held.zero_point.reshape(count, -1)
    if np.any(scale != scale[:, :1]) or np.any(zero != zero[:, :1]):
        return None
    q = held.q.astype(storage_dtype(held.bits, held.signed))
    return IntegerWeights(q, scale[:, 0].astype(np.float32), zero[:, 0], held.bits, held.signed)
