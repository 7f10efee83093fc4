"""What the HLS kernel of every layer does, in numbers: the sizes cost formulas read.

A :class:`Kernel` is the integer graph's layer as hls4ml builds it: channels last, one pixel (all channels) a beat of
the stream, a matrix product of n_in x n_out for every window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import (
    Add,
    AvgPool2d,
    Concat,
    Conv2d,
    Dense,
    Input,
    Layer,
    MaxPool2d,
    Multiply,
    Pad,
    Requantize,
    Reshape,
    Slice,
    Table,
    Transpose,
)
from gatewright.compiler.integer.semantics import Interval, prove, value_ranges
from gatewright.compiler.integer.tensor import IntArray

__all__ = ["Kernel", "KernelKind", "beats", "kernels"]

KernelKind = Literal[
    "dense", "conv", "pointwise", "depthwise", "pool", "window", "reduce", "elementwise", "move", "none"
]  # fmt: skip
"""``pool`` is hls4ml's pooling (stride = kernel, no padding), ``window`` ours, and ``reduce`` ours over the whole image
(hls/firmware/gatewright_window.h); ``move`` stores a whole tensor before it goes on; ``none`` costs nothing (reshape,
transpose)."""


@dataclass(frozen=True)
class Kernel:
    """One layer as hardware.

    Attributes:
        layer, op: name and operator of the integer layer.
        kind: which HLS kernel.
        n_in, n_out: inputs and outputs of the product at one window; 0 without multiplications.
        pixels_in: beats read for one image, padding included; pixels_out: beats written (windows).
        rows_out, pad_rows: rows of the output, rows of padding at the bottom: what is left after the last input beat.
        fill_pixels: beats read before the first window is complete.
        channels_in, channels_out: elements of a beat read, written.
        kernel_rows: height of the window; window_positions: its positions; taps: those with a weight (dilation leaves
            gaps); row_pixels: width of the padded image, the length of a line buffer.
        padding_pixels: beats a zero-padding kernel in front writes, 0 without padding.
        data_bits, weight_bits, accumulator_bits, output_bits: widths of operands, sum and result.
        multiplications: weights that need a multiplier when they are constants (not 0, not a power of two).
        nonzero: weights that are not zero. csd_digits: signed digits of all constants together (canonic signed digit).
        multiplier_bits: m where the result is multiplied to requantize, 0 where it is shifted only.
        operands: number of tensors read.
        elements_in, elements_out: elements of the tensors read (the first) and written.
    """

    layer: str
    op: str
    kind: KernelKind
    n_in: int = 0
    n_out: int = 0
    pixels_in: int = 1
    pixels_out: int = 1
    rows_out: int = 1
    pad_rows: int = 0
    fill_pixels: int = 1
    channels_in: int = 1
    channels_out: int = 1
    kernel_rows: int = 1
    window_positions: int = 1
    taps: int = 1
    row_pixels: int = 1
    padding_pixels: int = 0
    data_bits: int = 8
    weight_bits: int = 0
    accumulator_bits: int = 8
    output_bits: int = 8
    multiplications: int = 0
    nonzero: int = 0
    csd_digits: int = 0
    multiplier_bits: int = 0
    operands: int = 1
    elements_in: int = 1
    elements_out: int = 1

    @property
    def foldable(self) -> bool:
        """Whether it has a product whose reuse factor is a choice."""
        return self.n_in > 0


def beats(shape: tuple[int, ...]) -> tuple[int, int]:
    """(beats of one image, elements of a beat) of a stream of ``shape``: (N, C, H, W) -> (H*W, C), (N, K) -> (1, K)."""
    if len(shape) <= 2:
        return 1, shape[-1] if shape else 1
    return math.prod(shape[2:]), shape[1]


def kernels(graph: IntegerGraph) -> tuple[Kernel, ...]:
    """The kernels of all layers but inputs, in the graph's order; widths are the proven ones."""
    ranges, proofs = value_ranges(graph), prove(graph)
    made = []
    for layer in graph:
        if isinstance(layer, Input):
            continue
        source = graph.operands(layer)[0]
        # every tensor carries q - z (hls/firmware/gatewright_arithmetic.h)
        data = _width(ranges[source.name].shifted(-source.output.zero_point))
        accumulator = _width(proofs[layer.name].accumulator) if layer.name in proofs else data
        made.append(_kernel(graph, layer, data, accumulator))
    return tuple(made)


def _width(interval: Interval) -> int:
    return interval.bits - int(interval.low >= 0)


def _kernel(graph: IntegerGraph, layer: Layer, data_bits: int, accumulator_bits: int) -> Kernel:
    source = graph.operands(layer)[0]
    pixels_in, channels_in = beats(source.output.shape)
    pixels_out, channels_out = beats(layer.output.shape)
    common = Kernel(
        layer=layer.name,
        op=layer.op,
        kind="elementwise",
        pixels_in=pixels_in,
        pixels_out=pixels_out,
        rows_out=layer.output.shape[2] if len(layer.output.shape) == 4 else 1,
        channels_in=channels_in,
        channels_out=channels_out,
        data_bits=max(1, data_bits),
        accumulator_bits=max(1, accumulator_bits),
        output_bits=layer.output.bits,
        operands=len(layer.inputs),
        elements_in=math.prod(source.output.shape),
        elements_out=math.prod(layer.output.shape),
    )
    scaled_bits = graph.multiplier_bits if graph.profile == "scaled" else 0
    match layer:
        case Conv2d():
            return _convolution(common, layer, source, scaled_bits)
        case Dense():
            return _dense(common, layer, graph, scaled_bits)
        case MaxPool2d() | AvgPool2d():
            return _pooling(common, layer, source, graph.multiplier_bits)
        case Add() | Concat() | Multiply() | Requantize():
            return _with(common, multiplier_bits=scaled_bits)
        case Reshape() | Transpose():
            return _with(common, kind="none")
        case Pad() | Slice():
            return _with(common, pixels_in=max(pixels_in, pixels_out))
        case Table():
            return common
        case _:
            return _with(common, kind="move")


def _with(kernel: Kernel, **changes: Any) -> Kernel:
    return replace(kernel, **changes)


def _constants(weight: IntArray) -> dict[str, int]:
    """How hard the constants are: width, nonzero ones, ones that are no power of two, signed digits."""
    magnitude = np.abs(weight.ravel()).astype(np.int64)
    nonzero = magnitude[magnitude > 0]
    hard = nonzero[(nonzero & (nonzero - 1)) != 0]
    # digits of the canonic signed digit form: popcount of w xor 3w (Booth; Hwang 1979), shifted right by one
    recoded = ((nonzero * 3) ^ nonzero) >> 1
    values, counts = np.unique(recoded, return_counts=True)
    digits = sum(int(v).bit_count() * int(c) for v, c in zip(values.tolist(), counts.tolist(), strict=True))
    low, high = (int(weight.min()), int(weight.max())) if weight.size else (0, 0)
    bits = max(high.bit_length(), (~low).bit_length() if low < 0 else 0) + int(low < 0)
    return {
        "weight_bits": max(1, bits),
        "nonzero": int(nonzero.size),
        "multiplications": int(hard.size),
        "csd_digits": digits,
    }


def _convolution(common: Kernel, layer: Conv2d, source: Layer, scaled_bits: int) -> Kernel:
    _, channels, height, width = source.output.shape
    out_channels, per_group, kernel_height, kernel_width = layer.weight.shape
    window = ((kernel_height - 1) * layer.dilation[0] + 1, (kernel_width - 1) * layer.dilation[1] + 1)
    weight = layer.weight - layer.weight_zero_point.reshape(-1, 1, 1, 1)
    top, left, bottom, right = layer.padding
    padded = (height + top + bottom, width + left + right)
    depthwise = layer.groups == channels and per_group == 1 and out_channels == channels and channels > 1
    kind: KernelKind = "depthwise" if depthwise else "conv"
    if window == (1, 1) and not depthwise:
        kind = "pointwise"
    constants = _constants(weight)
    return _with(
        common,
        kind=kind,
        n_in=window[0] * window[1] * channels,
        n_out=out_channels,
        pixels_in=padded[0] * padded[1],
        pad_rows=bottom,
        fill_pixels=(window[0] - 1) * padded[1] + window[1],
        kernel_rows=window[0],
        window_positions=window[0] * window[1],
        taps=kernel_height * kernel_width,
        row_pixels=padded[1],
        padding_pixels=padded[0] * padded[1] if any(layer.padding) else 0,
        multiplier_bits=scaled_bits,
        **constants,
    )


def _dense(common: Kernel, layer: Dense, graph: IntegerGraph, scaled_bits: int) -> Kernel:
    outputs, inputs = layer.weight.shape
    weight = layer.weight - layer.weight_zero_point.reshape(-1, 1)
    source = graph.operands(layer)[0]
    rank = len(layer.output.shape)
    windows = math.prod(layer.output.shape[1:-1]) if rank > 2 else 1
    read = 1
    if rank <= 2:
        # a flattened image keeps its beats: the dense kernel gathers them (nnet_dense_stream.h, data_prepare)
        while isinstance(source, Reshape):
            source = graph.operands(source)[0]
        read = beats(source.output.shape)[0]
    return _with(
        common,
        kind="dense" if windows == 1 else "pointwise",
        n_in=inputs,
        n_out=outputs,
        pixels_in=max(windows, read),
        pixels_out=windows,
        fill_pixels=1 if windows > 1 else read,
        channels_in=inputs,
        channels_out=outputs,
        multiplier_bits=scaled_bits,
        **_constants(weight),
    )


def _pooling(common: Kernel, layer: MaxPool2d | AvgPool2d, source: Layer, multiplier_bits: int) -> Kernel:
    height, width = source.output.shape[2:]
    top, left, bottom, right = layer.padding
    padded = (height + top + bottom, width + left + right)
    average = isinstance(layer, AvgPool2d)
    plain = not average and layer.kernel == layer.strides and not any(layer.padding)
    plain = plain and height % layer.kernel[0] == 0 and width % layer.kernel[1] == 0
    whole = layer.kernel == (height, width) and not any(layer.padding)
    return _with(
        common,
        kind="pool" if plain else "reduce" if whole else "window",
        pixels_in=padded[0] * padded[1],
        pad_rows=bottom,
        fill_pixels=(layer.kernel[0] - 1) * padded[1] + layer.kernel[1],
        kernel_rows=layer.kernel[0],
        window_positions=math.prod(layer.kernel),
        row_pixels=padded[1],
        # the divisor of a pooling window is a general multiplier in both profiles (design section 2)
        multiplier_bits=multiplier_bits if average else 0,
    )
