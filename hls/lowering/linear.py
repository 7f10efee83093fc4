"""Convolution and dense: hls4ml's kernels compute the exact accumulator, our requantize (or, in profile ``fixed``, the
conversion to the result type) makes the result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.integer.layers import Conv2d, Dense
from gatewright.compiler.integer.semantics import Interval
from gatewright.compiler.integer.semantics.linear import centred_weight
from gatewright.compiler.integer.tensor import IntArray
from gatewright.hls.exact import exact_type, saturating_type, weight_type
from gatewright.hls.layout import Wire, canonical_index, canonical_shape
from gatewright.hls.lowering import serial
from gatewright.hls.lowering.builder import Builder
from gatewright.hls.reuse import closest_reuse_factor

__all__ = ["conv2d", "dense"]

DSP_OPERAND_BITS = 18
"""The narrow operand of a DSP48 (UG579); wider weights take two."""


def conv2d(builder: Builder, layer: Conv2d) -> Wire:
    """Conv2d -> a serial kernel, or Conv2D or DepthwiseConv2D (or affine for depthwise 1x1) -> requantize."""
    x = builder.canonical(layer, builder.wires[layer.inputs[0]])
    height, width, channels = x.shape
    weight, padding, strides = centred_weight(layer), layer.padding, layer.strides
    depthwise = layer.groups > 1 and layer.groups == channels == weight.shape[0]
    if layer.groups > 1 and not depthwise:
        weight = _block_diagonal(weight, layer.groups)
    if serial.is_serial(builder, layer) and depthwise:
        return serial.depthwise(builder, layer, x, weight)
    if serial.is_serial(builder, layer) and weight.shape[2:] == (1, 1):
        x = serial.picked(builder, layer, x)
        out = replace(x, shape=(*x.shape[:2], weight.shape[0]), index=canonical_index(layer.output.shape))
        return serial.pointwise(builder, layer, x, out, weight[:, :, 0, 0])
    if serial.is_serial(builder, layer, ("serial",)):
        return serial.convolution(builder, layer, x, weight)
    weight = _stuffed(weight, layer.dilation)
    kh, kw = weight.shape[2:]
    if depthwise and (kh, kw) == (1, 1) and strides == (1, 1) and not any(padding):
        return _finish(builder, layer, _affine(builder, layer, x, weight))
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
    out = replace(
        x, shape=(oh, ow, weight.shape[0]), index=canonical_index(layer.output.shape), logical=layer.output.shape
    )
    return _linear(
        builder, layer, "DepthwiseConv2D" if depthwise else "Conv2D", x, out, weight, attributes,
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
        attributes = {"n_in": k, "n_out": o}
        return _linear(builder, layer, "Dense", x, out, weight, attributes, k, o)
    positions = np.arange(x.index.size, dtype=np.int64)
    rows = x.index.size // k
    x = builder.gather(layer, "_rows", x, (1, rows, k), positions, positions, x.logical)
    out = replace(x, shape=(1, rows, o), index=np.arange(rows * o, dtype=np.int64), logical=layer.output.shape)
    if serial.is_serial(builder, layer):
        return serial.pointwise(builder, layer, x, out, weight)
    attributes = {
        "data_format": "channels_last",
        "in_height": 1, "in_width": rows, "n_chan": k, "out_height": 1, "out_width": rows, "n_filt": o,
        "filt_height": 1, "filt_width": 1, "stride_height": 1, "stride_width": 1,
        "pad_top": 0, "pad_left": 0, "pad_bottom": 0, "pad_right": 0,
    }  # fmt: skip
    return _linear(builder, layer, "Conv2D", x, out, weight, attributes, k, o)


def _linear(
    builder: Builder, layer: Conv2d | Dense, class_name: str, x: Wire, out: Wire, weight: IntArray,
    attributes: dict[str, Any], n_in: int, n_out: int,
) -> Wire:  # fmt: skip
    """hls4ml's kernel with exact types; ``attributes`` hold everything but the constants."""
    proof, bias = builder.proofs[layer.name], layer.bias.astype(np.int64)
    # Signed although the interval may not be: hls4ml adds products one by one, and partial sums may be negative.
    accumulator, fraction = proof.accumulator.hull(-1), x.fraction
    native = _native_result(builder, layer, x, weight)
    if native is not None:
        weight, bias, fraction = native.aligned(weight), native.aligned(bias), native.fraction
        accumulator = Interval(accumulator.low << native.spread, accumulator.high << native.spread)
    accum = exact_type(accumulator, fraction)
    weights = Interval(int(weight.min(initial=0)), int(weight.max(initial=0)))
    weight_fraction = 0 if native is None or x.fraction is None else native.fraction - x.fraction
    precision = {
        "weight": weight_type(weights) if native is None else exact_type(weights, weight_fraction),
        "bias": exact_type(Interval(int(bias.min()), int(bias.max())).hull(0), fraction),
        "accum": accum,
        "result": accum if native is None else native.result,
    }
    if class_name == "DepthwiseConv2D":
        constants, ordered = "depthwise_data", weight[:, 0].transpose(1, 2, 0)[..., None]
    elif class_name == "Conv2D":
        four = weight if weight.ndim == 4 else weight[:, :, None, None]
        constants, ordered = "weight_data", four.transpose(2, 3, 1, 0)
    else:
        constants, ordered = "weight_data", weight.T
    attributes = {
        **attributes,
        constants: _real(ordered, weight_fraction),
        "bias_data": _real(bias, fraction or 0),
    }
    strategy, reuse = _strategy(builder, layer, class_name, n_in, n_out)
    comment = f"{layer.op} {x.shape} -> {out.shape}, weights {precision['weight']}, accumulator {accum}"
    if native is not None:
        out = replace(out, interval=builder.interval(layer), fraction=builder.fraction(layer))
        comment += f"; the conversion to {native.result} is the requantization"
        return builder.add(layer, "", class_name, [x], out, precision, attributes, comment, strategy, reuse)
    out = replace(out, interval=accumulator, fraction=fraction)
    acc = builder.add(layer, "_acc", class_name, [x], out, precision, attributes, comment, strategy, reuse)
    return _finish(builder, layer, acc)


def _strategy(builder: Builder, layer: Conv2d | Dense, class_name: str, n_in: int, n_out: int) -> tuple[str, int]:
    if class_name == "DepthwiseConv2D" and not builder.stream:
        # hls4ml's parallel depthwise kernel knows this strategy alone, and stops the program at any other.
        return "Latency", int(builder.rows.get(layer.name, {}).get("reuse_factor", 1))
    row = builder.rows.get(layer.name, {})
    # nothing serial comes here but what has no serial kernel
    strategy = str(row.get("strategy", "resource")).replace("serial", "resource").capitalize()
    reuse = int(row.get("reuse_factor", n_in))
    limit = n_in if class_name == "Conv2D" and not builder.stream else None
    return strategy, closest_reuse_factor(n_in, n_out, reuse, limit) if strategy == "Resource" else reuse


def _finish(builder: Builder, layer: Conv2d | Dense, acc: Wire) -> Wire:
    builder.shallow.add(acc.name)
    z = layer.output.zero_point
    return builder.requantize(
        layer, "", acc, Interval(*layer.clamp).shifted(-z), layer.multiplier, layer.shift, "channel",
        builder.proofs[layer.name].magnitude,
    )  # fmt: skip


@dataclass(frozen=True)
class _Native:
    """A requantization that hls4ml's conversion accum_t -> result_t does.

    Attributes:
        result: result_t, with rounding and saturation.
        fraction: binary point of the accumulator, one for all channels.
        left: (O,) left shift of every channel's weights and bias that brings them to that binary point; -1: the
            channel is dead (M = 0) and made of zeros.
    """

    result: str
    fraction: int
    left: IntArray

    @property
    def spread(self) -> int:
        """Bits the alignment adds to the accumulator."""
        return max(0, int(self.left.max()))

    def aligned(self, values: IntArray) -> IntArray:
        """(O, ...) values on the common binary point."""
        left = self.left.reshape(-1, *(1,) * (values.ndim - 1))
        return np.where(left < 0, 0, values << np.maximum(left, 0))


def _native_result(builder: Builder, layer: Conv2d | Dense, x: Wire, weight: IntArray) -> _Native | None:
    """Profile ``fixed``: how hls4ml's own conversion does exactly our requantization; None where it does not.

    AP_RND adds half and floors, as we do; AP_SAT saturates at bounds that are powers of two. Shifts that differ
    between channels become weights on one common binary point: trailing zeros, which no multiplier pays for while the
    weights fit a DSP operand. Not exactly ours, and so left to the requantize kernel: a clamp with other bounds
    (ReLU6 and the like), and shifts too far apart.
    """
    fraction = builder.fraction(layer)
    if fraction is None or x.fraction is None or layer.output.zero_point != 0:
        return None
    result = saturating_type(Interval(*layer.clamp), fraction)
    m = layer.multiplier.astype(np.int64)
    if result is None or (m < 0).any() or (m & (m - 1)).any():
        return None
    alive = m > 0
    shifts = layer.shift.astype(np.int64) - np.log2(np.maximum(m, 1)).astype(np.int64)
    common = int(shifts[alive].max(initial=shifts.min() if not alive.any() else -64))
    left = np.where(alive, common - shifts, -1)
    # acc * 2^-(f_x + f_w) = acc * 2^-common * 2^-f_out
    native = _Native(result, fraction + common, left)
    aligned = native.aligned(weight)
    width = Interval(int(aligned.min(initial=0)), int(aligned.max(initial=0))).bits
    return native if width <= DSP_OPERAND_BITS else None


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


def _real(values: IntArray, fraction: int) -> npt.NDArray[np.float64]:
    """float64, which hls4ml wants; exact below 2**53."""
    return np.ascontiguousarray(values, dtype=np.float64) * 2.0**-fraction
