"""Random graphs in hardware: the bytes of the golden reference, whatever the world outside does, in the right cycles.

Some graphs side by side make one design, so that few builds cover much. ``GATEWRIGHT_FUZZ=200 pytest -m slow
tests/lattice/test_fuzz.py`` runs so many more cases; ``GATEWRIGHT_FUZZ_SEED`` says where they start.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Input, Requantize
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.integer.verifier import verify
from gatewright.hls.lattice.lowering import lower
from gatewright.schedules.stream.network import ForkNode, Network, StageNode, WidthNode
from gatewright.schedules.stream.stages import Combine, Concat, Gather, Mac, Map, Pool, Product, Table
from tests.lattice.random_designs import Batch, Case, assembled, random_case
from tests.strategies import OPERATORS

FABRICS = ("ecp5", "ice40-up", "ice40")
SEEDS: dict[str, tuple[int, ...]] = {
    "ecp5": (221, 305, 356, 380, 459, 485),
    "ice40-up": (221, 335, 356, 413, 459, 467),
    "ice40": (221, 335, 341, 356, 413, 467),
}
"""Chosen so that :func:`features` finds everything of ``WANTED``."""

STALLS = ((0.5, 0.5), (1.0, 0.3), (0.3, 1.0))
SAMPLES = 4
A_BUILD = 8
"""Cases side by side in one design."""


def features(case: Case, network: Network) -> Iterator[str]:
    """What of the generator a case uses."""
    yield f"profile {case.graph.profile}"
    for layer in case.graph:
        yield f"operator {layer.op}"
    for node in network.nodes:
        match node:
            case WidthNode():
                yield "widen" if node.inputs[0].lanes < node.outputs[0].lanes else "narrow"
            case ForkNode():
                yield "fork"
                yield from ("block fifo" if block else "small fifo" for block in node.blocks)
            case StageNode():
                yield from stage_features(node)


def stage_features(node: StageNode) -> Iterator[str]:
    made = node.hardware
    stage = made.stage
    yield type(stage).__name__
    if made.lanes > 1:
        yield f"{type(stage).__name__} lanes"
    if made.burst > 1:
        yield "burst"
    if made.scaling is not None:
        yield "multiplier" if made.scaling.multiplier_bits else "shift only"
        yield from ["variable shift"] * (made.scaling.amount_bits > 0) + ["limbs"] * (made.scaling.multipliers > 1)
    if isinstance(stage, Mac | Pool):
        window = stage.window
        yield from ["stride"] * (window.strides != (1, 1)) + ["dilation"] * (window.dilation != (1, 1))
        yield from ["padding"] * any(window.padding) + ["one channel"] * (window.channels == 1)
        top, left = window.padding[:2]
        early = window.span[0] <= top or (window.span[0] == top + 1 and window.span[1] <= left)
        yield from ["window of padding alone"] * early
    if isinstance(stage, Mac):
        yield "hard multiplier" if made.hard_multipliers else "soft multiplier"
        yield from ["some hard"] * (0 < made.hard_multipliers < made.multipliers) + ["ternary"] * stage.ternary
        yield from ["depthwise"] * stage.depthwise + ["groups"] * (stage.groups > 1 and not stage.depthwise)
        yield from ["simd"] * (made.fold.simd > 1) + ["pe"] * (made.fold.pe > 1)
        yield "weights kept" if made.fold.kept else "weights from outside" if made.fold.outside else "weights inside"


STAGES = (Combine, Concat, Gather, Mac, Map, Pool, Product, Table)
WANTED = (
    {f"operator {op}" for op in OPERATORS}
    | {kind.__name__ for kind in STAGES}
    | {f"{kind.__name__} lanes" for kind in STAGES}
    | {"profile fixed", "profile scaled", "widen", "narrow", "fork", "block fifo", "small fifo", "burst", "multiplier",
       "shift only", "variable shift", "limbs", "stride", "dilation", "padding", "one channel",
       "window of padding alone", "hard multiplier", "soft multiplier", "some hard", "ternary", "depthwise", "groups",
       "simd", "pe", "weights from outside", "weights kept", "weights inside"}
)  # fmt: skip


def check(batch: Batch) -> None:
    """Everything a design promises, for every case of ``batch``."""
    expected = batch.expected(SAMPLES)
    for case, timing, right, (measured, made) in zip(
        batch.cases, batch.timings, expected, batch.measure(SAMPLES), strict=True
    ):
        same(case, right, made)
        found = (measured.latency_cycles, measured.interval_cycles, measured.frames)
        assert found == (timing.latency_cycles, timing.interval_cycles, timing.frames), f"seed {case.seed}"
    for seed, stalls in enumerate(STALLS, 1):
        for case, right, made in zip(
            batch.cases, expected, batch.run(SAMPLES, back_pressure=stalls, seed=seed, idle_cycles=20_000), strict=True
        ):
            same(case, right, made)


def same(case: Case, right: dict[str, np.ndarray], made: dict[str, np.ndarray]) -> None:
    assert right.keys() == made.keys()
    for name, array in right.items():
        np.testing.assert_array_equal(made[name], array, f"seed {case.seed}, {name}")


@pytest.mark.slow
@pytest.mark.parametrize("fabric", FABRICS)
def test_bytes_and_cycles(tmp_path: Path, fabric: str) -> None:
    check(Batch([random_case(seed) for seed in SEEDS[fabric]], fabric, tmp_path))


def test_the_seeds_cover_the_generator() -> None:
    found = set()
    for fabric, seeds in SEEDS.items():
        for seed in seeds:
            case = random_case(seed)
            found |= set(features(case, assembled(case.design, case.folds, fabric)[0]))
    assert found >= WANTED, WANTED - found


def more() -> list[tuple[str, int]]:
    """(fabric, first seed) of further designs, as many as the environment asks for."""
    cases, first = int(os.environ.get("GATEWRIGHT_FUZZ", "0")), int(os.environ.get("GATEWRIGHT_FUZZ_SEED", "100000"))
    return [(FABRICS[i % 3], first + i * A_BUILD) for i in range(-(-cases // A_BUILD))]


@pytest.mark.slow
@pytest.mark.parametrize(("fabric", "first"), more())
def test_more(tmp_path: Path, fabric: str, first: int) -> None:
    layers = 3 + first // A_BUILD % 8
    check(Batch([random_case(seed, layers) for seed in range(first, first + A_BUILD)], fabric, tmp_path))


# -- names ---------------------------------------------------------------------------------------------------------

HOSTILE = ("module", "inside", "logic", "final", "clk", "s0", "a", "a_fork", "a_data", "a_to_b_0", "b", "b_width",
           "ä ö", "a/b", "a.b", "1", "gw_fifo", "stage_a", "network", "fifo", "a_weights", "w0")  # fmt: skip


def named(names: tuple[str, ...]) -> IntegerGraph:
    """Layers of these names, in a row, the first read by every third other."""
    kind = TensorType((1, 4), 8, True, 0.5)
    layers: list[Input | Requantize] = [Input(names[0], (), kind)]
    for i, name in enumerate(names[1:], 1):
        source = names[0] if i % 3 == 0 else names[i - 1]
        layers.append(Requantize(name, (source,), kind, 128, 7, (-128, 127)))
    return verify(IntegerGraph(layers, [*names[2::3], names[-1]], "fixed", 8))


def test_names_become_distinct_identifiers() -> None:
    network, _ = assembled(lower(named(HOSTILE)), {}, "ecp5")
    names = [node.name for node in network.nodes]
    wires = [f"{channel.name}_{part}" for channel in network.channels for part in ("valid", "ready", "data")]
    forks = [f"{node.name}_{part}" for node in network.forks for part in ("valid", "ready", "data")]
    fifos = [f"{channel.name}_fifo" for node in network.forks for channel in node.outputs]
    everything = [*names, *wires, *forks, *fifos]
    assert len(set(everything)) == len(everything)
    assert all(name.isidentifier() and name.isascii() for name in everything)


@pytest.mark.slow
def test_hostile_names_simulate(tmp_path: Path) -> None:
    graph = named(HOSTILE)
    case = Case(0, graph, lower(graph), {})
    check(Batch([replace(case, seed=1)], "ecp5", tmp_path))
