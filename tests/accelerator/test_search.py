"""The search of tilings: what fits, bounds that hold, and the best of the grid when nothing ends the search early."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.schedules.accelerator.lowering.convolution import place_slots
from gatewright.schedules.accelerator.search.bounds import grid_bounds
from gatewright.schedules.accelerator.search.convolution import Budget
from gatewright.schedules.accelerator.search.grid import convolution_grid, halvings
from gatewright.schedules.accelerator.shapes import ConvShape
from gatewright.schedules.accelerator.timing.event import simulate
from tests.accelerator.random_specs import make_spec
from tests.accelerator.timed_layers import TimedLayer, random_accelerator, random_shape

SEEDS = st.integers(0, 1 << 32)


def test_halvings() -> None:
    assert halvings(1) == [1]
    assert halvings(13) == [13, 7, 4, 2, 1]


@settings(max_examples=15)
@given(seed=SEEDS)
def test_the_grid_is_what_finds_places(seed: int) -> None:
    rng = np.random.default_rng(seed)
    spec = random_accelerator(rng)
    shape = random_shape(rng, spec, most=6)
    for resident in product((False, True), repeat=2):
        for share in (1, 3):
            limit = spec.scratchpads.activation.bytes // share
            grid = convolution_grid(spec, shape, resident, limit)
            tilings = [grid.tiling(index) for index in range(len(grid))]
            assert len(set(tilings)) == len(tilings)
            assert all(place_slots(spec, shape, tiling, resident, limit) is not None for tiling in tilings)
            # Whatever only more memory lets in has no places here.
            larger = convolution_grid(spec, shape, resident, limit * 4)
            for tiling in {larger.tiling(index) for index in range(len(larger))} - set(tilings):
                assert place_slots(spec, shape, tiling, resident, limit) is None


@settings(max_examples=40)
@given(seed=SEEDS)
def test_no_tiling_is_faster_than_its_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    spec = random_accelerator(rng)
    layer = TimedLayer(spec, random_shape(rng, spec, most=8))
    bounds = grid_bounds(spec, layer.shape, layer.grid, (False, False))
    for index in rng.integers(0, max(len(layer.grid), 1), min(3, len(layer.grid))):
        cycles = simulate(spec, layer.words(layer.grid.tiling(int(index)))).total_cycles
        assert bounds.cycles[index] <= cycles
    assert (bounds.guess >= bounds.cycles).all()


@settings(max_examples=4)
@given(seed=SEEDS)
def test_a_complete_search_finds_the_best(seed: int) -> None:
    rng = np.random.default_rng(seed)
    while True:
        spec = random_accelerator(rng)
        layer = TimedLayer(spec, random_shape(rng, spec, most=4))
        if 0 < len(layer.grid) < 150:
            break
    every = [simulate(spec, layer.words(tiling)).total_cycles for tiling in layer.tilings]
    found = layer.best()
    assert found.cycles == min(every) == simulate(spec, layer.words(found.tiling)).total_cycles
    assert found.bound_cycles <= found.cycles <= layer.best(Budget(candidates=1)).cycles


def test_the_grid_of_one_layer() -> None:
    pads = {name: {"bytes": 1 << 20} for name in ("activation", "weight", "constant", "accumulator")}
    spec = make_spec(scratchpads=pads)
    shape = ConvShape(1, 4, 4, 8, 8, 4, 4, 8, 8, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), 1, 1, 4, 4)
    grid = convolution_grid(spec, shape, (False, False), 1 << 20)
    tilings = [grid.tiling(index) for index in range(len(grid))]
    # Rows 4, 2, 1 of whole width and with half and a quarter of it; outputs and inputs 2 and 1 blocks; three windows.
    bases = {(t.height, t.width, t.outputs, t.kernel_height, t.kernel_width, t.inputs) for t in tilings}
    windows = ((3, 3), (1, 3), (1, 1))
    assert bases == {
        (h, w, n, *window, k)
        for h in (4, 2, 1)
        for w in (4, 2, 1)
        for n in (2, 1)
        for k in (2, 1)
        for window in windows
    }
    slots = {
        (t.order, t.input_slots, t.weight_slots, t.output_slots, t.accumulator_slots)
        for t in tilings
        if (t.height, t.width, t.outputs, t.kernel_height, t.kernel_width, t.inputs) == (2, 4, 1, 1, 3, 1)
    }
    # Two tiles of pixels, two of outputs, a sum of six: all of an inner sweep, or two of what streams past.
    wanted = {("pixels", i, w, 2, 2) for i in (2, 6) for w in (2, 12)}
    wanted |= {("outputs", i, w, 2, 2) for i in (2, 12) for w in (2, 6)}
    assert slots == wanted | {("pixels", 1, 1, 1, 1), ("outputs", 1, 1, 1, 1)}
