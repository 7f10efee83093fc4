"""Analytic cycle counts of the HLS kernels.

Loop structures are read off the kernels themselves (hls4ml 1.3.0, templates/vitis/nnet_utils, and hls/firmware); what
is called measured comes from Vitis HLS 2023.1 and Vivado HLS 2019.2 reports of hls4ml designs
(targets/xilinx/published.toml, group ``csynth``). :data:`CYCLE_MODELS` describes every formula.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from gatewright.hls.reuse import serial_groups
from gatewright.schedules.fpga.kernels import Kernel

__all__ = ["CYCLE_MODELS", "IoType", "Strategy", "Timing", "cycle_model", "is_serial", "timing"]

Strategy = Literal["latency", "resource", "serial"]
"""hls4ml's two, and a serial kernel of ours where hls4ml's folded one could do the layer too (is_serial)."""
IoType = Literal["io_parallel", "io_stream"]

CYCLE_MODELS = {
    "conv_stream": "resource: the pixel loop is not pipelined, a pixel costs 4 cycles, a pixel that completes a window "
    "reuse_factor + 6 (measured); latency: PIPELINE II=reuse_factor over all pixels (nnet_conv2d_stream.h, "
    "nnet_sepconv2d_stream.h)",
    "depthwise_serial": "reuse_factor groups of channels a pixel of the padded image, one a cycle, and the pipeline's "
    "depth (read off the loop; no synthesis report yet: hls/firmware/gatewright_serial.h)",
    "pointwise_serial": "reuse_factor a pixel of the result, and the pipeline's depth (read off the loop; no synthesis "
    "report yet: hls/firmware/gatewright_serial.h)",
    "conv_serial": "a turn for every group of channels of a pixel of the padded image, reuse_factor turns where it "
    "completes a window, and the pipeline's depth every pixel (read off the loop; no synthesis report yet: "
    "hls/firmware/gatewright_convolution.h)",
    "conv_parallel": "reuse_factor a window, windows in sequence (nnet_conv2d_latency.h, nnet_conv2d_resource.h)",
    "dense_stream": "a process gathers the beats into one; then reuse_factor turns and 3 to drain, one input every "
    "reuse_factor cycles (measured: the loop rewinds; nnet_dense_stream.h, nnet_dense_resource.h)",
    "dense_parallel": "latency: one result every reuse_factor cycles, depth 1 (LUT multiplier) or 3 (DSP) and an adder "
    "tree of three levels a cycle (nnet_dense_latency.h); resource: as dense_stream",
    "pool": "every input beat once, and 3 (measured; nnet_pooling_stream.h)",
    "window": "every input beat once, then the kernel's positions a window (hls/firmware/gatewright_window.h)",
    "reduce_serial": "average over the image: reuse_factor an input beat, and the pipeline's depth (read off the loop; "
    "no synthesis report yet: hls/firmware/gatewright_serial.h)",
    "reduce": "maximum over the image: every input beat once, and 3 (read off the loop; no synthesis report yet: "
    "hls/firmware/gatewright_window.h)",
    "elementwise": "PIPELINE II=reuse_factor over the beats, and 3 (measured; hls/firmware/gatewright_elementwise.h)",
    "move": "every beat in, then every beat out (hls/firmware/gatewright_movement.h)",
    "dataflow": "interval: the slowest layer; latency: longest path of fills and tails (schedules/fpga/dataflow.py)",
}
"""Formula -> what it counts, and where that is read from."""

_PIXEL = 4
_WINDOW = 2
_DRAIN = 3
_ADDER_LEVELS_PER_CYCLE = 3
_REQUANTIZE_DEPTH = 6  # select, multiply (3), round, clamp


@dataclass(frozen=True)
class Timing:
    """Cycles of one kernel.

    Attributes:
        interval_cycles: from one image to the next.
        latency_cycles: from the first beat of an image to its last result, input waiting.
        fill_cycles: from the first beat to the first result, one beat arriving a cycle.
        tail_cycles: from the last beat to the last result.
    """

    interval_cycles: int
    latency_cycles: int
    fill_cycles: int
    tail_cycles: int


def is_serial(kernel: Kernel, strategy: Strategy, io_type: IoType) -> bool:
    """Whether a serial kernel of ours makes the layer (hls/lowering/serial.py)."""
    if kernel.kind == "reduce":
        return kernel.op == "avg_pool2d" and io_type == "io_stream"
    kinds = {"resource": ("depthwise", "pointwise"), "serial": ("conv",), "latency": ()}[strategy]
    return kernel.kind in kinds and io_type == "io_stream"


def cycle_model(kernel: Kernel, strategy: Strategy, io_type: IoType) -> str:
    """Name of the formula that counts the cycles of ``kernel`` (a key of :data:`CYCLE_MODELS`)."""
    if kernel.kind == "none":
        return "none"
    if is_serial(kernel, strategy, io_type):
        return f"{kernel.kind}_serial"
    if kernel.kind in ("conv", "pointwise", "depthwise"):
        return "conv_stream" if io_type == "io_stream" else "conv_parallel"
    if kernel.kind == "dense":
        return "dense_stream" if io_type == "io_stream" else "dense_parallel"
    return kernel.kind if kernel.kind in ("pool", "window", "reduce", "move") else "elementwise"


def _depth(kernel: Kernel, dsp: bool) -> int:
    """Stages of a pipelined product: multiply, then an adder tree over n_in."""
    inputs = kernel.n_in // max(1, kernel.n_out) if kernel.kind == "depthwise" else kernel.n_in
    return (3 if dsp else 1) + math.ceil(math.log2(max(2, inputs)) / _ADDER_LEVELS_PER_CYCLE)


def timing(kernel: Kernel, strategy: Strategy, reuse_factor: int, io_type: IoType, dsp: bool) -> Timing:
    """Cycles of ``kernel`` at one folding; ``dsp``: its multipliers are DSP slices (three stages), not LUTs (one)."""
    if kernel.kind == "none":
        return Timing(0, 0, 0, 0)
    if is_serial(kernel, strategy, io_type):
        return _serial(kernel, reuse_factor, dsp)
    if kernel.foldable:
        product = _product_stream if io_type == "io_stream" else _product_parallel
        return product(kernel, strategy, reuse_factor, dsp)
    if io_type == "io_parallel":
        # array kernels: fully unrolled over the image, II = reuse_factor
        return Timing(reuse_factor, reuse_factor, 1, reuse_factor)
    if kernel.kind == "window":
        return _window(kernel, reuse_factor)
    if kernel.kind in ("pool", "reduce"):
        busy = kernel.pixels_in + _DRAIN
        return Timing(busy, busy, kernel.fill_pixels + _DRAIN, _DRAIN)
    if kernel.kind == "move":
        busy = kernel.pixels_in + kernel.pixels_out + _DRAIN
        return Timing(busy, busy, kernel.pixels_in, kernel.pixels_out)
    busy = max(kernel.pixels_in, kernel.pixels_out) * reuse_factor + _DRAIN
    return Timing(busy, busy, 1 + _DRAIN, reuse_factor + _DRAIN)


def _product_stream(kernel: Kernel, strategy: Strategy, reuse_factor: int, dsp: bool) -> Timing:
    depth = _depth(kernel, dsp)
    turn = reuse_factor + _DRAIN if strategy == "resource" else reuse_factor - 1 + depth
    if kernel.kind == "dense":
        gather = kernel.pixels_in if kernel.pixels_in > 1 else 0
        return Timing(max(gather + _DRAIN if gather else 1, reuse_factor), gather + turn, gather + turn, turn)
    columns = max(1, kernel.pixels_out // max(1, kernel.rows_out))
    # rows whose last input is the last row of the image: the final one and those the bottom padding makes
    last_rows = min(kernel.rows_out, 1 + kernel.pad_rows)
    if strategy == "latency":
        busy = kernel.pixels_in * reuse_factor + depth
        tail = (kernel.pad_rows * kernel.row_pixels + 1) * reuse_factor + depth
        fill = kernel.fill_pixels * reuse_factor + depth
    else:
        window = reuse_factor + _WINDOW
        busy = kernel.pixels_in * _PIXEL + kernel.pixels_out * window
        tail = last_rows * columns * (window + _PIXEL)
        fill = kernel.fill_pixels * _PIXEL + window
    # the zero-padding kernel in front is a process of its own: a beat a cycle, a few cycles more a row
    rows = kernel.padding_pixels // max(1, kernel.row_pixels)
    interval = max(busy, kernel.padding_pixels + 6 * rows)
    return Timing(interval, interval, fill, min(tail, interval))


def _serial(kernel: Kernel, reuse_factor: int, dsp: bool) -> Timing:
    """Perfect loop nests, a turn a cycle."""
    depth = _depth(kernel, dsp) + _REQUANTIZE_DEPTH
    if kernel.kind == "conv":
        # the number of outputs depends on the pixel: the tools flatten no further than that, and drain the pipeline
        groups_in, _ = serial_groups(kernel.n_out, reuse_factor)
        shift, window = groups_in + depth, reuse_factor + depth
        busy = (kernel.pixels_in - kernel.pixels_out) * shift + kernel.pixels_out * window
        columns = max(1, kernel.pixels_out // max(1, kernel.rows_out))
        last_rows = min(kernel.rows_out, 1 + kernel.pad_rows)
        tail = kernel.pad_rows * kernel.row_pixels * shift + last_rows * columns * window
        return Timing(busy, busy, kernel.fill_pixels * shift + window, min(tail, busy))
    if kernel.kind == "pointwise":
        # a kernel in front skips pixels between strides and adds padding, one a cycle: in step but for its own beats
        busy = max(kernel.pixels_out * reuse_factor, kernel.pixels_in) + depth
        return Timing(busy, busy, reuse_factor + depth, reuse_factor + depth)
    busy = kernel.pixels_in * reuse_factor + depth
    if kernel.kind == "reduce":
        return Timing(busy, busy, busy, reuse_factor + depth)
    tail = (kernel.pad_rows * kernel.row_pixels + 1) * reuse_factor + depth
    return Timing(busy, busy, kernel.fill_pixels * reuse_factor + depth, min(tail, busy))


def _product_parallel(kernel: Kernel, strategy: Strategy, reuse_factor: int, dsp: bool) -> Timing:
    depth = _depth(kernel, dsp)
    if strategy == "latency":
        interval = kernel.pixels_out * reuse_factor
        return Timing(interval, interval - 1 + depth, depth, depth)
    interval = kernel.pixels_out * (reuse_factor + (_WINDOW if kernel.kind != "dense" else 0))
    return Timing(interval, interval + _DRAIN, reuse_factor + _DRAIN, reuse_factor + _DRAIN)


def _window(kernel: Kernel, reuse_factor: int) -> Timing:
    per_window = max(kernel.window_positions + _DRAIN, reuse_factor)
    busy = kernel.elements_in // max(1, kernel.channels_in) + kernel.pixels_out * per_window + 2 * kernel.rows_out
    columns = max(1, kernel.pixels_out // max(1, kernel.rows_out))
    tail = min(kernel.rows_out, 1 + kernel.pad_rows) * columns * per_window
    return Timing(busy, busy, kernel.fill_pixels + per_window, min(tail, busy))
