"""Layers with weights, seen alike: convolutions and matrix products with a constant weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from tvm import relax

from gatewright.compiler.floatgraph.relax_calls import attributes_of, operator_name
from gatewright.compiler.passes.expressions import array_of, constant, remake, shape_of
from gatewright.compiler.passes.rewriting import Scope

__all__ = ["WEIGHTED", "Weighted", "per_channel", "weighted"]

Array = npt.NDArray[Any]

WEIGHTED = ("nn.conv1d", "nn.conv2d", "nn.conv1d_transpose", "nn.conv2d_transpose", "matmul")
"""Operators that are linear in their first operand, with a weight as second."""


@dataclass(frozen=True)
class Weighted:
    """A layer with a constant float weight.

    Attributes:
        call: the layer.
        weight: convolution (O, I/groups, ...), transposed convolution (I, O/groups, ...), product (K, O); float64.
        axis: the channel axis of data and result: 1, or -1 for a product.
        groups: 1 for a product.
    """

    call: relax.Call
    weight: Array
    axis: int
    groups: int

    @property
    def is_transposed(self) -> bool:
        """Whether the weight's leading axis counts the input channels."""
        return operator_name(self.call) in ("nn.conv1d_transpose", "nn.conv2d_transpose")

    def scaled_outputs(self, factor: Array) -> Array:
        """The weight for ``layer(x) * factor``, factor (O,)."""
        if self.axis == -1:
            return self.weight * factor
        if self.is_transposed:
            split = self.weight.reshape(self.groups, -1, *self.weight.shape[1:])
            factors = factor.reshape(self.groups, 1, -1, *[1] * (self.weight.ndim - 2))
            return np.asarray((split * factors).reshape(self.weight.shape))
        return self.weight * factor.reshape(-1, *[1] * (self.weight.ndim - 1))

    def scaled_inputs(self, factor: Array) -> Array:
        """The weight for ``layer(x * factor)``, factor (I,)."""
        if self.axis == -1:
            return self.weight * factor[:, None]
        if self.is_transposed:
            return self.weight * factor.reshape(-1, *[1] * (self.weight.ndim - 1))
        split = self.weight.reshape(self.groups, -1, *self.weight.shape[1:])
        factors = factor.reshape(self.groups, 1, -1, *[1] * (self.weight.ndim - 2))
        return np.asarray((split * factors).reshape(self.weight.shape))

    def shifted_inputs(self, shift: Array) -> Array | None:
        """What ``layer(x + shift)`` adds to ``layer(x)``, (O,); None where the border of padding would differ."""
        if self.axis == -1:
            return shift @ self.weight
        if self.is_transposed or any(attributes_of(self.call)["padding"]):  # type: ignore[arg-type]
            return None
        split = self.weight.reshape(self.groups, -1, *self.weight.shape[1:])
        summed = split.sum(tuple(range(3, split.ndim)))  # (G, O/G, I/G)
        return np.einsum("goi,gi->go", summed, shift.reshape(self.groups, -1)).reshape(-1)

    def with_weight(self, x: relax.Expr, weight: Array) -> relax.Expr:
        """The layer on ``x`` with another weight."""
        return remake(self.call, x, constant(weight, "float32"))

    def bias_constant(self, bias: Array) -> relax.Expr:
        """A bias (O,) shaped to be added to the result."""
        rank = len(shape_of(self.call))
        return constant(bias.reshape((1, -1, *[1] * (rank - 2)) if self.axis == 1 else (-1,)), "float32")


def weighted(scope: Scope, expression: relax.Expr) -> Weighted | None:
    """The layer that makes ``expression`` (or is it), if its weight is a float32 constant."""
    call = scope.definition(expression, *WEIGHTED)
    if call is None:
        return None
    weight = array_of(call.args[1])
    if weight is None or weight.dtype != np.float32 or array_of(call.args[0]) is not None:
        return None
    if operator_name(call) == "matmul":
        if weight.ndim != 2 or len(shape_of(call.args[0])) < 2:
            return None
        return Weighted(call, weight.astype(np.float64), -1, 1)
    return Weighted(call, weight.astype(np.float64), 1, int(attributes_of(call)["groups"]))  # type: ignore[arg-type]


def per_channel(expression: relax.Expr, shape: tuple[int, ...], axis: int) -> Array | None:
    """A float32 constant that varies along ``axis`` of a tensor of ``shape`` at most, as float64 (C,); else None."""
    array = array_of(expression)
    if array is None or array.dtype != np.float32 or array.ndim > len(shape):
        return None
    padded = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
    channels = shape[axis]
    if padded.size not in (1, padded.shape[axis]) or padded.shape[axis] not in (1, channels):
        return None
    return np.broadcast_to(padded.reshape(-1), (channels,)).astype(np.float64)
