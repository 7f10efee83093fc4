"""Operators that reduce, accumulate or order elements along axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.floatgraph.operators.types import Array, Operator, axes_of, integer

__all__ = ["REDUCTIONS"]


def _reduction(function: Callable[..., Any]) -> Operator:
    def operator(node: Node, x: Array) -> Array:
        axes = axes_of(node.attributes.get("axis"), x.ndim)
        return np.asarray(function(x, axis=axes, keepdims=bool(node.attributes.get("keepdims")))).astype(x.dtype)

    return operator


def _arg(function: Callable[..., Any]) -> Operator:
    def operator(node: Node, x: Array) -> Array:
        axis = node.attributes.get("axis")
        at = None if axis is None else integer(axis)
        return np.asarray(function(x, axis=at, keepdims=bool(node.attributes.get("keepdims"))), node.dtype)

    return operator


def _cumulative(function: Callable[..., Any]) -> Operator:
    def operator(node: Node, x: Array) -> Array:
        axis = node.attributes.get("axis")
        if axis is None:
            x, axis = x.reshape(-1), 0
        out = function(x, axis=integer(axis))
        if node.attributes.get("exclusive"):
            one = 0 if function is np.cumsum else 1
            out = np.roll(out, 1, integer(axis))
            first = [slice(None)] * x.ndim
            first[integer(axis)] = slice(0, 1)
            out[tuple(first)] = one
        return np.asarray(out, node.dtype)

    return operator


def _order(x: Array, axis: int, descending: bool) -> Array:
    """Stable argsort: equal elements keep their order in both directions, as ONNX TopK asks."""
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    backwards = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
    return np.asarray(x.shape[axis] - 1 - np.flip(backwards, axis))


def _argsort(node: Node, x: Array) -> Array:
    axis = integer(node.attributes.get("axis", -1))
    return _order(x, axis, bool(node.attributes.get("descending"))).astype(node.dtype)


def _sort(node: Node, x: Array) -> Array:
    axis = integer(node.attributes.get("axis", -1))
    return np.take_along_axis(x, _order(x, axis, bool(node.attributes.get("descending"))), axis)


def _topk(node: Node, x: Array) -> Array:
    axis, k = integer(node.attributes.get("axis", -1)), integer(node.attributes.get("k", 1))
    order = _order(x, axis, bool(node.attributes.get("largest", True)))
    order = np.take(order, np.arange(k if k > 0 else x.shape[axis]), axis)
    indices = node.attributes.get("result") == 1 or node.attributes.get("ret_type") == "indices"
    return order.astype(node.dtype) if indices else np.take_along_axis(x, order, axis)


REDUCTIONS: Mapping[str, Operator] = {
    "sum": _reduction(np.sum), "mean": _reduction(np.mean), "max": _reduction(np.max), "min": _reduction(np.min),
    "prod": _reduction(np.prod), "variance": _reduction(np.var), "std": _reduction(np.std), "argmax": _arg(np.argmax),
    "argmin": _arg(np.argmin), "cumsum": _cumulative(np.cumsum), "cumprod": _cumulative(np.cumprod), "sort": _sort,
    "argsort": _argsort, "topk": _topk,
}  # fmt: skip
"""Reductions, cumulative operators and orderings."""
