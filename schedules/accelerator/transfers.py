"""LOAD, STORE and FILL of rectangles of pixels."""

from __future__ import annotations

from dataclasses import dataclass

from gatewright.schedules.accelerator.isa.fields import SPACES
from gatewright.schedules.accelerator.places import Place
from gatewright.schedules.accelerator.stream import Stream

__all__ = ["Rectangle", "fill_outside", "load_block", "load_pixels", "store_pixels", "transfer"]


@dataclass(frozen=True)
class Rectangle:
    """Pixels of one sample, possibly reaching outside the image, and bytes of each."""

    sample: int
    top: int
    left: int
    height: int
    width: int
    first_byte: int
    bytes: int

    def clipped(self, height: int, width: int) -> Rectangle:
        """What lies inside an image; height or width may become 0."""
        top, left = max(self.top, 0), max(self.left, 0)
        rows = max(min(self.top + self.height, height) - top, 0)
        columns = max(min(self.left + self.width, width) - left, 0)
        return Rectangle(self.sample, top, left, rows, columns, self.first_byte, self.bytes)


def transfer(
    stream: Stream, mnemonic: str, space: str, dram: int, local: int, loops: list[tuple[int, int, int]], row: int
) -> None:
    """A strided copy of any depth between DRAM and a scratchpad.

    Args:
        stream: takes the instructions.
        mnemonic: ``load`` or ``store``.
        space: name of the scratchpad.
        dram: first address in DRAM.
        local: first address in the scratchpad.
        loops: (count, DRAM stride, local stride) outermost first; contiguous ones are merged into the row.
        row: contiguous bytes.
    """
    kept = [loop for loop in loops if loop[0] != 1]
    while kept and kept[-1][1] == kept[-1][2] == row:
        row *= kept.pop()[0]
    while len(kept) > 2:
        # The outer loops are unrolled: an instruction has two.
        count, dram_stride, local_stride = kept.pop(0)
        for index in range(count):
            transfer(stream, mnemonic, space, dram + index * dram_stride, local + index * local_stride, kept, row)
        return
    word = stream.spec.dma.granularity_bytes
    assert not any(value % word for value in (row, dram, local)), "placement lets only whole words through"
    kept = [(1, 0, 0)] * (2 - len(kept)) + kept
    (planes, dram_plane, local_plane), (rows, dram_row, local_row) = kept
    stream.emit(
        mnemonic, space=SPACES[space], dram_address=dram, local_address=local, row_bytes=row, rows=rows, planes=planes,
        dram_row_stride=dram_row, dram_plane_stride=dram_plane, local_row_stride=local_row,
        local_plane_stride=local_plane,
    )  # fmt: skip


def load_block(stream: Stream, space: str, dram: int, local: int, size: int) -> None:
    """Load ``size`` contiguous bytes."""
    transfer(stream, "load", space, dram, local, [], size)


def load_pixels(stream: Stream, source: Place, area: Rectangle, local: int) -> None:
    """Load a rectangle into a dense tile; what lies outside the image is left alone."""
    _, height, width = source.storage.grid
    inside = area.clipped(height, width)
    if not (inside.height and inside.width):
        return
    row = area.width * area.bytes
    at = local + (inside.top - area.top) * row + (inside.left - area.left) * area.bytes
    loops = [(inside.height, source.row_stride, row), (inside.width, source.storage.pitch_bytes, area.bytes)]
    first = source.pixel(area.sample, inside.top, inside.left) + area.first_byte
    transfer(stream, "load", "activation", first, at, loops, area.bytes)


def store_pixels(stream: Stream, target: Place, area: Rectangle, local: int) -> None:
    """Store a dense tile that lies within the image."""
    loops = [
        (area.height, target.row_stride, area.width * area.bytes),
        (area.width, target.storage.pitch_bytes, area.bytes),
    ]
    first = target.pixel(area.sample, area.top, area.left) + area.first_byte
    transfer(stream, "store", "activation", first, local, loops, area.bytes)


def fill_outside(stream: Stream, area: Rectangle, height: int, width: int, local: int, value: int) -> None:
    """Fill what of a dense tile lies outside an image of ``height`` x ``width``."""
    inside = area.clipped(height, width)
    pitch, row = area.bytes, area.width * area.bytes
    if not (inside.height and inside.width):
        _fill(stream, local, area.height, row, row, value)
        return
    above, left = inside.top - area.top, inside.left - area.left
    below, right = area.height - above - inside.height, area.width - left - inside.width
    _fill(stream, local, above, row, row, value)
    _fill(stream, local + (above + inside.height) * row, below, row, row, value)
    _fill(stream, local + above * row, inside.height, left * pitch, row, value)
    _fill(stream, local + above * row + (left + inside.width) * pitch, inside.height, right * pitch, row, value)


def _fill(stream: Stream, local: int, rows: int, row_bytes: int, stride: int, value: int) -> None:
    if not (rows and row_bytes):
        return
    if stride == row_bytes:
        rows, row_bytes, stride = 1, rows * row_bytes, 0
    stream.emit(
        "fill", space=SPACES["activation"], local_address=local, row_bytes=row_bytes, rows=rows, planes=1,
        local_row_stride=stride, value=value & 0xFF,
    )  # fmt: skip
