"""What a stage may be made of on a device family, as plain numbers: the part of a device that shapes hardware."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FABRICS", "Fabric"]


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

    def rom(self, width: int, depth: int) -> tuple[int, int]:
        """(rows, columns) of a block ROM that reads no deeper than one block: the fewest blocks, then columns."""
        shapes = [(depth, 1)] if depth <= self.block_shapes[-1][1] else []
        shapes += [(d, -(-depth // d)) for _, d in self.block_shapes if d < depth]
        return min(shapes, key=lambda shape: (self.blocks(width * shape[1], shape[0]), shape[1]))


_ECP5_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
_ICE40_SHAPES = ((16, 256), (8, 512), (4, 1024), (2, 2048))

FABRICS = {
    "ecp5": Fabric("ecp5", "mult18", 18, 0, "ccu2c", _ECP5_SHAPES, True, 1024, 1024, 33),
    "ice40-up": Fabric("ice40-up", "mac16", 16, 8, "lut", _ICE40_SHAPES, False, 128, 384, 17),
    "ice40": Fabric("ice40", "", 0, 0, "lut", _ICE40_SHAPES, False, 128, 384, 17),
    "nexus": Fabric("nexus", "", 0, 0, "lut", _ECP5_SHAPES, True, 1024, 1024, 33),
}
"""Families by name."""
