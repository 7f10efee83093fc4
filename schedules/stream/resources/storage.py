"""Parts of memories: ROMs, small memories outside block memory, FIFOs."""

from __future__ import annotations

from gatewright.schedules.stream.memories import Memory
from gatewright.schedules.stream.resources.contents import Columns
from gatewright.schedules.stream.resources.parts import Parts, clog2

__all__ = ["constants", "fifo", "rom", "storage"]


def rom(parts: Parts, memory: Memory, columns: Columns, copies: int = 1) -> None:
    """``copies`` gw_roms, in slices."""
    if memory.block:
        if memory.columns > 1:
            parts.registers(2 * (clog2(memory.depth) - clog2(memory.rows)) * memory.addresses(parts.fabric))
            parts.add("select", memory.width * (memory.columns - 1), copies)
        # An ECP5 has registers for what is read in the memories.
        parts.registers(0 if parts.fabric.distributed else columns.varying * copies)
        return
    unlike = columns.unlike
    parts.ff += 2 * unlike * copies
    parts.add("plain", unlike * copies)
    depth = memory.depth
    if depth <= 16:
        parts.add("rom_small", unlike, copies)
    else:
        parts.add("rom_bits", unlike * depth / 16, copies)


def constants(parts: Parts, memory: Memory, columns: Columns) -> None:
    """A ROM that is read in order."""
    rom(parts, memory, columns)
    if memory.depth == 1:
        return
    address, addresses = clog2(memory.depth), memory.addresses(parts.fabric)
    parts.ff += address
    parts.chain("counter", address)
    if memory.depth != 1 << address:
        parts.add("control", address)
    if addresses > 1:
        parts.registers(address * addresses)


def storage(parts: Parts, width: int, depth: int, asynchronous: bool) -> None:
    """A small memory outside block memory: distributed, or flip-flops."""
    if parts.fabric.distributed:
        rows = -(-depth // 16)
        parts.add("distributed", -(-width // 4) * rows)
        parts.add("select", width * (rows - 1))
        if not asynchronous:
            parts.ff += width
            parts.add("plain", width if rows == 1 else 0)
        return
    parts.registers(width * depth)
    parts.add("enable", depth)
    parts.add("select", width * (depth - 1))
    if not asynchronous:
        parts.ff += width


def fifo(parts: Parts, width: int, depth: int, block: bool) -> None:
    """A gw_fifo or gw_fifo_block."""
    address = clog2(depth)
    parts.ff += 2 * address + 2
    parts.add("fifo_address", 2 * address)
    parts.add("fifo", 1)
    if block:
        parts.ff += 2
        parts.registers(width)
    else:
        storage(parts, width, 1 << address, True)
