"""The lowering itself: every layer of the integer graph that reaches an output, in order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import networkx as nx
import numpy as np

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Input, Reshape, Transpose
from gatewright.compiler.integer.semantics import Interval
from gatewright.hls.extension import fast_legality, quiet, register
from gatewright.hls.layout import Positions, Wire, canonical_index, canonical_shape
from gatewright.hls.lowering import elementwise, linear, movement, pooling
from gatewright.hls.lowering.builder import Builder
from gatewright.hls.lowering.naming import rename

__all__ = ["HANDLERS", "Design", "Port", "design", "lower"]

HANDLERS: Mapping[str, Callable[[Builder, Any], Wire]] = {
    "conv2d": linear.conv2d,
    "dense": linear.dense,
    "add": elementwise.add,
    "multiply": elementwise.multiply,
    "concat": elementwise.concat,
    "table": elementwise.table,
    "requantize": elementwise.requantize,
    "max_pool2d": pooling.max_pool2d,
    "avg_pool2d": pooling.avg_pool2d,
    "reshape": movement.reshape,
    "transpose": movement.transpose,
    "pad": movement.pad,
    "slice": movement.slice_,
    "resize": movement.resize,
}
"""Lowering of every operator; Input is lowered by :func:`design`."""


@dataclass(frozen=True)
class Port:
    """One input or output of the design: it carries q itself, element by element in the wire's order.

    Attributes:
        tensor: name in the integer graph.
        wire: where the elements lie.
    """

    tensor: str
    wire: Wire


@dataclass
class Design:
    """What the builder made, before hls4ml sees it."""

    builder: Builder
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)


def design(graph: IntegerGraph, rows: Sequence[Mapping[str, Any]], io_type: str) -> Design:
    """Lower ``graph`` to a list of hls4ml layers (imports no hls4ml)."""
    builder = Builder(graph, {str(row["layer"]): row for row in rows}, io_type)
    made = Design(builder)
    live = set(graph.outputs).union(*(nx.ancestors(graph.digraph, name) for name in graph.outputs))
    made.inputs.extend(_input(builder, layer) for layer in graph.inputs)
    for layer in graph:
        if isinstance(layer, Input):
            z = layer.output.zero_point
            if z and layer.name in live:
                raw = builder.wires[layer.name]
                builder.wires[layer.name] = builder.recast(layer, "_centred", raw, builder.interval(layer), z)
        elif layer.name in live:
            builder.wires[layer.name] = HANDLERS[layer.op](builder, layer)
    taken = {port.wire.name for port in made.inputs}
    for name in graph.outputs:
        layer, wire = graph[name], builder.wires[name]
        z = layer.output.zero_point
        alone = [builder.wires[other].name for other in graph.outputs].count(wire.name) == 1
        if z and alone and wire.name not in taken and builder.leaves_as_q(wire, z):
            wire = replace(wire, interval=wire.interval.shifted(z))
        elif z or wire.name in taken:
            # The port carries q, not q - z; and a wire leaves through one port only.
            wire = builder.recast(layer, "_q", wire, wire.interval, offset=z)
        wire = builder.tap(layer, wire)
        taken.add(wire.name)
        made.outputs.append(Port(name, wire))
    return made


def _input(builder: Builder, layer: Input) -> Port:
    """The port carries q in the order its reader wants: channels last, also behind an NHWC -> NCHW border."""
    kind = layer.output
    shape, index = _wanted_order(builder.graph, layer)
    wire = Wire("", shape, index, kind.shape, Interval(kind.qmin, kind.qmax), builder.fraction(layer))
    wire = builder.add(
        layer, "", "InputLayer", [], wire, {}, {"input_shape": list(shape)},
        f"input {layer.name}: {kind.code} {kind.shape}, scale {kind.scale:.9g}, zero point {kind.zero_point}",
    )  # fmt: skip
    builder.wires[layer.name] = wire
    return Port(layer.name, wire)


def _wanted_order(graph: IntegerGraph, layer: Input) -> tuple[tuple[int, ...], Positions]:
    """Canonical order of what the input has become where a layer first computes with it: transposes and reshapes on
    the way there (NHWC borders) then cost nothing."""
    # position[i]: element of the input that is the logical element i here
    position, here = np.arange(math.prod(layer.output.shape), dtype=np.int64).reshape(layer.output.shape), layer.name
    while len(users := graph.users(here)) == 1 and isinstance(users[0], Transpose | Reshape):
        user = users[0]
        position = (
            position.transpose(user.permutation) if isinstance(user, Transpose) else position.reshape(user.output.shape)
        )
        here = user.name
    shape = position.shape
    return canonical_shape(shape), position.ravel()[canonical_index(shape)]


def lower(graph: IntegerGraph, rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> Any:
    """Integer graph -> hls4ml ``ModelGraph`` with exact types.

    Args:
        graph: an integer graph :func:`gatewright.hls.check.check_graph` finds nothing against.
        rows: rows of the plan: ``layer``, ``strategy`` (``latency`` or ``resource``), ``reuse_factor``. A reuse factor
            the resource kernels refuse is replaced by the nearest legal one.
        settings: ``part``, ``clock_period_ns``, ``io_type``, ``backend``, ``board`` (VivadoAccelerator),
            ``project_name``; optionally ``fifo_depths``: tensor name -> beats.

    Returns:
        The ModelGraph; its attribute ``gatewright`` is the :class:`Design` it came from.
    """
    from hls4ml.model.graph import ModelGraph
    from hls4ml.utils.config import create_config

    register()
    made = design(graph, rows, str(settings["io_type"]))
    builder = made.builder
    extra = {"board": settings["board"]} if settings["backend"] == "VivadoAccelerator" else {}
    with quiet(), fast_legality():
        config = create_config(
            output_dir=".", project_name=str(settings["project_name"]), backend=str(settings["backend"]),
            io_type=str(settings["io_type"]), part=settings["part"], clock_period=settings["clock_period_ns"], **extra,
        )  # fmt: skip
        config["HLSConfig"] = {
            # hls4ml wants a default precision; every layer has its own, and tests prove none falls back to this one.
            "Model": {"Precision": {"default": "ap_fixed<16,6>"}, "ReuseFactor": 1, "Strategy": "Latency"},
            "LayerName": builder.config,
        }
        model = ModelGraph.from_layer_list(
            config, builder.layers, [port.wire.name for port in made.inputs], [port.wire.name for port in made.outputs]
        )
    rename(model)
    _set_fifo_depths(model, made, settings.get("fifo_depths") or {})
    _comment(model, made)
    model.gatewright = made
    return model


def _set_fifo_depths(model: Any, made: Design, depths: Mapping[str, int]) -> None:
    """hls4ml gives every FIFO a whole tensor: safe, and far too much between an accumulator and its requantization,
    which reads a beat whenever one comes. What the plan says of a tensor holds for the FIFO its last kernel writes;
    copies for several readers keep the whole tensor, so that no join of branches can deadlock."""
    tensors = {wire.name: tensor for tensor, wire in reversed(made.builder.wires.items())}
    for layer in model.get_layers():
        for variable in layer.get_variables():
            if not (isinstance(variable.pragma, tuple) and variable.pragma[0] == "stream"):
                continue
            wanted = depths.get(layer.name, depths.get(tensors.get(layer.name, ""), 0))
            if layer.name in made.builder.shallow:
                wanted = 2
            if wanted:
                variable.pragma = ("stream", int(wanted))


def _comment(model: Any, made: Design) -> None:
    """A line above every call: which layer of the model it is and what it computes."""
    for layer in model.get_layers():
        call = layer.get_attr("function_cpp", None)
        comment = made.builder.comments.get(layer.name)
        if isinstance(call, str) and comment:
            layer.set_attr("function_cpp", [f"// {comment}", call])
