"""The table itself, and what follows from it for a whole graph: value ranges and overflow proofs."""

from __future__ import annotations

from collections.abc import Mapping

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.semantics.elementwise import ADD, CONCAT, MULTIPLY, REQUANTIZE, TABLE
from gatewright.compiler.integer.semantics.linear import CONV2D, DENSE
from gatewright.compiler.integer.semantics.movement import INPUT, PAD, RESHAPE, RESIZE, SLICE, TRANSPOSE
from gatewright.compiler.integer.semantics.operator import Interval, Operator, Proof
from gatewright.compiler.integer.semantics.pooling import AVG_POOL2D, MAX_POOL2D

__all__ = ["SEMANTICS", "accumulator_bits", "prove", "value_ranges"]

SEMANTICS: Mapping[str, Operator] = {
    "input": INPUT,
    "conv2d": CONV2D,
    "dense": DENSE,
    "add": ADD,
    "multiply": MULTIPLY,
    "concat": CONCAT,
    "max_pool2d": MAX_POOL2D,
    "avg_pool2d": AVG_POOL2D,
    "table": TABLE,
    "requantize": REQUANTIZE,
    "reshape": RESHAPE,
    "transpose": TRANSPOSE,
    "pad": PAD,
    "slice": SLICE,
    "resize": RESIZE,
}
"""Semantics of every operator name; the names are those of ``layers.LAYER_TYPES``."""


def value_ranges(graph: IntegerGraph) -> dict[str, Interval]:
    """The range of q of every tensor, proven from clamps and tables; tighter than the type's where a ReLU was fused."""
    ranges: dict[str, Interval] = {}
    for layer in graph:
        ranges[layer.name] = SEMANTICS[layer.op].result(layer, [ranges[name] for name in layer.inputs])
    return ranges


def prove(graph: IntegerGraph) -> dict[str, Proof]:
    """Accumulator interval and greatest product of every layer that accumulates, by layer name."""
    ranges, proofs = value_ranges(graph), {}
    for layer in graph:
        types = [operand.output for operand in graph.operands(layer)]
        proof = SEMANTICS[layer.op].proof(layer, types, [ranges[name] for name in layer.inputs])
        if proof is not None:
            proofs[layer.name] = proof
    return proofs


def accumulator_bits(graph: IntegerGraph) -> dict[str, int]:
    """Proven two's complement width of every accumulator, by layer name."""
    return {name: proof.accumulator.bits for name, proof in prove(graph).items()}
