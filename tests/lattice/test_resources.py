"""The resource model against stored measurements of designs that are not in its fit, and what must hold without any."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from gatewright.schedules.stream.devices import FABRICS
from gatewright.schedules.stream.hardware import Fold, hardware
from gatewright.schedules.stream.memories import memories_of, memory_of
from gatewright.schedules.stream.network import StageNode
from gatewright.schedules.stream.resources import Resources, network_resources, stage_resources
from gatewright.schedules.stream.resources.counting import stage_parts
from gatewright.schedules.stream.stages import Mac
from tests.benchmarks.lattice_resources import COMPARED, NAMES, TRAINING, stored
from tests.lattice.resource_designs import measured_design

ROWS = stored()
HELD = [recipe for recipe in COMPARED if recipe in ROWS]


def test_no_compared_design_is_in_the_fit() -> None:
    assert not set(TRAINING) & set(COMPARED)
    assert len(HELD) >= 20


def test_luts_and_flip_flops_are_within_ten_percent_on_average() -> None:
    for name in ("lut", "ff"):
        errors = [getattr(network_resources(measured_design(recipe)), name) / ROWS[recipe][name] - 1 for recipe in HELD]
        assert np.abs(errors).mean() <= 0.10, name
        assert np.abs(errors).max() <= 0.25, name


@pytest.mark.parametrize("recipe", HELD)
def test_multipliers_and_block_memories_are_exact(recipe: str) -> None:
    model, row = network_resources(measured_design(recipe)), ROWS[recipe]
    assert (model.dsp, model.ebr) == (row["dsp"], row["ebr"])


def test_every_quantity_has_a_coefficient() -> None:
    for recipe in HELD:
        for node in measured_design(recipe).stages:
            assert set(stage_parts(node.hardware).logic) <= set(NAMES)


def _macs() -> list[StageNode]:
    found = [node for recipe in HELD for node in measured_design(recipe).stages if isinstance(node.hardware.stage, Mac)]
    return found[:12]


def test_more_parallel_arrays_take_no_less() -> None:
    for node in _macs():
        stage, fabric = node.hardware.stage, node.hardware.fabric
        assert isinstance(stage, Mac)
        rows = stage.window.channels if stage.depthwise else stage.weight.shape[0] // stage.groups
        folded = [hardware(stage, Fold(pe), fabric) for pe in (1, 2, 4, 8) if rows % pe == 0]
        for slow, fast in pairwise(folded):
            less, more = stage_resources(slow), stage_resources(fast)
            assert less.ff < more.ff and less.dsp <= more.dsp
            # A deeper ROM may have more columns, which are chosen in logic.
            if memory_of(slow, "weights").columns == memory_of(fast, "weights").columns:
                assert less.lut < more.lut


def test_multipliers_in_logic_take_logic() -> None:
    for node in _macs():
        made = node.hardware
        assert isinstance(made.stage, Mac)
        if made.stage.ternary or not made.fabric.multiplier:
            continue
        hard, soft = (stage_resources(hardware(made.stage, replace(made.fold, hard=n), made.fabric)) for n in (-1, 0))
        assert soft.lut > hard.lut and soft.dsp < hard.dsp


def test_constant_bits_of_a_rom_take_no_block_memory() -> None:
    fabric = FABRICS["ecp5"]
    node = next(n for n in measured_design("digits_mlp:ecp5:fixed-1000").stages if isinstance(n.hardware.stage, Mac))
    made = hardware(node.hardware.stage, Fold(4, 2), fabric)
    weights = next(memory for memory in memories_of(made) if memory.part == "weights")
    assert weights.block and weights.blocks > 0
    assert isinstance(made.stage, Mac)
    pruned = made.stage.weight.copy()
    pruned.reshape(-1, 4, *pruned.shape[1:])[:, 2:] = 0  # half of the filters that are computed at once: whole slices
    kept = stage_parts(hardware(replace(made.stage, weight=pruned), Fold(4, 2), fabric)).ebr
    assert kept < stage_parts(made).ebr


def test_fits_compares_every_resource() -> None:
    assert Resources(1, 1, 1, 1).fits(Resources(1, 1, 1, 1))
    for name in ("lut", "ff", "dsp", "ebr"):
        assert not replace(Resources(1, 1, 1, 1), **{name: 2}).fits(Resources(1, 1, 1, 1))
