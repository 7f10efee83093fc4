"""A network as a program: memory plan, then every layer's instructions in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gatewright.compiler.integer.layers import Concat, Conv2d, Dense, Pad, Table
from gatewright.schedules.accelerator.analysis import Analysis, Operation
from gatewright.schedules.accelerator.isa.fields import SPACES
from gatewright.schedules.accelerator.jobs import convolution_job, convolution_shape, window_job
from gatewright.schedules.accelerator.lowering.convolution import lower_convolution, place_slots
from gatewright.schedules.accelerator.lowering.layers import copies_of, rescaled_operands
from gatewright.schedules.accelerator.lowering.movement import lower_copies
from gatewright.schedules.accelerator.lowering.window import (
    WindowJob,
    WindowTiling,
    lower_window,
    place_window_slots,
)
from gatewright.schedules.accelerator.memory import Region, Request, allocate, check_regions
from gatewright.schedules.accelerator.places import Place, dram_place
from gatewright.schedules.accelerator.program import HostStep, Located, Program, Run
from gatewright.schedules.accelerator.residency import Residency, resident_place
from gatewright.schedules.accelerator.search.grid import halvings
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.storage import Storage
from gatewright.schedules.accelerator.stream import Stream
from gatewright.schedules.accelerator.tile import Tiling, depth_tiles, output_tiles
from gatewright.schedules.accelerator.transfers import transfer

__all__ = ["emit_program", "tensor_places"]

_ALIGNMENT = 64
"""Of every region in DRAM: a whole number of the bursts of common memories."""


@dataclass
class _Constants:
    """Where constants lie: one behind the other from address 0."""

    regions: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    end: int = 0

    def add(self, layer: str, role: str, size: int) -> None:
        self.regions[layer, role] = self.end, size
        self.end += -(-size // _ALIGNMENT) * _ALIGNMENT

    def address(self, layer: str, role: str) -> int:
        """DRAM address of a constant."""
        return self.regions[layer, role][0]


def tensor_places(analysis: Analysis, residency: Residency, dram: Mapping[str, Place]) -> dict[str, Place]:
    """Place of every stored tensor: resident ones in the scratchpad, others as ``dram`` says."""
    return {
        name: resident_place(analysis.storages[name], residency.borders[name], residency.regions[name].address)
        if name in residency.regions
        else place
        for name, place in dram.items()
    }


def emit_program(
    spec: Spec, analysis: Analysis, residency: Residency, tilings: Mapping[str, Tiling | WindowTiling]
) -> Program:
    """The program, its memory plans checked for overlap."""
    constants = _lay_constants(spec, analysis, tilings)
    requests = _dram_requests(spec, analysis, residency)
    base = constants.end
    regions = allocate(requests, _ALIGNMENT, base)
    size = max([base, *(region.end for region in regions)], default=0)
    size = -(-size // _ALIGNMENT) * _ALIGNMENT
    fixed = [
        Region(Request(f"{layer}.{role}", length, 0, len(analysis.operations)), address)
        for (layer, role), (address, length) in constants.regions.items()
    ]
    check_regions([*fixed, *regions], size, "DRAM")
    check_regions(list(residency.regions.values()), spec.scratchpads.activation.bytes, "activation scratchpad")
    addresses = {region.request.name: region.address for region in regions}
    dram = {
        name: dram_place(analysis.storages[name], at) for name, at in addresses.items() if name in analysis.storages
    }
    # Resident tensors have no DRAM: any place there stands for "replaced".
    for name in residency.regions:
        dram[name] = dram_place(analysis.storages[name], 0)
    emitter = _Emitter(
        spec, analysis, residency, tilings, constants, tensor_places(analysis, residency, dram), addresses
    )
    steps = emitter.run()
    tensors = {
        name: Located(addresses[root], analysis.storages[name])
        for name, root in analysis.stored.items()
        if root in addresses
    }
    return Program(
        tuple(steps), size, constants.regions, tensors, analysis.stored, analysis.boundary, (*fixed, *regions),
        tuple(residency.regions.values()),
    )  # fmt: skip


def _lay_constants(spec: Spec, analysis: Analysis, tilings: Mapping[str, Tiling | WindowTiling]) -> _Constants:
    constants = _Constants()
    for op in analysis.operations:
        tiling = tilings.get(op.name)
        if isinstance(tiling, Tiling):
            shape = convolution_shape(spec, analysis, op)
            folds = sum(
                tile.count * depth.height * depth.width * depth.count
                for tile in output_tiles(shape, tiling)
                for depth in depth_tiles(shape, tiling, tile)
            )
            constants.add(op.name, "weights", folds * spec.fold_bytes)
            constants.add(op.name, "parameters", shape.output_blocks * spec.parameter_bytes)
        elif isinstance(op.layer, Conv2d) and op.kind == "window":
            blocks = -(-op.layer.weight.shape[0] // spec.matrix.columns)
            window = op.layer.weight.shape[2] * op.layer.weight.shape[3]
            constants.add(op.name, "taps", blocks * window * spec.matrix.columns)
            constants.add(op.name, "parameters", blocks * spec.parameter_bytes)
        elif isinstance(op.layer, Table) and op.kind == "window":
            constants.add(op.name, "taps", 256)
    return constants


def _dram_requests(spec: Spec, analysis: Analysis, residency: Residency) -> list[Request]:
    last = len(analysis.operations)
    fed = [layer.name for layer in analysis.graph.inputs]
    fed += [name for name, side in analysis.boundary.items() if side == "entry"]
    spans: dict[str, tuple[int, int]] = dict.fromkeys(fed, (0, 0))
    extra: list[Request] = []
    for step, op in enumerate(analysis.operations):
        spans[op.name] = step, step
        for name in op.reads:
            spans[name] = spans[name][0], step
        kinds = [operand.output for operand in analysis.graph.operands(op.layer)]
        if op.kind == "copy":
            for index in rescaled_operands(op, kinds):
                size = analysis.storages[op.layer.inputs[index]].size_bytes
                extra.append(Request(_temporary(op, index), size, step, step))
    for root in analysis.results:
        spans[root] = spans[root][0], last
    # What only the host touches never enters DRAM.
    touched = {name for op in analysis.operations if op.kind != "host" for name in (op.name, *op.reads)}
    return [
        Request(name, analysis.storages[name].size_bytes, first, end)
        for name, (first, end) in spans.items()
        if name not in residency.regions and name in touched
    ] + extra


def _temporary(op: Operation, index: int) -> str:
    return f"{op.name} operand {index}"


class _Emitter:
    def __init__(
        self,
        spec: Spec,
        analysis: Analysis,
        residency: Residency,
        tilings: Mapping[str, Tiling | WindowTiling],
        constants: _Constants,
        places: Mapping[str, Place],
        addresses: Mapping[str, int],
    ) -> None:
        self.spec, self.analysis, self.residency, self.tilings = spec, analysis, residency, tilings
        self.constants, self.places, self.addresses = constants, places, addresses
        self.steps: list[Run | HostStep] = []
        self.stream = Stream(spec)
        # Behind the last layer's weights: its tiles may still be at work when the next one's are loaded.
        self.weights_first = 0

    def run(self) -> list[Run | HostStep]:
        for step, op in enumerate(self.analysis.operations):
            if op.kind == "host":
                self._close()
                self.steps.append(HostStep(op.name, op.reason))
                continue
            with self.stream.layer(op.name):
                self._fill_border(op.name)
                limit = self.residency.limits[step]
                if op.kind == "convolution":
                    self._convolution(op, limit)
                elif op.kind == "window":
                    self._window(op, limit)
                else:
                    self._copy(op, limit)
        self._close()
        return self.steps

    def _close(self) -> None:
        if self.stream.instructions:
            self.stream.halt()
            self.steps.append(Run(self.stream.words(), tuple(self.stream.layers)))
            self.stream = Stream(self.spec)

    def _fill_border(self, name: str) -> None:
        border = self.residency.borders.get(name)
        if border is None or not any(border.padding):
            return
        storage = self.analysis.storages[name]
        samples, height, width = storage.grid
        top, left, bottom, right = border.padding
        pitch = storage.pitch_bytes
        row = (width + left + right) * pitch
        for sample in range(samples):
            first = self.residency.regions[name].address + sample * (height + top + bottom) * row
            self._fill(first, 1, top * row, 0, border.fill)
            self._fill(first + (top + height) * row, 1, bottom * row, 0, border.fill)
            self._fill(first + top * row, height, left * pitch, row, border.fill)
            self._fill(first + top * row + (left + width) * pitch, height, right * pitch, row, border.fill)

    def _fill(self, first: int, rows: int, row_bytes: int, stride: int, value: int) -> None:
        if rows and row_bytes:
            self.stream.emit(
                "fill", space=SPACES["activation"], local_address=first, row_bytes=row_bytes, rows=rows, planes=1,
                local_row_stride=stride, value=value,
            )  # fmt: skip

    def _convolution(self, op: Operation, limit: int) -> None:
        tiling = self.tilings[op.name]
        assert isinstance(tiling, Tiling)
        assert isinstance(op.layer, Conv2d | Dense)
        shape = convolution_shape(self.spec, self.analysis, op)
        job = convolution_job(self.spec, self.analysis, op, shape, self.places, self.constants)
        resident = job.source.resident, job.target.resident
        slots = place_slots(self.spec, shape, tiling, resident, limit, self.weights_first)
        assert slots is not None, "the planner found that it fits"
        lower_convolution(self.stream, job, tiling, slots)
        self.weights_first = slots.weights_end

    def _window(self, op: Operation, limit: int) -> None:
        tiling = self.tilings[op.name]
        assert isinstance(tiling, WindowTiling)
        job = window_job(self.spec, self.analysis, op, self.places, self.constants)
        slots = place_window_slots(self.spec, job, tiling, limit)
        assert slots is not None, "the planner found that it fits"
        lower_window(self.stream, job, tiling, slots)

    def _copy(self, op: Operation, limit: int) -> None:
        layer = op.layer
        kinds = [operand.output for operand in self.analysis.graph.operands(layer)]
        sources = []
        rescaled = rescaled_operands(op, kinds)
        for index, name in enumerate(op.reads):
            storage = self.analysis.storages[layer.inputs[index]]
            address = self.addresses[name]
            if index in rescaled:
                assert isinstance(layer, Concat)
                to = self.addresses[_temporary(op, index)]
                self._rescale(op, index, address, to, storage, limit)
                address = to
            sources.append((address, storage))
        target = self.addresses[op.name], self.analysis.storages[op.name]
        if isinstance(layer, Pad):
            self._flood(target, layer.value & 0xFF, limit)
        lower_copies(self.stream, copies_of(self.analysis, op, sources, target), limit)

    def _rescale(self, op: Operation, index: int, source: int, target: int, storage: Storage, limit: int) -> None:
        """An operand of a concatenation, in the scale of the result."""
        layer = op.layer
        assert isinstance(layer, Concat)
        kind = self.analysis.graph[layer.inputs[index]].output
        multiplier, shift = int(layer.multiplier[index]), int(layer.shift[index])
        fields = {
            "a_signed": int(kind.signed), "multiplier": multiplier, "shift": shift,
            "addend": ((1 << shift) >> 1) - kind.zero_point * multiplier, "output_zero": layer.output.zero_point,
            "clamp_low": layer.clamp[0], "clamp_high": layer.clamp[1],
        }  # fmt: skip
        job = WindowJob(op.name, "rescale", dram_place(storage, source), dram_place(storage, target), fields)
        _, height, width = storage.grid
        blocks = -(-storage.channels // self.spec.matrix.columns)
        for h, w, b in _shrinking(height, width, blocks):
            tiling = WindowTiling(h, w, b)
            slots = place_window_slots(self.spec, job, tiling, limit)
            if slots is not None and max(h, w, b) < 1 << 16:
                lower_window(self.stream, job, tiling, slots)
                return
        raise AssertionError("one block of one pixel fits every scratchpad")

    def _flood(self, target: tuple[int, Storage], value: int, limit: int) -> None:
        """Write ``value`` to every byte of a tensor in DRAM."""
        address, storage = target
        piece = min(limit, storage.size_bytes)
        piece -= piece % self.spec.alignment_bytes
        self._fill(0, 1, piece, 0, value)
        for at in range(0, storage.size_bytes, piece):
            transfer(self.stream, "store", "activation", address + at, 0, [], min(piece, storage.size_bytes - at))


def _shrinking(height: int, width: int, blocks: int) -> list[tuple[int, int, int]]:
    """Tiles from the whole tensor down to one block of one pixel."""
    rows = [(h, width, blocks) for h in halvings(height)]
    columns = [(1, w, blocks) for w in halvings(width)]
    return [*rows, *columns, *((1, 1, b) for b in halvings(blocks))]
