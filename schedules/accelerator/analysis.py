"""A graph as a list of operations of an accelerator: what is free, what is work, what stays on the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import (
    Add,
    AvgPool2d,
    Conv2d,
    Dense,
    Input,
    Layer,
    MaxPool2d,
    Multiply,
    Requantize,
    Reshape,
    Table,
    Transpose,
)
from gatewright.schedules.accelerator.lowering.movement import common_axes
from gatewright.schedules.accelerator.packing import stored_weights
from gatewright.schedules.accelerator.placement import host_reasons, is_depthwise
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.storage import Storage, storage_of

__all__ = ["Analysis", "Operation", "analyse"]

Kind = Literal["convolution", "window", "copy", "host"]


@dataclass(frozen=True)
class Operation:
    """One layer as work.

    Attributes:
        layer: of the graph. kind: how it is lowered.
        reads: tensors by the names under which they are stored, in the order of the layer's operands.
        reason: why it stays on the host, else "".
    """

    layer: Layer
    kind: Kind
    reads: tuple[str, ...]
    reason: str = ""

    @property
    def name(self) -> str:
        """The layer's, and its tensor's."""
        return self.layer.name


@dataclass(frozen=True)
class Analysis:
    """What there is to do.

    Attributes:
        graph: the integer graph. operations: in order.
        stored: tensor -> tensor it shares its bytes with (itself, mostly): reshapes that move nothing.
        storages: tensor -> order of its bytes.
        boundary: reshapes and transposes next to an input (``entry``) or an output (``exit``): the host writes the
            input and reads the output in the order that the accelerator wants.
    """

    graph: IntegerGraph
    operations: tuple[Operation, ...]
    stored: Mapping[str, str]
    storages: Mapping[str, Storage]
    boundary: Mapping[str, Literal["entry", "exit"]]

    @cached_property
    def readers(self) -> Mapping[str, tuple[Operation, ...]]:
        """Stored tensor -> operations that read it, each once."""
        found: dict[str, list[Operation]] = {}
        for op in self.operations:
            for name in dict.fromkeys(op.reads):
                found.setdefault(name, []).append(op)
        return {name: tuple(ops) for name, ops in found.items()}

    @cached_property
    def views(self) -> Mapping[str, tuple[str, ...]]:
        """Stored tensor -> the tensors that are its bytes, itself among them."""
        found: dict[str, list[str]] = {}
        for name, root in self.stored.items():
            found.setdefault(root, []).append(name)
        return {root: tuple(names) for root, names in found.items()}

    @cached_property
    def results(self) -> frozenset[str]:
        """Stored tensors that the host reads at the end."""
        names = [
            self.graph[name].inputs[0] if self.boundary.get(name) == "exit" else name for name in self.graph.outputs
        ]
        return frozenset(self.stored[name] for name in names)

    @cached_property
    def host_layers(self) -> dict[str, str]:
        """Layer -> why it is on the host."""
        return {op.name: op.reason for op in self.operations if op.kind == "host"}


def analyse(spec: Spec, graph: IntegerGraph) -> Analysis:
    """Look at every layer."""
    reasons = host_reasons(spec, graph)
    # Wider tensors only pass through the host, which keeps them as they are: their storage is never asked for.
    storages = {layer.name: storage_of(layer.output, spec.alignment_bytes) for layer in graph}
    stored: dict[str, str] = {}
    operations: list[Operation] = []
    absorbed = _absorbed(graph, reasons)
    boundary = _boundary(graph)
    for layer in graph:
        name = layer.name
        if isinstance(layer, Input) or name in boundary:
            stored[name] = name
            continue
        if name in absorbed:
            # The matrix product behind reads the image itself, as a window of its size.
            stored[name] = stored[layer.inputs[0]]
            continue
        if _moves_nothing(layer, storages[layer.inputs[0]] if layer.inputs else storages[name], storages[name]):
            stored[name] = stored[layer.inputs[0]]
            continue
        stored[name] = name
        kind = "host" if name in reasons else _kind(spec, layer)
        if isinstance(layer, Reshape) and kind == "copy" and _axes(storages, layer) is None:
            kind, reasons[name] = "host", f"no strided copy turns {graph[layer.inputs[0]].output.shape} into this shape"
        operations.append(Operation(layer, kind, tuple(stored[i] for i in layer.inputs), reasons.get(name, "")))
    return Analysis(graph, tuple(operations), stored, storages, boundary)


def _kind(spec: Spec, layer: Layer) -> Kind:
    if isinstance(layer, Conv2d | Dense):
        if isinstance(layer, Conv2d) and is_depthwise(layer):
            weights = stored_weights(layer.weight, layer.weight_zero_point, layer.weight_signed)
            taps = layer.weight.shape[2] * layer.weight.shape[3] * spec.matrix.columns + spec.parameter_bytes
            pixels = layer.weight.shape[2] * layer.weight.shape[3] * spec.matrix.columns
            fits = taps <= spec.scratchpads.constant.bytes and 2 * pixels <= spec.scratchpads.activation.bytes
            return "window" if weights.passes == 1 and fits else "convolution"
        return "convolution"
    if isinstance(layer, Add | Multiply | MaxPool2d | AvgPool2d | Table | Requantize):
        return "window"
    return "copy"


def _absorbed(graph: IntegerGraph, reasons: Mapping[str, str]) -> set[str]:
    """Reshapes (N, C, H, W) -> (N, C*H*W) that only matrix products read."""
    found = set()
    for layer in graph:
        if not isinstance(layer, Reshape) or layer.name in graph.outputs:
            continue
        source, target = graph[layer.inputs[0]].output.shape, layer.output.shape
        flattens = len(source) == 4 and len(target) == 2 and source[0] == target[0]
        users = graph.users(layer.name)
        if flattens and users and all(isinstance(user, Dense) and user.name not in reasons for user in users):
            found.add(layer.name)
    return found


def _axes(storages: Mapping[str, Storage], layer: Layer) -> tuple[tuple[int, int, int], ...] | None:
    source, target = storages[layer.inputs[0]], storages[layer.name]
    return common_axes(source.shape, source.strides, target.shape, target.strides)


def _boundary(graph: IntegerGraph) -> dict[str, Literal["entry", "exit"]]:
    found: dict[str, Literal["entry", "exit"]] = {}
    for layer in graph:
        if not isinstance(layer, Reshape | Transpose):
            continue
        source = layer.inputs[0]
        enters = isinstance(graph[source], Input) or found.get(source) == "entry"
        if enters and len(graph.users(source)) == 1 and source not in graph.outputs and graph.users(layer.name):
            found[layer.name] = "entry"
        elif layer.name in graph.outputs and not graph.users(layer.name) and source not in graph.outputs:
            found[layer.name] = "exit"
    return found


def _moves_nothing(layer: Layer, source: Storage, target: Storage) -> bool:
    """Whether a reshape or transpose is another view of the same bytes."""
    if isinstance(layer, Reshape):
        axes = common_axes(source.shape, source.strides, target.shape, target.strides)
        return axes is not None and source.size_bytes == target.size_bytes and all(a == b for _, a, b in axes)
    if isinstance(layer, Transpose) and source.size_bytes == target.size_bytes:
        strides = [source.strides[axis] for axis in layer.permutation]
        steps = zip(target.shape, strides, target.strides, strict=True)
        return all(count == 1 or a == b for count, a, b in steps)
    return False
