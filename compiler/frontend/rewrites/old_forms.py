"""Forms of old operator sets, in the words of newer ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.frontend.axes import axis_of
from gatewright.compiler.frontend.draft import Node
from gatewright.compiler.frontend.scope import Scope, UnsupportedError

__all__ = ["RULES"]


def clip(node: Node, scope: Scope) -> Sequence[Node] | None:
    """Before 11: ``Clip(x, min=a, max=b)`` -> ``Clip(x, a, b)``."""
    if node.version >= 11:
        return None
    dtype = scope.dtype(node.inputs[0])
    bounds = [
        scope.add(f"{node.name}/{key}", np.array(node.attributes[key], dtype)) if key in node.attributes else ""
        for key in ("min", "max")
    ]
    return [node.make("Clip", [node.inputs[0], *bounds], node.outputs[0], 13)]


def pad(node: Node, scope: Scope) -> Sequence[Node] | None:
    """Before 11: ``Pad(x, pads=p, value=v)`` -> ``Pad(x, p, v)``; the axes of 18 -> pads for all axes."""
    rank = len(scope.shape(node.inputs[0]))
    mode = node.attributes.get("mode")
    if node.version < 11:
        pads = node.attributes.get("pads", node.attributes.get("paddings", ()))
        value = scope.add(
            f"{node.name}/value", np.array(node.attributes.get("value", 0.0), scope.dtype(node.inputs[0]))
        )
        return [
            node.make(
                "Pad", [node.inputs[0], scope.add(f"{node.name}/pads", pads), value], node.outputs[0], 13, mode=mode
            )
        ]
    if not node.input(3):
        return None
    axes, given = scope.constant(node.input(3)), scope.constant(node.input(1))
    if axes is None or given is None or given.size != 2 * axes.size:
        raise UnsupportedError("its pads or axes are no constants", "export the model with static pads")
    full = np.zeros((2, rank), np.int64)
    for axis, begin, end in zip(axes.reshape(-1), *given.reshape(2, -1), strict=True):
        full[:, axis_of(node, int(axis), rank)] = begin, end
    inputs = [node.inputs[0], scope.add(f"{node.name}/pads", full.reshape(-1)), node.input(2)]
    return [node.make("Pad", inputs, node.outputs[0], 19, mode=mode)]


def slice_(node: Node, scope: Scope) -> Sequence[Node] | None:
    """Before 10: ``Slice(x, starts=s, ends=e, axes=a)`` -> ``Slice(x, s, e, a)``."""
    if node.version >= 10:
        return None
    inputs = [node.inputs[0]]
    for key in ("starts", "ends", "axes"):
        if key in node.attributes:
            inputs.append(scope.add(f"{node.name}/{key}", node.attributes[key]))
    return [node.make("Slice", inputs, node.outputs[0], 13)]


def axes_input(node: Node, scope: Scope) -> Sequence[Node] | None:
    """Before 13: ``Squeeze(x, axes=a)``, ``Unsqueeze(x, axes=a)`` -> axes as an input."""
    if node.version >= 13:
        return None
    inputs = [node.inputs[0]]
    if "axes" in node.attributes:
        inputs.append(scope.add(f"{node.name}/axes", node.attributes["axes"]))
    return [node.make(node.op, inputs, node.outputs[0], 13)]


def squeeze(node: Node, scope: Scope) -> Sequence[Node] | None:
    """Squeeze without axes -> ``Reshape``; all shapes are static here."""
    if (older := axes_input(node, scope)) is not None:
        return older
    if node.input(1):
        return None
    shape = [d for d in scope.shape(node.inputs[0]) if d != 1]
    return [node.make("Reshape", [node.inputs[0], scope.add(f"{node.name}/shape", shape)], node.outputs[0], 13)]


def split(node: Node, scope: Scope) -> Sequence[Node] | None:
    """Every ``Split`` -> ``Split(x, sizes)``: attributes of 1 to 11, equal parts, ``num_outputs`` of 18."""
    if node.version >= 13 and node.input(1):
        return None
    axis = axis_of(node, node.attributes.get("axis", 0), len(scope.shape(node.inputs[0])))
    size = scope.shape(node.inputs[0])[axis]
    sizes = node.attributes.get("split")
    if sizes is None:
        count = node.attributes.get("num_outputs", len(node.outputs))
        chunk = -(-size // count) if count else 0
        sizes = [min(chunk, size - i * chunk) for i in range(count)]
        if count != len(node.outputs) or any(s <= 0 for s in sizes):
            raise FrontendError(
                "GW1060", node.where(), f"cannot split {size} elements into {count} parts", "export the model again"
            )
    made = node.make("Split", [node.inputs[0], scope.add(f"{node.name}/sizes", list(sizes))], "", 13, axis=axis)
    return [Node(made.op, made.inputs, node.outputs, made.attributes, 13, "", node.name)]


def reduce(node: Node, scope: Scope) -> Sequence[Node] | None:
    """Every reduction -> axes as attribute of version 13 (``ReduceSum``: as input), none left to a default.

    Without axes all are reduced, unless ``noop_with_empty_axes`` says none.
    """
    if scope.dtype(node.inputs[0]) == "bool":
        raise UnsupportedError("reduces truth values", "cast them to int32 before the node")
    rank = len(scope.shape(node.inputs[0]))
    as_input = node.op == "ReduceSum"
    given = node.attributes.get("axes")
    if node.input(1):
        if (value := scope.constant(node.input(1))) is None:
            raise UnsupportedError("its axes depend on the data", "export the model with static axes")
        given = tuple(int(i) for i in value.reshape(-1))
    if not given:
        if node.attributes.get("noop_with_empty_axes", 0):
            return _elementwise(node)
        given = tuple(range(rank))
    axes = tuple(sorted(axis_of(node, axis, rank) for axis in given))
    if node.version == 13 and (bool(node.input(1)) if as_input else node.attributes.get("axes") == axes):
        return None
    keepdims = node.attributes.get("keepdims", 1)
    if as_input:
        inputs = [node.inputs[0], scope.add(f"{node.name}/axes", axes)]
        return [node.make(node.op, inputs, node.outputs[0], 13, keepdims=keepdims)]
    return [node.make(node.op, [node.inputs[0]], node.outputs[0], 13, keepdims=keepdims, axes=axes)]


def _elementwise(node: Node) -> Sequence[Node]:
    """A reduction over no axis still applies what surrounds the sum: ``ReduceL1`` is the absolute value."""
    x, y = node.inputs[0], node.outputs[0]
    if node.op in ("ReduceL1", "ReduceL2"):
        return [node.make("Abs", [x], y, 13)]
    if node.op == "ReduceSumSquare":
        return [node.make("Mul", [x, x], y, 13)]
    if node.op == "ReduceLogSum":
        return [node.make("Log", [x], y, 13)]
    return [node.make("Identity", [x], y, 13)]


def softmax(node: Node, scope: Scope) -> Sequence[Node] | None:
    """Before 13 the tensor is a matrix, rows before ``axis``: ``Reshape``, softmax over the last axis, ``Reshape``."""
    if node.version >= 13:
        return None
    shape = scope.shape(node.inputs[0])
    axis = axis_of(node, node.attributes.get("axis", 1), len(shape))
    if math.prod(shape[axis:]) == shape[-1]:
        # The other axes from `axis` on have one element: softmax over the last is the same.
        return [node.make(node.op, [node.inputs[0]], node.outputs[0], 13, axis=-1)]
    flat, soft = scope.fresh(f"{node.name}/rows"), scope.fresh(f"{node.name}/soft")
    rows = scope.add(f"{node.name}/rows_shape", [math.prod(shape[:axis]), math.prod(shape[axis:])])
    return [
        node.make("Reshape", [node.inputs[0], rows], flat, 13),
        node.make(node.op, [flat], soft, 13, axis=-1),
        node.make("Reshape", [soft, scope.add(f"{node.name}/shape", shape)], node.outputs[0], 13),
    ]


def top_k(node: Node, scope: Scope) -> Sequence[Node] | None:
    """Before 10: ``TopK(x, k=n)`` -> ``TopK(x, n)``."""
    if node.version >= 10:
        return None
    k = scope.add(f"{node.name}/k", [int(node.attributes.get("k", 1))])
    made = node.make("TopK", [node.inputs[0], k], "", 11, axis=node.attributes.get("axis", -1))
    return [Node(made.op, made.inputs, node.outputs, made.attributes, 11, "", node.name)]


def batch_normalization(node: Node, scope: Scope) -> Sequence[Node] | None:
    """One output, version 15; a tensor of rank 2 gets its normalisation as multiply and add."""
    if node.attributes.get("training_mode", 0) or any(node.outputs[1:]):
        raise UnsupportedError("is in training mode", "export the model in inference mode (torch: model.eval())")
    if node.attributes.get("spatial", 1) == 0:
        raise UnsupportedError("spatial=0 was removed from ONNX in opset 9", "export the model with opset 9 or newer")
    if node.version == 15 and len(node.outputs) == 1:
        return None
    epsilon = node.attributes.get("epsilon", 1e-5)
    return [node.make("BatchNormalization", node.inputs[:5], node.outputs[0], 15, epsilon=epsilon)]


def scatter(node: Node, scope: Scope) -> Sequence[Node]:
    """``Scatter`` was renamed ``ScatterElements`` in 11."""
    return [node.make("ScatterElements", node.inputs, node.outputs[0], 13, axis=node.attributes.get("axis", 0))]


def reshape(node: Node, scope: Scope) -> Sequence[Node] | None:
    """Zeros in the shape (copy, or a real zero) and -1 -> the static shape."""
    if (shape := scope.constant(node.input(1))) is None:
        raise UnsupportedError("its shape depends on the data", "export the model with static shapes")
    old = scope.shape(node.inputs[0])
    wanted = [int(d) for d in shape.reshape(-1)]
    if not node.attributes.get("allowzero", 0):
        if any(d == 0 and i >= len(old) for i, d in enumerate(wanted)):
            raise FrontendError(
                "GW1060",
                node.where(),
                f"shape {wanted} copies a dimension the input {list(old)} lacks",
                "export it again",
            )
        wanted = [old[i] if d == 0 else d for i, d in enumerate(wanted)]
    rest = math.prod(d for d in wanted if d != -1)
    if wanted.count(-1) == 1 and rest > 0 and math.prod(old) % rest == 0:
        wanted[wanted.index(-1)] = math.prod(old) // rest
    if any(d < 0 for d in wanted) or math.prod(wanted) != math.prod(old):
        raise FrontendError(
            "GW1060",
            node.where(),
            f"cannot reshape {list(old)} to {[int(d) for d in shape.reshape(-1)]}",
            "check the input shape: the model may be made for another",
        )
    if wanted == list(shape.reshape(-1)) and not node.attributes.get("allowzero", 0):
        return None
    return [node.make("Reshape", [node.inputs[0], scope.add(f"{node.name}/shape", wanted)], node.outputs[0], 13)]


def gemm(node: Node, scope: Scope) -> None:
    """Only checked: ONNX's inference of some versions lets any two matrices through.

    Raises:
        FrontendError: GW1060 when the matrices do not go together.
    """
    a, b = scope.shape(node.inputs[0]), scope.shape(node.inputs[1])
    if len(a) == 2 and len(b) == 2:
        inner = (a[0 if node.attributes.get("transA", 0) else 1], b[1 if node.attributes.get("transB", 0) else 0])
        if inner[0] == inner[1]:
            return
    raise FrontendError(
        "GW1060",
        node.where(),
        f"cannot multiply {list(a)} by {list(b)}",
        "check the input shape: the model may be made for another",
    )


_REDUCTIONS = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"]

RULES = {
    ("", "Clip"): clip,
    ("", "Pad"): pad,
    ("", "Slice"): slice_,
    ("", "Squeeze"): squeeze,
    ("", "Unsqueeze"): axes_input,
    ("", "Split"): split,
    **{("", f"Reduce{name}"): reduce for name in _REDUCTIONS},
    ("", "Softmax"): softmax,
    ("", "LogSoftmax"): softmax,
    ("", "Hardmax"): softmax,
    ("", "TopK"): top_k,
    ("", "BatchNormalization"): batch_normalization,
    ("", "Scatter"): scatter,
    ("", "Reshape"): reshape,
    ("", "Gemm"): gemm,
}
