"""Calibration: from observed values to the range of a tensor. One file a method."""

from __future__ import annotations

from gatewright.compiler.quantize.calibrate.entropy import entropy
from gatewright.compiler.quantize.calibrate.histogram import Histogram
from gatewright.compiler.quantize.calibrate.minmax import minmax
from gatewright.compiler.quantize.calibrate.mse import mse
from gatewright.compiler.quantize.calibrate.percentile import percentile
from gatewright.compiler.quantize.options import QuantizeOptions

__all__ = ["Histogram", "range_of"]


def range_of(histogram: Histogram, bits: int, options: QuantizeOptions) -> tuple[float, float]:
    """(low, high) by the chosen method; low <= 0 <= high."""
    if options.calibration == "minmax":
        return minmax(histogram)
    if options.calibration == "percentile":
        return percentile(histogram, options.percentile)
    if options.calibration == "entropy":
        return entropy(histogram, bits)
    return mse(histogram, bits)
