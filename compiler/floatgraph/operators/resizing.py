"""Image resizing: one interpolation matrix an axis (ONNX operator Resize)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import GraphError
from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.floatgraph.operators.types import Array, Operator, number

__all__ = ["RESIZING", "nearest_indices"]


def _coordinates(size: int, target: int, mode: str, roi: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Where each output position lies in the input."""
    position = np.arange(target, dtype=np.float64)
    scale = size / target
    if mode == "asymmetric":
        return position * scale
    if mode == "align_corners":
        return position * ((size - 1) / (target - 1)) if target > 1 else position * 0
    if mode == "half_pixel":
        return (position + 0.5) * scale - 0.5
    if mode == "pytorch_half_pixel":
        return (position + 0.5) * scale - 0.5 if target > 1 else position * 0
    if mode == "tf_half_pixel_for_nn":
        return (position + 0.5) * scale
    if mode == "tf_crop_and_resize":
        start, end = roi
        if target == 1:
            return position + 0.5 * (start + end) * (size - 1)
        return start * (size - 1) + position * (end - start) * (size - 1) / (target - 1)
    raise GraphError("GW2002", "resize", f"coordinate mode {mode!r}", "use half_pixel, asymmetric or align_corners")


def _roi(node: Node) -> tuple[tuple[float, float], tuple[float, float]]:
    values: tuple[Any, ...] = node.attributes.get("roi") or ()  # type: ignore[assignment]
    if len(values) != 4:
        return (0.0, 1.0), (0.0, 1.0)
    top, left, bottom, right = (float(v) for v in values)
    return (top, bottom), (left, right)


def nearest_indices(node: Node, shape: tuple[int, ...]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Input row of every output row and input column of every output column of a nearest-neighbour ``image.resize2d``.

    Args:
        node: the resize.
        shape: (N, C, H, W) of its operand.
    """
    mode = str(node.attributes.get("coordinate_transformation_mode", "half_pixel"))
    rounding = str(node.attributes.get("rounding_method") or ("round" if mode == "align_corners" else "floor"))
    found = []
    for size, target, roi in zip(shape[2:], node.shape[2:], _roi(node), strict=True):
        at = _coordinates(size, target, mode, roi)
        if rounding == "round":
            index = np.round(at)
        elif rounding == "round_prefer_floor":
            index = np.ceil(at - 0.5)
        elif rounding == "round_prefer_ceil":
            index = np.floor(at + 0.5)
        elif rounding == "floor":  # the importer's code generator forgives rounding noise of this size too
            index = np.floor(at + 1e-5)
        else:
            index = np.ceil(at - 1e-5)
        found.append(np.clip(index, 0, size - 1).astype(np.int64))
    return found[0], found[1]


def _linear(at: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    """(target, size) matrix of two weights a row; the border is repeated."""
    low = np.floor(at)
    matrix = np.zeros((len(at), size))
    rows = np.arange(len(at))
    np.add.at(matrix, (rows, np.clip(low, 0, size - 1).astype(int)), 1 - (at - low))
    np.add.at(matrix, (rows, np.clip(low + 1, 0, size - 1).astype(int)), at - low)
    return matrix


def _cubic(at: npt.NDArray[np.float64], size: int, alpha: float, exclude: bool) -> npt.NDArray[np.float64]:
    """(target, size) matrix of the four weights of Keys' cubic convolution."""
    low = np.floor(at)
    matrix = np.zeros((len(at), size))
    rows = np.arange(len(at))
    for tap in range(-1, 3):
        t = np.abs(at - (low + tap))
        near = ((alpha + 2) * t - (alpha + 3)) * t * t + 1
        far = ((alpha * t - 5 * alpha) * t + 8 * alpha) * t - 4 * alpha
        weight = np.where(t <= 1, near, np.where(t < 2, far, 0))
        if exclude:
            weight = np.where((low + tap < 0) | (low + tap >= size), 0, weight)
        np.add.at(matrix, (rows, np.clip(low + tap, 0, size - 1).astype(int)), weight)
    return matrix / matrix.sum(1, keepdims=True) if exclude else matrix


def _resize2d(node: Node, x: Array) -> Array:
    """Data (N, C, H, W) -> (N, C, OH, OW)."""
    layout = node.attributes.get("layout", "NCHW")
    if layout != "NCHW":
        raise GraphError("GW2002", node.name, f"layout {layout!r} of resize", "export the model in NCHW layout")
    method = str(node.attributes.get("method", "linear"))
    if method == "nearest_neighbor":
        rows, columns = nearest_indices(node, x.shape)
        return x[:, :, rows[:, None], columns[None, :]]
    mode = str(node.attributes.get("coordinate_transformation_mode", "half_pixel"))
    matrices = []
    for size, target, roi in zip(x.shape[2:], node.shape[2:], _roi(node), strict=True):
        at = _coordinates(size, target, mode, roi)
        if method == "linear":
            matrix = _linear(at, size)
        else:
            alpha = number(node.attributes.get("cubic_alpha", -0.5))
            matrix = _cubic(at, size, alpha, bool(node.attributes.get("cubic_exclude", 0)))
        matrices.append(matrix.astype(x.dtype))
    vertical, horizontal = matrices
    return np.asarray(vertical @ x @ horizontal.T)


RESIZING: Mapping[str, Operator] = {"image.resize2d": _resize2d}
"""Operators that resample images."""
