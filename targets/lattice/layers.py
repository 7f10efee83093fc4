"""Integer layers the family places."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["SUPPORTED"]

SUPPORTED: Mapping[str, str] = {
    "conv2d": "",
    "dense": "",
    "add": "",
    "multiply": "",
    "concat": "",
    "max_pool2d": "",
    "avg_pool2d": "",
    "table": "",
    "requantize": "",
    "reshape": "",
    "transpose": "free where the reader can take the order, else the tensor is stored once",
    "pad": "through a stored tensor; padding of a window is free",
    "slice": "through a stored tensor",
    "resize": "nearest neighbour, through a stored tensor",
}
"""Operator name -> note; every layer wants batch 1."""
