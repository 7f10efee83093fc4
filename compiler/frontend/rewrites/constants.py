"""Constant nodes and operators that do nothing at inference time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import helper

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.frontend.draft import Node
from gatewright.compiler.frontend.scope import Scope, UnsupportedError
from gatewright.compiler.frontend.tensors import DTYPES

__all__ = ["RULES"]


def constant(node: Node, scope: Scope) -> Sequence[Node]:
    """``Constant(value=...)`` in all its spellings -> an entry among the constants."""
    given = {key: value for key, value in node.attributes.items() if key.startswith("value")}
    if len(given) != 1:
        raise FrontendError("GW1024", node.where(), "has not exactly one value", "export the model again")
    ((key, value),) = given.items()
    if key.startswith("value_string"):
        raise UnsupportedError("text tensors are not supported", "remove text processing from the model")
    dtype = {"value_float": "float32", "value_floats": "float32", "value_int": "int64", "value_ints": "int64"}.get(key)
    if (dtype is None) != isinstance(value, np.ndarray):
        raise FrontendError("GW1024", node.where(), f"attribute {key!r} has the wrong type", "export the model again")
    scope.constants[node.outputs[0]] = np.asarray(value, dtype)
    return ()


def dropout(node: Node, scope: Scope) -> Sequence[Node]:
    """``Dropout(x) -> y, mask`` -> ``y = x``, mask all true."""
    training = scope.constant(node.input(2)) if node.input(2) else None
    if (node.input(2) and training is None) or (training is not None and bool(training.any())):
        raise UnsupportedError("is in training mode", "export the model in inference mode (torch: model.eval())")
    made = [node.make("Identity", [node.inputs[0]], node.outputs[0])]
    if len(node.outputs) > 1 and node.outputs[1]:
        scope.constants[node.outputs[1]] = np.ones(scope.shape(node.inputs[0]), np.bool_)
    return made


def cast(node: Node, scope: Scope) -> Sequence[Node] | None:
    """``Cast(x)`` to the type x has -> x; ``CastLike(x, y)`` -> ``Cast(x)``."""
    if node.op == "CastLike":
        like = np.dtype(scope.dtype(node.inputs[1]))
        if like == scope.dtype(node.inputs[0]):
            return [node.make("Identity", [node.inputs[0]], node.outputs[0])]
        return [node.make("Cast", [node.inputs[0]], node.outputs[0], 13, to=helper.np_dtype_to_tensor_dtype(like))]
    if DTYPES.get(node.attributes.get("to", 0)) == scope.dtype(node.inputs[0]):
        return [node.make("Identity", [node.inputs[0]], node.outputs[0])]
    return None


RULES = {("", "Constant"): constant, ("", "Dropout"): dropout, ("", "Cast"): cast, ("", "CastLike"): cast}
