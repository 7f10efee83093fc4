"""Analytic resources of the HLS kernels.

Sources: the kernels' arrays and pragmas (hls4ml 1.3.0 nnet_utils; hls/firmware) give what is counted - multipliers,
ROM words, registers, line buffers; the LUT and FF coefficients are fitted to the csynth reports and resource tables
listed in targets/xilinx/published.toml, where the error of the fit stands too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gatewright.hls.reuse import serial_groups
from gatewright.schedules.fpga.cycles import IoType, Strategy, is_serial
from gatewright.schedules.fpga.kernels import Kernel
from gatewright.schedules.fpga.resources import Resources, bram_18k, total

__all__ = ["IMPLEMENTED_LUT", "MODELS", "Dsp", "fifo", "kernel_resources", "multipliers", "uses_dsp"]

MODELS = {
    "multipliers": "ceil(products / reuse_factor) (hls4ml multiplier_limit); a product of more than 18 operand bits "
    "is ceil-tiled on DSP slices (UG479, UG579), a smaller one or a constant in the latency strategy is LUTs",
    "logic": "LUT and FF linear in operand, accumulator and window bits, coefficients fitted to csynth reports; of the "
    "LUTs C synthesis counts for logic 0.27 are implemented (published pairs: 0.21..0.32)",
    "memory": "weights: ROM of reuse_factor words in RAMB18 shapes (UG473, UG573), LUT below 1024 bits; FIFOs and "
    "window rows likewise; line buffers in SRL32",
    "serial": "kernels counted as conv_serial, depthwise_serial, pointwise_serial, reduce_serial, read off "
    "hls/firmware/gatewright_{convolution,serial}.h: multipliers, an adder of accumulator width for each, a "
    "multiplexer over the beat, both beats in registers; rows, window, weights and parameters in memories; no "
    "coefficient is fitted",
}

IMPLEMENTED_LUT = 0.27
_DSP_PRODUCT_BITS = 18
"""Vivado and Vitis HLS build a multiplier of at most this many operand bits together from LUTs."""
_LUT_ROM_BITS = 1024
_LUT_ROM_DEPTH = 64
"""A memory of fewer bits or not more words is LUTs (Vivado's default mapping)."""
_ROM_LUT_BITS = 64  # a LUT6 holds 64 bits
_SRL = 32  # an SLICEM LUT is a 32-bit shift register


@dataclass(frozen=True)
class Dsp:
    """Operand widths of the DSP slice, signed bits."""

    wide: int
    narrow: int

    def tiles(self, a_bits: int, b_bits: int) -> int:
        """Slices of an a x b product: full signed width in the top tile, one bit less (unsigned) in the others."""

        def cut(bits: int, width: int) -> int:
            return 1 if bits <= width else 1 + math.ceil((bits - width) / (width - 1))

        return min(cut(a_bits, self.wide) * cut(b_bits, self.narrow), cut(a_bits, self.narrow) * cut(b_bits, self.wide))


def uses_dsp(a_bits: int, b_bits: int) -> bool:
    """Whether a product of these operands goes to DSP slices."""
    return a_bits + b_bits > _DSP_PRODUCT_BITS


def multipliers(kernel: Kernel, strategy: Strategy, reuse_factor: int) -> int:
    """Products computed side by side."""
    if strategy == "latency":
        return math.ceil(kernel.multiplications / reuse_factor)
    products = kernel.n_in * kernel.n_out
    if strategy == "serial" or kernel.kind == "depthwise":
        # no products with the gaps dilation leaves
        products = kernel.taps * kernel.channels_in * (1 if kernel.kind == "depthwise" else kernel.n_out)
    return math.ceil(products / reuse_factor)


def _logic(csynth_lut: float, ff: float = 0) -> Resources:
    """Control, multiplexers, adders: counted as C synthesis does, 0.27 of that after implementation (see MODELS)."""
    return Resources(lut=math.ceil(csynth_lut * IMPLEMENTED_LUT), ff=math.ceil(ff), csynth_lut=math.ceil(csynth_lut))


def _fabric(lut: float, ff: float = 0) -> Resources:
    """LUTs that hold data or bits of a product: as many after implementation."""
    return Resources(lut=math.ceil(lut), ff=math.ceil(ff), csynth_lut=math.ceil(lut))


def _multiply(count: int, a_bits: int, b_bits: int, dsp: Dsp) -> Resources:
    """``count`` multipliers of two variables."""
    if uses_dsp(a_bits, b_bits):
        return Resources(dsp=count * dsp.tiles(a_bits, b_bits))
    return _fabric(math.ceil(0.64 * a_bits * b_bits) * count)


def _memory(depth: int, width: int) -> Resources:
    if depth * width < _LUT_ROM_BITS or depth <= _LUT_ROM_DEPTH:
        return _fabric(math.ceil(depth / _ROM_LUT_BITS) * width)
    return Resources(bram_18k=bram_18k(depth, width))


def fifo(depth: int, width: int) -> Resources:
    """A stream of ``depth`` beats of ``width`` bits."""
    if depth * width < _LUT_ROM_BITS or depth <= _LUT_ROM_DEPTH:
        return _fabric(math.ceil(depth / _SRL) * width + 20, 10)
    return _fabric(50, 60) + Resources(bram_18k=bram_18k(depth, width))


def kernel_resources(kernel: Kernel, strategy: Strategy, reuse_factor: int, io_type: IoType, dsp: Dsp) -> Resources:
    """Resources of one kernel without its output stream."""
    if kernel.kind == "none":
        return Resources()
    if is_serial(kernel, strategy, io_type):
        return _serial(kernel, reuse_factor, dsp)
    # the requantization of a beat takes as long as the product in front of it (hls/lowering/builder.py, reuse)
    requantize_reuse = max(1, min(reuse_factor, kernel.channels_out))
    parts = [_requantization(kernel, requantize_reuse, io_type, dsp)]
    if kernel.foldable:
        parts.append(
            _latency(kernel, reuse_factor, dsp) if strategy == "latency" else _resource(kernel, reuse_factor, dsp)
        )
        if io_type == "io_stream" and kernel.kind in ("conv", "depthwise"):
            parts.append(_line_buffer(kernel))
        if kernel.padding_pixels and io_type == "io_stream":
            # a process that adds the padding, and the stream from it
            parts += [_logic(150, 60), fifo(kernel.row_pixels, kernel.channels_in * kernel.data_bits)]
    elif kernel.kind == "reduce":
        parts.append(_reduce(kernel, io_type))
    elif kernel.kind in ("pool", "window"):
        parts.append(_pool(kernel, io_type))
    elif kernel.kind == "move":
        parts.append(_move(kernel, io_type))
    else:
        parts.append(_elementwise(kernel, requantize_reuse, io_type))
    return total(parts)


def _latency(kernel: Kernel, reuse_factor: int, dsp: Dsp) -> Resources:
    """Constants in the fabric: zeros vanish, powers of two are wires, the rest is shift-and-add or DSP.

    Shift-and-add: half a LUT for every bit of an adder (ternary adders; checked against da4ml's 16 LUT a weight of a
    16 x 16 matrix of 8 bit: docs of da4ml 0.6, solver estimate).
    """
    a, w = kernel.data_bits, kernel.weight_bits
    bits = (a + w) * kernel.nonzero
    control = _logic(100, 0.6 * (kernel.n_in * a + kernel.n_out * kernel.accumulator_bits))
    if uses_dsp(a, w):
        # a register and an adder of full width behind every DSP
        count = multipliers(kernel, "latency", reuse_factor)
        return control + _multiply(count, a, w, dsp) + _logic(0.9 * bits, 0.7 * bits)
    shifts = a * max(0, kernel.csd_digits - kernel.nonzero)
    return control + _fabric(0.5 * (bits + shifts), 0.12 * bits)


def _resource(kernel: Kernel, reuse_factor: int, dsp: Dsp) -> Resources:
    """A loop of reuse_factor turns: weights in a ROM as wide as the multipliers, operands selected by multiplexers."""
    a, w, acc = kernel.data_bits, kernel.weight_bits, kernel.accumulator_bits
    count = multipliers(kernel, "resource", reuse_factor)
    # one multiplier serves several outputs: their accumulators are selected
    wide = reuse_factor > kernel.n_in
    logic = 500 + 0.6 * a * kernel.n_in + acc * kernel.n_out * (6 if wide else 1)
    if not wide:
        logic += count * acc  # every multiplier adds to an accumulator of its own
    registers = 50 + 1.7 * (a * kernel.n_in + acc * kernel.n_out) + count * acc * 0.5
    parts = [_logic(logic, registers), _multiply(count, a, w, dsp), _memory(reuse_factor, count * w)]
    if wide:
        # the table of output indices, outidx[reuse_factor] (nnet_dense_resource.h)
        outputs = reuse_factor // kernel.n_in
        parts.append(_memory(reuse_factor, math.ceil(math.log2(max(2, outputs)))))
    return total(parts)


def _serial(kernel: Kernel, reuse_factor: int, dsp: Dsp) -> Resources:
    """A serial kernel of ours with its requantization (see MODELS)."""
    if kernel.kind == "reduce":
        return _average(kernel, reuse_factor, dsp)
    a, w, acc = kernel.data_bits, kernel.weight_bits, kernel.accumulator_bits
    count = multipliers(kernel, "serial" if kernel.kind == "conv" else "resource", reuse_factor)
    # groups of inputs and of outputs a beat is worked off in
    groups_in, groups_out = serial_groups(kernel.n_out, reuse_factor)
    if kernel.kind == "depthwise":
        groups_in = groups_out = reuse_factor
    inputs, outputs = kernel.channels_in // groups_in, kernel.n_out // groups_out
    parts = [
        _logic(300, 100),
        _multiply(count, a, w, dsp),
        _fabric(count * acc, count * (a + w + acc)),
        _beats(kernel, groups_in, groups_out),
        _memory(reuse_factor, count * w),
        _memory(groups_out, outputs * (acc + kernel.multiplier_bits + 6)),
        _finish(kernel, outputs, dsp),
    ]
    if kernel.kind != "pointwise":
        # the convolution keeps the newest column too; dilation leaves out rows of the window: no more than this
        columns = kernel.window_positions // kernel.kernel_rows - int(kernel.kind == "depthwise")
        parts.append(_ram(kernel.row_pixels * groups_in, (kernel.kernel_rows - 1) * a * inputs))
        parts.append(_ram(groups_in, kernel.kernel_rows * columns * a * inputs))
    elif kernel.pixels_in != kernel.pixels_out:
        # the kernel that picks pixels: a table of their numbers
        parts += [_logic(60, 30), _memory(kernel.pixels_out, math.ceil(math.log2(max(2, kernel.pixels_in))) + 1)]
    return total(parts)


def _average(kernel: Kernel, reuse_factor: int, dsp: Dsp) -> Resources:
    units = kernel.channels_in // reuse_factor
    return total(
        [
            _logic(200, 80),
            _fabric(units * kernel.accumulator_bits, units * (kernel.data_bits + kernel.accumulator_bits)),
            _ram(reuse_factor, units * kernel.accumulator_bits),
            _beats(kernel, reuse_factor, reuse_factor),
            _finish(kernel, units, dsp),
        ]
    )


def _beats(kernel: Kernel, groups_in: int, groups_out: int) -> Resources:
    """Both beats in registers: a LUT6 selects one of four groups to read, one enables a group to be written."""
    inputs = kernel.channels_in // groups_in
    select = kernel.data_bits * inputs * math.ceil((groups_in - 1) / 3)
    registers = kernel.channels_in * kernel.data_bits + kernel.channels_out * kernel.output_bits
    return _fabric(select + groups_out, registers)


def _finish(kernel: Kernel, units: int, dsp: Dsp) -> Resources:
    """``units`` results a cycle requantized: multiply, add half, shift by a variable, clamp."""
    product = kernel.accumulator_bits + kernel.multiplier_bits
    fabric = _fabric(units * (5 * product + kernel.output_bits), units * 2 * product)
    if not kernel.multiplier_bits:
        return fabric
    return fabric + _multiply(units, kernel.accumulator_bits, kernel.multiplier_bits + 1, dsp)


def _ram(depth: int, width: int) -> Resources:
    """A memory read and written in one cycle: one word in registers, few in two LUTs a bit (RAM64X1D), or block RAM."""
    if depth == 1:
        return _fabric(width, width)
    if depth * width < _LUT_ROM_BITS or depth <= _LUT_ROM_DEPTH:
        return _fabric(2 * math.ceil(depth / _ROM_LUT_BITS) * width)
    return Resources(bram_18k=bram_18k(depth, width))


def _line_buffer(kernel: Kernel) -> Resources:
    """(rows - 1) x channels shift registers of one image row, and the window's registers."""
    a = kernel.data_bits
    registers = (kernel.kernel_rows - 1) * kernel.channels_in
    more = math.ceil(kernel.row_pixels / _SRL) - 1  # shift registers longer than one LUT
    window = kernel.n_in * a
    ff = window + registers * 4 * a + 160
    return Resources(lut=registers * a * (1 + more), ff=ff, csynth_lut=math.ceil(registers * a * 3.7)) + _logic(300)


def _requantization(kernel: Kernel, reuse: int, io_type: IoType, dsp: Dsp) -> Resources:
    """Rounding and clamping of every output of a beat; with ``multiplier_bits`` a multiplication before it."""
    channels = kernel.channels_out if io_type == "io_stream" else kernel.elements_out
    if kernel.op in ("max_pool2d", "table", "pad", "slice", "resize", "reshape"):
        return Resources()
    if not kernel.multiplier_bits:
        if kernel.output_bits >= kernel.accumulator_bits:
            return Resources()  # nothing to round or clamp
        # an adder to round, a comparison of the bits above the result, a multiplexer to saturate
        lut = 2 * kernel.output_bits + (kernel.accumulator_bits - kernel.output_bits) / 4 + 2
        return _fabric(math.ceil(lut) * channels, kernel.output_bits * channels)
    units = math.ceil(channels / reuse) * kernel.operands
    product = kernel.accumulator_bits + kernel.multiplier_bits
    parts = [
        _multiply(units, kernel.accumulator_bits, kernel.multiplier_bits + 1, dsp),
        _fabric(units * 2 * product + channels * kernel.output_bits, units * 2 * product),
    ]
    if reuse > 1:
        # operands selected, parameters from tables, the shift a variable one
        tables = math.ceil(reuse / _ROM_LUT_BITS) * units * (kernel.multiplier_bits + 6)
        parts.append(_fabric(channels * kernel.accumulator_bits / 4 + tables + 3 * units * product))
    if io_type == "io_stream" and (kernel.foldable or kernel.kind in ("window", "reduce")):
        # a kernel of its own behind the accumulator: the stream of accumulators (hls/lowering: Builder.shallow)
        parts.append(fifo(2, channels * kernel.accumulator_bits))
    return total(parts)


def _reduce(kernel: Kernel, io_type: IoType) -> Resources:
    """One accumulator a channel, all at once (counted from hls/firmware/gatewright_window.h)."""
    acc = kernel.accumulator_bits
    if io_type == "io_parallel":
        return _fabric(kernel.elements_in * acc, kernel.elements_out * acc)
    return _logic(100, 60) + _fabric(acc * kernel.channels_in, 2 * acc * kernel.channels_in)


def _pool(kernel: Kernel, io_type: IoType) -> Resources:
    if io_type == "io_parallel":
        lut = kernel.elements_in * kernel.accumulator_bits * 2
        return _logic(lut, kernel.elements_out * kernel.output_bits)
    a, acc, channels = kernel.data_bits, kernel.accumulator_bits, kernel.channels_in
    if kernel.kind == "pool":
        # hls4ml's: SRL line buffers, a tree of comparators (coefficients: csynth reports)
        buffers = (kernel.kernel_rows - 1) * channels * a
        compare = 2.9 * (kernel.window_positions - 1) * channels * a
        return _logic(590 + compare + 3.2 * buffers, 184 + 6.4 * buffers + 3 * a * channels)
    if kernel.row_pixels <= _SRL:
        # a RAM32M holds six bits of 32 words in four LUTs (UG474, UG574)
        rows = _fabric(kernel.kernel_rows * a * channels * 2 / 3)
    else:
        rows = total(_memory(kernel.row_pixels, a * channels) for _ in range(kernel.kernel_rows))
    return rows + _logic(590 + 5 * acc * channels, 184 + 3 * acc * channels)


def _move(kernel: Kernel, io_type: IoType) -> Resources:
    if io_type == "io_parallel":
        return Resources()
    stored = _memory(kernel.pixels_in, kernel.data_bits * kernel.channels_in)
    sources = _memory(kernel.elements_out, math.ceil(math.log2(max(2, kernel.elements_in))) + 1)
    return stored + sources + _logic(200 + 4 * kernel.data_bits, 200)


def _elementwise(kernel: Kernel, reuse: int, io_type: IoType) -> Resources:
    channels = kernel.channels_out if io_type == "io_stream" else kernel.elements_out
    control = _logic(60, 30)
    if kernel.op == "table":
        units = math.ceil(channels / reuse)
        rom = _memory(1 << min(kernel.data_bits, 9), kernel.output_bits)
        return control + total(rom for _ in range(math.ceil(units / 2)))  # a ROM has two ports
    if kernel.op in ("pad", "slice"):
        beats = max(kernel.pixels_in, kernel.pixels_out)
        return control + _memory(beats, math.ceil(math.log2(max(2, beats))) + 1)
    adders = (kernel.operands - 1) * channels * (kernel.data_bits + kernel.multiplier_bits) / reuse
    return control + _fabric(adders, channels * kernel.output_bits)
