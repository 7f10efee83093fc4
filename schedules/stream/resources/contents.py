"""Contents of ROMs as far as they shape hardware: bits that are constant, and bits that are alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from gatewright.schedules.stream.devices import Fabric
from gatewright.schedules.stream.hardware import Hardware
from gatewright.schedules.stream.memories import Memory, memory_of, weight_rows
from gatewright.schedules.stream.stages import Gather, Mac, Table

__all__ = ["Columns", "Kept", "rom_columns"]

Bits = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Kept:
    """Bits of a rescale's word, over all lanes, that are no constants (and, in LUTs, not alike): of the biases, the
    multipliers, the amounts; ``later`` of multipliers and amounts together."""

    bias: int = 0
    multiplier: int = 0
    amount: int = 0
    later: int = 0


@dataclass(frozen=True)
class Columns:
    """Bits of a ROM's row.

    Attributes:
        varying: those that are no constants.
        unlike: of those, the ones no other equals.
        kept: of a rescale's word.
    """

    varying: int
    unlike: int
    kept: Kept = Kept()

    def blocks(self, fabric: Fabric, memory: Memory) -> int:
        """Block memories: synthesis leaves constant bits out."""
        return memory.copies * fabric.blocks(self.varying, memory.rows) if self.varying else 0


def rom_columns(made: Hardware, part: str) -> Columns:
    """Of the ROM ``part`` of a stage."""
    memory = memory_of(made, part)
    stage = made.stage
    if part == "rescale":
        assert made.scaling is not None
        scaling = made.scaling
        bits = _entries(scaling.entries, scaling.entry_bits, made.lanes)
        # (depth, lanes * entry bits), bit 0 of lane 0 first
        first = _rows(bits, memory)
        inside = np.arange(bits.shape[1]) % scaling.entry_bits if scaling.entry_bits else np.zeros(0, int)
        behind_bias, behind_m = scaling.bias_bits, scaling.bias_bits + scaling.multiplier_bits
        is_bias, is_amount = inside < behind_bias, inside >= behind_m
        wanted = [is_bias, ~is_bias & ~is_amount, is_amount, ~is_bias]
        counted = [_count(bits[:, mask], memory.block) for mask in wanted]
        return Columns(*_both(first), Kept(*counted))
    if part == "weights":
        assert isinstance(stage, Mac)
        rows = weight_rows(made)
        if not memory.block:
            return Columns(*_both(_rows(_bits(rows, stage.weight_bits), memory)))
        return Columns(_varying_weights(rows, stage.weight_bits, memory), 0)
    if part == "table":
        assert isinstance(stage, Table)
        return Columns(*_both(_bits(stage.table.reshape(-1, 1), memory.width)))
    assert isinstance(stage, Gather)
    address = memory.width - 1
    first = stage.source.reshape(-1, made.lanes)[:, :1]
    words = np.where(first < 0, 1 << address, first // made.lanes)
    return Columns(*_both(_rows(_bits(words, memory.width), memory)))


def _bits(values: npt.NDArray[np.int64], bits: int) -> Bits:
    """(rows, fields * bits) of (rows, fields), the lowest bit of field 0 first."""
    found = (values[:, :, None] >> np.arange(bits)) & 1
    return found.reshape(values.shape[0], -1).astype(np.uint8)


@lru_cache(256)
def _entry_bits(entries: tuple[int, ...], bits: int) -> Bits:
    size = -(-bits // 8)
    raw = np.frombuffer(b"".join(entry.to_bytes(size, "little") for entry in entries), np.uint8)
    return np.unpackbits(raw.reshape(len(entries), size), axis=1, bitorder="little")[:, :bits]


def _entries(entries: tuple[int, ...], bits: int, lanes: int) -> Bits:
    found = _entry_bits(entries, bits)
    return np.tile(found, (1, lanes)) if len(entries) == 1 else found.reshape(-1, lanes * bits)


def _rows(bits: Bits, memory: Memory) -> Bits:
    """Rows of the memory from words: column c of row r is word ``c * rows + r``."""
    if memory.columns == 1:
        return bits
    padded = np.zeros((memory.rows * memory.columns, bits.shape[1]), np.uint8)
    padded[: bits.shape[0]] = bits
    folded = padded.reshape(memory.columns, memory.rows, -1).transpose(1, 0, 2)
    return folded.reshape(memory.rows, -1)


def _varying(bits: Bits) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = (bits != bits[:1]).any(axis=0)
    return found


def _both(bits: Bits) -> tuple[int, int]:
    moving = bits[:, _varying(bits)]
    return moving.shape[1], _unlike(moving)


def _unlike(bits: Bits) -> int:
    if not bits.shape[1]:
        return 0
    packed = np.packbits(bits, axis=0).T
    return len({row.tobytes() for row in np.ascontiguousarray(packed)})


def _count(bits: Bits, block: bool) -> int:
    moving = bits[:, _varying(bits)]
    return moving.shape[1] if block else _unlike(moving)


def _varying_weights(rows: npt.NDArray[np.int64], bits: int, memory: Memory) -> int:
    """Bits of a row of weights that are no constants."""
    if memory.columns > 1:
        padded = np.zeros((memory.rows * memory.columns, rows.shape[1]), np.int64)
        padded[: rows.shape[0]] = rows
        rows = padded.reshape(memory.columns, memory.rows, -1).transpose(1, 0, 2).reshape(memory.rows, -1)
    moving = np.bitwise_or.reduce(rows, axis=0) ^ np.bitwise_and.reduce(rows, axis=0)
    return int(((moving[:, None] >> np.arange(bits)) & 1).sum())
