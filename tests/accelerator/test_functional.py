"""The functional executor equals the golden reference byte for byte, on any accelerator, in any order waits allow."""

from __future__ import annotations

import numpy as np
import pytest

from gatewright.compiler.errors import GatewrightError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.reference import Reference
from gatewright.schedules.accelerator.image import packaged
from gatewright.schedules.accelerator.planner import plan_network
from gatewright.schedules.accelerator.search.convolution import Budget
from gatewright.schedules.accelerator.spec import Spec
from gatewright.targets.accelerator.machine.network import Network
from tests.accelerator.random_layers import random_layer
from tests.accelerator.random_specs import random_spec
from tests.accelerator.reordered import reordered
from tests.strategies import random_graph, random_inputs

BUDGET = Budget(candidates=1)


def network_of(spec: Spec, graph: IntegerGraph) -> Network:
    return Network(packaged(spec, plan_network(spec, graph, BUDGET)))


def compare(spec: Spec, graph: IntegerGraph, seed: int) -> int:
    """Number of layers on the accelerator; asserts equality in program order and in a random one."""
    network = network_of(spec, graph)
    inputs = random_inputs(graph, seed)
    want = Reference(graph).run(inputs)
    for got in (network.run(inputs), network.run(inputs, reordered(seed))):
        for name, array in want.items():
            assert got[name].dtype == array.dtype
            assert np.array_equal(got[name], array), f"seed {seed}: {name}"
    return len({layer for run in network.program.runs for layer in run.layers if layer})


@pytest.mark.parametrize("block", range(4))
def test_single_layers_on_random_accelerators(block: int) -> None:
    placed = 0
    for seed in range(block * 40, block * 40 + 40):
        placed += compare(random_spec(seed), random_layer(seed), seed)
    assert placed > 30  # the host is the exception


@pytest.mark.parametrize("block", range(2))
def test_graphs_of_every_operator(block: int) -> None:
    for seed in range(block * 40, block * 40 + 40):
        compare(random_spec(seed), random_graph(seed, layers=5), seed)


def test_a_missing_wait_is_seen() -> None:
    """The reordering executor is no formality: without waits results differ."""
    spec, graph = random_spec(3), random_layer(3)
    network = network_of(spec, graph)
    inputs = random_inputs(graph, 3)
    want = network.run(inputs)["y"]
    for run in network._decoded:
        for instruction in run:
            for unit in ("load", "store", "matrix", "vector"):
                instruction.pop(f"wait_{unit}", None)
                instruction[f"wait_{unit}"] = 0
    different = 0
    for seed in range(10):
        try:
            different += not np.array_equal(network.run(inputs, reordered(seed))["y"], want)
        except GatewrightError:
            different += 1
    assert different
