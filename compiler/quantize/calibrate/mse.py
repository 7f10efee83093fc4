"""MSE calibration: the range whose quantization error, rounding and clipping together, is least."""

from __future__ import annotations

import numpy as np

from gatewright.compiler.quantize.calibrate.histogram import Histogram

__all__ = ["error_of", "mse"]

_FRACTIONS = np.concatenate([np.linspace(1.0, 0.5, 26), np.linspace(0.48, 0.1, 20)])


def error_of(histogram: Histogram, scale: float, low: int, high: int, zero_point: int = 0) -> float:
    """Sum of squared errors of the values seen, quantized with ``scale`` and ``zero_point`` to [low, high]."""
    x = histogram.centres
    q = np.clip(np.rint(x / scale) + zero_point, low, high)
    return float(np.sum(histogram.counts * ((q - zero_point) * scale - x) ** 2))


def mse(histogram: Histogram, bits: int) -> tuple[float, float]:
    """The range with the least squared error: each end is scaled back in turn; holds 0.

    Args:
        histogram: of the tensor.
        bits: width of the quantized tensor.
    """
    steps = (1 << bits) - 1

    def error(low: float, high: float) -> float:
        scale = (high - low) / steps
        if scale <= 0:
            return float("inf")
        return error_of(histogram, scale, round(low / scale), round(low / scale) + steps)

    low, high = histogram.low, histogram.high
    if low == high == 0.0:
        return low, high
    for _ in range(2 if low < 0 < high else 1):
        if high > 0:
            high = min((float(f) * histogram.high for f in _FRACTIONS), key=lambda h: error(low, h))
        if low < 0:
            low = min((float(f) * histogram.low for f in _FRACTIONS), key=lambda v: error(v, high))
    return low, high
