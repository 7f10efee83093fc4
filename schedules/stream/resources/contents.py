"""Contents of ROMs as far as they shape hardware: bits that are constant, and bits that are alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from gatewright.schedules.stream.devices import Fabric
from gatewright.schedules.stream.hardware import Hardware
from gatewright.schedules.stream.memories import Memory, memory_of, weight_rows
from gatewright.schedules.stream.stages import Gather, Mac, Table

__all__ = ["Columns", "Kept", "rom_columns"]

Bits = npt.NDArray[np.uint8]

_MANY = 2048
"""Bits of a word in LUTs beyond which alike ones are not looked for: no device has room for such an array."""
_NARROW: WeakKeyDictionary[Mac, npt.NDArray[np.signedinteger]] = WeakKeyDictionary()
"""Weights in two bytes each."""


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
        slices: those of every slice that are no constants.
        kept: of a rescale's word.
    """

    varying: int
    unlike: int
    slices: tuple[int, ...]
    kept: Kept = Kept()

    def blocks(self, fabric: Fabric, memory: Memory) -> int:
        """Block memories: synthesis leaves constant bits out."""
        return memory.copies * sum(fabric.blocks(varying, memory.rows) for varying in self.slices if varying)


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
        return _columns(first, memory, Kept(*counted))
    if part == "weights":
        assert isinstance(stage, Mac)
        if memory.columns == 1 and (memory.block or memory.width > _MANY):
            moving = _varying_weights(made, stage)
            varying = int(moving.sum())
            return Columns(varying, min(varying, 1 << min(memory.rows, 30)), _by_slice(moving, memory))
        return _columns(_rows(_bits(weight_rows(made), stage.weight_bits), memory), memory)
    if part == "table":
        assert isinstance(stage, Table)
        return _columns(_bits(stage.table.reshape(-1, 1), memory.width), memory)
    assert isinstance(stage, Gather)
    address = memory.width - 1
    source = stage.source.reshape(-1, made.lanes)[:, :1]
    words = np.where(source < 0, 1 << address, source // made.lanes)
    return _columns(_rows(_bits(words, memory.width), memory), memory)


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


def _columns(bits: Bits, memory: Memory, kept: Kept = Kept()) -> Columns:
    moving = _varying(bits)
    return Columns(int(moving.sum()), _unlike(bits[:, moving]), _by_slice(moving, memory), kept)


def _by_slice(moving: npt.NDArray[np.bool_], memory: Memory) -> tuple[int, ...]:
    """Bits of a row that move, by slice."""
    by_word = moving.reshape(memory.columns, memory.width).sum(axis=0)
    return tuple(int(by_word[part.start : part.stop].sum()) for part in memory.slices)


def _unlike(bits: Bits) -> int:
    if not bits.shape[1]:
        return 0
    if bits.shape[0] <= 63:
        return len(np.unique((1 << np.arange(bits.shape[0])) @ bits.astype(np.int64)))
    packed = np.ascontiguousarray(np.packbits(bits, axis=0).T)
    return len({row.tobytes() for row in packed})


def _count(bits: Bits, block: bool) -> int:
    moving = bits[:, _varying(bits)]
    return moving.shape[1] if block else _unlike(moving)


def _varying_weights(made: Hardware, stage: Mac) -> npt.NDArray[np.bool_]:
    """(PE * SIMD * weight bits,) which bits of a word of weights are no constants."""
    if stage not in _NARROW:
        _NARROW[stage] = stage.weight.astype(np.int16 if stage.weight_bits <= 16 else np.int64)
    weight, fold = _NARROW[stage], made.fold
    o, per_group, kh, kw = weight.shape
    if stage.depthwise:
        parts, axes = weight.reshape(o // fold.pe, fold.pe, kh * kw), (0, 2)
    else:
        parts = weight.reshape(o // fold.pe, fold.pe, per_group // fold.simd, fold.simd, kh * kw)
        axes = (0, 2, 4)  # type: ignore[assignment]

    def moving(some: npt.NDArray[np.signedinteger]) -> npt.NDArray[np.bool_]:
        changed = np.bitwise_or.reduce(some, axis=axes) ^ np.bitwise_and.reduce(some, axis=axes)
        return ((changed.reshape(-1, 1) >> np.arange(stage.weight_bits)) & 1).astype(bool).ravel()

    # A few reads show most often that every bit moves.
    few = parts[:6, :, :6]
    found = moving(few)
    return found if found.all() else moving(parts)
