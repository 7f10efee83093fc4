"""The text of a small network: what changes in it is read before it is believed (``--update-golden``)."""

from __future__ import annotations

from collections.abc import Callable

from gatewright.hls.lattice.lowering import lower
from gatewright.hls.lattice.verilog import write_network
from gatewright.schedules.stream.hardware import Fold
from tests.lattice.random_designs import assembled
from tests.strategies import random_graph


def test_network(golden: Callable[[str, str], None]) -> None:
    """A convolution, a pool and a sum with a fork; an adapter between widths; every memory."""
    graph = random_graph(60, 3, ["conv2d", "max_pool2d", "add"], "scaled", max_bits=8, batch=1)
    design = lower(graph)
    network, _ = assembled(design, {design.stages[0].name: Fold()}, "ice40-up")
    sources = write_network(network)
    memories = "".join(f"// {name}\n{text}" for name, text in sorted(sources.memories.items()))
    golden("lattice/network.v", f"{sources.text}\n{memories}")
