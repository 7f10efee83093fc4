"""Percentile calibration: all but the outermost values."""

from __future__ import annotations

import numpy as np

from gatewright.compiler.quantize.calibrate.histogram import Histogram

__all__ = ["percentile"]


def percentile(histogram: Histogram, percent: float) -> tuple[float, float]:
    """The range that holds ``percent`` of the values, as much cut off below as above; holds 0."""
    if histogram.total == 0:
        return 0.0, 0.0
    cut = (100.0 - percent) / 200.0 * histogram.total
    below = np.concatenate([[0], np.cumsum(histogram.counts)])
    edges = histogram.edges
    low = edges[max(int(np.searchsorted(below, cut, side="right")) - 1, 0)]
    high = edges[min(int(np.searchsorted(below, histogram.total - cut, side="left")), len(edges) - 1)]
    return float(np.clip(low, histogram.low, 0.0)), float(np.clip(high, 0.0, histogram.high))
