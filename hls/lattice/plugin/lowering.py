"""hls4ml's ModelGraph -> stages, exact against hls4ml's own C simulation.

A tensor is a stream in hls4ml's order (channels last). Its raw values may lack zeros that hls4ml's type has at the end:
``TensorFormat.fraction`` says what they stand for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gatewright.compiler.errors import TargetError
from gatewright.hls.lattice.plugin import activation, linear, merge, movement, pooling
from gatewright.hls.lattice.plugin.builder import Builder, Wire
from gatewright.hls.lattice.plugin.casts import Step, Value
from gatewright.hls.lattice.plugin.fixed import Fixed, Unsupported
from gatewright.hls.lattice.plugin.fusing import fused
from gatewright.hls.lattice.plugin.weights import result_kind
from gatewright.schedules.stream.stages import Design, Port

__all__ = ["Lowered", "TensorFormat", "lower"]

_LOWERINGS: dict[str, Callable[[Builder, Any, list[Wire]], Wire]] = {
    "Activation": activation.activation,
    "ApplyAlpha": linear.batch_normalization,
    "BatchNormalization": linear.batch_normalization,
    "Concatenate": merge.concatenate,
    "Conv1D": linear.convolution,
    "Conv2D": linear.convolution,
    "Conv2DBatchnorm": linear.convolution,
    "Cropping1D": movement.crop,
    "Cropping2D": movement.crop,
    "Dense": linear.dense,
    "DepthwiseConv1D": linear.depthwise_convolution,
    "DepthwiseConv2D": linear.depthwise_convolution,
    "GlobalPooling1D": pooling.global_pooling,
    "GlobalPooling2D": pooling.global_pooling,
    "HardActivation": activation.hard,
    "Merge": merge.merge,
    "PReLU": activation.prelu,
    "ParametrizedActivation": activation.parametrized,
    "PointwiseConv1D": linear.convolution,
    "PointwiseConv2D": linear.convolution,
    "Pooling1D": pooling.pooling,
    "Pooling2D": pooling.pooling,
    "Reshape": movement.reshape,
    "Resize": movement.resize,
    "Softmax": activation.softmax,
    "Transpose": movement.transpose,
    "ZeroPadding1D": movement.zero_padding,
    "ZeroPadding2D": movement.zero_padding,
}

_PORT_BITS = 31
"""Widest port: the simulation's interface carries int32."""


@dataclass(frozen=True)
class TensorFormat:
    """What the integers of a port stand for.

    Attributes:
        name: of the tensor, and of the port.
        shape: without the batch axis.
        kind: hls4ml's type; inputs are quantized with its modes.
        fraction: an integer q of the port is ``q * 2**-fraction``.
    """

    name: str
    shape: tuple[int, ...]
    kind: Fixed
    fraction: int


@dataclass(frozen=True)
class Lowered:
    """A design, its ports' formats, and the layer-by-layer folds that the user asked for.

    Attributes:
        design: the design.
        inputs, outputs: formats in the order of hls4ml's inputs and outputs.
        folds: stage -> (pe, simd), 0 where the user left the choice to us.
    """

    design: Design
    inputs: tuple[TensorFormat, ...]
    outputs: tuple[TensorFormat, ...]
    folds: dict[str, tuple[int, int]]


def lower(model: Any) -> Lowered:
    """The design that computes ``model``.

    Args:
        model: an hls4ml ``ModelGraph`` with all types inferred.

    Raises:
        TargetError: GW4250 with a finding for every layer that cannot be placed.
    """
    builder = Builder()
    wires: dict[str, Wire] = {}
    findings: list[TargetError] = []
    for node in model.get_layers():
        builder.layer = node.name
        try:
            wires[node.outputs[0]] = _place(builder, node, wires, model)
        except Unsupported as reason:
            place = f"{node.name} ({node.class_name})"
            findings.append(TargetError("GW4250", place, reason.reason, reason.action))
            wires[node.outputs[0]] = _placeholder(builder, node)
    outputs = [wires[name] for name in model.outputs if name in wires]
    if not findings:
        outputs = _leaving(builder, model, outputs, findings)
    if findings:
        raise _refusal(model, findings)
    return _lowered(builder, model, wires, outputs)


def _refusal(model: Any, findings: list[TargetError]) -> TargetError:
    """One error for all layers; a traceback, where hls4ml's users meet it, shows every finding."""
    actions = list(dict.fromkeys(action for finding in findings for action in finding.actions))
    what = "a layer" if len(findings) == 1 else f"{len(findings)} layers"
    name = model.config.get_project_name()
    error = TargetError("GW4250", name, f"the Lattice back end cannot place {what}", *actions, findings=findings)
    for line in error.render().splitlines()[1:]:
        error.add_note(line)
    return error


def _place(builder: Builder, node: Any, wires: dict[str, Wire], model: Any) -> Wire:
    if node.class_name in ("Input", "InputLayer"):
        kind = result_kind(node)
        shape = tuple(node.get_output_variable().shape)
        return builder.enter(shape, Value(kind.fraction, kind.low, kind.high))
    if node.class_name not in _LOWERINGS:
        known = sorted(set(_LOWERINGS))
        raise Unsupported("no stage computes this layer", "use layers of these classes: " + ", ".join(known))
    read = [name for name in node.inputs if name]  # a folded constant leaves an empty name
    missing = [name for name in read if name not in wires]
    if missing:
        raise Unsupported(f"it reads {', '.join(missing)}, which no layer makes", "fold constants into the layer")
    return _LOWERINGS[node.class_name](builder, node, [wires[name] for name in read])


def _placeholder(builder: Builder, node: Any) -> Wire:
    """Stands for the result of a layer that was refused, so that the others are checked too."""
    try:
        kind = result_kind(node)
    except Unsupported:
        kind = Fixed(16, 10, True)
    return builder.enter(tuple(node.get_output_variable().shape), Value(kind.fraction, kind.low, kind.high))


def _leaving(builder: Builder, model: Any, wires: list[Wire], findings: list[TargetError]) -> list[Wire]:
    """The outputs, each made by a stage, and narrow enough."""
    made = {stage.name for stage in builder.stages}
    found = []
    for name, wire in zip(model.outputs, wires, strict=True):
        builder.layer = name
        wire = builder.padded(wire)
        if wire.stream not in made and wire.stream not in {stage.name for stage in builder.stages}:
            value = wire.value
            wire = builder.apply(wire, [Step(0, 0, 0, "floor", value.low, value.high, False, True, value)])
        found.append(wire)
    ports = [(name, builder.streams[wire.stream]) for name, wire in zip(model.outputs, found, strict=True)]
    ports += [(name, builder.streams[name]) for name in builder.streams if name not in {s.name for s in builder.stages}]
    for name, stream in ports:
        if stream.bits > _PORT_BITS + stream.signed:
            findings.append(
                TargetError(
                    "GW4250", name, f"a port of {stream.bits} bits: ports carry at most {_PORT_BITS + stream.signed}",
                    "give the layer a narrower result type",
                )
            )  # fmt: skip
    return found


def _lowered(builder: Builder, model: Any, wires: dict[str, Wire], outputs: list[Wire]) -> Lowered:
    stages, renamed = fused(builder.stages, [wire.stream for wire in outputs])
    outputs = [replace(wire, stream=renamed.get(wire.stream, wire.stream)) for wire in outputs]
    inputs = [wires[name] for name in model.inputs]
    types = {**{stage.name: stage.output for stage in stages}, **{w.stream: builder.streams[w.stream] for w in inputs}}

    def ports(names: list[str], found: list[Wire]) -> tuple[Port, ...]:
        return tuple(
            Port(
                name, wire.stream, (1, *wire.shape), np.arange(wire.size, dtype=np.int64),
                _dtype(types[wire.stream].bits, types[wire.stream].signed),
            )
            for name, wire in zip(names, found, strict=True)
        )  # fmt: skip

    entering = {wire.stream: builder.streams[wire.stream] for wire in inputs}
    design = Design(
        model.config.get_project_name(), ports(model.inputs, inputs), ports(model.outputs, outputs), entering,
        tuple(stages),
    )  # fmt: skip
    return Lowered(design, _formats(model, model.inputs, inputs), _formats(model, model.outputs, outputs),
                   _folds(model, stages))  # fmt: skip


def _formats(model: Any, names: list[str], wires: list[Wire]) -> tuple[TensorFormat, ...]:
    return tuple(
        TensorFormat(
            name, wire.shape, Fixed.of(model.get_layer_output_variable(name).type.precision), wire.value.fraction
        )
        for name, wire in zip(names, wires, strict=True)
    )


def _folds(model: Any, stages: list[Any]) -> dict[str, tuple[int, int]]:
    asked = {n.name: (int(n.get_attr("pe", 0) or 0), int(n.get_attr("simd", 0) or 0)) for n in model.get_layers()}
    return {stage.name: asked[stage.layer] for stage in stages if any(asked.get(stage.layer, (0, 0)))}


def _dtype(bits: int, signed: bool) -> str:
    size = next(size for size in (8, 16, 32) if bits <= size)
    return f"{'' if signed else 'u'}int{size}"
