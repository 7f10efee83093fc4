"""Sums, products, concatenation, tables and changes of type."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from gatewright.compiler.integer.layers import Add, Concat, Multiply, Requantize, Table
from gatewright.compiler.integer.semantics import Interval
from gatewright.hls.exact import exact_type
from gatewright.hls.layout import Wire, canonical_index, physical_axis
from gatewright.hls.lowering.builder import Builder, product_type

__all__ = ["add", "concat", "multiply", "requantize", "table"]


def add(builder: Builder, layer: Add) -> Wire:
    """A chain of two-operand sums in the exact accumulator; the last link requantizes, once."""
    wires = builder.aligned(layer)
    proof = builder.proofs[layer.name]
    clamp = Interval(*layer.clamp).shifted(-layer.output.zero_point)
    multipliers = [int(m) for m in layer.multiplier]
    if len(wires) == 1:
        # A sum of one operand: the second one counts nothing. (Two readers of one stream: hls4ml clones it.)
        wires, multipliers = [wires[0], wires[0]], [multipliers[0], 0]
    total, weight = wires[0], multipliers[0]
    for i in range(1, len(wires)):
        last = i == len(wires) - 1
        factors = Interval(min(weight, multipliers[i], -1), max(weight, multipliers[i], 1))
        out = replace(
            total,
            interval=clamp if last else proof.accumulator,
            fraction=builder.fraction(layer) if last else None,
            logical=layer.output.shape,
        )
        total = builder.custom(
            layer, "" if last else f"_sum{i}", "GatewrightSum", [total, wires[i]], out,
            f"a * {weight} + b * {multipliers[i]}" + (f", >> {layer.shift}" if last else ""),
            {
                "n_pixels": total.beats, "n_chan": total.channels, "multiplier_a": weight,
                "multiplier_b": multipliers[i], "last": last, "shift": layer.shift,
                "low": clamp.low, "high": clamp.high, "offset": 0,
            },
            {
                "multiplier_t": exact_type(factors),
                "product_t": product_type(proof.magnitude, layer.shift, clamp),
            },
            reuse_factor=builder.reuse(layer.name, total.channels),
        )  # fmt: skip
        weight = 1  # the partial sum is exact already
    return total


def multiply(builder: Builder, layer: Multiply) -> Wire:
    """``clamp((a * b * M + half) >> n)``."""
    a, b = builder.aligned(layer)
    clamp = Interval(*layer.clamp).shifted(-layer.output.zero_point)
    magnitude = builder.proofs[layer.name].magnitude
    return builder.custom(
        layer, "", "GatewrightMultiply", [a, b],
        replace(a, interval=clamp, fraction=builder.fraction(layer), logical=layer.output.shape),
        f"a * b * {layer.multiplier} >> {layer.shift}",
        {
            "n_pixels": a.beats, "n_chan": a.channels, "multiplier": layer.multiplier, "shift": layer.shift,
            "low": clamp.low, "high": clamp.high, "offset": 0,
        },
        {
            "multiplier_t": exact_type(Interval(-1, 1).hull(layer.multiplier)),
            "product_t": product_type(magnitude, layer.shift, clamp),
        },
        reuse_factor=builder.reuse(layer.name, a.channels),
    )  # fmt: skip


def concat(builder: Builder, layer: Concat) -> Wire:
    """Every operand requantized where it must be, then a chain of joins of two."""
    clamp = Interval(*layer.clamp).shifted(-layer.output.zero_point)
    parts = []
    for i, name in enumerate(layer.inputs):
        x = builder.canonical(layer, builder.wires[name])
        m, n = int(layer.multiplier[i]), int(layer.shift[i])
        unchanged = m == 1 << n and clamp.low <= x.interval.low and x.interval.high <= clamp.high
        if not unchanged:
            out = replace(x, fraction=builder.fraction(layer))
            magnitude = x.interval.magnitude * m + ((1 << n) >> 1)
            x = builder.rescale(layer, "" if len(layer.inputs) == 1 else f"_part{i}", x, out, clamp, m, n, magnitude)
        parts.append(x)
    axis = physical_axis(layer.output.shape, layer.axis)
    total, size = parts[0], parts[0].logical[layer.axis]
    for i, part in enumerate(parts[1:], start=1):
        size += part.logical[layer.axis]
        shape = (*total.shape[:axis], total.shape[axis] + part.shape[axis], *total.shape[axis + 1 :])
        logical = (*layer.output.shape[: layer.axis], size, *layer.output.shape[layer.axis + 1 :])
        out = Wire(
            "", shape, canonical_index(logical), logical, total.interval.hull(*part.interval), builder.fraction(layer)
        )
        total = builder.custom(
            layer, "" if i == len(parts) - 1 else f"_join{i}", "GatewrightJoin", [total, part], out,
            f"{total.shape} + {part.shape} along axis {axis}",
            {
                "outer": math.prod(shape[:axis]), "a_length": math.prod(total.shape[axis:]),
                "b_length": math.prod(part.shape[axis:]), "channels": axis == len(shape) - 1,
            },
        )  # fmt: skip
    return total


def table(builder: Builder, layer: Table) -> Wire:
    """``entries[x - low]`` for the values that occur."""
    x = builder.wires[layer.inputs[0]]
    operand = builder.graph[layer.inputs[0]].output
    seen = builder.ranges[layer.inputs[0]]
    entries = layer.table.astype(np.int64)[seen.low - operand.qmin : seen.high - operand.qmin + 1]
    entries = entries - layer.output.zero_point
    interval = Interval(int(entries.min()), int(entries.max()))
    signed = interval.low < 0
    width = interval.bits if signed else max(1, interval.high.bit_length())
    return builder.custom(
        layer, "", "GatewrightTable", [x],
        replace(x, interval=interval, fraction=builder.fraction(layer)), f"table of {layer.function or 'a function'}",
        {
            "n_pixels": x.beats, "n_chan": x.channels, "n_entries": entries.size,
            "low": seen.low - operand.zero_point,
        },
        tables={"entries": (entries, width, signed)},
        reuse_factor=builder.reuse(layer.name, x.channels),
    )  # fmt: skip


def requantize(builder: Builder, layer: Requantize) -> Wire:
    """Change of type."""
    x = builder.wires[layer.inputs[0]]
    return builder.rescale(
        layer, "", x, replace(x, fraction=builder.fraction(layer)),
        Interval(*layer.clamp).shifted(-layer.output.zero_point), layer.multiplier, layer.shift,
        builder.proofs[layer.name].magnitude,
    )  # fmt: skip
