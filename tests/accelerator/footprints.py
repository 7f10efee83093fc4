"""What memory one instruction reads and writes, loop by loop: what the arrays of ``ranges`` are held against."""

from __future__ import annotations

from typing import NamedTuple

from gatewright.schedules.accelerator.isa.encoding import Instruction
from gatewright.schedules.accelerator.isa.fields import SPACES, VECTOR_OPS
from gatewright.schedules.accelerator.ranges import DRAM
from gatewright.schedules.accelerator.spec import Spec

__all__ = ["Access", "footprint"]

_ACTIVATION, _WEIGHT, _CONSTANT, _ACCUMULATOR = (SPACES[n] for n in ("activation", "weight", "constant", "accumulator"))
_DEPTHWISE, _ADD, _MULTIPLY, _TABLE = (VECTOR_OPS[n] for n in ("depthwise", "add", "multiply", "table"))


class Access(NamedTuple):
    """The smallest range ``[low, high)`` that holds every address touched; in units of the space."""

    space: int
    low: int
    high: int
    write: bool


def _hull(space: int, first: int, write: bool, unit: int, *loops: tuple[int, int]) -> Access:
    low = high = first
    for count, stride in loops:
        reach = (count - 1) * stride
        if reach < 0:
            low += reach
        else:
            high += reach
    return Access(space, low, high + unit, write)


def footprint(spec: Spec, i: Instruction) -> list[Access]:
    """Every access of one instruction."""
    match i.mnemonic:
        case "matmul":
            return _matmul(spec, i)
        case "vector":
            return _vector(spec, i)
        case "halt":
            return []
    local = _hull(
        i["space"], i["local_address"], i.mnemonic != "store", i["row_bytes"],
        (i["rows"], i["local_row_stride"]), (i["planes"], i["local_plane_stride"]),
    )  # fmt: skip
    if i.mnemonic == "fill":
        return [local]
    loops = (i["rows"], i["dram_row_stride"]), (i["planes"], i["dram_plane_stride"])
    return [local, _hull(DRAM, i["dram_address"], i.mnemonic == "store", i["row_bytes"], *loops)]


def _matmul(spec: Spec, i: Instruction) -> list[Access]:
    pixels = i["height"] * i["width"]
    folds = i["kernel_height"] * i["kernel_width"] * i["input_blocks"] * i["output_blocks"]
    rows = i["accumulator_address"], i["accumulator_address"] + pixels * i["output_blocks"]
    return [
        _hull(
            _ACTIVATION, i["activation_address"], False, i["input_blocks"] * spec.matrix.rows,
            (i["height"], i["row_stride"]), (i["width"], i["pixel_stride"]),
            (i["kernel_height"], i["kernel_row_stride"]), (i["kernel_width"], i["kernel_pixel_stride"]),
        ),
        Access(_WEIGHT, i["weight_address"], i["weight_address"] + folds * spec.fold_bytes, False),
        Access(_ACCUMULATOR, *rows, True),
        *([Access(_ACCUMULATOR, *rows, False)] if i["accumulate"] else []),
    ]  # fmt: skip


def _vector(spec: Spec, i: Instruction) -> list[Access]:
    columns, operation = spec.matrix.columns, i["operation"]
    space, unit = (_ACCUMULATOR, 1) if i["from_accumulator"] else (_ACTIVATION, columns)
    found = [
        _hull(
            space, i["a_address"], False, unit,
            (i["blocks"], i["a_block_stride"]), (i["height"], i["a_row_stride"]), (i["width"], i["a_pixel_stride"]),
            (i["kernel_height"], i["a_kernel_row_stride"]), (i["kernel_width"], i["a_kernel_pixel_stride"]),
        ),
        _hull(
            _ACTIVATION, i["output_address"], True, columns,
            (i["blocks"], i["output_block_stride"]), (i["height"], i["output_row_stride"]),
            (i["width"], i["output_pixel_stride"]),
        ),
    ]  # fmt: skip
    if operation in (_ADD, _MULTIPLY):
        loops = (i["blocks"], i["b_block_stride"]), (i["height"], i["b_row_stride"]), (i["width"], i["b_pixel_stride"])
        found.append(_hull(_ACTIVATION, i["b_address"], False, columns, *loops))
    if i["per_channel"]:
        first = i["parameter_address"]
        found.append(Access(_CONSTANT, first, first + i["blocks"] * spec.parameter_bytes, False))
    if operation == _TABLE:
        found.append(Access(_CONSTANT, i["weight_address"], i["weight_address"] + 256, False))
    if operation == _DEPTHWISE:
        size = i["blocks"] * i["kernel_height"] * i["kernel_width"] * columns
        found.append(Access(_CONSTANT, i["weight_address"], i["weight_address"] + size, False))
    return found
