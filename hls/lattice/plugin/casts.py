"""Casts as rescales: hls4ml's chains of casts (product -> accumulator -> result) as few steps of ours as are exact.

A tensor keeps the fraction it has: a cast that only appends zeros changes nothing here. Casts that cannot change a
value, and casts that overwrite each other's bits, vanish.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gatewright.hls.lattice.plugin.fixed import Fixed, Unsupported, rounded

__all__ = ["Step", "Value", "clamped", "steps"]

_LOCAL = ("TRN", "RND", "RND_MIN_INF")
"""Modes by which bit i of a result depends on bits up to i of the rest alone (after an addition)."""

_MODES = {"TRN": "floor", "RND": "half_up", "RND_MIN_INF": "floor", "RND_CONV": "half_even", "TRN_ZERO": "toward_zero"}
_MODES_NOT_NEGATIVE = {**_MODES, "TRN_ZERO": "floor", "RND_INF": "half_up", "RND_ZERO": "floor"}


@dataclass(frozen=True)
class Value:
    """Raw values in [low, high], standing for ``raw * 2**-fraction``."""

    fraction: int
    low: int
    high: int


@dataclass(frozen=True)
class Step:
    """One rescale: ``clamp((x + bias) >> shift)``, or first ``x << left``.

    Attributes:
        bias: added first; part of the rounding.
        shift, left: at most one of them is not 0.
        rounding: as in ``Rescale``.
        low, high: of the clamp.
        wrap: values wrap around.
        fits: nothing overflows, so that nothing need be clamped.
        out: the result.
    """

    bias: int
    shift: int
    left: int
    rounding: str
    low: int
    high: int
    wrap: bool
    fits: bool
    out: Value

    @property
    def is_clamp(self) -> bool:
        """It only clamps."""
        return not (self.bias or self.shift or self.left or self.wrap or self.fits)


def clamped(value: Value, low: int | None, high: int | None) -> list[Step]:
    """Clamp to raw [low, high]; no step where nothing lies outside."""
    low = value.low if low is None else low
    high = value.high if high is None else high
    if low <= value.low and value.high <= high:
        return []
    out = Value(value.fraction, min(max(value.low, low), high), max(min(value.high, high), low))
    return [Step(0, 0, 0, "floor", low, high, False, False, out)]


def steps(value: Value, kinds: Sequence[Fixed], before: Sequence[Step] = ()) -> list[Step]:
    """The steps that cast ``value`` to each of ``kinds`` in turn.

    Args:
        value: what the first step of ``before`` (or, without any, of the result) reads.
        kinds: the types.
        before: steps in front.

    Raises:
        Unsupported: a rounding or saturation mode has no hardware.
    """
    found = list(before)
    for i, kind in enumerate(kinds):
        value = found[-1].out if found else value
        step = _cast(value, kind)
        if step is None or (i + 1 < len(kinds) and _overwritten(value, kind, kinds[i + 1])):
            continue
        last = found[-1] if found else None
        if last is not None and last.is_clamp and not step.left and not step.wrap:
            found[-1] = _merged(last, step, kind, value)
        else:
            found.append(step)
    return found


def _cast(value: Value, kind: Fixed) -> Step | None:
    """One cast; None where it changes nothing."""
    shift = value.fraction - kind.fraction
    low, high = rounded(value.low, shift, kind.rounding), rounded(value.high, shift, kind.rounding)
    if kind.fits(low, high):
        if shift <= 0:
            return None
        bias, rounding = _rounding(value, kind, shift)
        return Step(bias, shift, 0, rounding, low, high, False, True, Value(kind.fraction, low, high))
    if kind.saturation == "SAT_ZERO":
        raise Unsupported("AP_SAT_ZERO is not supported where values overflow", "use AP_SAT")
    wrap = kind.saturation == "WRAP"
    if shift < 0 and wrap:  # what lies below the value's last bit is 0 and stays away
        width = kind.width + shift
        if width < 1 + kind.signed:
            raise Unsupported("a cast keeps no bit of its operand", "give the result type more integer bits")
        coarse = Fixed(width, value.fraction, kind.signed)
        return Step(
            0, 0, 0, "floor", coarse.low, coarse.high, True, False, Value(value.fraction, coarse.low, coarse.high)
        )
    bias, rounding = _rounding(value, kind, shift) if shift > 0 else (0, "floor")
    out = Value(kind.fraction, kind.low, kind.high)
    if not wrap:
        out = Value(kind.fraction, kind.overflowed(low), kind.overflowed(high))
    return Step(bias, max(shift, 0), max(-shift, 0), rounding, kind.low, kind.high, wrap, False, out)


def _rounding(value: Value, kind: Fixed, shift: int) -> tuple[int, str]:
    modes = _MODES_NOT_NEGATIVE if value.low >= 0 else _MODES
    if kind.rounding not in modes:
        raise Unsupported(f"AP_{kind.rounding} is not supported for values of both signs", "use AP_RND or AP_RND_CONV")
    bias = (1 << (shift - 1)) - 1 if kind.rounding in ("RND_MIN_INF", "RND_ZERO") else 0
    return bias, modes[kind.rounding]


def _overwritten(value: Value, kind: Fixed, after: Fixed) -> bool:
    """Whether the cast to ``kind`` only wraps, above every bit that the next cast keeps."""
    return (
        kind.saturation == after.saturation == "WRAP"
        and value.fraction <= kind.fraction
        and after.rounding in _LOCAL
        and after.width + kind.fraction - after.fraction <= kind.width
    )


def _merged(clamp: Step, step: Step, kind: Fixed, value: Value) -> Step:
    """One step for a clamp and the cast behind it: rounding keeps the order, so the bounds are cast too."""
    low, high = (rounded(bound, value.fraction - kind.fraction, kind.rounding) for bound in (clamp.low, clamp.high))
    if not step.fits:
        low, high = max(low, step.low), min(high, step.high)
    return replace(step, low=low, high=high, fits=False)
