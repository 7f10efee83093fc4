"""Window pooling over (N, C, H, W) and (N, C, W)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.floatgraph.operators.types import Array, Operator, integers
from gatewright.compiler.numeric.windows import pad_spatial, positions

__all__ = ["POOLING"]

_Pads = tuple[int, int, int, int]


def _geometry(node: Node, x: Array) -> tuple[tuple[int, int], tuple[int, int], _Pads, tuple[int, int]]:
    """Kernel, strides, padding with the overhang of ceil mode, dilation. The declared result shape decides the
    number of windows, which settles ceil mode."""
    kernel, strides = integers(node.attributes["pool_size"]), integers(node.attributes["strides"])
    top, left, bottom, right = integers(node.attributes["padding"])
    dilation = integers(node.attributes["dilation"])
    over = [
        (out - 1) * stride + (k - 1) * d + 1 - (size + before)
        for out, stride, k, d, size, before in zip(
            node.shape[2:], strides, kernel, dilation, x.shape[2:], (top, left), strict=True
        )
    ]
    pads = (top, left, max(over[0], bottom), max(over[1], right))
    return (kernel[0], kernel[1]), (strides[0], strides[1]), pads, (dilation[0], dilation[1])


def _max_pool2d(node: Node, x: Array) -> Array:
    """Maximum of each window; padding never wins."""
    kernel, strides, pads, dilation = _geometry(node, x)
    low = np.iinfo(x.dtype).min if np.issubdtype(x.dtype, np.integer) else -np.inf
    out: Array | None = None
    for _, _, view in positions(pad_spatial(x, pads, low), kernel, strides, dilation):
        out = view.copy() if out is None else np.maximum(out, view, out=out)
    assert out is not None
    return out[:, :, : node.shape[2], : node.shape[3]]


def _avg_pool2d(node: Node, x: Array) -> Array:
    """Mean of each window. Padding counts when ``count_include_pad``; the overhang of ceil mode never does (ONNX)."""
    kernel, strides, pads, dilation = _geometry(node, x)
    top, left, bottom, right = integers(node.attributes["padding"])
    ones = np.ones((1, 1, *x.shape[2:]), x.dtype)
    if node.attributes.get("count_include_pad"):
        ones = pad_spatial(ones, (top, left, bottom, right), 1)
        rest: _Pads = (0, 0, pads[2] - bottom, pads[3] - right)
    else:
        rest = pads
    total = sum(view for _, _, view in positions(pad_spatial(x, pads, 0), kernel, strides, dilation))
    count = sum(view for _, _, view in positions(pad_spatial(ones, rest, 0), kernel, strides, dilation))
    return np.asarray(total / count, x.dtype)[:, :, : node.shape[2], : node.shape[3]]


def _adaptive_avg_pool2d(node: Node, x: Array) -> Array:
    """Means of ``floor(i H / OH) .. ceil((i + 1) H / OH)``."""
    height, width = x.shape[2:]
    oh, ow = node.shape[2:]
    if (oh, ow) == (1, 1):
        return np.asarray(x.mean((2, 3), keepdims=True), x.dtype)
    out = np.empty((*x.shape[:2], oh, ow), x.dtype)
    for i in range(oh):
        for j in range(ow):
            rows = slice(i * height // oh, -(-(i + 1) * height // oh))
            columns = slice(j * width // ow, -(-(j + 1) * width // ow))
            out[:, :, i, j] = x[:, :, rows, columns].mean((2, 3))
    return out


def _flat(operator: Operator) -> Operator:
    """The one-dimensional form: height one."""

    def run(node: Node, x: Array) -> Array:
        attributes = dict(node.attributes)
        for key in ("pool_size", "strides", "dilation"):
            if key in attributes:
                attributes[key] = (1, *integers(attributes[key]))
        if "padding" in attributes:
            left, right = integers(attributes["padding"])
            attributes["padding"] = (0, left, 0, right)
        shape = (*node.shape[:2], 1, node.shape[2])
        wide = Node(node.name, node.op, node.inputs, attributes, shape, node.dtype)
        return operator(wide, x[:, :, None])[:, :, 0]

    return run


POOLING: Mapping[str, Operator] = {
    "nn.max_pool2d": _max_pool2d, "nn.avg_pool2d": _avg_pool2d, "nn.adaptive_avg_pool2d": _adaptive_avg_pool2d,
    "nn.max_pool1d": _flat(_max_pool2d), "nn.avg_pool1d": _flat(_avg_pool2d),
    "nn.adaptive_avg_pool1d": _flat(_adaptive_avg_pool2d),
}  # fmt: skip
"""Pooling operators."""
