"""The closed form of NVDLA-like cores: against NVDLA's spreadsheet, by hand, and its properties."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.schedules.accelerator.spec import read_spec
from gatewright.schedules.accelerator.timing.layers import LayerShape
from gatewright.schedules.accelerator.timing.nvdla import NvdlaCore, layer_cycles, network_cycles
from tests.accelerator import nvdla_sheet
from tests.benchmarks import accelerator_peers as peers
from tests.benchmarks import accelerator_trends as trends

LARGE = NvdlaCore(64, 32, 512 << 10, 10, dense_batch=16)
COUNTS = {"AlexNet": 11, "GoogLeNet": 39, "ResNet-50": 54}


def shape_of(network: str, name: str) -> LayerShape:
    """One layer of the spreadsheet."""
    return next(row.shape for row in nvdla_sheet.layers(network) if row.shape.name == name)


@pytest.mark.parametrize("memory", ["DRAM", "SRAM"])
@pytest.mark.parametrize("network", nvdla_sheet.NETWORKS)
def test_mean_error_against_the_spreadsheet_is_at_most_ten_percent(network: str, memory: str) -> None:
    rows = trends.compare(network, memory, trends.core(memory, trends.WINOGRAD[network]))
    assert len(rows) == COUNTS[network]
    assert trends.mean_error(rows) <= 0.10


@pytest.mark.parametrize("memory", ["DRAM", "SRAM"])
@pytest.mark.parametrize("network", nvdla_sheet.NETWORKS)
def test_every_miss_has_its_reason(network: str, memory: str) -> None:
    for row in trends.compare(network, memory, trends.core(memory, trends.WINOGRAD[network])):
        if abs(row.error) >= trends.EXPLAINED_FROM:
            assert row.reason, row


@pytest.mark.parametrize("network", nvdla_sheet.NETWORKS)
def test_array_cycles_of_every_convolution_are_the_spreadsheets(network: str) -> None:
    for row in nvdla_sheet.layers(network):
        if row.shape.kind == "conv":
            assert layer_cycles(row.shape, LARGE).mac == math.ceil(row.sram["mac"]), row.shape.name


def test_shipped_specs_are_the_cores_they_say(repository: Path) -> None:
    folder = repository / "targets" / "accelerator" / "specs"
    cores = {
        name: NvdlaCore.of(read_spec(folder / f"{name}.toml"))
        for name in ("nvdla-large", "nvdla-small-256", "nvdla-small")
    }
    assert {name: (core.macs, core.buffer_bytes >> 10) for name, core in cores.items()} == {
        "nvdla-large": (2048, 512),
        "nvdla-small-256": (256, 128),
        "nvdla-small": (64, 128),
    }
    assert replace(cores["nvdla-large"], dense_batch=16) == LARGE


def test_layer_without_rereads_by_hand() -> None:
    parts = layer_cycles(shape_of("ResNet-50", "Res2a_branch1"), LARGE)
    assert (parts.feature_reads, parts.weight_reads) == (1, 1)
    assert parts.dram_bytes == 56 * 56 * 64 + 64 * 256 + 56 * 56 * 256
    assert parts.dram == -(-parts.dram_bytes // 10)
    assert parts.mac == 56 * 56 * 64 * 256 // 2048
    assert (parts.cycles, parts.bound) == (parts.dram, "dram")


def test_rereads_by_hand() -> None:
    # 512 KiB of weights after extension (stride 2: four times the channels) and 784 KiB of features; 32 kernels of
    # 1 KiB stay with 480 KiB of features: two bands, weights twice. Features twice would be 784 KiB more.
    parts = layer_cycles(shape_of("ResNet-50", "Res3a_branch1"), LARGE)
    assert (parts.feature_reads, parts.weight_reads) == (1, 2)
    assert parts.dram_bytes == (784 + 2 * 512 + 392) << 10


def test_small_buffers_reread_features() -> None:
    layer = LayerShape("x", "conv", 16, 8, 8, 512)  # 1 KiB of features, 8 KiB of weights, 8 rows of 128 bytes
    core = NvdlaCore(16, 16, 512, 1, winograd="none")
    # Weights stay in 512 - 128 bytes at a time: features 22 times. Features stay in 512 - 256 bytes: weights 4 times.
    assert layer_cycles(layer, core).dram_bytes == min(22 * 1024 + 8192, 1024 + 4 * 8192) + 64 * 512
    assert layer_cycles(layer, core).feature_reads == 22
    assert layer_cycles(layer, replace(core, buffer_bytes=16384)).dram_bytes == 1024 + 8192 + 64 * 512


def test_winograd_multiplies_less_and_stores_more() -> None:
    layer = shape_of("AlexNet", "3")
    stored, direct = layer_cycles(layer, LARGE), layer_cycles(layer, replace(LARGE, winograd="none"))
    on_load = layer_cycles(layer, replace(LARGE, winograd="on-load"))
    assert (stored.mac * 9, stored.mac) == (direct.mac * 4, on_load.mac)
    assert stored.dram_bytes - on_load.dram_bytes == 256 * 384 * (16 - 9)
    assert on_load.dram_bytes == direct.dram_bytes


def test_winograd_weights_beyond_the_buffer_run_directly() -> None:
    layer = LayerShape("x", "conv", 512, 7, 7, 512, (3, 3), (1, 1), (1, 1, 1, 1))
    tight = NvdlaCore(32, 32, 256 << 10, 10)  # 32 kernels of 512 x 16 bytes alone fill it
    assert layer_cycles(layer, tight) == layer_cycles(layer, replace(tight, winograd="none"))


def test_a_layer_that_cannot_work_at_all_is_refused() -> None:
    layer = LayerShape("deep", "conv", 512, 7, 7, 512, (3, 3), (1, 1), (1, 1, 1, 1))
    with pytest.raises(ValueError, match=r"deep: .* must be in a convolution buffer of 65536 bytes at once"):
        layer_cycles(layer, NvdlaCore(32, 32, 64 << 10, 10))


def test_dense_batch_shares_weights_only() -> None:
    layer = shape_of("ResNet-50", "fc1000")
    one, sixteen = layer_cycles(layer, replace(LARGE, dense_batch=1)), layer_cycles(layer, LARGE)
    assert one.dram_bytes - sixteen.dram_bytes == 2048 * 1000 * 15 // 16
    assert one.mac == sixteen.mac


def test_sram_takes_the_features() -> None:
    core = replace(LARGE, sram_bytes=4 << 20, sram_bytes_per_cycle=25)
    layers = [LayerShape("a", "conv", 16, 32, 32, 16), LayerShape("b", "conv", 16, 32, 32, 16, residual=True)]
    first, second = network_cycles(layers, core)
    images = ((4 << 20) - 256) // (2 * 16384)
    assert (first.dram_bytes, first.sram_read) == (16384 + -(-256 // images), 0)
    assert (second.dram_bytes, second.sram_read) == (-(-256 // images), -(-2 * 16384 // 25))
    assert first.sram_write == second.sram_write == -(-16384 // 25)


def test_groups_are_convolutions_side_by_side() -> None:
    grouped = LayerShape("g", "conv", 64, 8, 8, 64, (5, 5), (1, 1), (2, 2, 2, 2), groups=2)
    half = LayerShape("h", "conv", 32, 8, 8, 32, (5, 5), (1, 1), (2, 2, 2, 2))
    two, one = layer_cycles(grouped, LARGE), layer_cycles(half, LARGE)
    assert (two.mac, two.dram_bytes) == (2 * one.mac, 2 * one.dram_bytes)


SHAPES = st.builds(
    LayerShape,
    st.just("x"),
    st.just("conv"),
    *(st.integers(1, limit) for limit in (64, 40, 40, 96)),
    kernel=st.sampled_from([(1, 1), (3, 3), (1, 5), (7, 7)]),
    strides=st.sampled_from([(1, 1), (2, 2), (1, 3)]),
    padding=st.just((3, 3, 3, 3)),
    residual=st.booleans(),
)


@given(SHAPES, st.sampled_from([0, 1 << 18]), st.sampled_from(["none", "stored", "on-load"]))
def test_parts_are_lower_bounds(layer: LayerShape, sram: int, winograd: str) -> None:
    core = replace(LARGE, winograd=winograd, sram_bytes=sram, sram_bytes_per_cycle=25)
    parts = layer_cycles(layer, core, input_in_dram=not sram, output_in_dram=not sram)
    every = (parts.mac, parts.dram, parts.sram_read, parts.sram_write)
    assert parts.cycles == max(every) == getattr(parts, parts.bound)
    assert parts.mac >= layer.macs * (1 if winograd == "none" else 4 / 9) / core.macs
    assert parts.dram * core.dram_bytes_per_cycle >= parts.dram_bytes >= layer.weights
    moved = parts.dram_bytes + 25 * (parts.sram_read + parts.sram_write)
    data = layer.weights + layer.channels * layer.height * layer.width + layer.outputs * layer.stored_pixels
    assert moved >= data


@given(SHAPES, st.integers(1, 40), st.integers(17, 21))
def test_more_hardware_is_never_slower(layer: LayerShape, bandwidth: int, log_bytes: int) -> None:
    core = replace(LARGE, dram_bytes_per_cycle=bandwidth, buffer_bytes=1 << log_bytes, winograd="none")
    cycles = layer_cycles(layer, core).cycles
    for better in (
        replace(core, dram_bytes_per_cycle=bandwidth + 1),
        replace(core, buffer_bytes=2 << log_bytes),
        replace(core, atomic_c=128),
    ):
        assert layer_cycles(layer, better).cycles <= cycles
    assert layer_cycles(layer, replace(core, dram_bytes_per_cycle=math.inf)).cycles == layer_cycles(layer, core).mac


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"channels": 0}, "at least 1"),
        ({"padding": (-1, 0, 0, 0)}, "at least 1"),
        ({"groups": 3}, "3 groups do not divide"),
        ({"kernel": (9, 1)}, "larger than the padded image"),
    ],
)
def test_impossible_layers_are_refused(change: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        replace(LayerShape("x", "conv", 16, 8, 8, 16), **change)


def test_shapes_of_the_tiny_networks_have_their_macs() -> None:
    macs = {name: sum(layer.macs for layer in shapes()) for name, (shapes, *_) in peers.VELA.items()}
    # Vela counts 2,664,792, 12,505,748, 7,491,972 and 264,192: pooling included.
    assert list(macs.values()) == [2_656_768, 12_501_632, 7_489_664, 264_192]


def test_bounds_stay_below_what_was_published() -> None:
    for row in peers.eyeriss():
        assert row.ours == row.published if "active" in row.what else row.ours <= row.published, row
    for row in peers.gemmini():
        assert row.ours <= row.published, row


def test_published_shares_of_the_tpu_add_up() -> None:
    for app, (_, _, *shares, _) in peers.TPU_APPS.items():
        assert sum(shares) == pytest.approx(100, abs=0.11), app


def test_the_page_says_what_the_models_say() -> None:
    assert trends.PAGE.read_text("utf-8") == trends.page(), "python -m tests.benchmarks.accelerator_trends --update"
