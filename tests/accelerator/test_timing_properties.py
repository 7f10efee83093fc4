"""The tiers of the timing model against each other: bounds, limits, and what must never become slower."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.schedules.accelerator.isa.encoding import Words
from gatewright.schedules.accelerator.tile import Tiling
from gatewright.schedules.accelerator.timing.closed import (
    array_cycles,
    convolution_cycles,
    flow_shop_cycles,
    program_cycles,
    transfer_total,
)
from gatewright.schedules.accelerator.timing.counts import by_layer
from gatewright.schedules.accelerator.timing.event import simulate
from gatewright.schedules.accelerator.timing.roofline import network_roof, roof
from tests.accelerator.random_specs import make_spec
from tests.accelerator.timed_layers import TimedLayer, changed, in_the_limit, random_accelerator, random_shape

SEEDS = st.integers(0, 1 << 32)


def draw(seed: int, limit: bool = False) -> tuple[TimedLayer, list[Words], list[Tiling]]:
    """A layer on a random accelerator, and a few of its tilings as programs."""
    rng = np.random.default_rng(seed)
    while True:
        spec = random_accelerator(rng)
        spec = in_the_limit(spec) if limit else spec
        layer = TimedLayer(spec, random_shape(rng, spec))
        tilings = layer.tilings
        if tilings:
            break
    chosen = [tilings[i] for i in rng.integers(0, len(tilings), 2)]
    return layer, [layer.words(tiling) for tiling in chosen], chosen


@settings(max_examples=40)
@given(seed=SEEDS)
def test_the_event_model_is_never_below_the_other_tiers(seed: int) -> None:
    layer, programs, tilings = draw(seed)
    for words, tiling in zip(programs, tilings, strict=True):
        event = simulate(layer.spec, words)
        counts = by_layer(layer.spec, words, ["layer"] * len(words))
        assert event.total_cycles >= network_roof(layer.spec, counts).bound_cycles
        assert event.total_cycles >= program_cycles(layer.spec, words)
        assert event.total_cycles >= convolution_cycles(layer.spec, layer.shape, tiling)
        assert event.total_cycles >= max(event.busy_cycles.values())


@settings(max_examples=40)
@given(seed=SEEDS)
def test_the_limit_of_the_event_model_is_the_closed_form(seed: int) -> None:
    layer, programs, tilings = draw(seed, limit=True)
    for words, tiling in zip(programs, tilings, strict=True):
        closed = convolution_cycles(layer.spec, layer.shape, tiling)
        event = simulate(layer.spec, words)
        free = program_cycles(layer.spec, words)
        # With one queue for both directions a load waits behind stores, which the closed form does not know.
        if layer.spec.dma.channels == 2:
            assert free == closed
        assert closed <= free <= event.total_cycles <= free + transfer_total(layer.spec, words)


def test_bandwidth_and_latency_lead_to_the_closed_form() -> None:
    spec = in_the_limit(make_spec(matrix__rows=8, matrix__columns=8, scratchpads__activation={"bytes": 65536}))
    layer = TimedLayer(spec, random_shape(np.random.default_rng(3), spec, most=30))
    tiling = layer.tilings[len(layer.tilings) // 2]
    words, closed = layer.words(tiling), convolution_cycles(spec, layer.shape, tiling)
    excess = []
    for power in range(-1, 17):
        slower = changed(spec, "dma", bytes_per_cycle=2.0**power, latency_cycles=(1 << 16) >> (power + 1))
        excess.append(simulate(slower, words).total_cycles - closed)
    assert excess == sorted(excess, reverse=True)
    # One beat a row is left.
    assert 0 <= excess[-1] <= transfer_total(spec, words) < excess[0]


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_equal_tiles_in_a_flow_shop(slots: int) -> None:
    for m, v, n in ((7, 3, 5), (3, 7, 5), (4, 4, 1), (0, 5, 3)):
        wanted = n * (m + v) if slots == 1 else m + (n - 1) * max(m, v) + v
        assert flow_shop_cycles([m] * n, [v] * n, slots) == wanted


def test_a_whole_layer_in_the_array() -> None:
    # 20 pixels, 3 x 3 window over 10 channels (3 blocks of 4), 9 outputs (3 blocks of 4): 81 folds.
    shape = random_shape(np.random.default_rng(0), make_spec())
    shape = type(shape)(**shape.__dict__ | {
        "samples": 1, "height": 6, "width": 7, "channels": 10, "out_height": 4, "out_width": 5, "out_channels": 9,
        "kernel": (3, 3), "groups": 1, "passes": 1, "rows": 4, "columns": 4,
    })  # fmt: skip
    assert array_cycles(make_spec(matrix__start_cycles=0).matrix, shape) == 4 + 81 * 20 + 4 + 4 - 2
    blocking = make_spec(matrix__start_cycles=0, matrix__shadow_weights=False)
    assert array_cycles(blocking.matrix, shape) == 81 * (2 * 4 + 4 + 20 - 2)
    still = make_spec(matrix__start_cycles=0, matrix__dataflow="os")
    assert array_cycles(still.matrix, shape) == 5 * 3 * (90 + 4 + 4 - 2) + 4
    assert array_cycles(make_spec(matrix__start_cycles=5, matrix__dataflow="dot").matrix, shape) == 5 + 81 * 20


@settings(max_examples=40)
@given(seed=SEEDS)
def test_a_program_never_gains_by_a_slower_machine(seed: int) -> None:
    layer, programs, _ = draw(seed)
    rng, spec = np.random.default_rng(seed), layer.spec
    faster = [
        changed(spec, "dma", bytes_per_cycle=min(spec.dma.bytes_per_cycle * float(rng.uniform(1, 3)), 65536.0)),
        changed(spec, "dma", latency_cycles=int(spec.dma.latency_cycles * rng.random())),
        changed(spec, "dma", start_cycles=int(spec.dma.start_cycles * rng.random()), burst_gap_cycles=0),
        changed(spec, "control", fetch_cycles=int(spec.control.fetch_cycles * rng.random())),
        changed(spec, "control", queue_depth=spec.control.queue_depth + int(rng.integers(1, 9))),
        changed(spec, "matrix", start_cycles=0),
    ]
    for words in programs:
        cycles = simulate(spec, words).total_cycles
        for other in faster:
            assert simulate(other, words).total_cycles <= cycles


def _doubled(layer: TimedLayer, name: str) -> TimedLayer:
    pad = getattr(layer.spec.scratchpads, name)
    larger = pad.model_copy(update={"bytes": 2 * pad.bytes, "banks": 2 * pad.banks})
    return TimedLayer(changed(layer.spec, "scratchpads", **{name: larger.model_dump()}), layer.shape)


@pytest.mark.parametrize("name", ["activation", "weight", "constant", "accumulator"])
def test_a_larger_scratchpad_never_slows_the_best_schedule(name: str) -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        while True:
            spec = random_accelerator(rng)
            layer = TimedLayer(spec, random_shape(rng, spec, most=5))
            if layer.tilings:
                break
        assert _doubled(layer, name).best().cycles <= layer.best().cycles, f"seed {seed}"


def test_a_roof() -> None:
    spec = make_spec()
    layer = TimedLayer(spec, random_shape(np.random.default_rng(5), spec))
    words = layer.words(layer.tilings[0])
    (counts,) = by_layer(spec, words, ["layer"] * len(words)).values()
    event = simulate(spec, words).total_cycles
    found = roof(spec, counts, event)
    assert found.matrix_cycles == -(-counts.matrix_macs // 16)
    assert found.vector_cycles == -(-counts.vector_operations // 4)
    assert found.read_cycles == -(-counts.dram_read // 4)
    assert found.intensity == counts.macs / (counts.dram_read + counts.dram_written)
    assert found.achieved_macs_per_cycle == counts.macs / event <= found.attainable_macs_per_cycle <= 16
    assert found.binds in ("matrix", "vector", "read", "write")
