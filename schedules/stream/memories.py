"""The memories of a stage: their sizes, and whether they lie in block memory."""

from __future__ import annotations

from dataclasses import dataclass

from gatewright.schedules.stream.devices import Fabric
from gatewright.schedules.stream.hardware import Hardware
from gatewright.schedules.stream.stages import Gather, Mac, Table

__all__ = ["Memory", "memories_of", "memory_of", "ring_in_block", "rom_in_block"]


@dataclass(frozen=True)
class Memory:
    """One memory: ``depth`` words of ``width`` bits; ``copies`` of it.

    Attributes:
        part: ring, weights, rescale, table, frames or addresses.
        rows, columns: its shape, where a row holds several words.
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
    columns: int = 1
    copies: int = 1


def rom_in_block(fabric: Fabric, width: int, depth: int) -> bool:
    """Whether a ROM goes into block memory."""
    return depth >= fabric.block_rom_depth and width * depth >= fabric.block_rom_bits


def ring_in_block(fabric: Fabric, width: int, depth: int) -> bool:
    """Whether a ring, FIFO or frame memory goes into block memory."""
    return width * depth > fabric.block_ring_bits


def memory_of(made: Hardware, part: str) -> Memory:
    """The memory ``part`` of a stage."""
    return next(memory for memory in memories_of(made) if memory.part == part)


def memories_of(made: Hardware) -> list[Memory]:
    """All memories of a stage but its FIFO."""
    fabric, found = made.fabric, []

    def add(part: str, width: int, depth: int, writable: bool, copies: int = 1) -> None:
        block = (ring_in_block if writable else rom_in_block)(fabric, width, depth)
        rows, columns = fabric.rom(width, depth) if block and part not in ("ring", "frames", "table") else (depth, 1)
        blocks = copies * fabric.blocks(width * columns, rows) if block else 0
        found.append(Memory(part, width, depth, writable, block, blocks, rows, columns, copies))

    stage = made.stage
    if made.loops is not None:
        x = stage.x  # type: ignore[attr-defined]
        add("ring", made.in_lanes[0] * x.bits, made.loops.ring, True)
    if isinstance(stage, Mac) and made.loops is not None:
        add("weights", made.multipliers * stage.weight_bits, made.loops.turn * made.loops.turns, False)
    if made.scaling is not None:
        positions = len(made.scaling.entries)
        add("rescale", made.lanes * made.scaling.entry_bits, max(1, positions // made.lanes), False)
    if isinstance(stage, Table):
        add("table", stage.output.bits, 1 << stage.x.bits, False, made.lanes)
    if isinstance(stage, Gather):
        tokens_in, tokens_out = stage.x.elements // made.lanes, stage.output.elements // made.lanes
        address = max(1, (tokens_in - 1).bit_length())
        add("frames", made.lanes * stage.x.bits, 2 << address, True)
        add("addresses", address + 1, tokens_out, False)
    return found
