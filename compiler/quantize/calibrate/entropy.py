"""Entropy calibration: the threshold whose quantized distribution is nearest to the observed one.

Kullback-Leibler divergence as in S. Migacz, "8-bit Inference with TensorRT" (GTC 2017), over absolute values.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gatewright.compiler.quantize.calibrate.histogram import Histogram

__all__ = ["entropy"]

_STEPS = 128


def entropy(histogram: Histogram, bits: int) -> tuple[float, float]:
    """The range [-t, t], cut to what was seen, with the least divergence; holds 0.

    Args:
        histogram: of the tensor.
        bits: width of the quantized tensor.
    """
    half = len(histogram.counts) // 2
    magnitudes = (histogram.counts[half:] + histogram.counts[:half][::-1]).astype(np.float64)
    magnitudes[0] = 0.0  # zeros (a ReLU's, padding) are exact at every threshold and would drown the rest
    used = np.flatnonzero(magnitudes)
    if not used.size:
        return histogram.low, histogram.high
    last = int(used[-1]) + 1
    levels = 1 << bits if histogram.low >= 0 else 1 << (bits - 1)
    width = float(histogram.edges[half + 1])
    starts = np.unique(np.rint(np.geomspace(min(max(levels // 2, 8), last), last, _STEPS)).astype(int))
    scores = [_divergence(magnitudes[:last], int(bins), levels) for bins in starts]
    threshold = int(starts[int(np.argmin(scores))]) * width
    return max(histogram.low, -threshold), min(histogram.high, threshold)


def _divergence(counts: npt.NDArray[np.float64], bins: int, levels: int) -> float:
    """KL(P || Q): P the first ``bins`` counts with the rest clipped into the last, Q spread over ``levels`` steps."""
    p = counts[:bins].copy()
    p[-1] += counts[bins:].sum()
    group = np.minimum(np.arange(bins) * levels // bins, levels - 1)
    filled = counts[:bins] > 0
    sums = np.bincount(group, weights=counts[:bins], minlength=levels)
    sizes = np.bincount(group, weights=filled, minlength=levels)
    q = np.where(filled, sums[group] / np.maximum(sizes[group], 1), 0.0)
    if q.sum() == 0:
        return float("inf")
    p, q = p / p.sum(), q / q.sum()
    tiny = 1e-9  # where Q is empty but P is not: a large, finite penalty
    mask = p > 0
    return float(np.sum(p[mask] * np.log(p[mask] / np.maximum(q[mask], tiny))))
