"""Contents of the memories of a design, as hexadecimal text for ``$readmemh``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from gatewright.schedules.stream.hardware import Hardware
from gatewright.schedules.stream.memories import Memory, weight_rows
from gatewright.schedules.stream.stages import Gather, Mac, Table

__all__ = ["gather_words", "hex_text", "pack", "rescale_words", "table_words", "weight_words"]


def pack(values: Iterable[int], bits: int) -> int:
    """Two's complement fields of ``bits`` bits, the first in the least significant ones."""
    word, mask = 0, (1 << bits) - 1
    for i, value in enumerate(values):
        word |= (int(value) & mask) << (i * bits)
    return word


def hex_text(words: Sequence[int], memory: Memory, bits: range) -> str:
    """A slice of a ROM, one row a line: of column c of row r, word ``c * rows + r``, the bits ``bits``."""
    digits = -(-len(bits) * memory.columns // 4)
    padded = [*words, *[0] * (memory.rows * memory.columns - len(words))]
    cut = [word >> bits.start for word in padded]
    rows = (pack(cut[r :: memory.rows], len(bits)) for r in range(memory.rows))
    return "".join(f"{row:0{digits}x}\n" for row in rows)


def weight_words(hardware: Hardware) -> list[int]:
    """Words of a Mac's weight ROM in the order of its reads."""
    stage = hardware.stage
    assert isinstance(stage, Mac)
    return [pack(row, stage.weight_bits) for row in weight_rows(hardware).tolist()]


def rescale_words(hardware: Hardware) -> list[int]:
    """Words of a rescale's ROM, a word a token."""
    scaling, lanes = hardware.scaling, hardware.lanes
    assert scaling is not None
    entries = list(scaling.entries)
    if len(entries) == 1:
        entries *= lanes
    rows = np.array(entries, object).reshape(-1, lanes)
    return [pack(row, scaling.entry_bits) for row in rows]


def table_words(hardware: Hardware) -> list[int]:
    """Words of a table."""
    stage = hardware.stage
    assert isinstance(stage, Table)
    return [pack([value], stage.output.bits) for value in stage.table.tolist()]


def gather_words(hardware: Hardware) -> list[int]:
    """Words {fill, address} of a gather's ROM."""
    stage, lanes = hardware.stage, hardware.lanes
    assert isinstance(stage, Gather)
    address = max(1, (stage.x.elements // lanes - 1).bit_length())
    first = stage.source.reshape(-1, lanes)[:, 0]
    return [(1 << address) if source < 0 else int(source) // lanes for source in first.tolist()]
