"""Constant indices of gathers and scatters: in range, and counted from the front. TVM's code reads what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.frontend.axes import axis_of
from gatewright.compiler.frontend.draft import Node
from gatewright.compiler.frontend.scope import Scope, UnsupportedError

__all__ = ["RULES"]


def along_axis(node: Node, scope: Scope) -> Sequence[Node] | None:
    """``Gather``, ``GatherElements``, ``ScatterElements``: one index of one axis each."""
    shape = scope.shape(node.inputs[0])
    axis = axis_of(node, node.attributes.get("axis", 0), len(shape))
    return _positive(node, scope, np.array(shape[axis : axis + 1]))


def coordinates(node: Node, scope: Scope) -> Sequence[Node] | None:
    """``GatherND``, ``ScatterND``: the last axis of the indices holds coordinates."""
    batch = node.attributes.get("batch_dims", 0)
    count = scope.shape(node.inputs[1])[-1]
    extents = scope.shape(node.inputs[0])[batch : batch + count]
    if len(extents) != count:
        raise FrontendError(
            "GW1060",
            node.where(),
            f"indexes {count} axes of a tensor of shape {list(scope.shape(node.inputs[0]))}",
            "export the model again",
        )
    return _positive(node, scope, np.array(extents))


def _positive(node: Node, scope: Scope, extents: np.ndarray) -> Sequence[Node] | None:
    indices = scope.constant(node.inputs[1])
    if indices is None:
        return None
    values = indices.astype(np.int64)
    bad = (values < -extents) | (values >= extents)
    if bad.any():
        raise FrontendError(
            "GW1060",
            node.where(),
            f"index {int(values[bad][0])} is out of range; the indexed axes have {extents.tolist()} elements",
            "export the model again",
        )
    if not (values < 0).any():
        return None
    front = np.where(values < 0, values + extents, values).astype(indices.dtype)
    inputs = (node.inputs[0], scope.add(f"{node.name}/indices", front), *node.inputs[2:])
    return [replace(node, inputs=inputs)]


def bit_shift(node: Node, scope: Scope) -> Sequence[Node] | None:
    """``BitShift`` by a constant below the width; native code leaves other shifts undefined, ONNX makes them zero."""
    shift = scope.constant(node.inputs[1])
    if shift is None or (shift < 0).any() or (shift >= 8 * np.dtype(scope.dtype(node.inputs[0])).itemsize).any():
        raise UnsupportedError("shifts by an amount that is no constant below the width", "multiply or divide instead")
    return None


RULES = {
    ("", "Gather"): along_axis,
    ("", "GatherElements"): along_axis,
    ("", "ScatterElements"): along_axis,
    ("", "GatherND"): coordinates,
    ("", "ScatterND"): coordinates,
    ("", "BitShift"): bit_shift,
}
