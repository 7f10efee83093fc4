"""The network of a folded design: stages, and between them forks, FIFOs and width adapters.

Nodes and channels here are one to one with the instances and wires of ``network.v``, and with the processes of the
timing model. A channel moves tokens under valid/ready.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gatewright.schedules.stream.devices import Fabric
from gatewright.schedules.stream.hardware import Fold, Hardware, hardware
from gatewright.schedules.stream.stages import Concat, Design, Mac, Pool, Stage, Stream

__all__ = [
    "Channel",
    "ForkNode",
    "KeepNode",
    "Network",
    "Node",
    "PortNode",
    "StageNode",
    "WeightsNode",
    "WidthNode",
    "assemble",
    "with_depths",
]

SHALLOW = 4
"""Tokens of a fork's FIFO in front of the branch that is not waited for."""


@dataclass(frozen=True)
class Channel:
    """Tokens of ``lanes`` elements of ``bits`` bits; ``tokens`` of them are a frame."""

    name: str
    lanes: int
    bits: int
    signed: bool
    tokens: int

    @property
    def width(self) -> int:
        """Bits of a token."""
        return self.lanes * self.bits


@dataclass(frozen=True, eq=False)
class Node:
    """Base: reads the channels ``inputs``, writes the channels ``outputs``."""

    name: str
    inputs: tuple[Channel, ...]
    outputs: tuple[Channel, ...]


@dataclass(frozen=True, eq=False)
class PortNode(Node):
    """Border of the design: an input (writes one channel) or an output (reads one)."""

    position: int


@dataclass(frozen=True, eq=False)
class WeightsNode(Node):
    """Border of the design: weights of ``stage`` come in, ``words`` of them, again and again or ``once``."""

    stage: Stage
    words: int
    once: bool


@dataclass(frozen=True, eq=False)
class KeepNode(Node):
    """Weights that came once, again and again: ``words`` tokens from its input, then from memory."""

    words: int


@dataclass(frozen=True, eq=False)
class WidthNode(Node):
    """A width adapter; one width is a multiple of the other."""


@dataclass(frozen=True, eq=False)
class ForkNode(Node):
    """A token to every output, through a FIFO each.

    Attributes:
        depths: tokens of every FIFO; 0: unbounded, while depths are being found.
        blocks: whether it lies in block memory.
    """

    depths: tuple[int, ...]
    blocks: tuple[bool, ...]


@dataclass(frozen=True, eq=False)
class StageNode(Node):
    """A stage with its hardware."""

    hardware: Hardware


@dataclass(frozen=True, eq=False)
class Network:
    """All nodes in topological order.

    Attributes:
        design: what the network computes.
        fabric: what it is made of.
        nodes: every node after those that feed it.
    """

    design: Design
    fabric: Fabric
    nodes: tuple[Node, ...]

    @property
    def stages(self) -> tuple[StageNode, ...]:
        """The nodes that compute."""
        return tuple(node for node in self.nodes if isinstance(node, StageNode))

    @property
    def forks(self) -> tuple[ForkNode, ...]:
        """The forks."""
        return tuple(node for node in self.nodes if isinstance(node, ForkNode))

    @property
    def weights(self) -> tuple[WeightsNode, ...]:
        """Where weights come in."""
        return tuple(node for node in self.nodes if isinstance(node, WeightsNode))

    @property
    def channels(self) -> tuple[Channel, ...]:
        """All channels, by their makers' order."""
        return tuple(channel for node in self.nodes for channel in node.outputs)


@dataclass
class _Assembly:
    design: Design
    fabric: Fabric
    nodes: list[Node] = field(default_factory=list)
    ends: dict[tuple[str, int], Channel] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)

    def channel(self, name: str, stream: Stream, lanes: int) -> Channel:
        return Channel(name, lanes, stream.bits, stream.signed, stream.elements // lanes)

    def weights_of(self, made: Hardware) -> Channel:
        """The border the weights of a stage come through."""
        stage, loops = made.stage, made.loops
        assert isinstance(stage, Mac) and loops is not None
        channel = Channel(f"{stage.name}_weights", made.multipliers, stage.weight_bits, True, loops.reads)
        position, words = sum(isinstance(node, WeightsNode) for node in self.nodes), made.weight_words
        if not made.fold.kept:
            self.nodes.append(WeightsNode(f"w{position}", (), (channel,), stage, words, False))
            return channel
        entering = replace(channel, name=f"{stage.name}_loaded", tokens=words)
        self.nodes.append(WeightsNode(f"w{position}", (), (entering,), stage, words, True))
        self.nodes.append(KeepNode(f"{channel.name}_keep", (entering,), (channel,), words))
        return channel

    def weight(self, name: str) -> int:
        """How long the way from the stage ``name`` to the end is; stages that hold back pixels count double."""
        if not name:
            return 0
        if name not in self.weights:
            own = 2 if isinstance(self.design[name], Mac | Pool) else 1
            later = [self.weight(reader) for reader, _ in self.design.readers(name)]
            self.weights[name] = own + max(later, default=0)
        return self.weights[name]

    def distribute(self, name: str, made: Channel, stream: Stream, wanted: Mapping[tuple[str, int], int]) -> None:
        """Bring the stream ``name`` to all its readers, each in its own width."""
        readers = list(self.design.readers(name))
        sources = [made] * len(readers)
        if len(readers) > 1:
            deep = [self.weight(stage) for stage, _ in readers]
            longest = deep.index(max(deep))
            copies = tuple(replace(made, name=f"{name}_to_{_label(reader)}") for reader in readers)
            depths = tuple(SHALLOW if i == longest else 0 for i in range(len(readers)))
            self.nodes.append(ForkNode(f"{name}_fork", (made,), copies, depths, (False,) * len(readers)))
            sources = list(copies)
        for reader, source in zip(readers, sources, strict=True):
            lanes = wanted.get(reader, source.lanes)
            self.ends[reader] = self.adapt(source, stream, lanes, _label(reader))

    def adapt(self, source: Channel, stream: Stream, lanes: int, label: str) -> Channel:
        """``source`` in tokens of ``lanes`` lanes: one adapter, or two over the greatest common divisor."""
        common = math.gcd(source.lanes, lanes)
        way = [step for step in (common, lanes) if step != source.lanes]
        for step in dict.fromkeys(way):
            made = self.channel(f"{source.name}_x{step}_for_{label}", stream, step)
            self.nodes.append(WidthNode(f"{made.name}_width", (source,), (made,)))
            source = made
        return source


def assemble(design: Design, folds: Mapping[str, Fold], fabric: Fabric) -> Network:
    """Nodes of ``design`` folded by ``folds`` (stages it does not name are not parallel).

    Fork FIFOs in front of the longest branch are shallow, the others have depth 0: see :func:`with_depths`.
    """
    made = {stage.name: hardware(stage, folds.get(stage.name, Fold()), fabric) for stage in design.stages}
    wanted = {(name, i): lanes for name, found in made.items() for i, lanes in enumerate(found.in_lanes)}
    build = _Assembly(design, fabric)
    for i, port in enumerate(design.inputs):
        stream = design.stream(port.stream)
        lanes = [wanted[reader] for reader in design.readers(port.stream) if reader in wanted]
        entering = build.channel(port.stream, stream, min(lanes, default=1))
        build.nodes.append(PortNode(f"s{i}", (), (entering,), i))
        build.distribute(port.stream, entering, stream, wanted)
    for stage in design.stages:
        found = made[stage.name]
        inputs = tuple(build.ends[stage.name, i] for i in range(len(stage.inputs)))
        if found.fold.outside:
            inputs = (*inputs, build.weights_of(found))
        leaving = build.channel(stage.name, stage.output, found.lanes)
        build.nodes.append(StageNode(stage.name, inputs, (leaving,), found))
        build.distribute(stage.name, leaving, stage.output, wanted)
    for i, _ in enumerate(design.outputs):
        build.nodes.append(PortNode(f"m{i}", (build.ends["", i],), (), i))
    return Network(design, fabric, tuple(build.nodes))


def with_depths(network: Network, depths: Mapping[str, tuple[int, ...]]) -> Network:
    """The same network with FIFO depths of the forks named in ``depths``; deep ones go into block memory."""
    nodes: list[Node] = []
    for node in network.nodes:
        if isinstance(node, ForkNode) and node.name in depths:
            width = node.inputs[0].width
            sized = depths[node.name]
            blocks = tuple(depth * width > network.fabric.block_ring_bits and depth > SHALLOW for depth in sized)
            nodes.append(replace(node, depths=sized, blocks=blocks))
        else:
            nodes.append(node)
    return replace(network, nodes=tuple(nodes))


def _label(reader: tuple[str, int]) -> str:
    stage, position = reader
    return f"{stage}_{position}" if stage else f"m{position}"


def concat_lanes(stage: Concat, lanes: int) -> tuple[int, ...]:
    """Tokens of every block."""
    return tuple(block // lanes for block in stage.blocks)
