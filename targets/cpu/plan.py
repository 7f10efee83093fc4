"""Rows of the CPU plan: what every layer costs, as plain data."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from gatewright.compiler.floatgraph.graph import FloatGraph
from gatewright.compiler.floatgraph.text import save
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Conv2d, Dense, Layer
from gatewright.compiler.integer.semantics import accumulator_bits

__all__ = ["float_digest", "float_rows", "integer_rows"]

Row = Mapping[str, Any]


def integer_rows(graph: IntegerGraph) -> tuple[Row, ...]:
    """One row a layer, inputs left out: shapes, work, bytes, proven accumulator width."""
    widths = accumulator_bits(graph)
    return tuple(
        {
            "layer": layer.name,
            "op": layer.op,
            "inputs": [list(operand.output.shape) for operand in graph.operands(layer)],
            "output": list(layer.output.shape),
            "element": layer.output.code,
            "macs": _macs(layer),
            "constant_bytes": sum(array.nbytes for field, array in layer.arrays() if field != "weight_scale"),
            "activation_bytes": sum(_bytes(operand) for operand in (*graph.operands(layer), layer)),
            "accumulator_bits": widths.get(layer.name, 0),
        }
        for layer in graph
        if layer.op != "input"
    )


def float_rows(graph: FloatGraph) -> tuple[Row, ...]:
    """One row a node of the float program."""
    return tuple(
        {"layer": node.name, "op": node.op, "output": list(node.shape), "element": node.dtype} for node in graph.nodes
    )


def float_digest(graph: FloatGraph) -> str:
    """sha256 of a float program's text and tensors, in hexadecimal."""
    text, tensors = save(graph)
    sha = hashlib.sha256(text.encode())
    for name, array in tensors.items():
        sha.update(f"{name} {array.dtype.str} {array.shape}".encode())
        sha.update(array.tobytes())
    return sha.hexdigest()


def _macs(layer: Layer) -> int:
    """Activations times weights: every output element takes one weight filter's worth."""
    if not isinstance(layer, Conv2d | Dense):
        return 0
    return math.prod(layer.output.shape) * math.prod(layer.weight.shape[1:])


def _bytes(layer: Layer) -> int:
    return math.prod(layer.output.shape) * layer.output.dtype.itemsize
