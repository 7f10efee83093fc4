"""What a stage may be made of on a device family, as plain numbers: the part of a device that shapes hardware."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FABRICS", "MULTIPLIER_CYCLES", "Fabric"]

MULTIPLIER_CYCLES = {"mult18": 3, "ccu2c": 3, "adds": 3, "mac16": 2, "lut": 2, "ternary": 2}
"""Cycles of a gw_multiplier by style."""


@dataclass(frozen=True)
class Fabric:
    """Building blocks of one FPGA family.

    Attributes:
        name: ``ecp5``, ``ice40-up`` (with multipliers), ``ice40`` or ``nexus``.
        multiplier: style of the hard multiplier, "" where there is none.
        multiplier_bits: signed operand width of the hard multiplier.
        pair_bits: a hard multiplier makes two products of operands of so many bits, the one signed or not, the other
            signed; 0: one product only.
        soft: style of a multiplier in logic.
        block_shapes: (width, depth) of one block memory, the widest first.
        distributed: small memories in LUTs exist.
        block_ring_bits: a ring or FIFO of more bits goes into block memory.
        block_rom_bits: a ROM of more bits (and of ``block_rom_depth`` words) goes into block memory.
        blocks_an_address: block memories one register may address, 0: any number.
        spram: (width, depth) of one large memory of one port that nothing can initialize, None where there is none.
        far_roms: weights from block memory get a register on the way to the multipliers.
    """

    name: str
    multiplier: str
    multiplier_bits: int
    pair_bits: int
    soft: str
    block_shapes: tuple[tuple[int, int], ...]
    distributed: bool
    block_ring_bits: int
    block_rom_bits: int
    block_rom_depth: int
    blocks_an_address: int
    far_roms: bool
    spram: tuple[int, int] | None = None

    @property
    def style(self) -> str:
        """Style of a requantizing multiplier."""
        return self.multiplier or "lut"

    def blocks(self, width: int, depth: int) -> int:
        """Block memories of a ``depth`` x ``width`` memory, as yosys maps it.

        One shape for as many bits as fill it, the narrowest that holds them for the bits left over; the fewest over all
        shapes.
        """

        def column(bits: int) -> int:
            narrowest = next(d for w, d in reversed(self.block_shapes) if w >= bits)
            return -(-depth // narrowest)

        return min(width // w * -(-depth // d) + (column(width % w) if width % w else 0) for w, d in self.block_shapes)

    def sprams(self, width: int, depth: int) -> int:
        """Large memories of a ``depth`` x ``width`` memory."""
        assert self.spram is not None
        return -(-width // self.spram[0]) * -(-depth // self.spram[1])

    def rom_in_block(self, width: int, depth: int) -> bool:
        """Whether a ROM goes into block memory."""
        return depth >= self.block_rom_depth and width * depth >= self.block_rom_bits

    def rom(self, width: int, depth: int) -> tuple[int, int, int]:
        """(rows, columns, bits) of a block ROM cut into slices of ``bits`` bits of every word.

        The rows of a slice, ``columns`` words' bits wide, are no deeper than one block. The fewest blocks, then the
        fewest columns.
        """
        shapes = []
        for block_width, block_depth in self.block_shapes:
            columns = -(-depth // block_depth)
            rows = depth if columns == 1 else block_depth
            bits = min(width, max(1, block_width // columns))
            blocks = -(-width // bits) * self.blocks(bits * columns, rows)
            shapes.append((blocks, columns, rows, bits))
        _, columns, rows, bits = min(shapes)
        return rows, columns, bits


_ECP5_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
_ICE40_SHAPES = ((16, 256), (8, 512), (4, 1024), (2, 2048))

FABRICS = {
    "ecp5": Fabric("ecp5", "mult18", 18, 0, "ccu2c", _ECP5_SHAPES, True, 1024, 1024, 33, 4, True),
    "ice40-up": Fabric("ice40-up", "mac16", 16, 8, "lut", _ICE40_SHAPES, False, 128, 384, 17, 0, False, (16, 16384)),
    "ice40": Fabric("ice40", "", 0, 0, "lut", _ICE40_SHAPES, False, 128, 384, 17, 0, False),
    "nexus": Fabric("nexus", "", 0, 0, "lut", _ECP5_SHAPES, True, 1024, 1024, 33, 4, True),
}
"""Families by name."""
