"""Blocks: what becomes one rounding of the integer graph.

A block is an anchor (convolution, product, sum, pooling, ...) with the bias and the ReLU or clip fused behind it, a
function of one tensor (a table), or a movement of elements. Everything else is a block of kind ``float``: work for
the host tail, with the reason why it has no integer semantics.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.quantize.parameters import Parameters

__all__ = ["BIASED", "HEAVY", "MOVEMENT", "Block", "Kind"]

Kind = str
"""``conv2d conv1d conv2d_transpose dense scale add multiply concat max_pool2d avg_pool2d table clip requantize reshape
permute slice pad resize float``."""

MOVEMENT = frozenset({"reshape", "permute", "slice", "pad", "resize", "max_pool2d"})
"""Kinds whose result holds values of the operand alone: both may have the same parameters."""

BIASED: Mapping[str, int] = {"conv2d": 1, "conv1d": 1, "conv2d_transpose": 1, "dense": -1}
"""Kinds that take a bias and a factor a channel, and the channel axis."""

HEAVY = frozenset({"conv2d", "conv1d", "conv2d_transpose", "dense"})
"""Kinds that are never host work."""


@dataclass(frozen=True)
class Block:
    """One block.

    Attributes:
        name: of the tensor it makes (the last node's).
        kind: what it is, see :data:`Kind`.
        inputs: tensors it reads (not constants), in order.
        anchor: the node that does the work.
        nodes: all nodes, in order.
        shape: of the result.
        low, high: bounds of a fused ReLU or clip, infinite where there is none.
        weight: name of the weight constant.
        affine: nodes behind the anchor that add, subtract or multiply a constant a channel.
        parameters: of the result, where the model spells out a quantizer; the result is ``gain`` times what the block
            computes, and ``low`` and ``high`` bound it before that factor.
        reason: of a ``float`` block: why it has no integer form.
    """

    name: str
    kind: Kind
    inputs: tuple[str, ...]
    anchor: Node
    nodes: tuple[Node, ...]
    shape: tuple[int, ...]
    low: float = -math.inf
    high: float = math.inf
    weight: str = ""
    affine: tuple[Node, ...] = ()
    reason: str = ""
    parameters: Parameters | None = None
    gain: float = 1.0
    attributes: Mapping[str, object] = field(default_factory=dict)

    @property
    def plain(self) -> bool:
        """Whether the affine nodes only add: no factor on the weights."""
        return all(node.op in ("add", "subtract") for node in self.affine)

    @property
    def before_clamp(self) -> str:
        """The tensor in front of the fused ReLU or clip (the result itself where none is)."""
        count = len(self.nodes) - int(self.attributes.get("clamps", 0))  # type: ignore[call-overload]
        return self.nodes[count - 1].name
