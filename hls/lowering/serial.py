"""Our serial kernels, which requantize too: in streams, depthwise and pointwise convolution of strategy ``resource``,
other convolutions of strategy ``serial``, and the average over the whole image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gatewright.compiler.integer.layers import AvgPool2d, Conv2d, Dense
from gatewright.compiler.integer.semantics import Interval
from gatewright.compiler.integer.tensor import IntArray
from gatewright.hls.exact import exact_type
from gatewright.hls.layout import Wire, canonical_index, canonical_shape
from gatewright.hls.lowering.builder import Builder, Tables, requantization
from gatewright.hls.reuse import nearest, serial_groups, serial_reuse_factors

__all__ = ["average", "convolution", "depthwise", "is_serial", "picked", "pointwise"]


def is_serial(builder: Builder, layer: Conv2d | Dense, strategies: tuple[str, ...] = ("resource", "serial")) -> bool:
    """Whether the plan leaves ``layer`` to these kernels, if it is of their kind."""
    return builder.stream and builder.rows.get(layer.name, {}).get("strategy", "resource") in strategies


def depthwise(builder: Builder, layer: Conv2d, x: Wire, weight: IntArray) -> Wire:
    """``weight``: (C, 1, KH, KW), zero points subtracted."""
    channels = x.channels
    reuse = _reuse(builder, layer, 1, channels)
    out = replace(x, shape=(*layer.output.shape[2:], channels), index=canonical_index(layer.output.shape))
    return _emit(
        builder, layer, "GatewrightDepthwise", x, out, weight, _window(layer, x), reuse,
        f"depthwise {weight.shape[2]}x{weight.shape[3]}, {channels // reuse} of {channels} channels a cycle",
    )  # fmt: skip


def convolution(builder: Builder, layer: Conv2d, x: Wire, weight: IntArray) -> Wire:
    """``weight``: (O, I, KH, KW), zero points subtracted, groups filled up."""
    n_out, channels, kh, kw = weight.shape
    reuse = _reuse(builder, layer, channels, n_out)
    parallel_in, parallel_out = _parallel(channels, n_out, reuse)
    out = replace(x, shape=(*layer.output.shape[2:], n_out), index=canonical_index(layer.output.shape))
    constants = {**_window(layer, x), "n_filt": n_out, "parallel_in": parallel_in, "parallel_out": parallel_out}
    return _emit(
        builder, layer, "GatewrightConvolution", x, out, weight, constants, reuse,
        f"convolution {kh}x{kw}, {parallel_in} channels x {parallel_out} outputs a cycle",
    )  # fmt: skip


def _window(layer: Conv2d, x: Wire) -> dict[str, int | bool | str]:
    height, width, channels = x.shape
    top, left, bottom, right = layer.padding
    return {
        "n_chan": channels, "in_height": height, "in_width": width, "pad_top": top, "pad_left": left,
        "padded_height": height + top + bottom, "padded_width": width + left + right,
        "kernel_height": layer.weight.shape[2], "kernel_width": layer.weight.shape[3],
        "stride_height": layer.strides[0], "stride_width": layer.strides[1],
        "dilation_height": layer.dilation[0], "dilation_width": layer.dilation[1],
    }  # fmt: skip


def _reuse(builder: Builder, layer: Conv2d | Dense, n_in: int, n_out: int) -> int:
    """The plan's reuse factor, or the nearest the kernel knows."""
    wanted = int(builder.rows.get(layer.name, {}).get("reuse_factor", n_in * n_out))
    return nearest(serial_reuse_factors(n_in, n_out), wanted)


def _parallel(n_in: int, n_out: int, reuse: int) -> tuple[int, int]:
    groups_in, groups_out = serial_groups(n_out, reuse)
    return n_in // groups_in, n_out // groups_out


def pointwise(builder: Builder, layer: Conv2d | Dense, x: Wire, out: Wire, weight: IntArray) -> Wire:
    """One product a beat; ``weight``: (O, I), zero points subtracted."""
    n_out, n_in = weight.shape
    reuse = _reuse(builder, layer, n_in, n_out)
    parallel_in, parallel_out = _parallel(n_in, n_out, reuse)
    return _emit(
        builder, layer, "GatewrightPointwise", x, out, weight,
        {
            "n_pixels": x.beats, "n_chan": n_in, "n_filt": n_out,
            "parallel_in": parallel_in, "parallel_out": parallel_out,
        },
        reuse, f"pointwise {n_in} -> {n_out}, {parallel_in} x {parallel_out} products a cycle",
    )  # fmt: skip


def average(builder: Builder, layer: AvgPool2d, x: Wire) -> Wire:
    """A running sum a channel."""
    proof = builder.proofs[layer.name]
    clamp = Interval(*layer.clamp).shifted(-layer.output.zero_point)
    reuse = nearest(serial_reuse_factors(1, x.channels), builder.reuse(layer.name, x.channels))
    constants, typedefs, tables = requantization(
        proof.accumulator, clamp, layer.multiplier, layer.shift, proof.magnitude
    )
    multiplier, shift = (int(tables[name][0][0]) for name in ("multiplier", "shift"))
    out = replace(
        x, shape=(1, 1, x.channels), index=canonical_index(layer.output.shape), logical=layer.output.shape,
        interval=clamp, fraction=builder.fraction(layer),
    )  # fmt: skip
    return builder.custom(
        layer, "", "GatewrightAverage", [x], out, f"sum over the image * {multiplier} >> {shift}",
        {"n_pixels": x.beats, "n_chan": x.channels, "multiplier": multiplier, "shift": shift, **constants},
        {
            "accum_t": exact_type(proof.accumulator.hull(-1)), "multiplier_t": exact_type(Interval(0, multiplier)),
            **typedefs,
        },
        reuse_factor=reuse,
    )  # fmt: skip


def picked(builder: Builder, layer: Conv2d, x: Wire) -> Wire:
    """The pixels a 1x1 kernel meets: strides skip some, padding adds pixels that are 0."""
    _, channels, height, width = x.logical
    top, left, bottom, right = layer.padding
    positions = np.arange(x.index.size, dtype=np.int64).reshape(channels, height, width)
    padded = np.pad(positions, ((0, 0), (top, bottom), (left, right)), constant_values=-1)
    wanted = padded[:, :: layer.strides[0], :: layer.strides[1]]
    logical = (1, *wanted.shape)
    index = canonical_index(logical)
    return builder.gather(layer, "_picked", x, canonical_shape(logical), wanted.ravel()[index], index, logical)


def _emit(
    builder: Builder, layer: Conv2d | Dense, class_name: str, x: Wire, out: Wire, weight: IntArray,
    constants: dict[str, int | bool | str], reuse: int, comment: str,
) -> Wire:  # fmt: skip
    proof = builder.proofs[layer.name]
    clamp = Interval(*layer.clamp).shifted(-layer.output.zero_point)
    # Partial sums may leave the proven range; they wrap, and the whole sum is right again.
    accumulator = proof.accumulator.hull(-1)
    more, typedefs, tables = requantization(accumulator, clamp, layer.multiplier, layer.shift, proof.magnitude)
    return builder.custom(
        layer, "", class_name, [x],
        replace(out, interval=clamp, fraction=builder.fraction(layer), logical=layer.output.shape),
        f"{layer.op} {x.shape} -> {out.shape}: {comment}",
        {**constants, **more}, {"accum_t": exact_type(accumulator), **typedefs},
        {**_constants(weight, "weight"), **_constants(layer.bias, "bias"), **tables}, reuse,
    )  # fmt: skip


def _constants(values: IntArray, name: str) -> Tables:
    flat = values.ravel().astype(np.int64)
    return {name: (flat, Interval(int(flat.min()), int(flat.max())).hull(-1).bits, True)}
