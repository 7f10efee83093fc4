"""Min-max calibration: everything that was seen."""

from __future__ import annotations

from gatewright.compiler.quantize.calibrate.histogram import Histogram

__all__ = ["minmax"]


def minmax(histogram: Histogram) -> tuple[float, float]:
    """Least and greatest value; holds 0."""
    return histogram.low, histogram.high
