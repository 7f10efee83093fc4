"""Functions of one tensor: which operators may stand in one, and its values for a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.floatgraph.operators import OPERATORS

__all__ = ["FUNCTIONS", "evaluate", "is_scalar", "name_of"]

FUNCTIONS = frozenset({
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atanh", "ceil", "clip", "cos", "cosh", "divide", "erf",
    "exp", "floor", "floor_divide", "floor_mod", "log", "maximum", "minimum", "mod", "multiply", "negative", "nn.gelu",
    "nn.gelu_tanh", "nn.leakyrelu", "nn.prelu", "nn.relu", "nn.relu6", "nn.selu", "nn.silu", "nn.softplus", "power",
    "round", "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh", "trunc",
})  # fmt: skip
"""Operators that act element by element and give a float."""


def is_scalar(array: npt.NDArray[np.generic]) -> bool:
    """Whether a constant is one number, so that it is the same at every element."""
    return array.size == 1


def evaluate(
    nodes: Sequence[Node],
    root: str,
    x: npt.NDArray[np.float32],
    constants: Mapping[str, npt.NDArray[np.generic]],
) -> npt.NDArray[np.float32]:
    """The last of ``nodes`` at every element of the vector ``x``, by the float operator table itself."""
    values: dict[str, npt.NDArray[np.generic]] = {root: x}
    for node in nodes:
        operands = [values[name] if name in values else constants[name].reshape(()) for name in node.inputs]
        with np.errstate(all="ignore"):
            values[node.name] = OPERATORS[node.op](node, *operands)
    return np.broadcast_to(np.asarray(values[nodes[-1].name], np.float32), x.shape)


def name_of(nodes: Sequence[Node]) -> str:
    """``sigmoid``, ``multiply+round+multiply``: for reports."""
    return "+".join(node.op.removeprefix("nn.") for node in nodes)
