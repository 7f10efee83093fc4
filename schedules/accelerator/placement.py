"""Which layers an accelerator runs, and why the others stay on the host."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import (
    Add,
    AvgPool2d,
    Concat,
    Conv2d,
    Dense,
    Input,
    Layer,
    MaxPool2d,
    Multiply,
    Pad,
    Requantize,
    Reshape,
    Resize,
    Slice,
    Table,
    Transpose,
)
from gatewright.compiler.integer.semantics import prove
from gatewright.compiler.integer.tensor import TensorType
from gatewright.schedules.accelerator.spec import Spec

__all__ = ["host_reasons", "is_depthwise"]

_PROVEN: WeakKeyDictionary[IntegerGraph, dict[str, int]] = WeakKeyDictionary()
"""Bits of accumulators: a proof goes over every weight, and a graph is looked at for every candidate and stage."""
_MOVED = (Reshape, Transpose, Pad, Slice, Resize, Concat)


def is_depthwise(layer: Conv2d) -> bool:
    """One filter a channel: work for the vector unit."""
    return layer.groups > 1 and layer.weight.shape[1] == 1 and layer.groups == layer.weight.shape[0]


def host_reasons(spec: Spec, graph: IntegerGraph) -> dict[str, str]:
    """Layer -> why the accelerator cannot run it; layers it runs are absent."""
    if graph not in _PROVEN:
        _PROVEN[graph] = {name: proof.accumulator.bits for name, proof in prove(graph).items()}
    accumulators = _PROVEN[graph]
    found: dict[str, str] = {}
    for layer in graph:
        if isinstance(layer, Input):
            continue
        operands = [operand.output for operand in graph.operands(layer)]
        reason = _reason(spec, layer, operands, accumulators.get(layer.name, 0))
        if reason:
            found[layer.name] = reason
    return found


def _reason(spec: Spec, layer: Layer, operands: list[TensorType], accumulator_bits: int) -> str:
    widest = max(kind.bits for kind in [*operands, layer.output])
    if widest > spec.matrix.activation_bits:
        return f"tensors of {widest} bits; the unit's operands have {spec.matrix.activation_bits}"
    if not all(kind.shape for kind in [*operands, layer.output]):
        return "a scalar tensor"
    match layer:
        case Conv2d() | Dense():
            return _linear(spec, layer, accumulator_bits)
        case MaxPool2d() | AvgPool2d():
            return _window(spec, layer.kernel, accumulator_bits)
        case Add():
            return _pair(layer, operands)
        case Multiply():
            return _pair(layer, operands)
        case Table():
            return "" if operands[0].bits <= 8 else f"a table over {operands[0].bits} bits"
        case Requantize():
            return ""
    if isinstance(layer, _MOVED):
        return "" if spec.dma.granularity_bytes == 1 else _words(spec, layer, operands)
    return f"no instruction computes {layer.op}"


def _linear(spec: Spec, layer: Conv2d | Dense, accumulator_bits: int) -> str:
    if layer.weight_bits > spec.matrix.weight_bits:
        return f"weights of {layer.weight_bits} bits; the unit's have {spec.matrix.weight_bits}"
    if accumulator_bits > 32:
        return f"sums of {accumulator_bits} bits; accumulators have 32"
    if isinstance(layer, Dense) and len(layer.output.shape) == 4:
        return "a matrix product over the columns of an image; images lie channels innermost"
    if isinstance(layer, Conv2d) and is_depthwise(layer):
        return _window(spec, (1, 1), accumulator_bits)
    return ""


def _window(spec: Spec, kernel: tuple[int, int], accumulator_bits: int) -> str:
    need = (kernel[0] * kernel[1] + 1) * spec.matrix.columns
    if need > spec.scratchpads.activation.bytes // 2:
        return f"a window of {kernel[0]} x {kernel[1]} with its result takes {need} bytes, over half of the scratchpad"
    return f"sums of {accumulator_bits} bits; the unit's have 32" if accumulator_bits > 32 else ""


def _pair(layer: Add | Multiply, operands: list[TensorType]) -> str:
    if len(operands) != 2:
        return f"{len(operands)} operands; an instruction takes 2"
    if isinstance(layer, Add) and int(np.abs(layer.multiplier).max()) >= 1 << 31:
        return "a multiplier of more than 31 bits"
    first, second = operands
    if first.shape == second.shape == layer.output.shape:
        return ""
    for kind in operands:
        if kind.shape != layer.output.shape and not _spreads(kind.shape, layer.output.shape):
            return f"broadcast of {kind.shape} to {layer.output.shape}; only one pixel a sample is spread"
    if layer.output.shape not in (first.shape, second.shape):
        return f"neither operand has the result's shape {layer.output.shape}"
    return ""


def _spreads(shape: tuple[int, ...], result: tuple[int, ...]) -> bool:
    return len(shape) == len(result) == 4 and shape[:2] == result[:2] and shape[2:] == (1, 1)


def _words(spec: Spec, layer: Layer, operands: list[TensorType]) -> str:
    """Without byte granularity DMA moves whole pixels, or channels of them in whole words."""
    word = spec.dma.granularity_bytes
    if isinstance(layer, Reshape | Transpose):
        return f"moves single bytes; DMA moves {word}"
    axis = 1 if len(layer.output.shape) == 4 else len(layer.output.shape) - 1
    channels = [kind.shape[axis] for kind in operands]
    if isinstance(layer, Pad):
        edges = [*channels, layer.pads[axis][0]] if any(layer.pads[axis]) else []
    elif isinstance(layer, Slice):
        begin, step, count = layer.begin[axis], layer.step[axis], layer.output.shape[axis]
        whole = (begin, step, count) == (0, 1, channels[0])
        edges = [] if whole else [begin, count, 0 if step == 1 else 1]
    elif isinstance(layer, Concat):
        edges = channels if layer.axis == axis else []
    else:
        edges = []
    return f"moves parts of words of {word} bytes" if any(edge % word for edge in edges) else ""
