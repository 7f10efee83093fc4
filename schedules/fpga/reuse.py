"""Reuse factors hls4ml accepts, and the limits of the HLS tools.

hls4ml silently replaces a reuse factor it does not accept by the closest one it does
(``FPGABackend.set_closest_reuse_factor``), so a plan that is to hold names accepted ones only.
"""

from __future__ import annotations

import math
from functools import cache

__all__ = ["PARTITION_LIMIT", "STREAM_BITS_LIMIT", "UNROLL_LIMIT", "closest", "is_valid", "valid_reuse_factors"]

UNROLL_LIMIT = 4096
"""Iterations of an unrolled loop at which Vivado HLS stops ("[XFORM 203-504] Stop unrolling loop", hls4ml #1013)."""

PARTITION_LIMIT = 4096
"""Elements of a completely partitioned array: ``config_array_partition -maximum_size 4096`` in build_prj.tcl."""

STREAM_BITS_LIMIT = 4096
"""Bits of one beat of a stream at the design's border: the widest AXI4-Stream TDATA Vitis HLS makes (UG1399)."""


def is_valid(n_in: int, n_out: int, reuse_factor: int) -> bool:
    """Whether hls4ml accepts ``reuse_factor`` for an n_in x n_out product in the resource strategy.

    The three conditions of ``FPGABackend._validate_reuse_factor`` (hls4ml 1.3.0): the kernels are only correct where
    whole rows or columns of the matrix fall to one multiplier.
    """
    multiplier_limit = math.ceil(n_in * n_out / min(n_in, reuse_factor))
    return (
        (multiplier_limit % n_out == 0 or reuse_factor >= n_in)
        and (reuse_factor % n_in == 0 or reuse_factor < n_in)
        and (n_in * n_out) % reuse_factor == 0
    )


def _divisors(number: int) -> list[int]:
    low = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return sorted({*low, *(number // d for d in low)})


@cache
def valid_reuse_factors(n_in: int, n_out: int) -> tuple[int, ...]:
    """All reuse factors hls4ml accepts, ascending; the same list as ``get_valid_reuse_factors``, from the divisors."""
    return tuple(rf for rf in _divisors(n_in * n_out) if is_valid(n_in, n_out, rf))


def closest(valid: tuple[int, ...], wanted: int) -> int:
    """The accepted reuse factor closest to ``wanted``, the smaller of two as close (as hls4ml chooses)."""
    return min(valid, key=lambda rf: (abs(rf - wanted), rf))
