"""What a design computes, in NumPy: the meaning of every stage, which the hardware is tested against.

Exact integers throughout: int64, or Python integers where a proven range does not fit.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.schedules.stream.stages import (
    Combine,
    Concat,
    Design,
    Gather,
    IntArray,
    Mac,
    Map,
    Pool,
    Port,
    Product,
    Rescale,
    Stage,
    Stream,
    Table,
    Window,
)

__all__ = ["execute", "rescaled"]

_FLOAT_EXACT = 1 << 53
_INT64 = 1 << 63


def execute(design: Design, inputs: Mapping[str, npt.NDArray[np.integer[Any]]]) -> dict[str, npt.NDArray[Any]]:
    """Integers in, integers out.

    Args:
        design: any design.
        inputs: by port name, in the port's shape with the leading axis k times as long: k samples.

    Returns:
        By port name, in storage dtype, the leading axis k times the port's.
    """
    streams = {port.stream: _physical(port, inputs[port.name]) for port in design.inputs}
    for stage in design.stages:
        streams[stage.name] = _run(stage, [streams[name] for name in stage.inputs])
    return {port.name: _logical(port, streams[port.stream]) for port in design.outputs}


def rescaled(acc: IntArray, rescale: Rescale, out: Stream) -> IntArray:
    """``acc`` (samples, elements) through ``rescale``, as elements of ``out``."""
    elements = acc.shape[-1]
    bias, multiplier, shift = (
        np.resize(array, elements) for array in np.broadcast_arrays(rescale.bias, rescale.multiplier, rescale.shift)
    )
    largest = max(abs(rescale.value_low), abs(rescale.value_high), 1) * int(multiplier.max(initial=1))
    x: Any = acc + bias
    if largest + (1 << int(shift.max(initial=0))) >= _INT64:
        x, multiplier, shift = x.astype(object), multiplier.astype(object), shift.astype(object)
    x = _shifted(x * multiplier, shift, rescale.rounding) + rescale.zero_point
    if rescale.wrap:
        return _wrapped(x, out.bits, out.signed)
    return np.clip(x, rescale.low, rescale.high).astype(np.int64)


def _shifted(x: Any, shift: Any, rounding: str) -> Any:
    half = (1 << shift) >> 1
    match rounding:
        case "floor":
            return x >> shift
        case "half_up":
            return (x + half) >> shift
        case "half_even":  # half - 1, and one more where the kept part is odd; nothing where nothing is cut off
            return np.where(shift == 0, x, (x + half - 1 + ((x >> shift) & 1)) >> shift)
        case "toward_zero":
            return np.where(x < 0, -(-x >> shift), x >> shift)
    raise ValueError(rounding)


def _wrapped(x: Any, bits: int, signed: bool) -> IntArray:
    low = x & ((1 << bits) - 1)
    if signed:
        low = np.where(low >> (bits - 1) & 1, low - (1 << bits), low)
    return np.asarray(low).astype(np.int64)


# -- ports -------------------------------------------------------------------------------------------------------------


def _physical(port: Port, array: npt.NDArray[np.integer[Any]]) -> IntArray:
    return np.asarray(array).astype(np.int64).reshape(-1, port.index.size)[:, port.index]


def _logical(port: Port, stream: IntArray) -> npt.NDArray[Any]:
    restored = np.empty_like(stream)
    restored[:, port.index] = stream
    samples, shape = stream.shape[0], port.shape
    return restored.reshape(samples * shape[0], *shape[1:]).astype(port.dtype)


# -- stages ------------------------------------------------------------------------------------------------------------


def _run(stage: Stage, streams: list[IntArray]) -> IntArray:
    x = streams[0]
    match stage:
        case Mac():
            return rescaled(_mac(stage, x), stage.rescale, stage.output)
        case Pool():
            return rescaled(_pool(stage, x), stage.rescale, stage.output)
        case Map():
            return rescaled(x, stage.rescale, stage.output)
        case Table():
            return stage.table[x + (1 << (stage.x.bits - 1) if stage.x.signed else 0)]
        case Combine():
            total = sum((w * s for w, s in zip(stage.weights, streams, strict=True)), np.zeros_like(x))
            return rescaled(total, stage.rescale, stage.output)
        case Product():
            a, b = (s - z for s, z in zip(streams, stage.zero_points, strict=True))
            return rescaled(a * b, stage.rescale, stage.output)
        case Concat():
            rounds = [s.reshape(len(x), -1, block) for s, block in zip(streams, stage.blocks, strict=True)]
            return rescaled(np.concatenate(rounds, axis=2).reshape(len(x), -1), stage.rescale, stage.output)
        case Gather():
            return np.where(stage.source < 0, stage.fill, x[:, np.maximum(stage.source, 0)])
    raise TypeError(type(stage).__name__)


def _padded(window: Window, x: IntArray) -> IntArray:
    top, left, bottom, right = window.padding
    image = x.reshape(-1, window.height, window.width, window.channels)
    return np.pad(image, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=window.pad)


def _tap(window: Window, image: IntArray, y: int, x: int) -> IntArray:
    """Pixel (y, x) of every window: (samples, rows, columns, channels)."""
    rows, columns = window.output
    y, x = y * window.dilation[0], x * window.dilation[1]
    return image[
        :,
        y : y + (rows - 1) * window.strides[0] + 1 : window.strides[0],
        x : x + (columns - 1) * window.strides[1] + 1 : window.strides[1],
    ]


def _mac(stage: Mac, x: IntArray) -> IntArray:
    window, weight = stage.window, stage.weight
    image = _padded(window, x)
    outputs, per_group, *_ = weight.shape
    largest = int(np.abs(weight).sum(axis=(1, 2, 3)).max(initial=0)) * max(abs(stage.x.low), abs(stage.x.high), 1)
    number: Any = np.float64 if largest < _FLOAT_EXACT else np.int64  # float64 has a fast product and is exact here
    total = np.zeros((len(image), *window.output, outputs), number)
    size = outputs // stage.groups
    for y, k in itertools.product(range(window.kernel[0]), range(window.kernel[1])):
        tap, taps = _tap(window, image, y, k).astype(number), weight[:, :, y, k].astype(number)
        if stage.depthwise:
            total += tap * taps[:, 0]
            continue
        for g in range(stage.groups):
            mine = slice(g * size, (g + 1) * size)
            total[..., mine] += tap[..., g * per_group : (g + 1) * per_group] @ taps[mine].T
    return total.astype(np.int64).reshape(len(image), -1)


def _pool(stage: Pool, x: IntArray) -> IntArray:
    window = stage.window
    image = _padded(window, x)
    taps = [_tap(window, image, y, k) for y, k in itertools.product(range(window.kernel[0]), range(window.kernel[1]))]
    result = taps[0].copy()
    for tap in taps[1:]:
        result = np.maximum(result, tap) if stage.maximum else result + tap
    return result.reshape(len(image), -1)
