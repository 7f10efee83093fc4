"""Kernels, cycles and resources of single layers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.compiler.numeric.windows import output_size
from gatewright.hls.reuse import serial_groups
from gatewright.schedules.fpga.choices import choices, illegal, legal_reuse_factors, make_choice, meant
from gatewright.schedules.fpga.costs import Dsp, multipliers, uses_dsp
from gatewright.schedules.fpga.kernels import Kernel, kernels
from gatewright.schedules.fpga.limits import UNROLL_LIMIT
from gatewright.schedules.fpga.resources import Resources, bram_18k
from tests.xilinx.graphs import mlp, residual_cnn, single_conv

DSP48E1, DSP48E2 = Dsp(25, 18), Dsp(27, 18)


def only(graph_kernels: tuple[Kernel, ...]) -> Kernel:
    (kernel,) = graph_kernels
    return kernel


def test_kernels_of_every_kind() -> None:
    found = {k.layer: k for k in kernels(residual_cnn())}
    kinds = {name: k.kind for name, k in found.items()}
    assert kinds == {
        "first": "conv", "second": "conv", "depthwise": "depthwise", "pointwise": "pointwise", "sum": "elementwise",
        "max": "pool", "average": "reduce", "flat": "none", "logits": "dense",
    }  # fmt: skip
    second = found["second"]
    assert (second.n_in, second.n_out, second.pixels_in, second.pixels_out) == (72, 8, 100, 64)
    assert (second.fill_pixels, second.row_pixels, second.pad_rows, second.data_bits) == (23, 10, 1, 8)
    assert found["depthwise"].n_in == 72  # kernel positions x channels, as hls4ml counts
    assert found["depthwise"].taps == 9
    assert found["sum"].operands == 2


def _windows(height: int, width: int, kernel: int, stride: int) -> tuple[int, int]:
    """(pixels, windows) of hls4ml's line-buffer loop, its counters copied from nnet_conv_stream.h."""
    shift = kernel - 1
    pixels = windows = 0
    p_x = p_y = s_x = s_y = 0
    for _ in range(height * width):
        pixels += 1
        if s_x - shift == 0 and s_y - shift == 0 and p_y > shift - 1 and p_x > shift - 1:
            windows += 1
        if p_x + 1 == width:
            p_x = s_x = 0
            if p_y + 1 == height:
                p_y = s_y = 0
            else:
                p_y += 1
                s_y = s_y - stride + 1 if s_y - shift == 0 else s_y + 1
        else:
            p_x += 1
            s_x = s_x - stride + 1 if s_x - shift == 0 else s_x + 1
    return pixels, windows


@given(
    height=st.integers(3, 12), width=st.integers(3, 12), kernel=st.integers(2, 3), stride=st.integers(1, 2),
    pad=st.integers(0, 1), channels=st.sampled_from([1, 2, 4]), factor=st.integers(0, 20),
)  # fmt: skip
def test_convolution_cycles_are_those_of_the_loop(
    height: int, width: int, kernel: int, stride: int, pad: int, channels: int, factor: int
) -> None:
    found = only(kernels(single_conv(height, width, channels, 4, kernel, stride, pad)))
    pixels, windows = _windows(height + 2 * pad, width + 2 * pad, kernel, stride)
    assert found.pixels_in == pixels and found.pixels_out == windows
    legal = legal_reuse_factors(found, "resource")
    reuse = legal[factor % len(legal)]
    times = make_choice(found, "resource", reuse, "io_stream", DSP48E2).timing
    padding = pixels + 6 * (height + 2 * pad) if pad else 0
    # 4 cycles a pixel, reuse_factor + 2 more a window: measured (published.toml, "conv 3x3x4 -> 7")
    assert times.interval_cycles == max(4 * pixels + windows * (reuse + 2), padding)


@given(weight=st.lists(st.integers(-300, 300), min_size=1, max_size=40))
def test_signed_digits(weight: list[int]) -> None:
    from gatewright.schedules.fpga.kernels import _constants

    def digits(value: int) -> int:
        count = 0
        while value:
            if value & 1:
                count += 1
                value -= 2 - (value & 3)  # +1 or -1, so that the next bit is 0
            value >>= 1
        return count

    found = _constants(np.array(weight, np.int64))
    assert found["csd_digits"] == sum(digits(abs(w)) for w in weight)
    assert found["nonzero"] == sum(w != 0 for w in weight)
    assert found["multiplications"] == sum(abs(w).bit_count() > 1 for w in weight)


def test_widths_are_proven_ones() -> None:
    graph = mlp((4, 2))
    kernel = only(kernels(graph))
    layer = graph["fc0"]
    worst = int((np.abs(layer.weight.astype(np.int64)).sum(1) * 128 + np.abs(layer.bias)).max())  # type: ignore[attr-defined]
    assert kernel.data_bits == 8 and kernel.weight_bits <= 8
    # the proof is exact where the bound is rough: never wider, at most one bit narrower
    assert worst.bit_length() <= kernel.accumulator_bits <= worst.bit_length() + 1


@pytest.mark.parametrize(
    ("depth", "width", "blocks"),
    [(512, 36, 1), (1024, 18, 1), (16384, 1, 1), (513, 36, 2), (512, 37, 2), (3360, 10, 3), (0, 8, 0)],
)
def test_block_ram_shapes(depth: int, width: int, blocks: int) -> None:
    assert bram_18k(depth, width) == blocks


@pytest.mark.parametrize(
    ("a", "b", "tiles48e1", "tiles48e2"),
    [(18, 18, 1, 1), (25, 18, 1, 1), (27, 18, 2, 1), (24, 32, 2, 2), (40, 40, 6, 6)],
)
def test_dsp_tiles(a: int, b: int, tiles48e1: int, tiles48e2: int) -> None:
    assert (DSP48E1.tiles(a, b), DSP48E2.tiles(a, b)) == (tiles48e1, tiles48e2)
    assert DSP48E1.tiles(b, a) == tiles48e1


def test_zero_and_power_of_two_weights_cost_no_multiplier() -> None:
    hard = Kernel("x", "dense", "dense", n_in=8, n_out=8, data_bits=16, weight_bits=8, multiplications=64, nonzero=64)
    easy = Kernel("x", "dense", "dense", n_in=8, n_out=8, data_bits=16, weight_bits=8, multiplications=0, nonzero=64)
    none = Kernel("x", "dense", "dense", n_in=8, n_out=8, data_bits=16, weight_bits=8)
    assert uses_dsp(16, 8) and multipliers(hard, "latency", 1) == 64
    cost = [make_choice(k, "latency", 1, "io_parallel", DSP48E2).resources for k in (hard, easy, none)]
    assert [c.dsp for c in cost] == [64, 0, 0]
    assert cost[1].lut > cost[2].lut  # powers of two still need adders, zeros need nothing


def test_more_folding_is_slower_and_needs_fewer_multipliers() -> None:
    kernel = only(kernels(single_conv(8, 8, 8, 16, 3, 1, 1)))
    found = [c for c in choices(kernel, "io_stream", DSP48E2) if c.strategy == "resource"]
    assert len(found) > 5
    for fast, slow in itertools.pairwise(found):
        assert fast.timing.interval_cycles < slow.timing.interval_cycles
        assert multipliers(kernel, "resource", fast.reuse_factor) >= multipliers(kernel, "resource", slow.reuse_factor)


@given(channels=st.integers(1, 64), filters=st.integers(1, 96), groups=st.booleans())
def test_reuse_factors_pass_the_unroll_limit_and_hls4ml(channels: int, filters: int, groups: bool) -> None:
    filters = channels if groups else filters
    kernel = only(kernels(single_conv(5, 5, channels, filters, 3, groups=channels if groups else 1)))
    for reuse in legal_reuse_factors(kernel, "resource"):
        assert multipliers(kernel, "resource", reuse) <= UNROLL_LIMIT
    for reuse in legal_reuse_factors(kernel, "latency"):
        assert reuse == 1 and multipliers(kernel, "latency", 1) <= UNROLL_LIMIT


@given(
    height=st.integers(1, 9), width=st.integers(1, 9), pad=st.integers(1, 2), stride=st.integers(1, 3),
    channels=st.sampled_from([2, 6, 12]), factor=st.integers(0, 20),
)  # fmt: skip
def test_a_serial_depthwise_kernel_takes_a_turn_for_every_group_of_every_padded_pixel(
    height: int, width: int, pad: int, stride: int, channels: int, factor: int
) -> None:
    found = only(kernels(single_conv(height, width, channels, channels, 3, stride, pad, channels)))
    legal = legal_reuse_factors(found, "resource")
    reuse = legal[factor % len(legal)]
    turns = sum(1 for _ in itertools.product(range(height + 2 * pad), range(width + 2 * pad), range(reuse)))
    made = make_choice(found, "resource", reuse, "io_stream", DSP48E2)
    assert 0 < made.timing.interval_cycles - turns <= 16  # the pipeline's depth
    assert made.timing.tail_cycles <= made.timing.interval_cycles
    assert multipliers(found, "resource", reuse) == 9 * channels // reuse


@given(
    height=st.integers(1, 7), width=st.integers(1, 7), pad=st.integers(1, 2), stride=st.integers(1, 3),
    channels=st.sampled_from([1, 3, 8]), filters=st.sampled_from([1, 4, 6]), factor=st.integers(0, 20),
)  # fmt: skip
def test_a_serial_convolution_takes_the_turns_of_its_loops(
    height: int, width: int, pad: int, stride: int, channels: int, filters: int, factor: int
) -> None:
    found = only(kernels(single_conv(height, width, channels, filters, 3, stride, pad)))
    legal = legal_reuse_factors(found, "serial")
    reuse = legal[factor % len(legal)]
    groups_in, groups_out = serial_groups(filters, reuse)
    assert groups_in * groups_out == reuse and channels % groups_in == filters % groups_out == 0
    turns = windows = 0
    for y, x in itertools.product(range(height + 2 * pad), range(width + 2 * pad)):  # gatewright_convolution.h
        complete = y >= 2 and x >= 2 and (y - 2) % stride == 0 and (x - 2) % stride == 0
        windows += complete
        turns += groups_in * (groups_out if complete else 1)
    assert windows == found.pixels_out
    made = make_choice(found, "serial", reuse, "io_stream", DSP48E2)
    # and the depth of the pipeline for every pixel
    depth, rest = divmod(made.timing.interval_cycles - turns, found.pixels_in)
    assert rest == 0 and 0 < depth <= 16
    assert multipliers(found, "serial", reuse) == 9 * channels * filters // reuse


def test_only_streams_know_serial_convolutions() -> None:
    found = {k.layer: k for k in kernels(residual_cnn())}
    assert legal_reuse_factors(found["second"], "serial") and not legal_reuse_factors(
        found["second"], "serial", "io_parallel"
    )
    assert meant(found["second"], "serial", "io_stream") == "serial"
    assert meant(found["second"], "serial", "io_parallel") == "resource"
    assert (
        meant(found["depthwise"], "serial", "io_stream") == meant(found["logits"], "serial", "io_stream") == "resource"
    )


def test_serial_kernels_use_memories_where_hls4ml_uses_registers() -> None:
    wide = only(kernels(single_conv(6, 6, 256, 256, 3, 1, 1, 256)))
    folded = make_choice(wide, "resource", 256, "io_stream", DSP48E2).resources
    # two beats in registers, not nine; the rows in block RAM
    assert folded.ff < 3 * 256 * 8 and folded.bram_18k and folded.lut < 4000
    point = only(kernels(single_conv(6, 6, 128, 256, 1)))
    assert legal_reuse_factors(point, "resource")[-1] == 128 * 256
    slow, fast = (make_choice(point, "resource", rf, "io_stream", DSP48E2) for rf in (256 * 128, 256))
    assert (slow.timing.interval_cycles - fast.timing.interval_cycles) == 36 * 256 * 127
    assert slow.resources.lut < fast.resources.lut


def test_arrays_have_fewer_reuse_factors() -> None:
    # hls4ml's array convolution reads past its window above n_in, and knows no folded depthwise product
    found = {k.layer: k for k in kernels(residual_cnn())}
    assert max(legal_reuse_factors(found["second"], "resource", "io_stream")) == 576
    assert max(legal_reuse_factors(found["second"], "resource", "io_parallel")) == 72
    assert legal_reuse_factors(found["depthwise"], "resource", "io_stream")
    assert not legal_reuse_factors(found["depthwise"], "resource", "io_parallel")
    assert max(legal_reuse_factors(found["logits"], "resource", "io_parallel")) == 80


def test_partition_limit() -> None:
    wide = Kernel("x", "dense", "dense", n_in=5000, n_out=2)
    assert "4096" in (illegal(wide) or "")
    assert illegal(Kernel("x", "dense", "dense", n_in=4096, n_out=2)) is None


def test_output_size_is_the_graphs() -> None:
    kernel = only(kernels(single_conv(7, 9, 2, 3, 3, 2, 1)))
    assert kernel.pixels_out == output_size(7, 3, 2, 2) * output_size(9, 3, 2, 2)


def test_resources_add_and_compare() -> None:
    a, b = Resources(lut=1, dsp=2), Resources(lut=3, ff=4)
    assert a + b == Resources(lut=4, ff=4, dsp=2)
    assert Resources(lut=5).exceeding(Resources(lut=4)) == ["lut"]
    assert Resources(csynth_lut=99).exceeding(Resources()) == []
