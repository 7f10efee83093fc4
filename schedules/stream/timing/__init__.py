"""Exact cycle counts of a network, without simulating it.

Every node is a deterministic process of tokens, so the cycle in which a token moves follows from the cycles of
earlier moves by maxima and sums: a max-plus system (Baccelli et al., Synchronization and Linearity, 1992) of which a
cycle-true simulation would yield the same numbers. ``available[k]`` is the first cycle in which the maker of a
channel offers token k; ``moved[k]`` the cycle in which the token moves. Cycle 0 is the first after reset; the source
always offers, the sink always takes.

A Kahn network with bounded channels gives the same tokens in whatever order its processes run, so a network that does
not stop here does not stop under any back-pressure: freedom from deadlock is checked, not assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gatewright.schedules.stream.network import (
    ForkNode,
    KeepNode,
    Network,
    Node,
    PortNode,
    StageNode,
    WeightsNode,
    WidthNode,
)
from gatewright.schedules.stream.stages import Gather
from gatewright.schedules.stream.timing.fifos import behind_block_fifo, fork, keep, width
from gatewright.schedules.stream.timing.pipelines import gather, pipeline
from gatewright.schedules.stream.timing.windows import window
from gatewright.schedules.stream.timing.wires import Advance, Wire

__all__ = ["Deadlock", "Timing", "time_network"]


class Deadlock(Exception):
    """The network stops: ``waiting`` names the nodes that hold tokens back."""

    def __init__(self, waiting: Sequence[str]) -> None:
        super().__init__(", ".join(waiting))
        self.waiting = tuple(waiting)


@dataclass(frozen=True)
class Timing:
    """Cycle counts of a network.

    Attributes:
        latency_cycles: from the first token of a frame entering the idle design to its last leaving, both counted.
        interval_cycles: between the ends of two frames in the steady state.
        frames: cycle in which every frame's last token left.
        occupancy: the most tokens every FIFO of a fork held, by fork.
    """

    latency_cycles: int
    interval_cycles: int
    frames: tuple[int, ...]
    occupancy: dict[str, tuple[int, ...]]


def time_network(network: Network, frames: int = 4) -> Timing:
    """Time ``frames`` frames back to back.

    Raises:
        Deadlock: a channel never moves.
    """
    wires = {channel.name: Wire() for channel in network.channels}
    processes = [(node, _process(node, wires, frames)) for node in network.nodes]
    progress = True
    while progress:
        progress = False
        for _, advance in reversed(processes):
            progress = advance() or progress
        for _, advance in processes:
            progress = advance() or progress
    ends = [node for node in network.nodes if isinstance(node, PortNode) and node.inputs]
    waiting = [
        n.name
        for n in network.nodes
        if not isinstance(n, KeepNode) and any(len(wires[c.name].moved) < frames * c.tokens for c in n.inputs)
    ]
    if waiting:
        raise Deadlock(waiting)
    finished = tuple(
        max(wires[node.inputs[0].name].moved[(frame + 1) * node.inputs[0].tokens - 1] for node in ends)
        for frame in range(frames)
    )
    starts = [wires[n.outputs[0].name].moved[0] for n in network.nodes if isinstance(n, PortNode) and n.outputs]
    occupancy = {node.name: _occupancy(node, wires) for node in network.forks}
    return Timing(finished[0] - min(starts) + 1, finished[-1] - finished[-2], finished, occupancy)


def _occupancy(node: ForkNode, wires: dict[str, Wire]) -> tuple[int, ...]:
    found = []
    pushes = wires[node.inputs[0].name].moved
    for channel in node.outputs:
        pops, most, k = wires[channel.name].moved, 0, 0
        for pushed, time in enumerate(pushes):
            while k < len(pops) and pops[k] < time:
                k += 1
            most = max(most, pushed + 1 - k)
        found.append(most)
    return tuple(found)


def _process(node: Node, wires: dict[str, Wire], frames: int) -> Advance:
    ins, outs = [wires[c.name] for c in node.inputs], [wires[c.name] for c in node.outputs]
    match node:
        case PortNode() if node.outputs:
            return _source(outs[0], frames * node.outputs[0].tokens)
        case WeightsNode():
            return _source(outs[0], node.words if node.once else frames * node.outputs[0].tokens)
        case KeepNode():
            return keep(ins[0], outs[0], node.words, frames * node.outputs[0].tokens)
        case PortNode():
            return _sink(ins[0])
        case ForkNode():
            return fork(ins[0], outs, node.depths, node.blocks)
        case WidthNode():
            return width(ins[0], outs[0], node.inputs[0], node.outputs[0])
        case StageNode() if node.hardware.fifo_block:
            return behind_block_fifo(lambda out: _stage(node, ins, out), outs[0])
        case StageNode():
            return _stage(node, ins, outs[0])
    raise TypeError(type(node).__name__)


def _stage(node: StageNode, ins: Sequence[Wire], out: Wire) -> Advance:
    if node.hardware.loops is not None:
        return window(node, ins, out)
    if isinstance(node.hardware.stage, Gather):
        return gather(node, ins[0], out)
    return pipeline(node, ins, out)


def _source(out: Wire, tokens: int) -> Advance:
    out.available = [0] * tokens
    return lambda: False


def _sink(wire: Wire) -> Advance:
    def advance() -> bool:
        available, moved = wire.available, wire.moved
        before = len(moved)
        last = moved[-1] if moved else -1
        for k in range(before, len(available)):
            last = max(available[k], last + 1)
            moved.append(last)
        return len(moved) > before

    return advance
