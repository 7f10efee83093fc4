"""Pooling."""

from __future__ import annotations

from dataclasses import replace

from gatewright.compiler.integer.layers import AvgPool2d, MaxPool2d
from gatewright.compiler.integer.semantics import Interval
from gatewright.hls.exact import exact_type
from gatewright.hls.layout import Wire, canonical_index
from gatewright.hls.lowering import serial
from gatewright.hls.lowering.builder import Builder

__all__ = ["avg_pool2d", "max_pool2d"]


def max_pool2d(builder: Builder, layer: MaxPool2d) -> Wire:
    """hls4ml's pooling where stride = kernel without padding, else our window kernel; a clamp that bites follows."""
    x = builder.canonical(layer, builder.wires[layer.inputs[0]])
    height, width, channels = x.shape
    oh, ow = layer.output.shape[2:]
    clamp = Interval(*layer.clamp).shifted(-layer.output.zero_point)
    out = replace(x, shape=(oh, ow, channels), index=canonical_index(layer.output.shape), logical=layer.output.shape)
    clamps = not (clamp.low <= x.interval.low and x.interval.high <= clamp.high)
    suffix = "_max" if clamps else ""
    plain = layer.kernel == layer.strides and not any(layer.padding) and layer.dilation == (1, 1)
    if plain and height % layer.kernel[0] == 0 and width % layer.kernel[1] == 0:
        kind = exact_type(x.interval, x.fraction)
        y = builder.add(
            layer, suffix, "MaxPooling2D", [x], out, {"accum": kind},
            {
                "data_format": "channels_last", "in_height": height, "in_width": width, "n_filt": channels,
                "out_height": oh, "out_width": ow, "pool_height": layer.kernel[0], "pool_width": layer.kernel[1],
                "stride_height": layer.strides[0], "stride_width": layer.strides[1], "count_pad": False,
                "pad_top": 0, "pad_bottom": 0, "pad_left": 0, "pad_right": 0,
            },
            f"maximum over {layer.kernel[0]}x{layer.kernel[1]}",
        )  # fmt: skip
    else:
        # Padding holds qmin. A window wholly outside the image (odd padding) would give it, so it bounds the result.
        least = layer.output.qmin - layer.output.zero_point
        interval = x.interval.hull(least) if any(layer.padding) else x.interval
        y = _window(builder, layer, suffix, x, replace(out, interval=interval), layer.dilation, True, least)
        clamps = clamps or not clamp.low <= y.interval.low
    return builder.recast(layer, "_clamp", y, clamp) if clamps else y


def avg_pool2d(builder: Builder, layer: AvgPool2d) -> Wire:
    """Window sum, then one requantization. hls4ml's own average truncates toward zero, and twice."""
    x = builder.canonical(layer, builder.wires[layer.inputs[0]])
    if builder.stream and layer.kernel == x.shape[:2] and not any(layer.padding):
        return serial.average(builder, layer, x)
    proof = builder.proofs[layer.name]
    out = replace(
        x, shape=(*layer.output.shape[2:], x.channels), index=canonical_index(layer.output.shape),
        logical=layer.output.shape, interval=proof.accumulator,
    )  # fmt: skip
    acc = _window(builder, layer, "_acc", x, out, (1, 1), False, 0)
    builder.shallow.add(acc.name)
    return builder.requantize(
        layer, "", acc, Interval(*layer.clamp).shifted(-layer.output.zero_point), layer.multiplier, layer.shift,
        "pixel", proof.magnitude,
    )  # fmt: skip


def _window(
    builder: Builder, layer: MaxPool2d | AvgPool2d, suffix: str, x: Wire, out: Wire, dilation: tuple[int, int],
    maximum: bool, start: int,
) -> Wire:  # fmt: skip
    kind = "maximum" if maximum else "sum"
    typedefs = {"accum_t": exact_type(out.interval.hull(start, -1))}
    if layer.kernel == x.shape[:2] and not any(layer.padding) and out.beats == 1 and dilation == (1, 1):
        constants: dict[str, int | bool | str] = {
            "n_pixels": x.beats, "n_chan": x.channels, "maximum": maximum, "start": start,
        }  # fmt: skip
        return builder.custom(
            layer, suffix, "GatewrightReduce", [x], out, f"{kind} over the image", constants, typedefs
        )
    return builder.custom(
        layer, suffix, "GatewrightWindow", [x], out,
        f"{kind} over {layer.kernel[0]}x{layer.kernel[1]}, strides {layer.strides}",
        {
            "in_height": x.shape[0], "in_width": x.shape[1], "n_chan": x.channels,
            "out_height": out.shape[0], "out_width": out.shape[1],
            "kernel_height": layer.kernel[0], "kernel_width": layer.kernel[1],
            "stride_height": layer.strides[0], "stride_width": layer.strides[1],
            "dilation_height": dilation[0], "dilation_width": dilation[1],
            "pad_top": layer.padding[0], "pad_left": layer.padding[1], "maximum": maximum, "start": start,
        },
        typedefs,
    )  # fmt: skip
