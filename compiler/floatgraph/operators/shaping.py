"""Operators that move, select, repeat or make elements.

The leading axis may be a multiple of the declared batch, so a declared target shape is scaled to the operand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.floatgraph.operators.types import Array, Operator, axes_of, integer, integers, number

__all__ = ["SHAPING"]


def _reshape(node: Node, x: Array) -> Array:
    """reshape, flatten, squeeze, expand_dims: the declared result shape says all, the leading axis takes the rest."""
    if x.size == math.prod(node.shape):
        return x.reshape(node.shape)
    return x.reshape(-1, *node.shape[1:])


def _permute_dims(node: Node, x: Array) -> Array:
    return np.transpose(x, integers(node.attributes.get("axes"), tuple(reversed(range(x.ndim)))))


def _broadcast_to(node: Node, x: Array) -> Array:
    lead = x.shape[:1] if x.ndim == len(node.shape) and x.ndim and x.shape[0] > node.shape[0] else node.shape[:1]
    return np.ascontiguousarray(np.broadcast_to(x, lead + node.shape[1:]))


def _concat(node: Node, *operands: Array) -> Array:
    axis = integer(node.attributes.get("axis") or 0) % operands[0].ndim
    return np.concatenate(_same_batch(operands) if axis else operands, axis)


def _stack(node: Node, *operands: Array) -> Array:
    axis = integer(node.attributes.get("axis") or 0) % (operands[0].ndim + 1)
    return np.stack(_same_batch(operands) if axis else operands, axis)


def _same_batch(operands: Sequence[Array]) -> list[Array]:
    """Repeat constants along the leading axis when the data holds several batches."""
    batch = max(x.shape[0] for x in operands)
    return [x if x.shape[0] == batch else np.tile(x, (batch // x.shape[0], *[1] * (x.ndim - 1))) for x in operands]


def _strided_slice(node: Node, x: Array) -> Array:
    axes = axes_of(node.attributes.get("axes"), x.ndim)
    begins, ends = integers(node.attributes["begin"]), integers(node.attributes["end"])
    strides = integers(node.attributes.get("strides"), (1,) * len(axes))
    index = [slice(None)] * x.ndim
    for axis, begin, end, stride in zip(axes, begins, ends, strides, strict=True):
        # ONNX Slice: a negative index counts from the end, an end below that means "through element 0"
        index[axis] = slice(begin, end if stride > 0 or end >= -x.shape[axis] else None, stride)
    return x[tuple(index)]


def _take(node: Node, x: Array, indices: Array) -> Array:
    axis = node.attributes.get("axis")
    if axis is None:
        return np.asarray(np.take(x, indices))
    return np.asarray(np.take(x, indices, integer(axis)))


def _gather_elements(node: Node, x: Array, indices: Array) -> Array:
    return np.take_along_axis(x, _same_batch([x, indices])[1], integer(node.attributes.get("axis") or 0))


def _gather_nd(node: Node, x: Array, indices: Array) -> Array:
    batch_dims = integer(node.attributes.get("batch_dims") or 0)
    if batch_dims == 0:
        return np.asarray(x[tuple(np.moveaxis(indices, -1, 0))])
    lead = x.shape[:batch_dims]
    flat = x.reshape(-1, *x.shape[batch_dims:])
    where = indices.reshape(-1, *indices.shape[batch_dims:])
    rows = [sample[tuple(np.moveaxis(index, -1, 0))] for sample, index in zip(flat, where, strict=True)]
    return np.stack(rows).reshape(*lead, *rows[0].shape)


_REDUCTIONS = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def _updated(node: Node, x: Array, at: tuple[Array, ...], updates: Array) -> Array:
    """A copy of ``x`` with ``updates`` put, or reduced into what stands, ``at`` the places."""
    out = x.copy()
    kind = str(node.attributes.get("reduction", "update"))
    if kind == "update":
        out[at] = updates
    else:
        _REDUCTIONS[kind].at(out, at, updates)
    return out


def _scatter_elements(node: Node, x: Array, indices: Array, updates: Array) -> Array:
    axis = integer(node.attributes.get("axis") or 0) % x.ndim
    where: list[Array] = list(np.indices(indices.shape))
    where[axis] = np.where(indices < 0, indices + x.shape[axis], indices)
    at = tuple(where)
    return _updated(node, x, at, updates)


def _scatter_nd(node: Node, x: Array, indices: Array, updates: Array) -> Array:
    at = tuple(np.moveaxis(indices, -1, 0))
    return _updated(node, x, at, updates)


def _pad(node: Node, x: Array) -> Array:
    flat = integers(node.attributes["pad_width"])
    widths = list(zip(flat[0::2], flat[1::2], strict=True))
    x = x[tuple(slice(max(0, -a), x.shape[i] - max(0, -b)) for i, (a, b) in enumerate(widths))]
    widths = [(max(a, 0), max(b, 0)) for a, b in widths]
    mode = str(node.attributes.get("pad_mode", "constant"))
    if mode == "constant":
        return np.pad(x, widths, constant_values=x.dtype.type(node.attributes.get("pad_value", 0.0)))
    return np.pad(x, widths, mode={"reflect": "reflect", "replicate": "edge", "edge": "edge", "circular": "wrap"}[mode])  # type: ignore[call-overload]


def _tile(node: Node, x: Array) -> Array:
    return np.tile(x, integers(node.attributes["repeats"]))


def _repeat(node: Node, x: Array) -> Array:
    axis = node.attributes.get("axis")
    return np.repeat(x, integer(node.attributes["repeats"]), None if axis is None else integer(axis))


def _flip(node: Node, x: Array) -> Array:
    return np.flip(x, integer(node.attributes.get("axis")))


def _full(node: Node, value: Array) -> Array:
    return np.full(node.shape, value, node.dtype)


def _filled(value: int) -> Operator:
    def operator(node: Node, *like: Array) -> Array:
        return np.full(like[0].shape if like else node.shape, value, node.dtype)

    return operator


def _full_like(node: Node, like: Array, value: Array) -> Array:
    return np.full(like.shape, value, node.dtype)


def _arange(node: Node) -> Array:
    start, end, step = (number(node.attributes[key]) for key in ("start", "end", "step"))
    return np.asarray(np.arange(start, end, step), node.dtype)


def _triangle(node: Node, x: Array) -> Array:
    offset = integer(node.attributes.get("k") or 0)
    return np.tril(x, offset) if node.op == "tril" else np.triu(x, offset)


def _eye(node: Node, *like: Array) -> Array:
    return np.eye(node.shape[0], node.shape[1], integer(node.attributes.get("k") or 0), node.dtype)


def _one_hot(node: Node, indices: Array, on: Array, off: Array) -> Array:
    depth, axis = integer(node.attributes["depth"]), integer(node.attributes.get("axis", -1))
    hot = np.where(np.arange(depth) == indices[..., None], on, off)
    return np.moveaxis(hot, -1, axis)


SHAPING: Mapping[str, Operator] = {
    "reshape": _reshape, "flatten": _reshape, "squeeze": _reshape, "expand_dims": _reshape,
    "nn.batch_flatten": _reshape, "permute_dims": _permute_dims, "broadcast_to": _broadcast_to, "concat": _concat,
    "stack": _stack, "strided_slice": _strided_slice, "take": _take, "gather_elements": _gather_elements,
    "gather_nd": _gather_nd, "scatter_elements": _scatter_elements, "scatter_nd": _scatter_nd, "nn.pad": _pad,
    "tile": _tile, "repeat": _repeat, "flip": _flip, "full": _full, "full_like": _full_like, "zeros": _filled(0),
    "zeros_like": _filled(0), "ones": _filled(1), "ones_like": _filled(1), "arange": _arange, "tril": _triangle,
    "triu": _triangle, "eye": _eye, "eye_like": _eye, "one_hot": _one_hot,
}  # fmt: skip
"""Operators that compute nothing: every result element is an operand element or a constant."""
