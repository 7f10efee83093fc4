"""Pooling. hls4ml sums in ``accum_t`` and divides there, toward zero; the quotient is then cast to the result."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from gatewright.hls.lattice.plugin.builder import Builder, Make, Wire
from gatewright.hls.lattice.plugin.casts import Step, Value, steps
from gatewright.hls.lattice.plugin.fixed import Fixed, Unsupported, rounded
from gatewright.hls.lattice.plugin.weights import kind_of, result_kind
from gatewright.schedules.stream.stages import IntArray, Pool, Rescale, Stage, Stream, Window

__all__ = ["global_pooling", "pooling"]


def pooling(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``MaxPooling`` and ``AveragePooling``, 1D and 2D."""
    wire, get = builder.padded(wires[0]), node.get_attr
    if get("data_format", "channels_last") != "channels_last":
        raise Unsupported("channels first", "convert with channels_last_conversion")
    height, width, channels = wire.shape if len(wire.shape) == 3 else (1, *wire.shape)
    top, left, bottom, right = (int(get(f"pad_{side}", 0)) for side in ("top", "left", "bottom", "right"))
    window = Window(
        height, width, channels, (int(get("pool_height", 1)), int(get("pool_width"))),
        (int(get("stride_height", 1)), int(get("stride_width"))), (1, 1), (top, left, bottom, right),
    )  # fmt: skip
    if any(window.padding) and node.model.config.get_config_value("IOType") == "io_stream":
        raise Unsupported(
            "padding: hls4ml's stream pooling has none", "use io_parallel, or pad with a layer of its own"
        )
    return _pool(builder, node, wire, window, bool(get("count_pad", False)))


def global_pooling(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``GlobalMaxPooling`` and ``GlobalAveragePooling``, 1D and 2D."""
    wire = builder.padded(wires[0])
    height, width, channels = wire.shape if len(wire.shape) == 3 else (1, *wire.shape)
    return _pool(builder, node, wire, Window(height, width, channels, (height, width)), False)


def _pool(builder: Builder, node: Any, wire: Wire, window: Window, count_pad: bool) -> Wire:
    accum, result = kind_of(node, "accum_t"), result_kind(node)
    shape = tuple(node.get_output_variable().shape)
    if node.get_attr("pool_op") == "Max":
        kind = Fixed.of(node.get_input_variable().type.precision)
        return _maximum(builder, wire, window, [accum, result], shape, kind)
    return _average(builder, wire, window, accum, result, shape, count_pad)


def _maximum(
    builder: Builder, wire: Wire, window: Window, casts: list[Fixed], shape: tuple[int, ...], kind: Fixed
) -> Wire:  # fmt: skip
    value, accum = wire.value, casts[0]
    if not accum.fits(
        *(rounded(end, value.fraction - accum.fraction, accum.rounding) for end in (value.low, value.high))
    ):
        raise Unsupported("accum_t does not hold the input's range", "set accum to 'auto', or widen it")
    if any(window.padding):
        pad = _pad(value, kind)
        window = replace(window, pad=pad)
        value = replace(value, low=min(value.low, pad))
        if (_overlap(window) == 0).any():
            raise Unsupported("a window that holds padding alone", "pad less")
    x, layer = builder.streams[wire.stream], builder.layer
    return builder.emit(
        "pool",
        lambda name, out, rescale: Pool(name, (wire.stream,), out, layer, x, window, True, rescale),
        shape, (value.low, value.high), value, steps(value, casts),
    )  # fmt: skip


def _pad(value: Value, kind: Fixed) -> int:
    """What pads a maximum: nnet::pad_val sets the highest bit of the input's type.

    That is the least value of a signed type, for which anything below all values will do. Of an unsigned type it is
    half the range, and matters.
    """
    if kind.signed:
        return min(value.low, 0)
    pad, zeros = 1 << (kind.width - 1), kind.fraction - value.fraction  # the wire may lack zeros at the end
    if zeros > kind.width - 1 or pad >> zeros > value.high:
        raise Unsupported(
            "padding: hls4ml pads unsigned types with half their range", "pad with a layer, or not at all"
        )
    return pad >> zeros


def _average(
    builder: Builder, wire: Wire, window: Window, accum: Fixed, result: Fixed, shape: tuple[int, ...], count_pad: bool
) -> Wire:  # fmt: skip
    wire = builder.cast(wire, accum)  # every term is cast on its own
    value, area = wire.value, window.kernel[0] * window.kernel[1]
    low, high = min(value.low, 0) * area, max(value.high, 0) * area
    up = accum.fraction - value.fraction  # the division cuts off below accum_t's last bit, not below ours
    if not accum.fits(low << up, high << up):
        raise Unsupported("the sum may overflow accum_t", "set accum to 'auto', or widen it")
    counts = np.full(window.output, area) if count_pad else _overlap(window)
    least = int(counts.min())
    if least == 0:
        raise Unsupported("a window that holds padding alone", "pad less")
    exact = least.bit_length() - 1
    if (counts == 1 << exact).all() and up >= exact:
        total = Value(value.fraction + exact, low, high)
        todo = steps(total, [result])
        return builder.emit("pool", _maker(builder, wire, window, None), shape, (low, high), total, todo)
    multiplier, shift = _reciprocals(counts, max(-low, high) << up)
    multiplier = multiplier << up
    if (multiplier == multiplier.flat[0]).all():
        multiplier = multiplier.flat[:1]
    else:
        multiplier = np.repeat(multiplier.reshape(-1), window.channels)
    rounding = "floor" if low >= 0 else "toward_zero"
    quotient = Value(accum.fraction, -((-low << up) // least), (high << up) // least)
    step = Step(0, shift, 0, rounding, quotient.low, quotient.high, False, True, quotient)
    step, todo = _joined(step, steps(quotient, [result]))
    total = Value(value.fraction, low, high)
    return builder.emit("pool", _maker(builder, wire, window, multiplier), shape, (low, high), total, [step, *todo])


def _maker(builder: Builder, wire: Wire, window: Window, multiplier: IntArray | None) -> Make:
    """Makes the sum over windows; ``multiplier`` is what its rescale multiplies by."""
    x, layer = builder.streams[wire.stream], builder.layer

    def make(name: str, out: Stream, rescale: Rescale) -> Stage:
        if multiplier is not None:
            bias, shift = (np.resize(array, multiplier.size) for array in (rescale.bias, rescale.shift))
            rescale = replace(rescale, bias=bias, multiplier=multiplier, shift=shift)
        return Pool(name, (wire.stream,), out, layer, x, window, False, rescale)

    return make


def _joined(division: Step, todo: list[Step]) -> tuple[Step, list[Step]]:
    """A division that rounds down, and a cast of the quotient that rounds down or half up, are one such rounding."""
    if division.rounding != "floor" or not todo:
        return division, todo
    cast = todo[0]
    if cast.left or cast.bias or cast.rounding not in ("floor", "half_up"):
        return division, todo
    return replace(cast, shift=cast.shift + division.shift), todo[1:]


def _overlap(window: Window) -> IntArray:
    """Pixels of the image in every window."""
    top, left, _, _ = window.padding
    inside = np.zeros(window.padded, np.int64)
    inside[top : top + window.height, left : left + window.width] = 1
    rows, columns = window.output
    counts = np.zeros((rows, columns), np.int64)
    for y, x in itertools.product(range(window.kernel[0]), range(window.kernel[1])):
        counts += inside[y :: window.strides[0], x :: window.strides[1]][:rows, :columns]
    return counts


def _reciprocals(counts: IntArray, largest: int) -> tuple[IntArray, int]:
    """M and n with ``floor(v / c) == (v * M) >> n`` for 0 <= v <= largest and every count c.

    M = ceil(2**n / c) is too large by less than 1; it does no harm while ``v * (c * M - 2**n) < 2**n`` (Granlund and
    Montgomery 1994, theorem 4.2).
    """
    for shift in range(1, 62):
        multiplier = -(-(1 << shift) // counts)
        if ((multiplier * counts - (1 << shift)) * max(largest, 1) < (1 << shift)).all():
            return multiplier, shift
    raise Unsupported("the mean of values this wide", "give a narrower accum type")
