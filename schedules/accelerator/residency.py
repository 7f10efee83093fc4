"""Tensors that stay in the activation scratchpad from the layer that makes them to the last that reads them.

That fuses layers: nothing goes through DRAM between them. A resident image has a border as wide as its readers'
padding, filled once with what stands there. Resident tensors lie at the upper end, tiles of the others below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gatewright.compiler.integer.layers import AvgPool2d, Conv2d, MaxPool2d
from gatewright.schedules.accelerator.analysis import Analysis, Operation
from gatewright.schedules.accelerator.memory import Region, Request
from gatewright.schedules.accelerator.places import Place
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.storage import Storage

__all__ = ["Border", "Residency", "border_of", "choose_residents", "resident_place"]


@dataclass(frozen=True)
class Border:
    """Pixels around a resident image: (top, left, bottom, right), and the byte they hold."""

    padding: tuple[int, int, int, int]
    fill: int

    def size_bytes(self, storage: Storage) -> int:
        """Bytes of the image with its border."""
        samples, height, width = storage.grid
        top, left, bottom, right = self.padding
        return samples * (height + top + bottom) * (width + left + right) * storage.pitch_bytes


@dataclass(frozen=True)
class Residency:
    """The choice.

    Attributes:
        regions: tensor -> where it lies. borders: tensor -> its border.
        limits: by operation, the first byte that resident tensors take while it runs.
    """

    regions: Mapping[str, Region]
    borders: Mapping[str, Border]
    limits: tuple[int, ...]


def resident_place(storage: Storage, border: Border, address: int) -> Place:
    """A tensor whose border begins at ``address``."""
    _, height, width = storage.grid
    top, left, bottom, right = border.padding
    row = (width + left + right) * storage.pitch_bytes
    first = address + top * row + left * storage.pitch_bytes
    return Place(storage, True, first, row, (height + top + bottom) * row)


def border_of(analysis: Analysis, name: str) -> Border | None:
    """The border all readers of a tensor agree on, or None: they want different values around it."""
    padding, fills = (0, 0, 0, 0), set()
    for op in analysis.readers.get(name, ()):
        if isinstance(op.layer, Conv2d | MaxPool2d | AvgPool2d) and any(op.layer.padding):
            kind = analysis.graph[op.layer.inputs[0]].output
            fills.add((kind.qmin if isinstance(op.layer, MaxPool2d) else kind.zero_point) & 0xFF)
            a, b, c, d = op.layer.padding
            padding = max(padding[0], a), max(padding[1], b), max(padding[2], c), max(padding[3], d)
    return None if len(fills) > 1 else Border(padding, fills.pop() if fills else 0)


def choose_residents(spec: Spec, analysis: Analysis, share: float) -> Residency:
    """Keep what fits into ``share`` of the scratchpad, in the order of the layers."""
    capacity = spec.scratchpads.activation.bytes
    floor = capacity - int(capacity * share) // spec.alignment_bytes * spec.alignment_bytes
    lifetimes = _lifetimes(analysis)
    # A run begins with empty scratchpads: nothing stays across a host layer.
    hosted = [step for step, op in enumerate(analysis.operations) if op.kind == "host"]
    regions: dict[str, Region] = {}
    borders: dict[str, Border] = {}
    for op in analysis.operations:
        border = border_of(analysis, op.name) if _may_stay(analysis, op) else None
        first, last = lifetimes[op.name]
        if border is None or any(first < step < last for step in hosted):
            continue
        size = border.size_bytes(analysis.storages[op.name])
        request = Request(op.name, size, first, last)
        address = _highest(request, list(regions.values()), floor, capacity)
        if address is not None:
            regions[op.name], borders[op.name] = Region(request, address), border
    limits = tuple(
        min((r.address for r in regions.values() if r.request.first <= step <= r.request.last), default=capacity)
        for step in range(len(analysis.operations))
    )
    return Residency(regions, borders, limits)


def _lifetimes(analysis: Analysis) -> dict[str, tuple[int, int]]:
    spans = {op.name: (step, step) for step, op in enumerate(analysis.operations)}
    for step, op in enumerate(analysis.operations):
        for name in op.reads:
            if name in spans:
                spans[name] = spans[name][0], step
    return spans


def _may_stay(analysis: Analysis, op: Operation) -> bool:
    """Only layers with instructions that read and write the scratchpad in place touch the tensor, in one shape."""
    if op.kind not in ("convolution", "window"):
        return False
    if op.name in analysis.results:
        return False
    names, readers = analysis.views[op.name], analysis.readers.get(op.name, ())
    if not readers or any(reader.kind not in ("convolution", "window") for reader in readers):
        return False
    # Read under another shape, only a single pixel means the same in both.
    grids = {analysis.storages[name].grid for name in names}
    return len(names) == 1 or grids == {(1, 1, 1)} or _absorbed_only(analysis, op.name, names)


def _absorbed_only(analysis: Analysis, root: str, names: Sequence[str]) -> bool:
    """Whether the other names are flattenings that matrix products read as the image itself."""
    image = analysis.storages[root]
    return all(
        name == root or (image.is_image and image.grid[1:] != (1, 1) and len(analysis.storages[name].shape) == 2)
        for name in names
    )


def _highest(request: Request, placed: list[Region], floor: int, capacity: int) -> int | None:
    """The highest free address, or None."""
    end = capacity
    alive = [r for r in placed if r.request.first <= request.last and request.first <= r.request.last]
    for region in sorted(alive, key=lambda r: -r.end):
        if region.end + request.size <= end:
            break
        end = min(end, region.address)
    return end - request.size if end - request.size >= floor else None
