"""What an operator is: a function of a node and its operands' arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.graph import Attribute

__all__ = ["Array", "Operator", "axes_of", "integer", "integers", "number"]

Array = npt.NDArray[Any]

Operator = Callable[..., Array]
"""``operator(node, *arrays) -> array``. The result has the operands' float type, so a graph runs in float64 too."""


def integers(value: Attribute, default: tuple[int, ...] = ()) -> tuple[int, ...]:
    """A tuple-of-integers attribute; a lone integer is a tuple of one, None is ``default``."""
    if value is None:
        return default
    items = value if isinstance(value, tuple) else (value,)
    return tuple(integer(item) for item in items)


def integer(value: Attribute) -> int:
    """An integer attribute."""
    if isinstance(value, (int, np.integer)):
        return int(value)
    raise TypeError(f"{value!r} is not an integer")


def axes_of(value: Attribute, rank: int) -> tuple[int, ...]:
    """Non-negative axes; None means all of them."""
    return tuple(axis % rank for axis in integers(value, tuple(range(rank))))


def number(value: Attribute) -> float:
    """A number attribute, an integer kept as one."""
    if isinstance(value, (int, float)):
        return value
    raise TypeError(f"{value!r} is not a number")
