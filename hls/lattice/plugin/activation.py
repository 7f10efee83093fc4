"""Activations: clamps, weighted sums of clamps, and tables.

The formulas are those of hls4ml's ``nnet_utils/nnet_activation.h``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from gatewright.hls.lattice.plugin.builder import Builder, Wire
from gatewright.hls.lattice.plugin.casts import Step, Value, clamped, steps
from gatewright.hls.lattice.plugin.fixed import Fixed, Unsupported
from gatewright.hls.lattice.plugin.linear import depthwise_by
from gatewright.hls.lattice.plugin.weights import kind_of, raw_weights, result_kind
from gatewright.schedules.stream.stages import Table

__all__ = ["activation", "hard", "parametrized", "prelu", "softmax"]

_WIDE = 12
"""Bits of the widest input whose function is one table."""


def _float32(function: Callable[[float], float]) -> Callable[[float], float]:
    """hls4ml computes table entries with C floats."""
    return lambda x: float(np.float32(function(x)))


_TABLES: dict[str, tuple[int, Callable[[float], float]]] = {
    "sigmoid": (8, _float32(lambda x: 1.0 / float(np.float32(1) + np.float32(math.exp(-x))))),
    "tanh": (4, math.tanh),
    "softplus": (8, _float32(lambda x: math.log(float(np.float32(math.exp(x))) + 1.0))),
    "softsign": (8, _float32(lambda x: x / (abs(x) + 1.0))),
}
"""Name -> (the table covers +- this, the function)."""


def activation(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``Activation``: linear, the ReLU family, tables."""
    wire, result = builder.padded(wires[0]), result_kind(node)
    name = node.get_attr("activation").lower()
    match name:
        case "linear":
            return builder.cast(wire, result)
        case "relu":
            return _between(builder, wire, 0, None, result)
        case "relu6" | "relu1":
            return _between(builder, wire, 0, int(name[4:]), result)
        case "sigmoid" | "tanh" | "softplus" | "softsign":
            return _table(builder, node, wire, name, result)
        case "elu" | "selu":
            return _exponential(builder, node, wire, name, result)
        case "softmax":
            return softmax(builder, node, wires)
    raise Unsupported(f"the activation {name}", "use relu, or a table such as tanh")


def softmax(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``Softmax``, where it is skipped."""
    if node.get_attr("skip", False):
        return builder.padded(wires[0])
    raise Unsupported("softmax", "set Skip for this layer and take the softmax (or argmax) of the outputs on the host")


def parametrized(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``LeakyReLU``, ``ELU`` and ``ThresholdedReLU``."""
    wire, result, kind = builder.padded(wires[0]), result_kind(node), kind_of(node, "param_t")
    name = node._get_act_function_name()
    param = kind.cast_float(float(node.get_attr("activ_param", 1.0)))
    fraction = wire.value.fraction
    if name == "leaky_relu":
        return _leaky(builder, wire, [wire, wire], (kind.fraction, param), result)
    if name == "elu":
        return _exponential(builder, node, wire, name, result, (param, kind.fraction))
    if name == "thresholded_relu":
        up = max(fraction, kind.fraction)
        theta = param << (up - kind.fraction)
        return _every(builder, wire, result, lambda x: result.cast(x, fraction) if x << (up - fraction) > theta else 0)
    raise Unsupported(f"the activation {name}", "use relu")


def prelu(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``PReLU``: one slope an element."""
    wire, result = builder.padded(wires[0]), result_kind(node)
    alpha, kind = raw_weights(node, "param")
    if alpha.size != wire.size:
        raise Unsupported(f"{alpha.size} slopes for {wire.size} elements", "give one slope an element")
    below = _clamp(builder, wire, None, 0)
    scaled = depthwise_by(builder, below, alpha.reshape(-1), kind.fraction)
    return _leaky(builder, wire, [wire, scaled], (kind.fraction, 1), result)


def hard(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``HardActivation``: hard_sigmoid and hard_tanh."""
    wire, result = builder.padded(wires[0]), result_kind(node)
    slope_kind, shift_kind = kind_of(node, "slope_t"), kind_of(node, "shift_t")
    slope = slope_kind.cast_float(float(node.get_attr("slope")))
    fraction = max(wire.value.fraction + slope_kind.fraction, shift_kind.fraction)
    shift = shift_kind.cast_float(float(node.get_attr("shift"))) << (fraction - shift_kind.fraction)
    weight = slope << (fraction - wire.value.fraction - slope_kind.fraction)
    one, least = 1 << fraction, 0
    if node.get_attr("activation").lower() == "hard_tanh":
        weight, shift, least = 2 * weight, 2 * shift - one, -one
    bounds = sorted((wire.value.low * weight + shift, wire.value.high * weight + shift))
    total = Value(fraction, *bounds)
    todo = steps(total, [result], clamped(total, least, one))
    return builder.combined("hard", [wire], [weight], total, todo, shift)


# -- clamps ------------------------------------------------------------------------------------------------------------


def _between(builder: Builder, wire: Wire, low: int | None, high: int | None, result: Fixed) -> Wire:
    """Clamp to [low, high], then cast."""
    fraction = wire.value.fraction
    if fraction < 0 and high:
        raise Unsupported("an input without a units bit", "give the input type more fraction bits")
    bound = None if high is None else high << fraction
    return builder.apply(wire, steps(wire.value, [result], clamped(wire.value, low, bound)))


def _clamp(builder: Builder, wire: Wire, low: int | None, high: int | None) -> Wire:
    return builder.apply(wire, clamped(wire.value, low, high))


def _leaky(builder: Builder, wire: Wire, parts: list[Wire], slope: tuple[int, int], result: Fixed) -> Wire:
    """``max(x, 0) + slope * min(x, 0)``: one of them is 0, so that the sum is exact whatever the sign."""
    fraction, raw = slope
    above = _clamp(builder, parts[0], 0, None)
    below = parts[1] if parts[1] is not wire else _clamp(builder, wire, None, 0)
    ends = (below.value.low * raw, below.value.high * raw)
    total = Value(
        wire.value.fraction + fraction,
        min(*ends, above.value.low << fraction),
        max(*ends, above.value.high << fraction),
    )
    return builder.combined("leaky", [above, below], [1 << fraction, raw], total, steps(total, [result]))


# -- tables ------------------------------------------------------------------------------------------------------------


def _every(builder: Builder, wire: Wire, result: Fixed, function: Callable[[int], int]) -> Wire:
    """A table of ``function``: raw value -> raw value of ``result``."""
    x = builder.streams[wire.stream]
    if x.bits > _WIDE:
        raise Unsupported(
            f"a function of {x.bits} bits: a table would have 2**{x.bits} entries",
            f"give the layer in front a result of at most {_WIDE} bits",
        )
    first = -(1 << (x.bits - 1)) if x.signed else 0
    entries = np.array([function(first + i) for i in range(1 << x.bits)], np.int64)
    reached = entries[wire.value.low - first : wire.value.high - first + 1]
    value = Value(result.fraction, int(reached.min()), int(reached.max()))
    # What no input reaches must fit the stream all the same.
    entries = np.clip(entries, value.low, value.high)
    out = builder.stream(wire.shape, value)
    name = builder.unique("table")
    return builder.put(Table(name, (wire.stream,), out, builder.layer, x, entries), wire.shape, value)


def _table(builder: Builder, node: Any, wire: Wire, name: str, result: Fixed) -> Wire:
    """``table[clamp(trunc(x * size / (2 * reach)) + size / 2)]``."""
    reach, function = _TABLES[name]
    size, kind = int(node.get_attr("table_size")), kind_of(node, "table_t")
    if size & (size - 1):
        raise Unsupported(f"a table of {size} entries", "use a power of two")
    entries = [
        result.cast(kind.cast_float(function(2.0 * reach * (i - size / 2) / size)), kind.fraction) for i in range(size)
    ]
    shift = wire.value.fraction + (2 * reach).bit_length() - size.bit_length()
    x = builder.streams[wire.stream]
    if x.bits <= size.bit_length() - 1:
        return _every(builder, wire, result, lambda v: entries[_index(v, shift, size)])
    # Wider inputs first become an index, counted from the middle of the table.
    low, high = -(size // 2), size // 2 - 1
    ends = (_index(wire.value.low, shift, size) + low, _index(wire.value.high, shift, size) + low)
    out = Value(0, *ends)
    wire = replace(wire, value=replace(wire.value, fraction=0))
    rounding = "floor" if wire.value.low >= 0 else "toward_zero"
    step = Step(0, max(shift, 0), max(-shift, 0), rounding, low, high, False, False, out)
    indices = builder.apply(wire, [step])
    return _every(builder, indices, result, lambda i: entries[min(max(i - low, 0), size - 1)])


def _index(value: int, shift: int, size: int) -> int:
    whole = value << -shift if shift <= 0 else abs(value) >> shift
    if shift > 0 and value < 0:
        whole = -whole
    return min(max(whole + size // 2, 0), size - 1)


def _exponential(
    builder: Builder, node: Any, wire: Wire, name: str, result: Fixed, alpha: tuple[int, int] = (1, 0)
) -> Wire:  # fmt: skip
    """ELU and SELU: a table below 0, indexed by ``trunc(x * size / -8)``."""
    size, kind = int(node.get_attr("table_size")), kind_of(node, "table_t")
    scale = Fixed(16, 15, False).cast_float(1.0507009873554805)  # selu_const_t
    fraction = wire.value.fraction

    def entry(i: int) -> int:
        x = float(np.float32(math.exp(-8.0 * i / size)))
        if name == "elu":
            return kind.cast_float(float(np.float32(x - 1.0)))
        return kind.cast_float(
            float(np.float32(1.0507009873554804934193349852946 * (1.6732632423543772848170429916717 * (x - 1.0))))
        )

    def function(v: int) -> int:
        if v >= 0:
            return result.cast(v, fraction) if name == "elu" else result.cast(scale * v, fraction + 15)
        whole = -v * size
        i = (whole << -fraction if fraction < 0 else whole >> fraction) // 8
        raw = entry(min(i, size - 1))
        return result.cast(raw * alpha[0], kind.fraction + alpha[1])

    return _every(builder, wire, result, function)
