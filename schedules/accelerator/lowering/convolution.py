"""Convolutions and matrix products: tiles through the matrix unit, then one rescaling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gatewright.schedules.accelerator.isa.fields import VECTOR_OPS
from gatewright.schedules.accelerator.places import Place, accumulator_slots, tile_slots
from gatewright.schedules.accelerator.shapes import ConvShape
from gatewright.schedules.accelerator.slots import Slots
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.stream import Stream
from gatewright.schedules.accelerator.tile import (
    DepthTile,
    OutputTile,
    PixelTile,
    Tiling,
    depth_tiles,
    output_tiles,
    pixel_tiles,
)
from gatewright.schedules.accelerator.transfers import Rectangle, fill_outside, load_block, load_pixels, store_pixels

__all__ = ["ConvJob", "ConvSlots", "input_tile_pixels", "lower_convolution", "place_slots"]


@dataclass(frozen=True)
class ConvJob:
    """One convolution with everything but its tiling.

    Attributes:
        name: of the layer.
        shape: of the work.
        source, target: tensors.
        weights_address, parameters_address: in DRAM.
        fill: byte that stands outside the image.
        source_signed, weight_signed, weight_zero: how operands are read.
        output_zero, clamp: of the result.
    """

    name: str
    shape: ConvShape
    source: Place
    target: Place
    weights_address: int
    parameters_address: int
    fill: int
    source_signed: bool
    weight_signed: bool
    weight_zero: int
    output_zero: int
    clamp: tuple[int, int]


@dataclass(frozen=True)
class ConvSlots:
    """Places of tiles in the scratchpads; inputs and outputs have none where the tensor is resident.

    Attributes:
        weights_end: first byte behind the weights.
    """

    inputs: Slots | None
    outputs: Slots | None
    weights: Slots
    weights_end: int
    parameters: Slots
    accumulators: Slots


def input_tile_pixels(shape: ConvShape, tiling: Tiling) -> tuple[int, int]:
    """(rows, columns) of input pixels the largest tile needs."""
    rows = (tiling.height - 1) * shape.strides[0] + (tiling.kernel_height - 1) * shape.dilation[0] + 1
    columns = (tiling.width - 1) * shape.strides[1] + (tiling.kernel_width - 1) * shape.dilation[1] + 1
    return rows, columns


def place_slots(
    spec: Spec, shape: ConvShape, tiling: Tiling, resident: tuple[bool, bool], limit: int, weights_first: int = 0
) -> ConvSlots | None:
    """Places for the tiles of ``tiling``, or None where they do not fit.

    Args:
        spec: the accelerator.
        shape: of the work.
        tiling: of it.
        resident: whether the input and the output tensor are resident.
        limit: first byte of the activation scratchpad that is taken.
        weights_first: where the weights begin: another layer's may still be in use below.
    """
    pads = spec.scratchpads
    rows, columns = input_tile_pixels(shape, tiling)
    inputs = outputs = None
    used = 0
    result = tiling.height * tiling.width * tiling.outputs * spec.matrix.columns
    if not resident[0]:
        size = rows * columns * tiling.inputs * spec.matrix.rows
        # Apart from each other only where that leaves room for the results.
        room = limit - (0 if resident[1] else result * tiling.output_slots)
        inputs = tile_slots(0, size, tiling.input_slots, room, pads.activation, pads.activation.bank_bytes)
        if inputs is None:
            return None
        used = inputs.addresses[-1] + size
    if not resident[1]:
        outputs = _after(used, result, tiling.output_slots, limit, spec)
        if outputs is None:
            return None
    folds = tiling.kernel_height * tiling.kernel_width * tiling.inputs * tiling.outputs
    size = folds * spec.fold_bytes * tiling.weight_slots
    if size > pads.weight.bytes:
        return None
    start = weights_first if weights_first + size <= pads.weight.bytes else 0
    weights = Slots.packed(start, folds * spec.fold_bytes, tiling.weight_slots)
    accumulators = accumulator_slots(spec, tiling.height * tiling.width * tiling.outputs, tiling.accumulator_slots)
    records = tiling.outputs * spec.parameter_bytes
    count = min(2, pads.constant.bytes // records)
    if accumulators is None or not count:
        return None
    return ConvSlots(inputs, outputs, weights, start + size, Slots.packed(0, records, count), accumulators)


def _after(used: int, size: int, count: int, limit: int, spec: Spec) -> Slots | None:
    """Output places behind the inputs, from a bank of their own if they fit so: stores read what loads do not write."""
    pad = spec.scratchpads.activation
    first = -(-used // pad.bank_bytes) * pad.bank_bytes
    if first + size * count <= limit:
        return Slots.packed(first, size, count)
    return Slots.packed(used, size, count) if used + size * count <= limit else None


def lower_convolution(stream: Stream, job: ConvJob, tiling: Tiling, slots: ConvSlots) -> None:
    """Emit the layer."""
    _Lowering(stream, job, tiling, slots).run()


class _Lowering:
    def __init__(self, stream: Stream, job: ConvJob, tiling: Tiling, slots: ConvSlots) -> None:
        self.stream, self.job, self.tiling, self.slots = stream, job, tiling, slots
        self.shape = job.shape
        self.outputs = output_tiles(job.shape, tiling)
        self.depths = [depth_tiles(job.shape, tiling, tile) for tile in self.outputs]
        self.offsets: list[list[int]] = []
        position = 0
        for tile, depths in zip(self.outputs, self.depths, strict=True):
            self.offsets.append([])
            for depth in depths:
                self.offsets[-1].append(position)
                position += self._weight_bytes(tile, depth)

    def run(self) -> None:
        for pixels, number in self._pairs():
            self._tile(pixels, number)

    def _pairs(self) -> Iterator[tuple[PixelTile, int]]:
        pixels, numbers = pixel_tiles(self.shape, self.tiling), range(len(self.outputs))
        if self.tiling.order == "pixels":
            return ((tile, number) for tile in pixels for number in numbers)
        return ((tile, number) for number in numbers for tile in pixels)

    def _weight_bytes(self, tile: OutputTile, depth: DepthTile) -> int:
        folds = depth.height * depth.width * depth.count * tile.count
        return folds * self.stream.spec.fold_bytes

    def _tile(self, pixels: PixelTile, number: int) -> None:
        tile, spec = self.outputs[number], self.stream.spec
        accumulator, _ = self.slots.accumulators.place(None)
        for inner, depth in enumerate(self.depths[number]):
            weight = self._weights(number, inner)
            first, row, pixel = self._activations(pixels, depth)
            self.stream.emit(
                "matmul",
                accumulate=int(inner > 0),
                activation_signed=int(self.job.source_signed),
                weight_signed=int(self.job.weight_signed),
                weight_zero=self.job.weight_zero,
                activation_address=first,
                weight_address=weight,
                accumulator_address=accumulator,
                height=pixels.height,
                width=pixels.width,
                kernel_height=depth.height,
                kernel_width=depth.width,
                input_blocks=depth.count,
                output_blocks=tile.count,
                row_stride=row * self.shape.strides[0],
                pixel_stride=pixel * self.shape.strides[1],
                kernel_row_stride=row * self.shape.dilation[0],
                kernel_pixel_stride=pixel * self.shape.dilation[1],
                input_channels=min(depth.count * spec.matrix.rows, self.shape.channels - depth.low * spec.matrix.rows),
                output_channels=self._channels(tile),
            )
        self._finish(pixels, number, accumulator)

    def _channels(self, tile: OutputTile) -> int:
        columns = self.stream.spec.matrix.columns
        return min(tile.count * columns, self.shape.out_channels - tile.first * columns)

    def _weights(self, number: int, inner: int) -> int:
        """Address of the weights of one tile, loaded unless they are there."""
        address, there = self.slots.weights.place((number, inner))
        if not there:
            size = self._weight_bytes(self.outputs[number], self.depths[number][inner])
            load_block(self.stream, "weight", self.job.weights_address + self.offsets[number][inner], address, size)
        return address

    def _activations(self, pixels: PixelTile, depth: DepthTile) -> tuple[int, int, int]:
        """(first byte, bytes from row to row, bytes from pixel to pixel) of the input tile."""
        shape, rows = self.shape, self.stream.spec.matrix.rows
        top = pixels.top * shape.strides[0] - shape.padding[0] + depth.u * shape.dilation[0]
        left = pixels.left * shape.strides[1] - shape.padding[1] + depth.v * shape.dilation[1]
        source = self.job.source
        if self.slots.inputs is None:
            first = source.pixel(pixels.sample, top, left) + depth.low * rows
            return first, source.row_stride, source.storage.pitch_bytes
        area = Rectangle(
            pixels.sample, top, left,
            (pixels.height - 1) * shape.strides[0] + (depth.height - 1) * shape.dilation[0] + 1,
            (pixels.width - 1) * shape.strides[1] + (depth.width - 1) * shape.dilation[1] + 1,
            depth.low * rows, depth.count * rows,
        )  # fmt: skip
        address, there = self.slots.inputs.place(area)
        if not there:
            fill_outside(self.stream, area, shape.height, shape.width, address, self.job.fill)
            load_pixels(self.stream, source, area, address)
        return address, area.width * area.bytes, area.bytes

    def _finish(self, pixels: PixelTile, number: int, accumulator: int) -> None:
        """Rescale a finished tile and bring it to its place."""
        tile, spec, target = self.outputs[number], self.stream.spec, self.job.target
        columns = spec.matrix.columns
        record, there = self.slots.parameters.place(number)
        if not there:
            at = self.job.parameters_address + tile.first * spec.parameter_bytes
            load_block(self.stream, "constant", at, record, tile.count * spec.parameter_bytes)
        if self.slots.outputs is None:
            out = target.pixel(pixels.sample, pixels.top, pixels.left) + tile.first * columns
            row, pixel = target.row_stride, target.storage.pitch_bytes
        else:
            out, _ = self.slots.outputs.place(None)
            pixel = tile.count * columns
            row = pixels.width * pixel
        self.stream.emit(
            "vector",
            operation=VECTOR_OPS["rescale"],
            from_accumulator=1,
            per_channel=1,
            a_address=accumulator,
            a_block_stride=pixels.height * pixels.width,
            a_row_stride=pixels.width,
            a_pixel_stride=1,
            parameter_address=record,
            height=pixels.height,
            width=pixels.width,
            kernel_height=1,
            kernel_width=1,
            blocks=tile.count,
            channels=self._channels(tile),
            output_address=out,
            output_block_stride=columns,
            output_row_stride=row,
            output_pixel_stride=pixel,
            output_zero=self.job.output_zero,
            clamp_low=self.job.clamp[0],
            clamp_high=self.job.clamp[1],
        )
        if self.slots.outputs is not None:
            area = Rectangle(
                pixels.sample, pixels.top, pixels.left, pixels.height, pixels.width, tile.first * columns,
                tile.count * columns,
            )  # fmt: skip
            store_pixels(self.stream, target, area, out)
