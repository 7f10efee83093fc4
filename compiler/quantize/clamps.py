"""Which nodes only bound their operand: ReLU, clip, maximum and minimum with a constant."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.graph import Node

__all__ = ["bounds_of"]


def bounds_of(node: Node, constants: Mapping[str, npt.NDArray[np.generic]]) -> tuple[str, float, float] | None:
    """(bounded tensor, low, high) of a node that clips one tensor, or None; a missing bound is infinite."""
    tensors = [name for name in node.inputs if name not in constants]
    if len(tensors) != 1:
        return None
    if node.op == "nn.relu":
        return tensors[0], 0.0, math.inf
    if node.op == "nn.relu6":
        return tensors[0], 0.0, 6.0
    if node.op == "clip":
        low, high = node.attributes.get("min"), node.attributes.get("max")
        return tensors[0], _bound(low, -math.inf), _bound(high, math.inf)
    if node.op in ("maximum", "minimum"):
        constant = next(constants[name] for name in node.inputs if name in constants)
        if constant.size == 1:
            bound = float(constant.reshape(()))
            return (tensors[0], bound, math.inf) if node.op == "maximum" else (tensors[0], -math.inf, bound)
    return None


def _bound(value: object, missing: float) -> float:
    """ONNX exporters write a missing bound as the greatest float32."""
    if not isinstance(value, (int, float)):
        return missing
    return missing if abs(value) >= float(np.finfo(np.float32).max) else float(value)
