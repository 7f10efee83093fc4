"""Changes of type: astype, quantize, dequantize."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.floatgraph.operators.types import Array, Operator, integer

__all__ = ["QUANTIZATION"]


def _along(parameter: Array, node: Node, rank: int) -> Array:
    """Shape a per-axis scale or zero point so that it broadcasts."""
    if parameter.ndim != 1:
        return parameter
    axis = integer(node.attributes.get("axis", -1)) % rank
    return parameter.reshape([-1 if i == axis else 1 for i in range(rank)])


def _quantize(node: Node, x: Array, scale: Array, zero_point: Array) -> Array:
    """``q = clamp(round_half_even(x / s) + z)`` with IEEE float32 division (ONNX operator QuantizeLinear)."""
    info = np.iinfo(node.dtype)
    steps = np.round(x.astype(np.float32) / _along(scale, node, x.ndim)).astype(np.float64)
    shifted = steps + _along(zero_point, node, x.ndim)
    return np.asarray(np.clip(shifted, info.min, info.max), node.dtype)


def _dequantize(node: Node, q: Array, scale: Array, zero_point: Array) -> Array:
    """``(q - z) * s`` (ONNX operator DequantizeLinear): one float32 rounding."""
    wide = q.astype(np.int64) - _along(zero_point, node, q.ndim)
    return np.asarray(wide.astype(np.float32) * _along(scale, node, q.ndim), node.dtype)


def _astype(node: Node, x: Array) -> Array:
    return x.astype(node.dtype)


QUANTIZATION: Mapping[str, Operator] = {"quantize": _quantize, "dequantize": _dequantize, "astype": _astype}
"""Operators between number types."""
