"""Two-dimensional convolution as one matrix product a kernel position."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.numeric.windows import output_size, pad_spatial, positions

__all__ = ["convolve2d"]

Array = npt.NDArray[Any]


def convolve2d(
    x: Array,
    weight: Array,
    strides: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Array:
    """Cross-correlation with zero padding (ONNX operator Conv, without bias).

    Each kernel position contributes a matrix product over channels, so the work is in BLAS and no window matrix is
    built. Integers come in as float64: every product and partial sum below 2**53 is exact in any order.

    Args:
        x: (N, C, H, W); its dtype is the result's.
        weight: (O, C / groups, KH, KW), same dtype.
        strides: (vertical, horizontal).
        padding: (top, left, bottom, right).
        dilation: (vertical, horizontal).
        groups: number of groups; C and O are multiples of it.

    Returns:
        (N, O, OH, OW).
    """
    n, c, height, width = x.shape
    o, per_group, kh, kw = weight.shape
    oh = output_size(height, kh, strides[0], padding[0] + padding[2], dilation[0])
    ow = output_size(width, kw, strides[1], padding[1] + padding[3], dilation[1])
    padded = pad_spatial(x, padding, 0)
    if per_group == 1:  # depthwise: products position by position, nothing to sum over channels
        depth = np.zeros((n, c, o // groups, oh, ow), x.dtype)
        for u, v, window in positions(padded, (kh, kw), strides, dilation):
            depth += window[:, :, None] * weight[:, 0, u, v].reshape(1, c, o // groups, 1, 1)
        return depth.reshape(n, o, oh, ow)
    # (G, O/G, C/G) x (N, G, C/G, P) -> (N, G, O/G, P), accumulated over positions
    out = np.zeros((n, groups, o // groups, oh * ow), x.dtype)
    matrices = weight.reshape(groups, o // groups, per_group, kh, kw)
    for u, v, window in positions(padded, (kh, kw), strides, dilation):
        out += np.matmul(matrices[:, :, :, u, v], window.reshape(n, groups, per_group, oh * ow))
    return out.reshape(n, o, oh, ow)
