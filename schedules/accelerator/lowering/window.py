"""Work of the vector unit: depthwise convolution, pooling, sums, products, tables, changes of type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import numpy.typing as npt

from gatewright.schedules.accelerator.isa.fields import VECTOR_OPS
from gatewright.schedules.accelerator.places import Place, tile_slots
from gatewright.schedules.accelerator.slots import Slots
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.stream import Stream
from gatewright.schedules.accelerator.transfers import Rectangle, fill_outside, load_block, load_pixels, store_pixels

__all__ = ["Factors", "WindowJob", "WindowSlots", "WindowTiling", "lower_window", "place_window_slots"]


@dataclass(frozen=True)
class Factors:
    """Multiplier and shift by output position (average pooling whose windows differ).

    Attributes:
        multiplier, shift, addend: (OH, OW) each.
    """

    multiplier: npt.NDArray[np.int64]
    shift: npt.NDArray[np.int64]
    addend: npt.NDArray[np.int64]


@dataclass(frozen=True)
class WindowJob:
    """One layer of the vector unit with everything but its tiling.

    Attributes:
        name: of the layer. operation: a key of VECTOR_OPS.
        source, second, target: tensors; ``second`` has the target's grid, or one pixel that meets all.
        kernel, strides, dilation: (vertical, horizontal). padding: (top, left, bottom, right); fill: what stands there.
        taps_address: depthwise weights, or a table of 256 bytes, in DRAM; -1 without.
        parameters_address: records in DRAM; -1 where multiplier and shift are immediate.
        fields: further fields of the instruction (signedness, zero points, clamp, multiplier ...).
        factors: immediate multipliers that differ by position.
    """

    name: str
    operation: str
    source: Place
    target: Place
    fields: Mapping[str, int]
    second: Place | None = None
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    fill: int = 0
    taps_address: int = -1
    parameters_address: int = -1
    factors: Factors | None = field(default=None, compare=False)

    @property
    def grid(self) -> tuple[int, int, int]:
        """(samples, rows, columns) of the pixels computed."""
        return self.target.storage.grid

    @property
    def channels(self) -> int:
        """Channels computed."""
        return self.source.storage.channels

    @property
    def spreads(self) -> bool:
        """Whether one pixel of the second operand a sample meets every pixel of the first."""
        return self.second is not None and self.second.storage.grid[1:] != self.grid[1:]


@dataclass(frozen=True)
class WindowTiling:
    """Output pixels and blocks of C channels of a tile; input_slots and output_slots tiles are kept."""

    height: int
    width: int
    blocks: int
    input_slots: int = 2
    output_slots: int = 2


@dataclass(frozen=True)
class WindowSlots:
    """Places of tiles; None where the tensor is resident or absent."""

    inputs: Slots | None
    seconds: Slots | None
    outputs: Slots | None
    constants: Slots | None


def constant_bytes(spec: Spec, job: WindowJob, blocks: int) -> tuple[int, int]:
    """(taps or table, records) of one tile's constants."""
    taps = 0
    if job.operation == "table":
        taps = 256
    elif job.taps_address >= 0:
        taps = blocks * job.kernel[0] * job.kernel[1] * spec.matrix.columns
    return taps, blocks * spec.parameter_bytes if job.parameters_address >= 0 else 0


def place_window_slots(spec: Spec, job: WindowJob, tiling: WindowTiling, limit: int) -> WindowSlots | None:
    """Places for the tiles, or None where they do not fit below ``limit`` of the activation scratchpad."""
    pad, used = spec.scratchpads.activation, 0
    pixel = tiling.blocks * spec.matrix.columns
    rows = (tiling.height - 1) * job.strides[0] + (job.kernel[0] - 1) * job.dilation[0] + 1
    columns = (tiling.width - 1) * job.strides[1] + (job.kernel[1] - 1) * job.dilation[1] + 1
    outputs = tiling.height * tiling.width * pixel
    wanted = [
        (not job.source.resident, rows * columns * pixel, tiling.input_slots),
        (job.second is not None and not job.second.resident, pixel if job.spreads else outputs, tiling.input_slots),
        (not job.target.resident, outputs, tiling.output_slots),
    ]
    found: list[Slots | None] = []
    for there, size, count in wanted:
        slots = tile_slots(used, size, count, limit, pad, pad.bank_bytes) if there else None
        if there and slots is None:
            return None
        if slots is not None:
            used = slots.addresses[-1] + size
        found.append(slots)
    need = sum(constant_bytes(spec, job, tiling.blocks))
    constants = None
    if need:
        count = min(2, spec.scratchpads.constant.bytes // need)
        if not count:
            return None
        constants = Slots.packed(0, need, count)
    return WindowSlots(found[0], found[1], found[2], constants)


def lower_window(stream: Stream, job: WindowJob, tiling: WindowTiling, slots: WindowSlots) -> None:
    """Emit the layer: blocks of channels outermost, so that constants are loaded once."""
    spec = stream.spec
    samples, height, width = job.grid
    blocks = -(-job.channels // spec.matrix.columns)
    for first in range(0, blocks, tiling.blocks):
        count = min(tiling.blocks, blocks - first)
        constants = _load_constants(stream, job, slots, first, count)
        for sample in range(samples):
            for top in range(0, height, tiling.height):
                for left in range(0, width, tiling.width):
                    area = Rectangle(
                        sample, top, left, min(tiling.height, height - top), min(tiling.width, width - left),
                        first * spec.matrix.columns, count * spec.matrix.columns,
                    )  # fmt: skip
                    _tile(stream, job, slots, area, constants)


def _load_constants(stream: Stream, job: WindowJob, slots: WindowSlots, first: int, count: int) -> tuple[int, int]:
    """Load taps or table, and records; returns their addresses."""
    if slots.constants is None:
        return 0, 0
    spec = stream.spec
    taps, records = constant_bytes(spec, job, count)
    address, there = slots.constants.place(0 if job.operation == "table" else first)
    if not there:
        if taps:
            offset = 0 if job.operation == "table" else first * (taps // count)
            load_block(stream, "constant", job.taps_address + offset, address, taps)
        if records:
            at = job.parameters_address + first * spec.parameter_bytes
            load_block(stream, "constant", at, address + taps, records)
    return address, address + taps


def _tile(stream: Stream, job: WindowJob, slots: WindowSlots, area: Rectangle, constants: tuple[int, int]) -> None:
    columns = stream.spec.matrix.columns
    blocks = area.bytes // columns
    a, a_row, a_pixel = _first_operand(stream, job, slots, area)
    values = {
        "operation": VECTOR_OPS[job.operation],
        "kernel_height": job.kernel[0],
        "kernel_width": job.kernel[1],
        "blocks": blocks,
        "channels": min(area.bytes, job.channels - area.first_byte),
        "a_block_stride": columns,
        "a_row_stride": a_row * job.strides[0],
        "a_pixel_stride": a_pixel * job.strides[1],
        "a_kernel_row_stride": a_row * job.dilation[0],
        "a_kernel_pixel_stride": a_pixel * job.dilation[1],
        "output_block_stride": columns,
        **job.fields,
    }
    if job.second is not None:
        b, b_row, b_pixel = _second_operand(stream, job, job.second, slots, area)
        values |= {"b_block_stride": columns, "b_row_stride": b_row, "b_pixel_stride": b_pixel}
    else:
        b = b_row = b_pixel = 0
    if job.taps_address >= 0:
        values["weight_address"] = constants[0]
    if job.parameters_address >= 0:
        values |= {"per_channel": 1, "parameter_address": constants[1]}
    if slots.outputs is None:
        out = job.target.pixel(area.sample, area.top, area.left) + area.first_byte
        out_row, out_pixel = job.target.row_stride, job.target.storage.pitch_bytes
    else:
        out, _ = slots.outputs.place(None)
        out_row, out_pixel = area.width * area.bytes, area.bytes
    for top, left, height, width, factors in _pieces(job, area):
        stream.emit(
            "vector",
            **values | factors,
            a_address=a + top * a_row * job.strides[0] + left * a_pixel * job.strides[1],
            **({"b_address": b + top * b_row + left * b_pixel} if job.second is not None else {}),
            output_address=out + top * out_row + left * out_pixel,
            output_row_stride=out_row,
            output_pixel_stride=out_pixel,
            height=height,
            width=width,
        )
    if slots.outputs is not None:
        store_pixels(stream, job.target, area, out)


def _first_operand(stream: Stream, job: WindowJob, slots: WindowSlots, area: Rectangle) -> tuple[int, int, int]:
    """(address, bytes from row to row, bytes from pixel to pixel) of what the window of the tile covers."""
    top = area.top * job.strides[0] - job.padding[0]
    left = area.left * job.strides[1] - job.padding[1]
    if slots.inputs is None:
        first = job.source.pixel(area.sample, top, left) + area.first_byte
        return first, job.source.row_stride, job.source.storage.pitch_bytes
    covered = Rectangle(
        area.sample, top, left,
        (area.height - 1) * job.strides[0] + (job.kernel[0] - 1) * job.dilation[0] + 1,
        (area.width - 1) * job.strides[1] + (job.kernel[1] - 1) * job.dilation[1] + 1,
        area.first_byte, area.bytes,
    )  # fmt: skip
    address, there = slots.inputs.place(covered)
    if not there:
        _, height, width = job.source.storage.grid
        fill_outside(stream, covered, height, width, address, job.fill)
        load_pixels(stream, job.source, covered, address)
    return address, covered.width * covered.bytes, covered.bytes


def _second_operand(
    stream: Stream, job: WindowJob, second: Place, slots: WindowSlots, area: Rectangle
) -> tuple[int, int, int]:
    if job.spreads:
        area = Rectangle(area.sample, 0, 0, 1, 1, area.first_byte, area.bytes)
    if slots.seconds is None:
        first = second.pixel(area.sample, area.top, area.left) + area.first_byte
        row, pixel = second.row_stride, second.storage.pitch_bytes
    else:
        first, there = slots.seconds.place(area)
        row, pixel = area.width * area.bytes, area.bytes
        if not there:
            load_pixels(stream, second, area, first)
    return (first, 0, 0) if job.spreads else (first, row, pixel)


def _pieces(job: WindowJob, area: Rectangle) -> Iterator[tuple[int, int, int, int, dict[str, int]]]:
    """Rectangles of a tile with one multiplier each, relative to it: (top, left, height, width, fields)."""
    if job.factors is None:
        yield 0, 0, area.height, area.width, {}
        return
    factors = job.factors
    here = np.s_[area.top : area.top + area.height, area.left : area.left + area.width]
    planes = np.stack([np.broadcast_to(p, job.grid[1:])[here] for p in (
        factors.multiplier, factors.shift, factors.addend
    )])  # fmt: skip
    for top, height in _runs(planes.transpose(1, 0, 2)):
        for left, width in _runs(planes[:, top].transpose(1, 0)):
            multiplier, shift, addend = (int(v) for v in planes[:, top, left])
            yield top, left, height, width, {"multiplier": multiplier, "shift": shift, "addend": addend}


def _runs(values: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """(first, length) of runs of equal entries along the first axis."""
    position = 0
    for _, group in groupby(range(len(values)), key=lambda index: values[index].tobytes()):
        length = len(list(group))
        yield position, length
        position += length
