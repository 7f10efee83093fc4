"""An area to compare specs with: arithmetic and memory cells of an accelerator at 45 nm. A proxy, no floor plan.

Counted are the multipliers and adders of both units and the bits of the four scratchpads. Registers, wires, control,
DMA, decoders and sense amplifiers are not, so a chip is larger, and small memories relatively more so. Two specs of a
family may be ranked by it; its square millimetres are nobody's die.

Operators: W. Dally, "High-Performance Hardware for Machine Learning", NIPS tutorial, 2015 (synthesised for TSMC 45 nm
beside the energies of M. Horowitz, ISSCC 2014): 282 um2 an 8-bit multiplier, 3495 um2 a 32-bit one, 137 um2 a 32-bit
adder. Memory cell: 0.346 um2, six transistors (K. Mistry et al., "A 45nm logic technology with high-k + metal gate
transistors", IEDM 2007). All four are quoted from memory and were not read again: the proxy ranks, it does not measure.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from gatewright.schedules.accelerator.spec import Spec

__all__ = ["AREA_MODEL", "Area", "area_proxy"]

AREA_MODEL = (
    "proxy at 45 nm: multipliers and adders (Dally, NIPS 2015) and six-transistor cells of the scratchpads (Mistry, "
    "IEDM 2007); no registers, wires, control, DMA or memory periphery, so bandwidth is free in it"
)
"""What the figure is, for reports."""

_MULTIPLY_8_UM2, _MULTIPLY_32_UM2, _ADD_32_UM2, _CELL_UM2 = 282.0, 3495.0, 137.0, 0.346


@dataclass(frozen=True)
class Area:
    """Square micrometres at 45 nm.

    Attributes:
        matrix_um2: a multiplier of the operands' widths and a 32-bit adder a cell.
        vector_um2: a cell as above, and a 32-bit multiplier and adder that rescale, a lane.
        scratchpads_um2: bits of all four.
    """

    matrix_um2: float
    vector_um2: float
    scratchpads_um2: float

    @property
    def total_mm2(self) -> float:
        """All of it in square millimetres."""
        return sum(asdict(self).values()) / 1e6


def area_proxy(spec: Spec) -> Area:
    """The proxy of a spec."""
    # An array multiplier has a cell a pair of bits.
    share = spec.matrix.activation_bits * spec.matrix.weight_bits / 64
    cell = _MULTIPLY_8_UM2 * share + _ADD_32_UM2
    pads = spec.scratchpads
    capacity = pads.activation.bytes + pads.weight.bytes + pads.constant.bytes + pads.accumulator.bytes
    return Area(
        matrix_um2=spec.matrix.rows * spec.matrix.columns * cell,
        vector_um2=spec.vector.lanes * (_MULTIPLY_8_UM2 + _MULTIPLY_32_UM2 + 2 * _ADD_32_UM2),
        scratchpads_um2=8 * capacity * _CELL_UM2,
    )
