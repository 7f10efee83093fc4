"""Integer layers the family places."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["SUPPORTED"]

SUPPORTED: Mapping[str, str] = {
    "conv2d": "matrix unit; depthwise on the vector unit",
    "dense": "matrix unit",
    "add": "two operands",
    "multiply": "",
    "concat": "",
    "max_pool2d": "",
    "avg_pool2d": "",
    "table": "",
    "requantize": "",
    "reshape": "free where no byte moves",
    "transpose": "through DMA",
    "pad": "through DMA; padding of a window is free",
    "slice": "through DMA",
    "resize": "nearest neighbour, through DMA",
}
"""Operator name -> note; what a spec cannot run (wide tensors, odd broadcasts) goes to the host and is counted."""
