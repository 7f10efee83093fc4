"""Memories of the machine, and strided views of them that cannot leave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import TargetError
from gatewright.schedules.accelerator.isa.fields import SPACES
from gatewright.schedules.accelerator.spec import Spec

__all__ = ["Memories", "window"]

Bytes = npt.NDArray[np.uint8]
_POISON = 0xA5
"""What scratchpads hold before a program writes them: a program that reads it gives itself away."""


@dataclass(frozen=True)
class Memories:
    """DRAM and scratchpads.

    Attributes:
        dram: (bytes,) uint8.
        scratchpads: space number -> (bytes,) uint8; the accumulators are in ``accumulators``.
        accumulators: (rows, C) int32.
    """

    dram: Bytes
    scratchpads: Mapping[int, Bytes]
    accumulators: npt.NDArray[np.int32]

    @classmethod
    def of(cls, spec: Spec, dram: Bytes) -> Memories:
        """Memories of ``spec``: scratchpads poisoned, ``dram`` as given (it is written in place)."""
        pads = spec.scratchpads
        sizes = {"activation": pads.activation.bytes, "weight": pads.weight.bytes, "constant": pads.constant.bytes}
        scratchpads = {SPACES[name]: np.full(size, _POISON, np.uint8) for name, size in sizes.items()}
        rows = (spec.accumulator_rows, spec.matrix.columns)
        return cls(dram, scratchpads, np.full(rows, 0x5A5A5A5A, np.int32))


def window(
    memory: npt.NDArray[np.generic], first: int, shape: Sequence[int], strides: Sequence[int], place: str
) -> npt.NDArray[np.generic]:
    """A strided view of a memory along its first axis.

    Args:
        memory: (size, ...) contiguous.
        first: index of the first element.
        shape: of the view; further axes of ``memory`` follow.
        strides: of the view, in elements of the first axis.
        place: for the error.

    Returns:
        (*shape, *memory.shape[1:]), a view.

    Raises:
        TargetError: GW4306 when an element lies outside the memory.
    """
    reach = [(n - 1) * s for n, s in zip(shape, strides, strict=True)]
    low = first + sum(r for r in reach if r < 0)
    high = first + sum(r for r in reach if r > 0)
    if 0 not in shape and not (low >= 0 and high < len(memory)):
        raise TargetError("GW4306", place, f"addresses {low}..{high} leave a memory of {len(memory)}",
                          "build the artefact again; the file is damaged, or report this as a bug")  # fmt: skip
    unit = memory.strides[0]
    return np.lib.stride_tricks.as_strided(
        memory[first:], (*shape, *memory.shape[1:]), (*(s * unit for s in strides), *memory.strides[1:])
    )
