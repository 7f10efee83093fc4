"""Layers of two operands. hls4ml computes exactly and casts once, to the result."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from gatewright.hls.lattice.plugin.builder import Builder, Wire
from gatewright.hls.lattice.plugin.casts import Value, steps
from gatewright.hls.lattice.plugin.fixed import Fixed, Unsupported
from gatewright.hls.lattice.plugin.weights import result_kind
from gatewright.schedules.stream.stages import Concat, Pool, Product, Rescale, Stage, Stream, Window

__all__ = ["concatenate", "merge"]


def merge(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``Merge``: add, subtract, multiply, average, maximum, minimum."""
    shape, result = tuple(node.get_output_variable().shape), result_kind(node)
    a, b = (_broadcast(builder, builder.padded(wire), shape) for wire in wires)
    op = node.get_attr("op").lower()
    match op:
        case "add" | "subtract" | "average":
            return _sum(builder, a, b, op, result)
        case "multiply":
            return _product(builder, a, b, result)
        case "maximum":
            return builder.cast(_greater(builder, a, b), result)
        case "minimum":
            less = _greater(builder, _negative(builder, a), _negative(builder, b))
            total = Value(less.value.fraction, -less.value.high, -less.value.low)
            return builder.combined("minimum", [less], [-1], total, steps(total, [result]))
    raise Unsupported(f"merging by {op}", "use add, subtract, multiply, average, maximum or minimum")


def concatenate(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``Concatenate`` of two; its axis counts the batch where it is positive."""
    shape, result = tuple(node.get_output_variable().shape), result_kind(node)
    axis = int(node.get_attr("axis"))
    axis = axis - 1 if axis > 0 else axis + len(shape)
    wires = [builder.cast(builder.padded(wire), result) for wire in wires]
    fraction = max(wire.value.fraction for wire in wires)
    wires = [builder.aligned(wire, fraction) for wire in wires]
    blocks = tuple(math.prod(wire.shape[axis:]) for wire in wires)
    return _concat(builder, wires, blocks, shape)


def _concat(builder: Builder, wires: list[Wire], blocks: tuple[int, ...], shape: tuple[int, ...]) -> Wire:
    total = Value(
        wires[0].value.fraction, min(w.value.low for w in wires), max(w.value.high for w in wires)
    )  # fmt: skip
    x, layer, names = builder.common(wires), builder.layer, tuple(wire.stream for wire in wires)
    return builder.emit(
        "concat", lambda name, out, rescale: Concat(name, names, out, layer, x, blocks, rescale),
        shape, (total.low, total.high), total, [],
    )  # fmt: skip


def _broadcast(builder: Builder, wire: Wire, shape: tuple[int, ...]) -> Wire:
    """The smaller operand repeated: hls4ml takes element ``i % size`` of it."""
    size = math.prod(shape)
    if wire.size == size:
        return replace(wire, shape=shape)
    repeated = np.arange(size, dtype=np.int64) % wire.size
    try:
        meant = np.broadcast_to(np.arange(wire.size).reshape(wire.shape), shape).reshape(-1)
    except ValueError:
        meant = repeated[::-1]
    if not np.array_equal(meant, repeated):
        raise Unsupported(f"operands of shapes {wire.shape} and {shape}", "give both the same shape")
    return builder.gathered(wire, repeated, shape)


def _sum(builder: Builder, a: Wire, b: Wire, op: str, result: Fixed) -> Wire:
    fraction = max(a.value.fraction, b.value.fraction)
    weights = [1 << (fraction - wire.value.fraction) for wire in (a, b)]
    if op == "subtract":
        weights[1] = -weights[1]
    ends = [sorted((w.value.low * k, w.value.high * k)) for w, k in zip((a, b), weights, strict=True)]
    total = Value(fraction + (op == "average"), sum(low for low, _ in ends), sum(high for _, high in ends))
    return builder.combined(op, [a, b], weights, total, steps(total, [result]))


def _product(builder: Builder, a: Wire, b: Wire, result: Fixed) -> Wire:
    ends = [p * q for p in (a.value.low, a.value.high) for q in (b.value.low, b.value.high)]
    total = Value(a.value.fraction + b.value.fraction, min(ends), max(ends))
    x, layer, names = builder.common([a, b]), builder.layer, (a.stream, b.stream)
    return builder.emit(
        "multiply", lambda name, out, rescale: Product(name, names, out, layer, x, (0, 0), rescale),
        a.shape, (total.low, total.high), total, steps(total, [result]),
    )  # fmt: skip


def _negative(builder: Builder, wire: Wire) -> Wire:
    total = Value(wire.value.fraction, -wire.value.high, -wire.value.low)
    return builder.combined("negative", [wire], [-1], total, [])


def _greater(builder: Builder, a: Wire, b: Wire) -> Wire:
    """Maximum of two tensors: pixels of both in turn, and a maximum over pairs of pixels."""
    fraction = max(a.value.fraction, b.value.fraction)
    a, b = builder.aligned(a, fraction), builder.aligned(b, fraction)
    channels = a.shape[-1]
    pixels = a.size // channels
    both = _concat(builder, [a, b], (channels, channels), (2 * pixels, channels))
    window = Window(1, 2 * pixels, channels, (1, 2), (1, 2))
    x, layer, source = builder.streams[both.stream], builder.layer, both.stream

    def make(name: str, out: Stream, rescale: Rescale) -> Stage:
        return Pool(name, (source,), out, layer, x, window, True, rescale)

    value = Value(fraction, max(a.value.low, b.value.low), max(a.value.high, b.value.high))
    return builder.emit("greater", make, a.shape, (both.value.low, both.value.high), value, [])
