"""The verifier of the integer graph: its rules are a table, and it runs after everything that makes a graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gatewright.compiler.errors import QuantizeError
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
from gatewright.compiler.integer.requantization import MAX_SHIFT
from gatewright.compiler.integer.semantics.table import SEMANTICS, prove
from gatewright.compiler.integer.tensor import TensorType, storage_dtype

__all__ = ["RULES", "Rule", "Violation", "verify", "violations"]

Check = Callable[[IntegerGraph, Layer, Sequence[TensorType]], "str | None"]
_CLAMPED = (Conv2d, Dense, Add, Multiply, Concat, MaxPool2d, AvgPool2d, Requantize)
_MULTIPLIED = (Conv2d, Dense, Add, Multiply, Concat, AvgPool2d, Requantize)
_MOVED = (MaxPool2d, Reshape, Transpose, Pad, Slice, Resize)


@dataclass(frozen=True)
class Rule:
    """One thing that holds for every layer.

    Attributes:
        code: GW31xx.
        says: the rule in one sentence.
        check: (graph, layer, operand types) -> what is wrong, or None.
    """

    code: str
    says: str
    check: Check


@dataclass(frozen=True)
class Violation:
    """A rule broken by a layer."""

    rule: Rule
    layer: str
    reason: str


def _arity(graph: IntegerGraph, layer: Layer, types: Sequence[TensorType]) -> str | None:
    low, high = SEMANTICS[layer.op].arity
    return None if low <= len(types) <= high else f"{len(types)} operands, not {low}..{high}"


def _shape(graph: IntegerGraph, layer: Layer, types: Sequence[TensorType]) -> str | None:
    try:
        shape = SEMANTICS[layer.op].shape(layer, [t.shape for t in types])
    except ValueError as error:
        return str(error)
    return None if tuple(shape) == layer.output.shape else f"makes {shape}, declares {layer.output.shape}"


def _clamp(graph: IntegerGraph, layer: Layer, types: Sequence[TensorType]) -> str | None:
    if not isinstance(layer, _CLAMPED):
        return None
    low, high = layer.clamp
    inside = layer.output.qmin <= low <= high <= layer.output.qmax
    return None if inside else f"clamp {layer.clamp} is not within [{layer.output.qmin}, {layer.output.qmax}]"


def _channels(graph: IntegerGraph, layer: Layer, types: Sequence[TensorType]) -> str | None:
    if not isinstance(layer, Conv2d | Dense):
        return None
    for name in ("weight_zero_point", "bias", "weight_scale", "multiplier", "shift"):
        if getattr(layer, name).shape != layer.weight.shape[:1]:
            return f"{name} has shape {getattr(layer, name).shape}, not {layer.weight.shape[:1]}"
    return None


def _weights(graph: IntegerGraph, layer: Layer, types: Sequence[TensorType]) -> str | None:
    if not isinstance(layer, Conv2d | Dense):
        return None
    if not 1 <= layer.weight_bits <= 32:
        return f"{layer.weight_bits} bits"
    low = -(1 << (layer.weight_bits - 1)) if layer.weight_signed else 0
    high = low + (1 << layer.weight_bits) - 1
    for name in ("weight", "weight_zero_point"):
        array = getattr(layer, name)
        if array.dtype.kind not in "iu" or (array.size and not low <= array.min() <= array.max() <= high):
            return f"{name} is not integer within [{low}, {high}]"
    expected = storage_dtype(layer.weight_bits, layer.weight_signed)
    return None if layer.weight.dtype == expected else f"weights are stored as {layer.weight.dtype}, not {expected}"


def _multipliers(graph: IntegerGraph, layer: Layer, types: Sequence[TensorType]) -> str | None:
    if not isinstance(layer, _MULTIPLIED):
        return None
    m, n = np.abs(np.asarray(layer.multiplier, np.int64)), np.asarray(layer.shift, np.int64)
    if n.size and not 0 <= n.min() <= n.max() <= MAX_SHIFT:
        return f"a shift lies outside 0..{MAX_SHIFT}"
    if m.size and m.max() >= 1 << graph.multiplier_bits:
        return f"a multiplier has more than {graph.multiplier_bits} bits"
    if not isinstance(layer, Add) and np.min(layer.multiplier, initial=0) < 0:
        return "a multiplier is negative"
    half_range = 1 << (graph.multiplier_bits - 1)
    if isinstance(layer, Add):
        normal = bool(m.max() == 0 or m.max() >= half_range)
    else:  # pooling may use any M = round(2**n / N)
        normal = isinstance(layer, AvgPool2d) or bool(np.all((m == 0) | (m >= half_range)))
    return None if normal else f"a multiplier is not normalised to {graph.multiplier_bits} bits"


def _fixed(graph: IntegerGraph, layer: Layer, types: Sequence[TensorType]) -> str | None:
    if graph.profile != "fixed":
        return None
    if layer.output.zero_point != 0:
        return f"zero point {layer.output.zero_point}, not 0"
    if math.frexp(layer.output.scale)[0] != 0.5:
        return f"scale {layer.output.scale!r} is not a power of two"
    if isinstance(layer, Conv2d | Dense) and np.any(np.frexp(layer.weight_scale)[0] != 0.5):
        return "a weight scale is not a power of two"
    if isinstance(layer, Conv2d | Dense) and np.any(layer.weight_zero_point):
        return "a weight zero point is not 0"
    if isinstance(layer, _MULTIPLIED) and not isinstance(layer, AvgPool2d):
        m = np.abs(np.asarray(layer.multiplier, np.int64))
        if np.any(m & (m - 1)):
            return "a multiplier is not a power of two"
    return None


def _moved(graph: IntegerGraph, layer: Layer, types: Sequence[TensorType]) -> str | None:
    if not isinstance(layer, _MOVED):
        return None
    out, source = layer.output, types[0]
    same = (out.bits, out.signed, out.scale, out.zero_point) == (
        source.bits, source.signed, source.scale, source.zero_point,
    )  # fmt: skip
    return None if same else f"the element type changes from {source} to {out}"


def _constants(graph: IntegerGraph, layer: Layer, types: Sequence[TensorType]) -> str | None:
    out = layer.output
    if isinstance(layer, Pad) and not out.qmin <= layer.value <= out.qmax:
        return f"the padding value {layer.value} is outside [{out.qmin}, {out.qmax}]"
    if isinstance(layer, Table):
        if types[0].bits > 8 or layer.table.shape != (1 << types[0].bits,):
            return f"a table of {layer.table.shape} for {types[0].bits} bits"
        if not out.qmin <= layer.table.min() <= layer.table.max() <= out.qmax:
            return f"an entry is outside [{out.qmin}, {out.qmax}]"
    return None


def _source(graph: IntegerGraph, layer: Layer, types: Sequence[TensorType]) -> str | None:
    if not isinstance(layer, Input) or layer.source_dtype.startswith(("float", "bfloat")):
        return None
    matches = np.dtype(layer.source_dtype) == layer.output.dtype
    return None if matches else f"an input of {layer.source_dtype} enters as {layer.output.code}"


RULES: tuple[Rule, ...] = (
    Rule("GW3101", "A layer has as many operands as its operator takes.", _arity),
    Rule("GW3102", "The declared shape is the one the operator makes.", _shape),
    Rule("GW3103", "The clamp lies within the output type.", _clamp),
    Rule("GW3104", "Per-channel arrays have one element an output channel.", _channels),
    Rule("GW3105", "Weights and their zero points are integers of their declared width.", _weights),
    Rule("GW3106", "Multipliers are normalised, shifts are 0..62.", _multipliers),
    Rule("GW3107", "In profile fixed all scales and multipliers are powers of two and zero points 0.", _fixed),
    Rule("GW3108", "A layer that moves values keeps their element type.", _moved),
    Rule("GW3109", "Padding values and table entries lie within the output type.", _constants),
    Rule("GW3110", "An integer model input enters with its own width.", _source),
)
"""Rules checked layer by layer, in order; a layer's first violation hides its later ones."""

OVERFLOW = Rule("GW3120", "max|acc| * M + half stays below 2**63.", lambda graph, layer, types: None)
"""Checked over the whole graph once every layer keeps :data:`RULES`, since ranges flow through all of it."""


def violations(graph: IntegerGraph) -> Iterator[Violation]:
    """Every broken rule: the first of each layer, then overflow where all layers are sound."""
    sound = True
    for layer in graph:
        types = [operand.output for operand in graph.operands(layer)]
        for rule in RULES:
            reason = rule.check(graph, layer, types)
            if reason is not None:
                sound = False
                yield Violation(rule, layer.name, reason)
                break
    if sound:
        for name, proof in prove(graph).items():
            if proof.magnitude >= 1 << 63:
                yield Violation(OVERFLOW, name, f"|acc * M| + half may reach {proof.magnitude}")


def verify(graph: IntegerGraph) -> IntegerGraph:
    """Return ``graph`` when it keeps every rule.

    Raises:
        QuantizeError: GW31xx of the first violation, naming the layer and how many more there are.
    """
    found = list(violations(graph))
    if found:
        first = found[0]
        more = f" (and {len(found) - 1} more layers)" if len(found) > 1 else ""
        overflow = first.rule is OVERFLOW
        action = "lower --bits or the multiplier width" if overflow else "quantize the model again and report it"
        raise QuantizeError(first.rule.code, first.layer, f"{first.rule.says} Here: {first.reason}{more}", action)
    return graph
