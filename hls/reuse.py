"""Reuse factors the resource kernels accept: hls4ml's, and our serial ones."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable

__all__ = ["closest_reuse_factor", "legal_reuse_factors", "nearest", "serial_groups", "serial_reuse_factors"]


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


@functools.cache
def serial_reuse_factors(n_in: int, n_out: int) -> tuple[int, ...]:
    """Reuse factors of our serial kernels (``firmware/gatewright_serial.h``, ``gatewright_convolution.h``), ascending.

    Convolution of n_in channels: a group of outputs a cycle (the factor divides n_out), or one output of which a group
    of the inputs is added a cycle (n_out times a divisor of n_in). Depthwise, a channel depends on one input: n_in is
    1, n_out the number of channels.
    """

    def divisors(count: int) -> list[int]:
        return [d for d in range(1, count + 1) if count % d == 0]

    return tuple(sorted({*divisors(n_out), *(n_out * d for d in divisors(n_in))}))


def serial_groups(n_out: int, reuse_factor: int) -> tuple[int, int]:
    """(groups of input channels, groups of outputs) a serial convolution takes one after another."""
    return max(1, reuse_factor // n_out), min(reuse_factor, n_out)


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
    return nearest(factors, wanted)


def nearest(factors: Iterable[int], wanted: int) -> int:
    """The factor nearest to ``wanted``, the smaller of two as near."""
    return min(factors, key=lambda factor: (abs(factor - wanted), factor))
