"""Sliding windows over (N, C, H, W): output sizes, and the strided view of one kernel position."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["output_size", "pad_spatial", "positions"]

Array = npt.NDArray[Any]


def output_size(size: int, kernel: int, stride: int, pad: int, dilation: int = 1) -> int:
    """Number of windows along one axis (ONNX operator Conv, floor mode); ``pad`` is both sides together."""
    return (size + pad - ((kernel - 1) * dilation + 1)) // stride + 1


def pad_spatial(x: Array, padding: tuple[int, int, int, int], value: float) -> Array:
    """Pad H and W of (N, C, H, W) by (top, left, bottom, right) with ``value``."""
    top, left, bottom, right = padding
    if not any(padding):
        return x
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=value)


def positions(
    padded: Array, kernel: tuple[int, int], strides: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> Iterator[tuple[int, int, Array]]:
    """For every kernel position (u, v) the view of the padded input it meets: (u, v, (N, C, OH, OW))."""
    height = output_size(padded.shape[2], kernel[0], strides[0], 0, dilation[0])
    width = output_size(padded.shape[3], kernel[1], strides[1], 0, dilation[1])
    for u in range(kernel[0]):
        for v in range(kernel[1]):
            y, x = u * dilation[0], v * dilation[1]
            rows = slice(y, y + (height - 1) * strides[0] + 1, strides[0])
            columns = slice(x, x + (width - 1) * strides[1] + 1, strides[1])
            yield u, v, padded[:, :, rows, columns]
