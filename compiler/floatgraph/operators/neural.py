"""Convolutions, pooling, matrix products, normalisations and softmax. Layout is channels first."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gatewright.compiler.errors import GraphError
from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.floatgraph.operators.types import Array, Operator, axes_of, integer, integers, number
from gatewright.compiler.numeric.convolution import convolve2d

__all__ = ["NEURAL"]


def _channels_first(node: Node, *allowed: str) -> None:
    for key in ("data_layout", "layout", "kernel_layout"):
        layout = node.attributes.get(key)
        if layout is not None and layout not in allowed:
            raise GraphError("GW2002", node.name, f"layout {layout!r} of {node.op}", "export the model in NCHW layout")


def _conv2d(node: Node, x: Array, weight: Array) -> Array:
    """Data (N, C, H, W), weight (O, C/groups, KH, KW) -> (N, O, OH, OW)."""
    _channels_first(node, "NCHW", "OIHW")
    sy, sx = integers(node.attributes["strides"])
    top, left, bottom, right = integers(node.attributes["padding"])
    dy, dx = integers(node.attributes["dilation"])
    groups = integer(node.attributes["groups"])
    return convolve2d(x, weight.astype(x.dtype, copy=False), (sy, sx), (top, left, bottom, right), (dy, dx), groups)


def _conv1d(node: Node, x: Array, weight: Array) -> Array:
    """Data (N, C, W), weight (O, C/groups, K): a convolution of height one."""
    _channels_first(node, "NCW", "OIW")
    (stride,), (left, right) = integers(node.attributes["strides"]), integers(node.attributes["padding"])
    (dilation,), groups = integers(node.attributes["dilation"]), integer(node.attributes["groups"])
    weight = weight.astype(x.dtype, copy=False)[:, :, None]
    return convolve2d(x[:, :, None], weight, (1, stride), (0, left, 0, right), (1, dilation), groups)[:, :, 0]


def _conv2d_transpose(node: Node, x: Array, weight: Array) -> Array:
    """Data (N, C, H, W), weight (C, O/groups, KH, KW): of the zero-stuffed input, kernel flipped."""
    _channels_first(node, "NCHW", "IOHW")
    sy, sx = integers(node.attributes["strides"])
    padding = integers(node.attributes["padding"])
    extra = integers(node.attributes["output_padding"])
    dilation = integers(node.attributes["dilation"])
    return _transpose_conv(x, weight, (sy, sx), padding, extra, dilation, integer(node.attributes["groups"]))


def _conv1d_transpose(node: Node, x: Array, weight: Array) -> Array:
    """Data (N, C, W), weight (C, O/groups, K)."""
    _channels_first(node, "NCW", "IOW")
    (stride,), (left, right) = integers(node.attributes["strides"]), integers(node.attributes["padding"])
    (extra,), (dilation,) = integers(node.attributes["output_padding"]), integers(node.attributes["dilation"])
    groups = integer(node.attributes["groups"])
    y = _transpose_conv(
        x[:, :, None], weight[:, :, None], (1, stride), (0, left, 0, right), (0, extra), (1, dilation), groups
    )
    return y[:, :, 0]


def _transpose_conv(
    x: Array,
    weight: Array,
    strides: tuple[int, int],
    padding: tuple[int, ...],
    extra: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> Array:
    n, c, height, width = x.shape
    stuffed = np.zeros((n, c, (height - 1) * strides[0] + 1, (width - 1) * strides[1] + 1), x.dtype)
    stuffed[:, :, :: strides[0], :: strides[1]] = x
    kernel = weight.reshape(groups, c // groups, *weight.shape[1:])  # (G, I/G, O/G, KH, KW)
    kernel = np.swapaxes(kernel, 1, 2)[..., ::-1, ::-1].reshape(-1, c // groups, *weight.shape[2:])
    reach = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    pads = [reach[0] - padding[0], reach[1] - padding[1]]
    pads += [reach[0] - padding[2] + extra[0], reach[1] - padding[3] + extra[1]]
    top, left, bottom, right = (max(0, -p) for p in pads)  # more padding than kernel crops
    stuffed = stuffed[:, :, top : stuffed.shape[2] - bottom, left : stuffed.shape[3] - right]
    top, left, bottom, right = (max(0, p) for p in pads)
    kernel = np.ascontiguousarray(kernel, x.dtype)
    return convolve2d(stuffed, kernel, (1, 1), (top, left, bottom, right), (dilation[0], dilation[1]), groups)


def _matmul(node: Node, a: Array, b: Array) -> Array:
    return np.asarray(np.matmul(a, b))


def _einsum(node: Node, *operands: Array) -> Array:
    return np.asarray(np.einsum(str(node.attributes["subscripts"]), *operands, optimize=True))


def _batch_norm(node: Node, x: Array, gamma: Array, beta: Array, mean: Array, variance: Array) -> Array:
    """Inference form: ``(x - mean) / sqrt(variance + epsilon) * gamma + beta`` along ``axis``."""
    if node.attributes.get("training"):
        reason = "batch normalisation in training mode"
        raise GraphError("GW2002", node.name, reason, "export the model in inference mode (model.eval())")
    axis = integer(node.attributes["axis"]) % x.ndim
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    scale = 1 / np.sqrt(variance + x.dtype.type(node.attributes["epsilon"]))
    if node.attributes.get("scale", True):
        scale = scale * gamma
    out = (x - mean.reshape(shape)) * scale.reshape(shape)
    if node.attributes.get("center", True):
        out = out + beta.reshape(shape)
    return np.asarray(out, x.dtype)


def _normalise(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    mean = x.mean(axes, keepdims=True)
    return np.asarray((x - mean) / np.sqrt(x.var(axes, keepdims=True) + x.dtype.type(epsilon)), x.dtype)


def _layer_norm(node: Node, x: Array, gamma: Array, beta: Array) -> Array:
    out = _normalise(x, axes_of(node.attributes["axes"], x.ndim), number(node.attributes["epsilon"]))
    out = out * gamma if node.attributes.get("scale", True) else out
    return np.asarray(out + beta if node.attributes.get("center", True) else out)


def _group_norm(node: Node, x: Array, gamma: Array, beta: Array) -> Array:
    axis, groups = integer(node.attributes["channel_axis"]) % x.ndim, integer(node.attributes["num_groups"])
    split = x.reshape(*x.shape[:axis], groups, -1, *x.shape[axis + 1 :])
    axes = sorted({axis + 1, *(a + (a > axis) for a in axes_of(node.attributes["axes"], x.ndim) if a != axis)})
    out = _normalise(split, tuple(axes), number(node.attributes["epsilon"])).reshape(x.shape)
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    return np.asarray(out * gamma.reshape(shape) + beta.reshape(shape))


def _instance_norm(node: Node, x: Array, gamma: Array, beta: Array) -> Array:
    axis = integer(node.attributes["channel_axis"]) % x.ndim
    out = _normalise(x, axes_of(node.attributes["axes"], x.ndim), number(node.attributes["epsilon"]))
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    return np.asarray(out * gamma.reshape(shape) + beta.reshape(shape))


def _rms_norm(node: Node, x: Array, weight: Array) -> Array:
    axes = axes_of(node.attributes["axes"], x.ndim)
    mean = np.mean(np.square(x), axes, keepdims=True)
    return np.asarray(x / np.sqrt(mean + x.dtype.type(node.attributes["epsilon"])) * weight, x.dtype)


def _softmax(node: Node, x: Array) -> Array:
    axis = integer(node.attributes.get("axis", -1))
    e = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(e / e.sum(axis, keepdims=True))


def _log_softmax(node: Node, x: Array) -> Array:
    axis = integer(node.attributes.get("axis", -1))
    shifted = x - x.max(axis, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis, keepdims=True)))


def _dropout(node: Node, x: Array) -> Array:
    return x


NEURAL: Mapping[str, Operator] = {
    "nn.conv1d": _conv1d, "nn.conv2d": _conv2d, "nn.conv1d_transpose": _conv1d_transpose,
    "nn.conv2d_transpose": _conv2d_transpose, "matmul": _matmul, "einsum": _einsum, "nn.batch_norm": _batch_norm,
    "nn.layer_norm": _layer_norm, "nn.group_norm": _group_norm, "nn.instance_norm": _instance_norm,
    "nn.rms_norm": _rms_norm, "nn.softmax": _softmax, "nn.log_softmax": _log_softmax, "nn.dropout": _dropout,
}  # fmt: skip
"""Layers with weights, and normalisations."""
