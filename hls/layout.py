"""Where the elements of a tensor lie in hardware.

The integer graph is channels first and counts elements in row-major order. A wire of the HLS design has a physical
shape (its last axis is one beat of a stream) and says, for every physical position, which logical element lies there.
So transposes and reshapes cost nothing until a kernel insists on an order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewright.compiler.integer.semantics import Interval

__all__ = ["Positions", "Wire", "canonical_index", "canonical_shape", "physical_axis"]

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Wire:
    """One tensor of the HLS design.

    Attributes:
        name: the hls4ml layer that makes it.
        shape: physical shape.
        index: (elements,): logical row-major position of the element at every physical position.
        logical: shape in the integer graph.
        interval: proven range of the centred integer q - z.
        fraction: binary point in profile ``fixed``, None in profile ``scaled``.
    """

    name: str
    shape: tuple[int, ...]
    index: Positions
    logical: tuple[int, ...]
    interval: Interval
    fraction: int | None

    @property
    def beats(self) -> int:
        """Beats of the stream."""
        return math.prod(self.shape[:-1])

    @property
    def channels(self) -> int:
        """Elements of one beat."""
        return self.shape[-1]


def canonical_shape(logical: tuple[int, ...]) -> tuple[int, ...]:
    """Channels last for (1, C, H, W): (H, W, C); else the logical shape without its batch axis."""
    if len(logical) == 4 and logical[0] == 1:
        return logical[2], logical[3], logical[1]
    trimmed = logical[1:] if len(logical) > 1 and logical[0] == 1 else logical
    return trimmed or (1,)


def canonical_index(logical: tuple[int, ...]) -> Positions:
    """Logical position of every element in canonical order."""
    positions = np.arange(math.prod(logical), dtype=np.int64)
    if len(logical) == 4 and logical[0] == 1:
        return positions.reshape(logical[1:]).transpose(1, 2, 0).ravel()
    return positions


def physical_axis(logical: tuple[int, ...], axis: int) -> int:
    """Position of a logical axis in the canonical shape."""
    if len(logical) == 4 and logical[0] == 1:
        return {1: 2, 2: 0, 3: 1}[axis]
    return axis - 1 if len(logical) > 1 and logical[0] == 1 else axis
