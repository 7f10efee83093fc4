"""Exact HLS types from proven value ranges."""

from __future__ import annotations

import re

from gatewright.compiler.integer.semantics import Interval

__all__ = ["exact_type", "saturating_type", "type_width", "weight_type"]


def exact_type(interval: Interval, fraction: int | None = None) -> str:
    """The narrowest type that holds every integer of ``interval``.

    Args:
        interval: proven range of the mantissa.
        fraction: None for ``ap_int``/``ap_uint`` (profile ``scaled``); else the binary point of ``ap_fixed``: the real
            value is mantissa * 2**-fraction, and fraction may be negative.
    """
    signed = interval.low < 0
    width = interval.bits if signed else max(1, interval.high.bit_length())
    if fraction is None:
        return f"ap_int<{width}>" if signed else f"ap_uint<{width}>"
    return f"ap_fixed<{width},{width - fraction}>" if signed else f"ap_ufixed<{width},{width - fraction}>"


def weight_type(interval: Interval) -> str:
    """Type of weights. hls4ml reads ``ap_int<2>`` weights as ternary and never multiplies by -2; one bit more avoids
    that reading."""
    kind = exact_type(interval)
    return "ap_int<3>" if kind in ("ap_int<1>", "ap_int<2>") else kind


def saturating_type(clamp: Interval, fraction: int) -> str | None:
    """The type whose conversion is exactly our requantization to ``clamp``: round half up (AP_RND), then saturate.

    None where no saturation mode has these bounds: only [-2^k, 2^k - 1], [-(2^k - 1), 2^k - 1] and [0, 2^k - 1] exist.
    """
    width = clamp.high.bit_length()
    if clamp.high != (1 << width) - 1 or width == 0:
        return None
    if clamp.low == 0:
        return f"ap_ufixed<{width},{width - fraction},AP_RND,AP_SAT>"
    if clamp.low == -(1 << width):
        return f"ap_fixed<{width + 1},{width + 1 - fraction},AP_RND,AP_SAT>"
    if clamp.low == -clamp.high:
        return f"ap_fixed<{width + 1},{width + 1 - fraction},AP_RND,AP_SAT_SYM>"
    return None


def type_width(kind: str) -> int:
    """Number of bits of an HLS type."""
    found = re.search(r"<(\d+)", kind)
    assert found is not None, kind
    return int(found.group(1))
