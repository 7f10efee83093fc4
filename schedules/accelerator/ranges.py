"""What memory every instruction of a program reads and writes, for the whole program at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewright.schedules.accelerator.isa.encoding import Words, columns
from gatewright.schedules.accelerator.isa.fields import OPCODES, SPACES, VECTOR_OPS
from gatewright.schedules.accelerator.spec import Spec

__all__ = ["ABSENT", "DRAM", "MOST", "Ranges", "conflicts", "program_accesses", "program_ranges"]

Column = npt.NDArray[np.int64]
DRAM = -1
"""Number of DRAM beside those of :data:`~gatewright.schedules.accelerator.isa.fields.SPACES`."""
MOST = 5
"""Accesses an instruction has at most."""
ABSENT = -2
"""Number of the space of an access that an instruction does not have."""

_ACTIVATION, _WEIGHT, _CONSTANT, _ACCUMULATOR = (SPACES[n] for n in ("activation", "weight", "constant", "accumulator"))


@dataclass(frozen=True)
class Ranges:
    """Accesses of n instructions; absent ones come last.

    Attributes:
        space: (n, MOST) number of the memory, ``DRAM`` or ``ABSENT``.
        low, high: (n, MOST) the smallest range ``[low, high)`` that holds every address touched, in units of the space.
        write: (n, MOST) bool.
    """

    space: Column
    low: Column
    high: Column
    write: npt.NDArray[np.bool_]


_Access = tuple[Column | int, Column, Column, bool]


def program_ranges(spec: Spec, words: Words) -> Ranges:
    """What every instruction reads and writes."""
    shape = len(words), MOST
    found = Ranges(np.full(shape, ABSENT), np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, bool))
    for mnemonic, where, of in columns(words):
        accesses = {"matmul": _matmul, "vector": _vector}.get(mnemonic, _transfer)(spec, of)
        # Those that only some instructions have move up into the first free place.
        place = np.zeros(len(where), np.int64)
        for space, low, high, write in accesses:
            there = np.broadcast_to(np.asarray(space), place.shape) != ABSENT
            at = where[there], place[there]
            found.space[at] = np.broadcast_to(space, place.shape)[there]
            found.low[at], found.high[at], found.write[at] = low[there], high[there], write
            place += there
    return found


def conflicts(ranges: Ranges, first: Column, second: Column) -> npt.NDArray[np.bool_]:
    """Whether instructions ``first`` and ``second``, (k,) numbers each, share a byte that one of them writes."""
    a = [values[first][:, :, None] for values in (ranges.space, ranges.low, ranges.high, ranges.write)]
    b = [values[second][:, None, :] for values in (ranges.space, ranges.low, ranges.high, ranges.write)]
    meet = (a[0] == b[0]) & (a[0] != ABSENT) & (a[1] < b[2]) & (b[1] < a[2]) & (a[3] | b[3])
    return np.asarray(meet.any(axis=(1, 2)))


def _hull(
    space: Column | int, first: Column, write: bool, unit: Column | int, *loops: tuple[Column, Column]
) -> _Access:
    low = high = first
    for count, stride in loops:
        reach = (count - 1) * stride
        low, high = low + np.minimum(reach, 0), high + np.maximum(reach, 0)
    return space, low, high + unit, write


def _transfer(spec: Spec, of: Mapping[str, Column]) -> list[_Access]:
    kind = of["opcode"][0]
    stores = bool(kind == OPCODES["store"])
    local = _hull(
        of["space"], of["local_address"], not stores, of["row_bytes"],
        (of["rows"], of["local_row_stride"]), (of["planes"], of["local_plane_stride"]),
    )  # fmt: skip
    if kind == OPCODES["fill"]:
        return [local]
    loops = (of["rows"], of["dram_row_stride"]), (of["planes"], of["dram_plane_stride"])
    return [local, _hull(DRAM, of["dram_address"], stores, of["row_bytes"], *loops)]


def _matmul(spec: Spec, of: Mapping[str, Column]) -> list[_Access]:
    folds = of["kernel_height"] * of["kernel_width"] * of["input_blocks"] * of["output_blocks"]
    sums = of["accumulator_address"], of["accumulator_address"] + of["height"] * of["width"] * of["output_blocks"]
    return [
        _hull(
            _ACTIVATION, of["activation_address"], False, of["input_blocks"] * spec.matrix.rows,
            (of["height"], of["row_stride"]), (of["width"], of["pixel_stride"]),
            (of["kernel_height"], of["kernel_row_stride"]), (of["kernel_width"], of["kernel_pixel_stride"]),
        ),
        (_WEIGHT, of["weight_address"], of["weight_address"] + folds * spec.fold_bytes, False),
        (_ACCUMULATOR, *sums, True),
        (np.where(of["accumulate"] == 1, _ACCUMULATOR, ABSENT), *sums, False),
    ]  # fmt: skip


def _vector(spec: Spec, of: Mapping[str, Column]) -> list[_Access]:
    columns, operation = spec.matrix.columns, of["operation"]
    accumulators = of["from_accumulator"] == 1
    two = np.isin(operation, (VECTOR_OPS["add"], VECTOR_OPS["multiply"]))
    records, taps = of["parameter_address"], of["weight_address"]
    window = of["kernel_height"] * of["kernel_width"]
    return [
        _hull(
            np.where(accumulators, _ACCUMULATOR, _ACTIVATION), of["a_address"], False,
            np.where(accumulators, 1, columns), (of["blocks"], of["a_block_stride"]),
            (of["height"], of["a_row_stride"]), (of["width"], of["a_pixel_stride"]),
            (of["kernel_height"], of["a_kernel_row_stride"]), (of["kernel_width"], of["a_kernel_pixel_stride"]),
        ),
        _hull(
            _ACTIVATION, of["output_address"], True, columns, (of["blocks"], of["output_block_stride"]),
            (of["height"], of["output_row_stride"]), (of["width"], of["output_pixel_stride"]),
        ),
        _hull(
            np.where(two, _ACTIVATION, ABSENT), of["b_address"], False, columns, (of["blocks"], of["b_block_stride"]),
            (of["height"], of["b_row_stride"]), (of["width"], of["b_pixel_stride"]),
        ),
        (
            np.where(of["per_channel"] == 1, _CONSTANT, ABSENT), records,
            records + of["blocks"] * spec.parameter_bytes, False,
        ),
        (np.where(operation == VECTOR_OPS["table"], _CONSTANT, ABSENT), taps, taps + 256, False),
        (
            np.where(operation == VECTOR_OPS["depthwise"], _CONSTANT, ABSENT), taps,
            taps + of["blocks"] * window * columns, False,
        ),
    ]  # fmt: skip


def program_accesses(spec: Spec, words: Words) -> list[list[tuple[int, int, int, bool]]]:
    """(space, low, high, write) of every access of every instruction."""
    ranges = program_ranges(spec, words)
    parts = (ranges.space.tolist(), ranges.low.tolist(), ranges.high.tolist(), ranges.write.tolist())
    return [[access for access in zip(*one, strict=True) if access[0] != ABSENT] for one in zip(*parts, strict=True)]
