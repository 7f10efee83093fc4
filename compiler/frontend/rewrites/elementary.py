"""Operators TVM's importer lacks or takes in part, spelled with those it takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto, helper

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.frontend.axes import axis_of
from gatewright.compiler.frontend.draft import Node
from gatewright.compiler.frontend.scope import Scope, UnsupportedError

__all__ = ["RULES"]


def power(node: Node, scope: Scope) -> Sequence[Node] | None:
    """``Pow(x, y)`` of two types: computed in the floating one, the result in x's."""
    x, y = node.inputs
    types = scope.dtype(x), scope.dtype(y)
    if types[0] == types[1]:
        return None
    common = types[1] if types[1].startswith("float") and not types[0].startswith("float") else types[0]
    made, operands = [], []
    for name, dtype in ((x, types[0]), (y, types[1])):
        operand = name
        if dtype != common:
            operand = scope.fresh(f"{name}/{common}")
            made.append(_cast(node, name, operand, common))
        operands.append(operand)
    result = node.outputs[0] if common == types[0] else scope.fresh(f"{node.outputs[0]}/{common}")
    made.append(node.make("Pow", operands, result, 15))
    if result != node.outputs[0]:
        made.append(_cast(node, result, node.outputs[0], types[0]))
    return made


def _cast(node: Node, x: str, y: str, dtype: str) -> Node:
    return node.make("Cast", [x], y, 13, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def total(node: Node, scope: Scope) -> Sequence[Node]:
    """``Sum`` of any number of tensors -> ``Add`` after ``Add`` from the left; a sum of one is the tensor itself."""
    if len(node.inputs) == 1:
        return [node.make("Identity", node.inputs, node.outputs[0], 13)]
    made, so_far = [], node.inputs[0]
    for index, operand in enumerate(node.inputs[1:], 2):
        last = index == len(node.inputs)
        result = node.outputs[0] if last else scope.fresh(f"{node.name}/sum of {index}")
        made.append(node.make("Add", [so_far, operand], result, 13))
        so_far = result
    return made


def is_inf(node: Node, scope: Scope) -> Sequence[Node] | None:
    """``IsInf`` of one sign -> ``And(IsInf(x), x > 0)``."""
    positive, negative = node.attributes.get("detect_positive", 1), node.attributes.get("detect_negative", 1)
    if positive and negative:
        return None
    if not positive and not negative:
        scope.constants[node.outputs[0]] = np.zeros(scope.shape(node.inputs[0]), np.bool_)
        return ()
    x = node.inputs[0]
    either, sign = scope.fresh(f"{node.name}/either"), scope.fresh(f"{node.name}/sign")
    zero = scope.add(f"{node.name}/zero", 0.0, scope.dtype(x))
    return [
        node.make("IsInf", [x], either, 10),
        node.make("Greater" if positive else "Less", [x, zero], sign, 13),
        node.make("And", [either, sign], node.outputs[0], 7),
    ]


def space_to_depth(node: Node, scope: Scope) -> Sequence[Node] | None:
    """``SpaceToDepth`` in its later mode CRD -> ``Reshape``, ``Transpose``, ``Reshape``; TVM knows DCR."""
    if node.attributes.get("mode", "DCR") != "CRD":
        return None if "mode" not in node.attributes else [node.with_attributes(drop=["mode"])]
    n, c, h, w = scope.shape(node.inputs[0])
    b = int(node.attributes["blocksize"])
    split, turned = scope.fresh(f"{node.name}/split"), scope.fresh(f"{node.name}/turned")
    if b < 1 or h % b or w % b:
        raise FrontendError("GW1060", node.where(), f"blocksize {b} does not divide {h} x {w}", "export it again")
    return [
        node.make(
            "Reshape", [node.inputs[0], scope.add(f"{node.name}/parts", [n, c, h // b, b, w // b, b])], split, 13
        ),
        node.make("Transpose", [split], turned, 13, perm=(0, 1, 3, 5, 2, 4)),
        node.make(
            "Reshape", [turned, scope.add(f"{node.name}/shape", [n, c * b * b, h // b, w // b])], node.outputs[0], 13
        ),
    ]


def local_response(node: Node, scope: Scope) -> Sequence[Node]:
    """``LRN`` -> ``x / (bias + alpha * mean(x^2))^beta``, the mean over channels as a pool over (channel, position)."""
    x = node.inputs[0]
    shape = scope.shape(x)
    if len(shape) < 3:
        raise UnsupportedError(f"normalises over the channels of a tensor of rank {len(shape)}", "reshape it to rank 4")
    size = int(node.attributes["size"])
    if not 1 <= size <= 2 * shape[1]:
        raise FrontendError("GW1060", node.where(), f"size is {size} for {shape[1]} channels", "export the model again")
    square, flat, mean, back, scaled, base, divisor = (
        scope.fresh(f"{node.name}/{part}") for part in ("square", "flat", "mean", "back", "scaled", "base", "divisor")
    )
    dtype = scope.dtype(x)
    rows = [shape[0], 1, shape[1], int(np.prod(shape[2:]))]
    before = (size - 1) // 2
    numbers = {
        key: scope.add(f"{node.name}/{key}", float(node.attributes.get(key, default)), dtype)
        for key, default in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    }
    pool = {"kernel_shape": (size, 1), "pads": (before, 0, size - 1 - before, 0), "count_include_pad": 1}
    return [
        node.make("Mul", [x, x], square, 13),
        node.make("Reshape", [square, scope.add(f"{node.name}/rows", rows)], flat, 13),
        node.make("AveragePool", [flat], mean, 19, **pool),
        node.make("Reshape", [mean, scope.add(f"{node.name}/shape", shape)], back, 13),
        node.make("Mul", [back, numbers["alpha"]], scaled, 13),
        node.make("Add", [scaled, numbers["bias"]], base, 13),
        node.make("Pow", [base, numbers["beta"]], divisor, 13),
        node.make("Div", [x, divisor], node.outputs[0], 13),
    ]


def global_lp_pool(node: Node, scope: Scope) -> Sequence[Node]:
    """``GlobalLpPool`` -> ``Pow(ReduceSum(|x|^p), 1/p)`` over the spatial axes."""
    axes = tuple(range(2, len(scope.shape(node.inputs[0]))))
    return _norm(node, scope, node.outputs[0], axes, node.attributes.get("p", 2))


def lp_normalization(node: Node, scope: Scope) -> Sequence[Node]:
    """``LpNormalization(x)`` -> ``x / norm(x)`` along one axis."""
    axis = axis_of(node, node.attributes.get("axis", -1), len(scope.shape(node.inputs[0])))
    norm, divisor = scope.fresh(f"{node.name}/norm"), scope.fresh(f"{node.name}/divisor")
    made = _norm(node, scope, norm, (axis,), node.attributes.get("p", 2))
    # A vector of zeros stays one.
    dtype = np.dtype(scope.dtype(node.inputs[0]))
    least = scope.add(f"{node.name}/least", np.array(np.finfo(dtype).tiny, dtype))
    made.append(node.make("Max", [norm, least], divisor, 13))
    return [*made, node.make("Div", [node.inputs[0], divisor], node.outputs[0], 13)]


def _norm(node: Node, scope: Scope, output: str, axes: tuple[int, ...], p: int) -> list[Node]:
    x = node.inputs[0]
    if p < 1:
        raise FrontendError("GW1060", node.where(), f"p is {p}; norms have a p of 1 or more", "export the model again")
    if p in (1, 2):
        return [node.make(f"ReduceL{p}", [x], output, 13, axes=axes, keepdims=1)]
    size, powered, summed = (scope.fresh(f"{node.name}/{part}") for part in ("abs", "power", "sum"))
    dtype = scope.dtype(x)
    return [
        node.make("Abs", [x], size, 13),
        node.make("Pow", [size, scope.add(f"{node.name}/p", float(p), dtype)], powered, 13),
        node.make("ReduceSum", [powered, scope.add(f"{node.name}/axes", axes)], summed, 13, keepdims=1),
        node.make("Pow", [summed, scope.add(f"{node.name}/1_p", 1.0 / p, dtype)], output, 13),
    ]


def hardmax(node: Node, scope: Scope) -> Sequence[Node]:
    """``Hardmax(x)`` of 13 -> ``OneHot(ArgMax(x))``; older ones have become this by then."""
    shape = scope.shape(node.inputs[0])
    axis = axis_of(node, node.attributes.get("axis", -1), len(shape))
    index = scope.fresh(f"{node.name}/index")
    depth = scope.add(f"{node.name}/count", shape[axis])
    values = scope.add(f"{node.name}/values", np.array([0, 1], scope.dtype(node.inputs[0])))
    return [
        node.make("ArgMax", [node.inputs[0]], index, 13, axis=axis, keepdims=0),
        node.make("OneHot", [index, depth, values], node.outputs[0], 11, axis=axis),
    ]


def one_hot(node: Node, scope: Scope) -> Sequence[Node]:
    """``OneHot(i, n, (off, on))`` -> ``Where(i == 0 ... n-1, on, off)``, indices below zero counted from the end."""
    depth, values = scope.constant(node.inputs[1]), scope.constant(node.inputs[2])
    if depth is None or depth.size != 1 or values is None or values.shape != (2,):
        raise UnsupportedError("its depth or values depend on the data", "export the model with constants")
    indices = scope.shape(node.inputs[0])
    axis = axis_of(node, node.attributes.get("axis", -1), len(indices) + 1)
    count = int(depth.reshape(-1)[0])
    scope.limits.check_tensor(node.where(), (*indices, count), 8)
    integer, column, below, turned, positive, equal = (
        scope.fresh(f"{node.name}/{part}") for part in ("integer", "column", "below", "turned", "positive", "equal")
    )
    shape = scope.add(f"{node.name}/shape", [*indices[:axis], 1, *indices[axis:]])
    steps = np.arange(count).reshape([-1 if i == axis else 1 for i in range(len(indices) + 1)])
    zero, end = scope.add(f"{node.name}/zero", 0), scope.add(f"{node.name}/depth", count)
    off, on = (scope.add(f"{node.name}/{what}", values[i].reshape(())) for i, what in enumerate(("off", "on")))
    return [
        node.make("Cast", [node.inputs[0]], integer, 13, to=TensorProto.INT64),
        node.make("Reshape", [integer, shape], column, 13),
        node.make("Less", [column, zero], below, 13),
        node.make("Add", [column, end], turned, 13),
        node.make("Where", [below, turned, column], positive, 16),
        node.make("Equal", [positive, scope.add(f"{node.name}/steps", steps)], equal, 13),
        node.make("Where", [equal, on, off], node.outputs[0], 16),
    ]


def eye_like(node: Node, scope: Scope) -> Sequence[Node]:
    """``EyeLike(x)`` depends on the shape only."""
    rows, columns = scope.shape(node.inputs[0])
    to = node.attributes.get("dtype", 0)
    dtype = helper.tensor_dtype_to_np_dtype(to) if to else np.dtype(scope.dtype(node.inputs[0]))
    scope.constants[node.outputs[0]] = np.eye(rows, columns, node.attributes.get("k", 0)).astype(dtype)
    return ()


RULES = {
    ("", "Pow"): power,
    ("", "Sum"): total,
    ("", "IsInf"): is_inf,
    ("", "SpaceToDepth"): space_to_depth,
    ("", "LRN"): local_response,
    ("", "GlobalLpPool"): global_lp_pool,
    ("", "LpNormalization"): lp_normalization,
    ("", "Hardmax"): hardmax,
    ("", "EyeLike"): eye_like,
    ("", "OneHot"): one_hot,
}
