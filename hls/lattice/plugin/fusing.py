"""Casts and clamps join the stage in front of them, where that stage's own rescale changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gatewright.schedules.stream.stages import Map, Stage, Table

__all__ = ["fused"]


def fused(stages: Sequence[Stage], outputs: Sequence[str]) -> tuple[list[Stage], dict[str, str]]:
    """``stages`` without the Maps that the stage in front can do, and the new names of streams that vanish.

    Args:
        stages: in topological order.
        outputs: streams that leave the design.
    """
    readers: dict[str, int] = {}
    for name in [name for stage in stages for name in stage.inputs] + list(outputs):
        readers[name] = readers.get(name, 0) + 1
    made: dict[str, Stage] = {}
    renamed: dict[str, str] = {}
    for stage in stages:
        stage = replace(stage, inputs=tuple(renamed.get(name, name) for name in stage.inputs))
        front = made.get(stage.inputs[0]) if isinstance(stage, Map) else None
        if front is not None and readers[stage.inputs[0]] == 1:
            joined = _joined(front, stage)
            if joined is not None:
                made[front.name] = joined
                renamed[stage.name] = front.name
                readers[front.name] = readers.get(stage.name, 0)
                continue
        made[stage.name] = stage
    return list(made.values()), renamed


def _joined(front: Any, stage: Any) -> Stage | None:
    """One stage for both, or None."""
    if not hasattr(front, "rescale") or isinstance(front, Table):
        return None
    first, second = front.rescale, stage.rescale
    kept = first.wrap or (first.low <= first.value_low and first.value_high <= first.high)
    inside = front.output.low <= first.value_low and first.value_high <= front.output.high
    if (first.multiplier != 1).any() or first.shift.any() or first.zero_point or not kept or not inside:
        return None
    if len(first.bias) > 1 and len(second.bias) > 1 and len(first.bias) != len(second.bias):
        return None
    bias, multiplier, shift = (
        np.array(array) for array in np.broadcast_arrays(first.bias + second.bias, second.multiplier, second.shift)
    )
    added = second.bias
    rescale = replace(
        second, bias=bias, multiplier=multiplier, shift=shift, acc_low=first.acc_low, acc_high=first.acc_high,
        value_low=first.value_low + int(added.min()), value_high=first.value_high + int(added.max()),
    )  # fmt: skip
    return replace(front, rescale=rescale, output=stage.output)
