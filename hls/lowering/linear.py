"""Convolution and dense: hls4ml's kernels compute the exact accumulator, our requantize (or, in profile ``fixed``, the
conversion to the result type) makes the result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gatewright.compiler.integer.layers import Conv2d, Dense
from gatewright.compiler.integer.semantics import Interval
from gatewright.compiler.integer.semantics.linear import centred_weight
from gatewright.compiler.integer.tensor import IntArray
from gatewright.hls.exact import exact_type, saturating_type, weight_type
from gatewright.hls.layout import Wire, canonical_index, canonical_shape
from gatewright.hls.lowering.builder import Builder
from gatewright.hls.reuse import closest_reuse_factor

__all__ = ["conv2d", "dense"]


def conv2d(builder: Builder, layer: Conv2d) -> Wire:
    """Conv2d -> Conv2D or DepthwiseConv2D (or affine for depthwise 1x1) -> requantize."""
    x = builder.canonical(layer, builder.wires[layer.inputs[0]])
    height, width, channels = x.shape
    weight, padding, strides = _stuffed(centred_weight(layer), layer.dilation), layer.padding, layer.strides
    depthwise = layer.groups > 1 and layer.groups == channels == weight.shape[0]
    if layer.groups > 1 and not depthwise:
        weight = _block_diagonal(weight, layer.groups)
    kh, kw = weight.shape[2:]
    if depthwise and (kh, kw) == (1, 1) and strides == (1, 1) and not any(padding):
        return _finish(builder, layer, _affine(builder, layer, x, weight), layer.output.shape)
    if kh == 1 and depthwise:
        # hls4ml's depthwise kernel declares a line buffer of kernel height - 1 rows: give it one, under a zero row.
        weight = np.concatenate([weight, np.zeros_like(weight)], axis=2)
        padding = (padding[0], padding[1], padding[2] + 1, padding[3])
        kh = 2
    if kh == 1 and strides[0] > 1 and kw > 1:
        # hls4ml's one-row kernel has no vertical stride: pick the rows first.
        x, height, padding, strides = _rows(builder, layer, x, padding, strides[0], strides[1])
    oh, ow = layer.output.shape[2:]
    attributes = {
        "data_format": "channels_last",
        "in_height": height, "in_width": width, "n_chan": channels,
        "out_height": oh, "out_width": ow, "n_filt": weight.shape[0],
        "filt_height": kh, "filt_width": kw,
        "stride_height": strides[0], "stride_width": strides[1],
        "pad_top": padding[0], "pad_left": padding[1], "pad_bottom": padding[2], "pad_right": padding[3],
    }  # fmt: skip
    if depthwise:
        data = {"depthwise_data": _real(weight[:, 0].transpose(1, 2, 0)[..., None]), "depth_multiplier": 1}
    else:
        data = {"weight_data": _real(weight.transpose(2, 3, 1, 0))}
    out = replace(
        x, shape=(oh, ow, weight.shape[0]), index=canonical_index(layer.output.shape), logical=layer.output.shape
    )
    return _linear(
        builder, layer, "DepthwiseConv2D" if depthwise else "Conv2D", x, out, weight, attributes | data,
        channels * kh * kw, weight.shape[0],
    )  # fmt: skip


def dense(builder: Builder, layer: Dense) -> Wire:
    """Dense over the last axis; more than one row becomes a 1x1 convolution over a line of pixels."""
    x = builder.wires[layer.inputs[0]]
    weight = centred_weight(layer)
    o, k = weight.shape
    if x.index.size == k:
        # One row: any order of the elements will do, the columns of the weights follow it.
        x = builder.gather(layer, "_flat", x, (k,), x.index, x.index, x.logical)
        weight = weight[:, x.index]
        out = replace(x, shape=(o,), index=np.arange(o, dtype=np.int64), logical=layer.output.shape)
        attributes = {"n_in": k, "n_out": o, "weight_data": _real(weight.T)}
        return _linear(builder, layer, "Dense", x, out, weight, attributes, k, o)
    positions = np.arange(x.index.size, dtype=np.int64)
    rows = x.index.size // k
    x = builder.gather(layer, "_rows", x, (1, rows, k), positions, positions, x.logical)
    out = replace(
        x, shape=(1, rows, o), index=np.arange(rows * o, dtype=np.int64), logical=layer.output.shape
    )
    attributes = {
        "data_format": "channels_last",
        "in_height": 1, "in_width": rows, "n_chan": k, "out_height": 1, "out_width": rows, "n_filt": o,
        "filt_height": 1, "filt_width": 1, "stride_height": 1, "stride_width": 1,
        "pad_top": 0, "pad_left": 0, "pad_bottom": 0, "pad_right": 0,
        "weight_data": _real(weight.T[None, None]),
    }  # fmt: skip
    return _linear(builder, layer, "Conv2D", x, out, weight, attributes, k, o)


def _linear(
    builder: Builder, layer: Conv2d | Dense, class_name: str, x: Wire, out: Wire, weight: IntArray,
    attributes: dict[str, object], n_in: int, n_out: int,
) -> Wire:  # fmt: skip
    proof = builder.proofs[layer.name]
    # Signed although the interval may not be: hls4ml adds products one by one, and partial sums may be negative.
    accumulator = proof.accumulator.hull(-1)
    row = builder.rows.get(layer.name, {})
    strategy = str(row.get("strategy", "resource")).capitalize()
    reuse = int(row.get("reuse_factor", n_in))
    if strategy == "Resource":
        reuse = closest_reuse_factor(n_in, n_out, reuse)
    natively = _native_result(builder, layer, x)
    fraction = x.fraction
    if natively is not None:
        result, weight_fraction = natively
        assert x.fraction is not None
        fraction = x.fraction + weight_fraction
    accum = exact_type(accumulator, fraction)
    precision = {
        "weight": _weight_precision(weight, natively),
        "bias": exact_type(Interval(int(layer.bias.min()), int(layer.bias.max())).hull(0), fraction),
        "accum": accum,
        "result": accum,
    }
    scaled = dict(attributes)
    key = "depthwise_data" if "depthwise_data" in scaled else "weight_data"
    if natively is not None:
        scaled[key] = scaled[key] * 2.0**-weight_fraction  # type: ignore[operator]  # an array of float64
    bias = _real(layer.bias)
    scaled["bias_data"] = bias if fraction is None else bias * 2.0**-fraction
    kind = f"{layer.op} {x.shape} -> {out.shape}, weights {precision['weight']}, accumulator {accum}"
    if natively is not None:
        precision["result"] = result
        clamp = builder.interval(layer)
        wire = builder.add(
            layer, "", class_name, [x], replace(out, interval=clamp, fraction=builder.fraction(layer)), precision,
            scaled, f"{kind}; the conversion to {result} is the requantization", strategy, reuse,
        )  # fmt: skip
        return wire
    acc = builder.add(
        layer, "_acc", class_name, [x], replace(out, interval=accumulator, fraction=fraction), precision, scaled, kind,
        strategy, reuse,
    )  # fmt: skip
    return _finish(builder, layer, acc, out.logical)


def _finish(builder: Builder, layer: Conv2d | Dense, acc: Wire, logical: tuple[int, ...]) -> Wire:
    builder.shallow.add(acc.name)
    z = layer.output.zero_point
    return builder.requantize(
        layer, "", acc, Interval(*layer.clamp).shifted(-z), layer.multiplier, layer.shift, "channel",
        builder.proofs[layer.name].magnitude, fraction=builder.fraction(layer), logical=logical,
    )  # fmt: skip


def _native_result(builder: Builder, layer: Conv2d | Dense, x: Wire) -> tuple[str, int] | None:
    """Profile ``fixed``: (result type, binary point of the weights) where hls4ml's own conversion accum_t -> result_t
    is exactly our requantization; None where it is not.

    AP_RND adds half and floors, as we do; AP_SAT saturates at bounds that are powers of two. Not exactly ours, and so
    left to the requantize kernel: a clamp with other bounds (ReLU6 and the like), shifts that differ between channels
    (one result type has one binary point), and dead channels with M = 0.
    """
    if builder.graph.profile != "fixed" or x.fraction is None:
        return None
    m = layer.multiplier.astype(np.int64)
    if (m <= 0).any() or (m & (m - 1)).any():
        return None
    shifts = layer.shift.astype(np.int64) - np.round(np.log2(m)).astype(np.int64)
    if (shifts != shifts[0]).any() or layer.output.zero_point != 0:
        return None
    fraction = builder.fraction(layer)
    assert fraction is not None
    result = saturating_type(Interval(*layer.clamp), fraction)
    # acc * 2^-(f_x + f_w) = acc * 2^-shift * 2^-f_out
    return None if result is None else (result, fraction + int(shifts[0]) - x.fraction)


def _weight_precision(weight: IntArray, natively: tuple[str, int] | None) -> str:
    interval = Interval(int(weight.min(initial=0)), int(weight.max(initial=0)))
    return weight_type(interval) if natively is None else exact_type(interval, natively[1])


def _affine(builder: Builder, layer: Conv2d, x: Wire, weight: IntArray) -> Wire:
    """Depthwise 1x1: one multiplication and addition an element."""
    accumulator = builder.proofs[layer.name].accumulator
    w, bias = weight.reshape(-1), layer.bias.astype(np.int64)
    tables = {}
    for name, values in (("weight", w), ("bias", bias)):
        interval = Interval(int(values.min(initial=0)), int(values.max(initial=0))).hull(-1)
        tables[name] = (values, interval.bits, True)
    return builder.custom(
        layer, "_acc", "GatewrightAffine", [x], replace(x, interval=accumulator), "x * weight[channel] + bias[channel]",
        {"n_pixels": x.beats, "n_chan": x.channels}, tables=tables, reuse_factor=builder.reuse(layer.name, x.channels),
    )  # fmt: skip


def _rows(
    builder: Builder, layer: Conv2d, x: Wire, padding: tuple[int, int, int, int], stride: int, horizontal: int
) -> tuple[Wire, int, tuple[int, int, int, int], tuple[int, int]]:
    """The rows a kernel of height 1 meets at vertical stride ``stride``; rows of padding hold 0."""
    _, channels, height, width = x.logical
    rows = np.arange(layer.output.shape[2]) * stride - padding[0]
    positions = np.arange(x.index.size, dtype=np.int64).reshape(channels, height, width)
    inside = (rows >= 0) & (rows < height)
    picked = np.where(inside[None, :, None], positions[:, np.clip(rows, 0, height - 1)], -1)
    logical = (1, channels, rows.size, width)
    index = canonical_index(logical)
    y = builder.gather(layer, "_rows", x, canonical_shape(logical), picked.ravel()[index], index, logical)
    return y, rows.size, (0, padding[1], 0, padding[3]), (1, horizontal)


def _stuffed(weight: IntArray, dilation: tuple[int, int]) -> IntArray:
    """Dilation as a larger kernel with zeros in between (hls4ml computes the size of a dilated kernel wrongly)."""
    if dilation == (1, 1):
        return weight
    o, i, kh, kw = weight.shape
    stuffed = np.zeros((o, i, (kh - 1) * dilation[0] + 1, (kw - 1) * dilation[1] + 1), weight.dtype)
    stuffed[:, :, :: dilation[0], :: dilation[1]] = weight
    return stuffed


def _block_diagonal(weight: IntArray, groups: int) -> IntArray:
    """(O, I / groups, KH, KW) -> (O, I, KH, KW): groups as zeros between blocks. hls4ml has no grouped convolution;
    strategy ``latency`` synthesises no multiplier for a zero weight, strategy ``resource`` does."""
    o, per_group, kh, kw = weight.shape
    full = np.zeros((o, per_group * groups, kh, kw), weight.dtype)
    for g in range(groups):
        rows = slice(g * o // groups, (g + 1) * o // groups)
        full[rows, g * per_group : (g + 1) * per_group] = weight[rows]
    return full


def _real(values: IntArray) -> np.ndarray:
    """float64, which hls4ml wants; exact below 2**53."""
    return np.ascontiguousarray(values, dtype=np.float64)
