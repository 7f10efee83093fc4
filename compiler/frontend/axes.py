"""Axes as ONNX counts them."""

from __future__ import annotations

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.frontend.draft import Node

__all__ = ["axis_of"]


def axis_of(node: Node, axis: int, rank: int) -> int:
    """``axis`` counted from the front.

    Raises:
        FrontendError: GW1060 when it is out of range.
    """
    if not -rank <= axis < max(rank, 1):
        raise FrontendError(
            "GW1060", node.where(), f"axis {axis} does not exist in a tensor of rank {rank}", "export the model again"
        )
    return axis % rank if rank else 0
