"""Quantization parameters of one activation tensor."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewright.compiler.integer.tensor import IntArray, TensorType
from gatewright.compiler.runtime.boundary import quantize_array

__all__ = ["Parameters"]


@dataclass(frozen=True)
class Parameters:
    """A :class:`TensorType` without a shape: real value = (q - zero_point) * scale."""

    bits: int
    signed: bool
    scale: float
    zero_point: int

    def of_shape(self, shape: tuple[int, ...]) -> TensorType:
        """The tensor type of this shape."""
        return TensorType(tuple(shape), self.bits, self.signed, self.scale, self.zero_point)

    @property
    def limits(self) -> tuple[int, int]:
        """(least, greatest) q."""
        return (-(1 << self.bits - 1), (1 << self.bits - 1) - 1) if self.signed else (0, (1 << self.bits) - 1)

    @property
    def range(self) -> tuple[float, float]:
        """Real values of the least and greatest q."""
        low, high = self.limits
        return (low - self.zero_point) * self.scale, (high - self.zero_point) * self.scale

    def quantize(self, x: npt.ArrayLike) -> IntArray:
        """As the boundary does (:func:`~gatewright.compiler.runtime.boundary.quantize_array`); infinities clamp."""
        return quantize_array(np.asarray(x, np.float32), self.of_shape(())).astype(np.int64)

    def dequantize(self, q: IntArray) -> npt.NDArray[np.float32]:
        """Float32 values, as ONNX DequantizeLinear."""
        return (np.asarray(q, np.int64) - self.zero_point).astype(np.float32) * np.float32(self.scale)

    def clamp(self, low: float, high: float) -> tuple[int, int]:
        """Integer bounds of a fused ReLU or clip to [low, high] (infinite where there is none)."""
        return tuple(
            limit if math.isinf(bound) else int(self.quantize(bound))
            for limit, bound in zip(self.limits, (low, high), strict=True)
        )  # type: ignore[return-value]
