"""The memories of a stage: their sizes, and whether they lie in block memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gatewright.schedules.stream.devices import Fabric
from gatewright.schedules.stream.hardware import Hardware
from gatewright.schedules.stream.stages import Gather, IntArray, Mac, Table

__all__ = ["Memory", "memories_of", "memory_of", "ring_in_block", "ring_style", "weight_rows"]


@dataclass(frozen=True)
class Memory:
    """One memory: ``depth`` words of ``width`` bits; ``copies`` of it.

    Attributes:
        part: ring, weights, rescale, table, frames or addresses.
        rows, columns: its shape, where a row holds several words.
        bits: of a word in one slice; a ROM in block memory is cut into them.
        writable: no ROM.
        block: in block memory.
        blocks: how many, of all copies.
    """

    part: str
    width: int
    depth: int
    writable: bool
    block: bool
    blocks: int
    rows: int
    bits: int
    columns: int = 1
    copies: int = 1

    @property
    def slices(self) -> list[range]:
        """Bits of a word in every slice."""
        return [range(low, min(low + self.bits, self.width)) for low in range(0, self.width, self.bits)]

    def addresses(self, fabric: Fabric) -> int:
        """Registers that address a ROM read in order."""
        if not self.block or not fabric.blocks_an_address:
            return 1
        return -(-len(self.slices) // fabric.blocks_an_address)


def ring_in_block(fabric: Fabric, width: int, depth: int) -> bool:
    """Whether a ring, FIFO or frame memory goes into block memory."""
    return width * depth > fabric.block_ring_bits


def ring_style(fabric: Fabric, width: int, depth: int) -> int:
    """``BLOCK`` of a gw_memory: 1 in block memory, 0 in distributed memory, 2 in flip-flops where there is none."""
    return 1 if ring_in_block(fabric, width, depth) else 0 if fabric.distributed else 2


def memory_of(made: Hardware, part: str) -> Memory:
    """The memory ``part`` of a stage."""
    return next(memory for memory in memories_of(made) if memory.part == part)


def memories_of(made: Hardware) -> list[Memory]:
    """All memories of a stage but its FIFO."""
    fabric, found = made.fabric, []

    def add(part: str, width: int, depth: int, writable: bool, copies: int = 1) -> None:
        block = ring_in_block(fabric, width, depth) if writable else fabric.rom_in_block(width, depth)
        rows, columns, bits = depth, 1, width
        if block and part not in ("ring", "frames", "table"):
            rows, columns, bits = fabric.rom(width, depth)
        made = Memory(part, width, depth, writable, block, 0, rows, bits, columns, copies)
        blocks = copies * sum(fabric.blocks(len(part) * columns, rows) for part in made.slices) if block else 0
        found.append(replace(made, blocks=blocks))

    stage = made.stage
    if made.loops is not None:
        x = stage.x  # type: ignore[attr-defined]
        add("ring", made.in_lanes[0] * x.bits, made.loops.ring, True)
    if isinstance(stage, Mac) and not made.fold.outside:
        add("weights", made.multipliers * stage.weight_bits, made.weight_words, False)
    if made.scaling is not None:
        positions = len(made.scaling.entries)
        add("rescale", made.lanes * made.scaling.entry_bits, max(1, positions // made.lanes), False)
    if made.fifo_block:
        width, depth = made.lanes * stage.output.bits, 1 << (made.fifo - 1).bit_length()
        found.append(Memory("fifo", width, depth, True, True, fabric.blocks(width, depth), depth, width))
    if isinstance(stage, Table):
        add("table", stage.output.bits, 1 << stage.x.bits, False, made.lanes)
    if isinstance(stage, Gather):
        tokens_in, tokens_out = stage.x.elements // made.lanes, stage.output.elements // made.lanes
        address = max(1, (tokens_in - 1).bit_length())
        add("frames", made.lanes * stage.x.bits, 2 << address, True)
        add("addresses", address + 1, tokens_out, False)
    return found


def weight_rows(made: Hardware) -> IntArray:
    """(reads, PE * SIMD) weights of a Mac in the order of its reads."""
    stage, fold = made.stage, made.fold
    assert isinstance(stage, Mac)
    o, per_group, kh, kw = stage.weight.shape
    if stage.depthwise:
        # (fold, PE, 1, KH, KW) -> (fold, KH, KW, PE)
        ordered = stage.weight.reshape(o // fold.pe, fold.pe, kh, kw).transpose(0, 2, 3, 1)
    else:
        # (groups * folds, PE, C words, SIMD, KH, KW) -> (groups * folds, KH, KW, C words, PE, SIMD)
        parts = stage.weight.reshape(o // fold.pe, fold.pe, per_group // fold.simd, fold.simd, kh, kw)
        ordered = parts.transpose(0, 4, 5, 2, 1, 3)
    return ordered.reshape(-1, fold.pe * fold.simd)
