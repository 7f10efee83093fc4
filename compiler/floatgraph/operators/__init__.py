"""NumPy forms of the Relax operators a :class:`~gatewright.compiler.floatgraph.graph.FloatGraph` may hold."""

from __future__ import annotations

from collections.abc import Mapping

from gatewright.compiler.floatgraph.operators.elementwise import ELEMENTWISE
from gatewright.compiler.floatgraph.operators.neural import NEURAL
from gatewright.compiler.floatgraph.operators.pooling import POOLING
from gatewright.compiler.floatgraph.operators.quantization import QUANTIZATION
from gatewright.compiler.floatgraph.operators.reductions import REDUCTIONS
from gatewright.compiler.floatgraph.operators.resizing import RESIZING
from gatewright.compiler.floatgraph.operators.shaping import SHAPING
from gatewright.compiler.floatgraph.operators.types import Array, Operator

__all__ = ["OPERATORS", "Array", "Operator"]

OPERATORS: Mapping[str, Operator] = {
    **ELEMENTWISE, **SHAPING, **REDUCTIONS, **QUANTIZATION, **NEURAL, **POOLING, **RESIZING
}  # fmt: skip
"""Operator by name: ``OPERATORS[node.op](node, *arrays) -> array``."""
