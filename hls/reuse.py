"""Reuse factors hls4ml's resource kernels accept."""

from __future__ import annotations

import functools
import math

__all__ = ["closest_reuse_factor", "legal_reuse_factors"]


@functools.cache
def legal_reuse_factors(n_in: int, n_out: int) -> tuple[int, ...]:
    """Legal reuse factors of an n_in x n_out matrix product, ascending.

    The rules of ``FPGABackend._validate_reuse_factor`` (hls4ml 1.3.0), tried on the divisors of n_in * n_out alone:
    the factor divides the number of products, is a multiple of n_in above n_in, and below it every multiplier serves
    whole columns.
    """
    products = n_in * n_out
    small = [d for d in range(1, math.isqrt(products) + 1) if products % d == 0]
    divisors = sorted({*small, *(products // d for d in small)})

    def legal(reuse: int) -> bool:
        multipliers = math.ceil(products / min(n_in, reuse))
        return (multipliers % n_out == 0 or reuse >= n_in) and (reuse % n_in == 0 or reuse < n_in)

    return tuple(d for d in divisors if legal(d))


def closest_reuse_factor(n_in: int, n_out: int, wanted: int, limit: int | None = None) -> int:
    """The legal factor nearest to ``wanted``, the smaller of two as near (hls4ml's own rule).

    Args:
        n_in: rows of the product.
        n_out: columns.
        wanted: the factor asked for.
        limit: no factor above it. hls4ml's ``io_parallel`` convolution reads past its window, and is wrong without a
            word, when the factor exceeds n_in (``nnet_conv2d_resource.h``).
    """
    factors = [f for f in legal_reuse_factors(n_in, n_out) if limit is None or f <= limit]
    return min(factors, key=lambda factor: (abs(factor - wanted), factor))
