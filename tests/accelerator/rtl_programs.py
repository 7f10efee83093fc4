"""Random programs for the RTL, and when their instructions must start and end by the timing contract."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gatewright.schedules.accelerator.isa.encoding import Instruction, Words, encode
from gatewright.schedules.accelerator.isa.fields import SPACES, UNIT_OF, UNITS, VECTOR_OPS
from gatewright.schedules.accelerator.spec import Spec
from gatewright.targets.accelerator.machine.executor import execute
from gatewright.targets.accelerator.machine.memories import Memories

DRAM_BYTES = 1 << 18
OUTPUT = 1 << 17
"""Where programs store; what lies below is random and only read."""


@dataclass
class Program:
    """Instructions, each by default behind everything before it."""

    spec: Spec
    instructions: list[Instruction] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(UNITS, 0))
    stored: int = OUTPUT

    def add(self, mnemonic: str, *, after: tuple[str, ...] = UNITS, **fields: int) -> None:
        """Append one that waits for all instructions of the units ``after`` so far."""
        waits = {f"wait_{unit}": self.counts[unit] for unit in after}
        self.instructions.append(Instruction(mnemonic, **waits, **fields))
        if mnemonic != "halt":
            self.counts[UNIT_OF[mnemonic]] += 1

    def load(self, space: str, source: int, target: int, size: int) -> None:
        """One row."""
        self.add(
            "load", space=SPACES[space], dram_address=source, local_address=target, row_bytes=size, rows=1, planes=1
        )

    def store(self, source: int, size: int) -> None:
        """One row, behind what was stored before."""
        self.add("store", local_address=source, dram_address=self.stored, row_bytes=size, rows=1, planes=1)
        self.stored += size

    def words(self) -> Words:
        """With a halt behind everything."""
        self.add("halt")
        words = encode(self.instructions)
        self.instructions.pop()
        return words


def functional(program: Program, dram: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The DRAM behind the functional machine."""
    memories = Memories.of(program.spec, dram.copy())
    execute(program.spec, memories, program.instructions)
    return memories.dram


def random_dram(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Random where programs read."""
    dram = np.zeros(DRAM_BYTES, np.uint8)
    dram[:OUTPUT] = rng.integers(0, 256, OUTPUT)
    return dram


# -- matrix ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Convolution:
    """A matmul instruction over an image of its own; a GEMM has a 1x1 window and one row."""

    height: int = 1
    width: int = 1
    kernel_height: int = 1
    kernel_width: int = 1
    input_blocks: int = 1
    output_blocks: int = 1
    stride: int = 1
    dilation: int = 1
    accumulate: int = 0
    activation_signed: int = 0
    weight_signed: int = 1
    weight_zero: int = 0

    @property
    def image(self) -> tuple[int, int]:
        """Rows and pixels of the input."""
        return (
            (self.height - 1) * self.stride + (self.kernel_height - 1) * self.dilation + 1,
            (self.width - 1) * self.stride + (self.kernel_width - 1) * self.dilation + 1,
        )


def matrix_program(spec: Spec, case: Convolution, rng: np.random.Generator) -> Program:
    """Load, multiply (on top of a first product if it accumulates), bring all 32 bits of the sums out, store."""
    side = spec.matrix.columns
    program = Program(spec)
    rows, columns = case.image
    pixel = case.input_blocks * side
    folds = case.kernel_height * case.kernel_width * case.input_blocks * case.output_blocks
    pixels = case.height * case.width
    assert rows * columns * pixel <= spec.scratchpads.activation.bank_bytes
    assert folds * side * side <= spec.scratchpads.weight.bytes
    assert case.output_blocks * pixels <= spec.accumulator_rows
    program.load("activation", side * int(rng.integers(0, 64)), 0, rows * columns * pixel)
    program.load("weight", side * int(rng.integers(0, 64)), 0, folds * side * side)
    first = int(rng.integers(0, spec.accumulator_rows - case.output_blocks * pixels + 1))
    fields = {
        "activation_address": 0, "weight_address": 0, "accumulator_address": first, "height": case.height,
        "width": case.width, "kernel_height": case.kernel_height, "kernel_width": case.kernel_width,
        "input_blocks": case.input_blocks, "output_blocks": case.output_blocks,
        "row_stride": case.stride * columns * pixel, "pixel_stride": case.stride * pixel,
        "kernel_row_stride": case.dilation * columns * pixel, "kernel_pixel_stride": case.dilation * pixel,
        "activation_signed": case.activation_signed, "weight_signed": case.weight_signed,
        "weight_zero": case.weight_zero,
    }  # fmt: skip
    program.add("matmul", **fields)
    if case.accumulate:
        program.add("matmul", **fields, accumulate=1)
    bring_out(program, first, case.output_blocks * pixels)
    return program


def bring_out(program: Program, first: int, rows: int) -> None:
    """All four bytes of ``rows`` rows of accumulators to DRAM."""
    side = program.spec.matrix.columns
    bank = program.spec.scratchpads.activation.bank_bytes
    while rows:
        some = min(rows, bank // side)
        for byte in range(4):
            # (t >> 8 byte) & 255: bits above are wrapped away by a clamp that never acts on a shifted remainder.
            _byte(program, byte, first, some)
            program.store(2 * bank, some * side)
        first += some
        rows -= some


def _byte(program: Program, byte: int, first: int, rows: int) -> None:
    # t * 2**24 / 2**24 keeps what 64 bits hold; with the factor 2**(24 - 8 byte) the wanted byte is the signed top of 32
    # bits only modulo 2**32, so the sum's byte is isolated by two roundings: here by shifting, and by the clamp of 16
    # bits, which would saturate. Programs therefore keep sums small for byte 0 and 1 and check the top by shifting.
    program.add(
        "vector", operation=VECTOR_OPS["rescale"], from_accumulator=1, a_address=first,
        output_address=2 * program.spec.scratchpads.activation.bank_bytes, height=1, width=rows, kernel_height=1,
        kernel_width=1, blocks=1, a_pixel_stride=1, output_pixel_stride=program.spec.matrix.columns, multiplier=1,
        shift=8 * byte, clamp_low=-32768, clamp_high=32767,
    )  # fmt: skip


# -- when ----------------------------------------------------------------------------------------------------------------


def durations(spec: Spec, instruction: Instruction) -> int:
    """Cycles from start to end: the closed formulas of hls/accelerator/README.md, written out independently."""
    i, side = instruction, spec.matrix.columns

    def of(name: str) -> int:
        return i.get(name, 0)

    if i.mnemonic in ("load", "store", "fill"):
        words = of("planes") * of("rows") * of("row_bytes") // side
        return words + spec.dma.start_cycles + (0 if i.mnemonic == "fill" else spec.dma.latency_cycles)
    pixels, window = of("height") * of("width"), of("kernel_height") * of("kernel_width")
    if i.mnemonic == "matmul":
        folds = window * of("input_blocks") * of("output_blocks")
        return spec.matrix.start_cycles + side + folds * max(pixels, side) + 2 * side - 2
    operands = 2 if of("operation") in (VECTOR_OPS["add"], VECTOR_OPS["multiply"]) else 1
    records = of("blocks") * spec.vector.block_cycles if of("per_channel") else 0
    return spec.vector.start_cycles + records + of("blocks") * pixels * window * operands


@dataclass(frozen=True)
class Times:
    """By instruction; a halt's end is the whole program's."""

    handed_out: list[int]
    start: list[int]
    end: list[int]


def contract(spec: Spec, instructions: list[Instruction]) -> Times:
    """The timing contract of hls/accelerator/README.md, instruction after instruction."""
    times = Times([], [], [])
    of_unit: dict[str, list[int]] = {unit: [] for unit in UNITS}
    ready = spec.dma.latency_cycles + spec.control.fetch_cycles + 1
    for number, i in enumerate(instructions):
        waited = [times.end[of_unit[unit][i.get(f"wait_{unit}", 0) - 1]] for unit in UNITS if i.get(f"wait_{unit}", 0)]
        if i.mnemonic == "halt":
            handed = start = max([ready, *waited])
            end = start + 1
        else:
            before = of_unit[UNIT_OF[i.mnemonic]]
            depth = spec.control.queue_depth
            handed = max(ready, times.start[before[-depth]] + 2 if len(before) >= depth else 0)
            start = max([handed + 1, *waited, *(times.end[k] for k in before[-1:])])
            end = start + durations(spec, i)
            before.append(number)
        times.handed_out.append(handed)
        times.start.append(start)
        times.end.append(end)
        ready = handed + spec.control.fetch_cycles
    return times
