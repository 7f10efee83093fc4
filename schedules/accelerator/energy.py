"""Energy: what was counted, times a table of energy by operation.

Dynamic energy of arithmetic, scratchpads and DRAM only: no leakage, clock, registers, wires between units or fetch of
instructions. It is as good as its table, whose name stands in every result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.timing.counts import Counts

__all__ = ["LEVELS", "Dram", "Energy", "EnergyTable", "Operation", "Operations", "Sized", "energy_of", "layer_energy",
           "scratchpad_pj_per_byte"]  # fmt: skip

_Energy = Annotated[float, Field(ge=0, le=1e9)]
_Grade = Literal["R", "L", "W", "M", "A"]
"""Evidence: R ran here, L read in a public repository, W read on the web, M quoted from a paper, A assumed by us."""
LEVELS = ("matrix", "vector", "activation", "weight", "constant", "accumulator", "dram")
"""Where energy goes: the two units, the four scratchpads, DRAM."""
_SCRATCHPADS = LEVELS[2:6]


class _Schema(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Operation(_Schema):
    """Energy of one operation, its source and the evidence's grade."""

    pj: _Energy
    source: str
    grade: _Grade


class Operations(_Schema):
    """Arithmetic.

    Attributes:
        mac: an 8-bit multiplication and a 32-bit addition.
        vector: a value taken in by the vector unit that is no multiply-accumulate (a sum, a comparison).
        rescale: a result multiplied by 32 bits, shifted and clamped.
    """

    mac: Operation
    vector: Operation
    rescale: Operation


class Dram(_Schema):
    """Energy of a byte to and from DRAM, interface included."""

    read_pj_per_byte: _Energy
    write_pj_per_byte: _Energy
    source: str
    grade: _Grade


class Sized(_Schema):
    """Energy of a byte of a scratchpad of ``bytes`` capacity; a law of powers has no 0."""

    bytes: Annotated[int, Field(ge=1, le=1 << 40)]
    read_pj_per_byte: Annotated[_Energy, Field(gt=0)]
    write_pj_per_byte: Annotated[_Energy, Field(gt=0)]
    source: str
    grade: _Grade


class EnergyTable(_Schema):
    """Energy by operation.

    Attributes:
        name: stands in every result. title, source: where it comes from.
        operations, dram: see there.
        scratchpads: known sizes, ascending; see :func:`scratchpad_pj_per_byte` for those between.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    title: str
    source: str
    operations: Operations
    dram: Dram
    scratchpads: Annotated[tuple[Sized, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        sizes = [entry.bytes for entry in self.scratchpads]
        if sizes != sorted(set(sizes)):
            raise ValueError("scratchpads must be in ascending order of bytes, each size once")
        return self


@dataclass(frozen=True)
class Energy:
    """Energy by level, and the table it was made with.

    Attributes:
        table: name of the table. pj: by level of :data:`LEVELS`.
    """

    table: str
    pj: Mapping[str, float]

    @property
    def energy_pj(self) -> float:
        """Of all levels."""
        return math.fsum(self.pj.values())


def scratchpad_pj_per_byte(table: EnergyTable, capacity_bytes: int) -> tuple[float, float]:
    """(read, write) energy of a byte of a scratchpad.

    Between two sizes of the table a power law: linear in the logarithms of capacity and energy. Below the least and
    above the greatest size the law of the nearest two goes on; a table of one size gives the same for all.
    """
    return (
        _power_law(capacity_bytes, [(entry.bytes, entry.read_pj_per_byte) for entry in table.scratchpads]),
        _power_law(capacity_bytes, [(entry.bytes, entry.write_pj_per_byte) for entry in table.scratchpads]),
    )


def _power_law(size: int, points: list[tuple[int, float]]) -> float:
    exact = dict(points)
    if size in exact or len(points) == 1:
        return exact.get(size, points[0][1])
    above = next((index for index, (least, _) in enumerate(points) if least > size), len(points) - 1)
    (low, at_low), (high, at_high) = points[max(above - 1, 0)], points[max(above, 1)]
    exponent = math.log(at_high / at_low) / math.log(high / low)
    return float(at_low * (size / low) ** exponent)


def energy_of(spec: Spec, counts: Counts, table: EnergyTable) -> Energy:
    """Energy of some work in pJ.

    Every cell of the array that gets a padded operand still works: the matrix unit's multiplications are those of
    whole blocks.
    """
    operations = table.operations
    pj = {
        "matrix": counts.array_macs * operations.mac.pj,
        "vector": counts.vector_macs * operations.mac.pj
        + (counts.vector_operations - counts.vector_macs) * operations.vector.pj
        + counts.rescales * operations.rescale.pj,
        "dram": counts.dram_read * table.dram.read_pj_per_byte + counts.dram_written * table.dram.write_pj_per_byte,
    }
    for name in _SCRATCHPADS:
        read, write = scratchpad_pj_per_byte(table, getattr(spec.scratchpads, name).bytes)
        pj[name] = getattr(counts, f"{name}_read") * read + getattr(counts, f"{name}_written") * write
    return Energy(table.name, {level: pj[level] for level in LEVELS})


def layer_energy(spec: Spec, counts: Mapping[str, Counts], table: EnergyTable) -> dict[str, Energy]:
    """Energy of every layer."""
    return {name: energy_of(spec, one, table) for name, one in counts.items()}
