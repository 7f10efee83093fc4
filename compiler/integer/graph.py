"""The integer graph as hardware targets read it: a read-only networkx DiGraph of typed layers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Literal

import networkx as nx

from gatewright.compiler.errors import QuantizeError
from gatewright.compiler.integer.layers import Input, Layer

__all__ = ["IntegerGraph", "Profile"]

Profile = Literal["fixed", "scaled"]


class IntegerGraph:
    """Typed layers in topological order.

    Args:
        layers: every layer after the layers it reads.
        outputs: names of the integer tensors that enter the host tail, in order; at least one.
        profile: ``fixed`` (powers of two, a shift) or ``scaled``.
        multiplier_bits: m, the width of every multiplier, 8..31.

    Raises:
        QuantizeError: GW3001 on duplicate names, unknown inputs or outputs, or a cycle.
    """

    def __init__(
        self, layers: Sequence[Layer], outputs: Sequence[str], profile: Profile = "scaled", multiplier_bits: int = 31
    ) -> None:
        graph: nx.DiGraph[str] = nx.DiGraph()
        for layer in layers:
            if layer.name in graph:
                raise _malformed(layer.name, "two layers bear this name")
            graph.add_node(layer.name, layer=layer)
            for position, source in enumerate(layer.inputs):
                if source not in graph or source == layer.name:
                    raise _malformed(layer.name, f"it reads {source!r}, which no earlier layer makes")
                graph.add_edge(source, layer.name, position=position)
        for name in outputs:
            if name not in graph:
                raise _malformed(name, "the output is made by no layer")
        if not outputs:
            raise _malformed("outputs", "the graph has none")
        self._layers = {layer.name: layer for layer in layers}
        self._graph = nx.freeze(graph)
        self.outputs = tuple(outputs)
        self.profile: Profile = profile
        self.multiplier_bits = multiplier_bits

    @property
    def digraph(self) -> nx.DiGraph[str]:
        """The frozen DiGraph: node attribute ``layer``, edge attribute ``position``. A tensor read twice by one
        layer is one edge; ``layer.inputs`` is the complete list."""
        return self._graph

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers in topological order, inputs included."""
        return tuple(self._layers.values())

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The graph inputs in order."""
        return tuple(layer for layer in self._layers.values() if isinstance(layer, Input))

    def __getitem__(self, name: str) -> Layer:
        return self._layers[name]

    def __contains__(self, name: object) -> bool:
        return name in self._layers

    def __iter__(self) -> Iterator[Layer]:
        return iter(self._layers.values())

    def __len__(self) -> int:
        return len(self._layers)

    def operands(self, layer: Layer) -> tuple[Layer, ...]:
        """The layers ``layer`` reads, in order (a tensor read twice stands twice)."""
        return tuple(self._layers[name] for name in layer.inputs)

    def users(self, name: str) -> tuple[Layer, ...]:
        """The layers that read the tensor ``name``."""
        return tuple(self._layers[user] for user in self._graph.successors(name))

    def digest(self) -> str:
        """sha256 of the text form and all tensors, in hexadecimal."""
        from gatewright.compiler.integer.text import print_graph

        text, tensors = print_graph(self)
        sha = hashlib.sha256(text.encode())
        for name, array in tensors.items():
            sha.update(f"{name} {array.dtype.str} {array.shape}".encode())
            sha.update(array.tobytes())
        return sha.hexdigest()


def _malformed(place: str, reason: str) -> QuantizeError:
    return QuantizeError("GW3001", place, reason, "rebuild the graph with 'gatewright quantize'; please report it")
