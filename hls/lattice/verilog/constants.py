"""Constants a stage reads word by word: ROMs, cut into slices of a block memory each, and what addresses them."""

from __future__ import annotations

from collections.abc import Sequence

from gatewright.hls.lattice.memories import hex_text
from gatewright.hls.lattice.verilog.sources import Sources
from gatewright.hls.lattice.verilog.text import clog2, instance, quoted
from gatewright.schedules.stream.memories import memory_of
from gatewright.schedules.stream.network import StageNode

__all__ = ["constants"]


def constants(
    node: StageNode, sources: Sources, part: str, words: Sequence[int], following: str, late: bool = False
) -> list[str]:
    """A wire called ``part`` that carries ``words`` in order, again and again.

    Args:
        node: the stage.
        sources: takes the contents.
        part: the stage's memory.
        words: all of them.
        following: wire that asks for the next word; the present one comes two cycles later.
        late: three cycles later.
    """
    fabric, memory = node.hardware.fabric, memory_of(node.hardware, part)
    sources.library |= {"gw_sequence", "gw_rom"}
    address, copies = clog2(memory.depth), memory.addresses(fabric)
    text = [
        f"    wire [{memory.width - 1}:0] {part};",
        f"    wire [{copies * address - 1}:0] {part}_address;",
        instance(
            "gw_sequence", f"{part}_order", {"WORDS": memory.depth, "ADDRESS": address, "COPIES": copies},
            [("clk", "clk"), ("rst", "rst"), ("next", following), ("address", f"{part}_address")],
        ),
    ]  # fmt: skip
    for i, bits in enumerate(memory.slices):
        name = part if len(memory.slices) == 1 else f"{part}_{i}"
        file = f"{node.name}_{name}.hex"
        sources.memories[file] = hex_text(words, memory, bits)
        copy = i * copies // len(memory.slices)
        text.append(
            instance(
                "gw_rom", f"{name}_rom",
                {
                    "WIDTH": len(bits), "ROWS": memory.rows, "COLUMNS": memory.columns, "ROW": clog2(memory.rows),
                    "ADDRESS": address, "BLOCK": int(memory.block), "LATE": int(late),
                    "FILE": quoted(file),
                },
                [
                    ("clk", "clk"), ("address", f"{part}_address[{copy * address} +: {address}]"),
                    ("data", f"{part}[{bits.stop - 1}:{bits.start}]"),
                ],
            )
        )  # fmt: skip
    return text
