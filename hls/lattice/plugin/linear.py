"""Dense, convolutions and batch normalization: one Mac each.

hls4ml casts every product to ``accum_t``, adds modulo its width, starting from the bias, and casts the sum to the
result. With at least the products' fraction bits the casts are exact, so that only the final wrap remains.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gatewright.hls.lattice.plugin.builder import Builder, Wire
from gatewright.hls.lattice.plugin.casts import Step, Value, steps
from gatewright.hls.lattice.plugin.fixed import Fixed, Unsupported
from gatewright.hls.lattice.plugin.weights import kind_of, raw_weights, result_kind
from gatewright.schedules.stream.stages import IntArray, Mac, Window

__all__ = ["batch_normalization", "convolution", "dense", "depthwise_by", "depthwise_convolution"]


def dense(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``Dense``; leading axes are pixels."""
    wire = builder.padded(wires[0])
    weight, kind = _weight(node)
    features = weight.shape[0]
    if wire.size % features:
        raise Unsupported(f"{wire.size} inputs do not divide into rows of {features}", "flatten the input")
    window = Window(1, wire.size // features, features)
    return _linear(builder, node, wire, window, weight.T[:, :, None, None], kind, 1, True)


def convolution(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``Conv1D``, ``Conv2D`` and their pointwise variants."""
    wire, window = _window(builder, node, wires[0])
    weight, kind = _weight(node)
    weight = weight.reshape(*window.kernel, window.channels, -1).transpose(3, 2, 0, 1)
    return _linear(builder, node, wire, window, weight, kind, 1, True)


def depthwise_convolution(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``DepthwiseConv1D`` and ``DepthwiseConv2D``."""
    if node.get_attr("n_filt") != node.get_attr("n_chan"):
        raise Unsupported("a depth multiplier above 1", "use depth_multiplier=1")
    wire, window = _window(builder, node, wires[0])
    weight, kind = _weight(node)
    weight = weight.reshape(*window.kernel, window.channels, 1).transpose(2, 3, 0, 1)
    return _linear(builder, node, wire, window, weight, kind, window.channels, True)


def batch_normalization(builder: Builder, node: Any, wires: list[Wire]) -> Wire:
    """``BatchNormalization`` and ``ApplyAlpha``: ``x * scale + bias``, exact, then cast."""
    wire = builder.padded(wires[0])
    scale, kind = raw_weights(node, "scale")
    channels = int(node.get_attr("n_filt", -1))
    channels = wire.size if channels == -1 else channels
    if scale.size != channels or wire.size % channels:
        raise Unsupported(f"{scale.size} scales for {channels} channels", "give one scale a channel")
    window = Window(1, wire.size // channels, channels)
    return _linear(builder, node, wire, window, scale.reshape(-1, 1, 1, 1), kind, channels, False)


def depthwise_by(builder: Builder, wire: Wire, weight: IntArray, fraction: int) -> Wire:
    """``wire`` times one constant an element, exact."""
    total = _products(wire, weight.reshape(-1, 1, 1, 1), 0)
    value = Value(wire.value.fraction + fraction, int(total[0].min()), int(total[1].max()))
    window, x = Window(1, 1, wire.size), builder.streams[wire.stream]
    return builder.emit(
        "scale",
        lambda name, out, rescale: Mac(
            name, (wire.stream,), out, builder.layer, x, window, weight.reshape(-1, 1, 1, 1), wire.size, rescale
        ),
        wire.shape, (value.low, value.high), value, [],
    )  # fmt: skip


def _weight(node: Any) -> tuple[IntArray, Fixed]:
    """Weights as they multiply: hls4ml takes 2-bit integers for -1, 0 and 1."""
    from hls4ml.model.types import IntegerPrecisionType

    weight, kind = raw_weights(node, "weight")
    precision = node.weights["weight"].type.precision
    if isinstance(precision, IntegerPrecisionType) and precision.width == 2 and precision.signed:
        weight = np.where(weight == -2, 1, weight)  # nnet::product::weight_ternary
    return weight, kind


def _window(builder: Builder, node: Any, wire: Wire) -> tuple[Wire, Window]:
    """Geometry of a convolution; it takes over the zeros of a padding layer in front."""
    if node.get_attr("data_format", "channels_last") != "channels_last":
        raise Unsupported("channels first", "convert with channels_last_conversion")
    if any(int(node.get_attr(f"dilation{side}") or 1) != 1 for side in ("", "_height", "_width")):
        raise Unsupported("dilation: hls4ml's own kernels ignore it", "use an undilated convolution")
    one = len(wire.shape) == 2
    height, width, channels = (1, *wire.shape) if one else wire.shape
    get = node.get_attr
    padding = tuple(int(get(f"pad_{side}", 0)) for side in ("top", "left", "bottom", "right"))
    if wire.padding is not None:
        padding = tuple(a + b for a, b in zip(padding, wire.padding, strict=True))
    window = Window(
        height, width, channels, (int(get("filt_height", 1)), int(get("filt_width"))),
        (int(get("stride_height", 1)), int(get("stride_width"))), (1, 1), padding,  # type: ignore[arg-type]
    )  # fmt: skip
    wanted = tuple(node.get_output_variable().shape[:-1])
    if window.output[1:] != wanted if one else window.output != wanted:
        raise Unsupported(
            f"hls4ml computes an output of {wanted}, its geometry gives {window.output}", "check padding and strides"
        )
    return wire, window


def _products(wire: Wire, weight: IntArray, least: int | None) -> tuple[IntArray, IntArray]:
    """Range of the sum of products, by output; ``least`` 0: of every partial sum too."""
    low, high = wire.value.low, wire.value.high
    if least is not None:
        low, high = min(low, least), max(high, least)
    axes = (1, 2, 3)
    positive, negative = np.where(weight > 0, weight, 0).sum(axis=axes), np.where(weight < 0, weight, 0).sum(axis=axes)
    return positive * low + negative * high, positive * high + negative * low


def _linear(
    builder: Builder, node: Any, wire: Wire, window: Window, weight: IntArray, kind: Fixed, groups: int, sums: bool
) -> Wire:  # fmt: skip
    fraction = wire.value.fraction + kind.fraction
    result = result_kind(node)
    bias, bias_kind = raw_weights(node, "bias")
    bias = bias.reshape(-1)
    bias_fraction = bias_kind.fraction
    casts = [result]
    if sums:
        accum = kind_of(node, "accum_t")
        if accum.fraction < fraction:
            raise Unsupported(
                f"accum_t has {accum.fraction} fraction bits, the products have {fraction}: hls4ml would cut every one",
                "set accum to 'auto', or give it more fraction bits",
            )
        bias = np.array([accum.cast(int(b), bias_fraction) for b in bias], np.int64)
        bias_fraction = accum.fraction
        casts = [accum, result]
    if bias.size != weight.shape[0]:
        raise Unsupported(f"{bias.size} biases for {weight.shape[0]} channels", "give one bias a channel")
    bias, up, casts = _align(bias, bias_fraction, fraction, casts)
    weight, fraction = weight << up, fraction + up
    if sums:
        _check_saturation(casts[0], wire, weight, bias, fraction)

    least, most = _products(wire, weight, 0 if any(window.padding) else None)
    acc = (int(least.min()), int(most.max()))
    if window.kernel != (1, 1) or window.channels > 1:  # partial sums begin at 0 in hardware too
        acc = (min(acc[0], 0), max(acc[1], 0))
    total = Value(fraction, int((least + bias).min()), int((most + bias).max()))
    todo: list[Step] = steps(total, casts)
    x, layer = builder.streams[wire.stream], builder.layer
    return builder.emit(
        "mac",
        lambda name, out, rescale: Mac(name, (wire.stream,), out, layer, x, window, weight, groups, rescale),
        tuple(node.get_output_variable().shape), acc, total, todo, bias,
    )  # fmt: skip


def _align(bias: IntArray, bias_fraction: int, fraction: int, casts: list[Fixed]) -> tuple[IntArray, int, list[Fixed]]:
    """Biases with the fraction of the products, or how far the weights must go to the left.

    Where the result is rounded down, bits of the bias below the products' last do not matter.
    """
    finer = bias_fraction - fraction
    if finer <= 0:
        return bias << -finer, 0, casts
    if not (bias & ((1 << finer) - 1)).any():
        return bias >> finer, 0, casts
    if casts[-1].rounding == "TRN" and casts[-1].fraction <= fraction and all(k.saturation == "WRAP" for k in casts):
        return bias >> finer, 0, casts
    odd = int(np.bitwise_or.reduce(bias))
    used = finer - ((odd & -odd).bit_length() - 1)  # fraction bits of the bias that are not always 0
    return bias >> (finer - used), used, casts


def _check_saturation(accum: Fixed, wire: Wire, weight: IntArray, bias: IntArray, fraction: int) -> None:
    """An accumulator that saturates forgets: only where it never does is the order of the sums free."""
    if accum.saturation == "WRAP":
        return
    least, most = _products(wire, weight, 0)
    up = accum.fraction - fraction
    if not accum.fits(int((least + bias).min()) << up, int((most + bias).max()) << up):
        raise Unsupported("accum_t saturates and may overflow on the way", "widen accum_t, or let it wrap")
