"""Where tensors and tiles are while a layer runs."""

from __future__ import annotations

from dataclasses import dataclass

from gatewright.schedules.accelerator.slots import Slots
from gatewright.schedules.accelerator.spec import Scratchpad, Spec
from gatewright.schedules.accelerator.storage import Storage

__all__ = ["Place", "accumulator_slots", "aligned", "dram_place", "tile_slots"]


@dataclass(frozen=True)
class Place:
    """A tensor in DRAM or in the activation scratchpad.

    Attributes:
        storage: how its bytes are ordered.
        resident: in the scratchpad.
        address: of pixel (0, 0, 0).
        row_stride, sample_stride: bytes; a resident image may have a border around it.
    """

    storage: Storage
    resident: bool
    address: int
    row_stride: int
    sample_stride: int

    def pixel(self, sample: int, row: int, column: int) -> int:
        """Address of a pixel; those of the border have rows or columns outside the image."""
        return self.address + sample * self.sample_stride + row * self.row_stride + column * self.storage.pitch_bytes


def dram_place(storage: Storage, address: int) -> Place:
    """A tensor at ``address`` in DRAM: no border."""
    _, height, width = storage.grid
    row = width * storage.pitch_bytes
    return Place(storage, False, address, row, height * row)


def aligned(value: int, unit: int) -> int:
    """The next multiple of ``unit``."""
    return -(-value // unit) * unit


def tile_slots(first: int, size: int, count: int, limit: int, pad: Scratchpad, bank: int) -> Slots | None:
    """``count`` places of ``size`` from ``first``, each in banks of its own if they fit below ``limit`` so.

    Args:
        first: where they may begin, like all that follows in units of the scratchpad's addresses.
        size: of one.
        count: how many.
        limit: where they must end.
        pad: the scratchpad.
        bank: size of a bank.

    Returns:
        None when they do not fit at all.
    """
    if pad.banks > 1 and pad.ports != "multi":
        apart, start = aligned(size, bank), aligned(first, bank)
        if start + apart * (count - 1) + size <= limit:
            return Slots.packed(start, apart, count)
    return Slots.packed(first, size, count) if first + size * count <= limit else None


def accumulator_slots(spec: Spec, rows: int, count: int) -> Slots | None:
    """Places of ``rows`` accumulator rows."""
    pad = spec.scratchpads.accumulator
    return tile_slots(0, rows, count, spec.accumulator_rows, pad, pad.bank_bytes // (4 * spec.matrix.columns))
