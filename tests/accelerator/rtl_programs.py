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
    """Where programs read: any bytes, in the upper half small numbers, whose sums have few bits."""
    dram = np.zeros(DRAM_BYTES, np.uint8)
    dram[:OUTPUT] = rng.integers(0, 256, OUTPUT)
    dram[OUTPUT // 2 : OUTPUT] = rng.integers(-4, 5, OUTPUT // 2)
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
    small: int = 0

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
    for space, size in (("activation", rows * columns * pixel), ("weight", folds * side * side)):
        program.load(space, side * int(rng.integers(0, 64)) + case.small * OUTPUT // 2, 0, size)
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
    """``rows`` rows of accumulators to DRAM, shifted by 0, 8, 16 and 24 bits.

    The clamp has 16 bits: of sums that have no more every bit leaves, of others the upper half and what saturates.
    """
    spec = program.spec
    side, bank = spec.matrix.columns, spec.scratchpads.activation.bank_bytes
    for begin in range(first, first + rows, bank // side):
        some = min(first + rows - begin, bank // side)
        for shift in (0, 8, 16, 24):
            program.add(
                "vector", operation=VECTOR_OPS["rescale"], from_accumulator=1, a_address=begin, output_address=2 * bank,
                height=1, width=some, kernel_height=1, kernel_width=1, blocks=1, a_pixel_stride=1,
                output_pixel_stride=side, multiplier=1, shift=shift, clamp_low=-32768, clamp_high=32767,
            )  # fmt: skip
            program.store(2 * bank, some * side)


# -- when --------------------------------------------------------------------------------------------------------------


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


# -- vector ------------------------------------------------------------------------------------------------------------


def vector_program(spec: Spec, operation: str, rng: np.random.Generator) -> Program:
    """Random operands, accumulators and constants loaded; one random instruction; the result stored."""
    side, bank = spec.matrix.columns, spec.scratchpads.activation.bank_bytes
    program = Program(spec)
    source = side * int(rng.integers(0, 64))
    program.load("activation", source, 0, bank)
    program.load("activation", source + bank, bank, bank)
    program.load("constant", OUTPUT // 4 + source, 0, spec.scratchpads.constant.bytes)
    fields, reach = _geometry(spec, operation, rng)
    fields |= _arithmetic(rng)
    if fields["from_accumulator"]:
        _accumulators(program, rng)
    if fields["per_channel"]:
        _records(program, fields["blocks"], rng)
    program.add("vector", operation=VECTOR_OPS[operation], **fields)
    program.store(2 * bank, reach)
    return program


def _geometry(spec: Spec, operation: str, rng: np.random.Generator) -> tuple[dict[str, int], int]:
    """Sizes and addresses, and the bytes of the result (in bank 2; a lies in bank 0, b in bank 1)."""
    side, bank = spec.matrix.columns, spec.scratchpads.activation.bank_bytes
    window = operation in ("depthwise", "sum", "max")
    height, width, blocks = (int(rng.integers(1, n)) for n in (6, 8, 4))
    kernel_height, kernel_width = (int(rng.integers(1, 4)) if window else 1 for _ in range(2))
    accumulators = int(operation in ("rescale", "sum", "max") and rng.integers(0, 2))
    step = 1 if accumulators else side
    stride, dilation = int(rng.integers(1, 3)), int(rng.integers(1, 3))
    columns = (width - 1) * stride + (kernel_width - 1) * dilation + 1
    rows = (height - 1) * stride + (kernel_height - 1) * dilation + 1
    block_last = bool(rng.integers(0, 2))  # blocks of channels side by side in a pixel, or image after image
    pixel, block = (blocks * step, step) if block_last else (step, rows * columns * step)
    out_pixel, out_block = (blocks * side, side) if block_last else (side, height * width * side)
    assert rows * columns * blocks * step <= (spec.accumulator_rows if accumulators else bank)
    back = bool(rng.integers(0, 4) == 0)  # the result is written from its last pixel to its first
    last = ((height * width) - 1) * out_pixel
    records = 9 * side * blocks
    free = spec.scratchpads.constant.bytes - records
    weights = records + side * int(rng.integers(0, (free - max(256, 9 * side * blocks)) // side))
    return {
        "from_accumulator": accumulators, "a_address": 0, "b_address": bank,
        "output_address": 2 * bank + (last if back else 0), "parameter_address": 0, "weight_address": weights,
        "height": height, "width": width, "kernel_height": kernel_height, "kernel_width": kernel_width,
        "blocks": blocks, "a_block_stride": block, "a_row_stride": stride * columns * pixel,
        "a_pixel_stride": stride * pixel, "a_kernel_row_stride": dilation * columns * pixel,
        "a_kernel_pixel_stride": dilation * pixel, "b_block_stride": out_block, "b_row_stride": width * out_pixel,
        "b_pixel_stride": out_pixel, "output_block_stride": out_block,
        "output_row_stride": -width * out_pixel if back else width * out_pixel,
        "output_pixel_stride": -out_pixel if back else out_pixel,
        "per_channel": int(operation in ("rescale", "depthwise", "sum", "multiply") and rng.integers(0, 2)),
    }, height * width * blocks * side  # fmt: skip


def _arithmetic(rng: np.random.Generator) -> dict[str, int]:
    a_signed, b_signed, weight_signed = (int(bit) for bit in rng.integers(0, 2, 3))

    def zero(signed: int) -> int:
        return int(rng.integers(-128, 128) if signed else rng.integers(0, 256))

    low, high = sorted(int(value) for value in rng.integers(-300, 300, 2))
    wide = bool(rng.integers(0, 2))
    # Of products of some size the shift leaves some 8 bits; now and then anything.
    shift = int(rng.integers(0, 63)) if rng.integers(0, 8) == 0 else int(rng.integers(24, 36))
    return {
        "a_signed": a_signed, "b_signed": b_signed, "weight_signed": weight_signed, "shift": shift,
        "multiplier": int(rng.integers(-(1 << 31), 1 << 31)), "multiplier_b": int(rng.integers(-(1 << 31), 1 << 31)),
        "addend": int(rng.integers(-(1 << 61), 1 << 61)) >> int(rng.integers(0, 60)),
        "a_zero": zero(a_signed), "b_zero": zero(b_signed), "weight_zero": zero(weight_signed),
        "output_zero": int(rng.integers(-128, 256)), "clamp_low": -32768 if wide else low,
        "clamp_high": 32767 if wide else high,
    }  # fmt: skip


def _accumulators(program: Program, rng: np.random.Generator) -> None:
    """Fill the accumulators: products of depth R in blocks over all rows."""
    spec = program.spec
    side, rows = spec.matrix.columns, spec.accumulator_rows
    program.load("weight", side * int(rng.integers(0, 64)), 0, 4 * side * side)
    program.add(
        "matmul", height=1, width=rows // 4, kernel_height=1, kernel_width=1, input_blocks=1, output_blocks=4,
        pixel_stride=side, weight_signed=1, activation_signed=int(rng.integers(0, 2)),
    )  # fmt: skip


def _records(program: Program, blocks: int, rng: np.random.Generator) -> None:
    """Bias and multiplier are random bytes as they are; shifts are made with a fill a block: all channels' alike."""
    side = program.spec.matrix.columns
    for block in range(blocks):
        program.add(
            "fill", space=SPACES["constant"], local_address=(9 * block + 8) * side, row_bytes=side, rows=1, planes=1,
            value=int(rng.integers(0, 63)),
        )  # fmt: skip


# -- transfers ---------------------------------------------------------------------------------------------------------


def transfer_program(spec: Spec, rng: np.random.Generator) -> Program:
    """Strided loads and fills, also of negative strides, and strided stores of it all."""
    side, bank = spec.matrix.columns, spec.scratchpads.activation.bank_bytes
    program = Program(spec)
    program.load("activation", 0, 0, bank)
    for _ in range(4):
        planes, rows, words = (int(n) for n in rng.integers(1, 7, 3))
        row = side * (words + int(rng.integers(0, 3)))
        plane = rows * row + side * int(rng.integers(0, 3))
        down = bool(rng.integers(0, 2))
        common = {
            "space": SPACES["activation"], "planes": planes, "rows": rows, "row_bytes": side * words,
            "local_address": (rows - 1) * row if down else 0, "local_row_stride": -row if down else row,
            "local_plane_stride": plane,
        }  # fmt: skip
        kind = ("load", "fill", "store")[int(rng.integers(0, 3))]
        if kind == "fill":
            program.add("fill", **common, value=int(rng.integers(0, 256)))
            continue
        dram_row = side * (words + int(rng.integers(0, 9)))
        program.add(
            kind, **common, dram_address=side * int(rng.integers(0, 64)) if kind == "load" else program.stored,
            dram_row_stride=dram_row, dram_plane_stride=rows * dram_row,
        )  # fmt: skip
        if kind == "store":
            program.stored += planes * rows * dram_row
    program.store(0, bank)
    return program
