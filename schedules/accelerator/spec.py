"""An accelerator as data: the schema of its TOML file, and the errors of an impossible one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gatewright.compiler.errors import UsageError
from gatewright.schedules.accelerator.documents import parse_document, read_document
from gatewright.schedules.accelerator.expressions import Expression, expression

__all__ = ["Control", "Dma", "Matrix", "Scratchpad", "Scratchpads", "Spec", "Vector", "parse_spec", "read_spec"]

_Cycles = Annotated[int, Field(ge=0, le=1 << 20)]
_Lanes = Annotated[int, Field(ge=1, le=1024)]
MATRIX_SYMBOLS = ("m", "kb", "nb", "k", "n", "r", "c")
"""What a latency function of the matrix unit may speak of (see :class:`Matrix`)."""
VECTOR_SYMBOLS = ("p", "w", "b", "s", "x")
"""What a latency function of the vector unit may speak of (see :class:`Vector`)."""

_MATRIX_LATENCY = {
    "ws": "r + kb * nb * max(m, r) + r + c - 2",
    "ws-blocking": "kb * nb * (2 * r + c + m - 2)",
    "os": "ceil(m, r) * nb * (k + r + c - 2) + r",
    "is": "r + kb * ceil(m, c) * max(nb * c, r) + r + c - 2",
    "gemm": "m * kb * nb",
    "dot": "kb * nb * max(m, 1)",
}


class _Schema(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Matrix(_Schema):
    """The matrix unit: ``rows`` inputs meet ``columns`` outputs.

    Attributes:
        rows: length of the dot product a cycle contributes (R). columns: output channels side by side (C).
        dataflow: ``ws``, ``os``, ``is``: a systolic array that holds weights, outputs or inputs; ``gemm``: a matrix by
            vector core (VTA); ``dot``: dot-product units over broadcast inputs (NVDLA).
        shadow_weights: a second register a cell takes the next weights while the first ones work (``ws`` only).
        start_cycles: cycles from taking an instruction to its first operand, and from the last result to done.
        cycles: latency function of one instruction without ``start_cycles``, an expression in m (pixels), k and n
            (channels in and out), kb and nb (blocks of R and of C they fill), r, c; by default that of the dataflow.
        activation_bits, weight_bits: widest operands as stored.
    """

    rows: _Lanes
    columns: _Lanes
    dataflow: Literal["ws", "os", "is", "gemm", "dot"]
    shadow_weights: bool = True
    start_cycles: _Cycles = 0
    cycles: str = ""
    activation_bits: Annotated[int, Field(ge=1, le=8)] = 8
    weight_bits: Annotated[int, Field(ge=1, le=8)] = 8

    @property
    def latency(self) -> Expression:
        """Cycles of one instruction as a function of :data:`MATRIX_SYMBOLS`."""
        key = "ws-blocking" if self.dataflow == "ws" and not self.shadow_weights else self.dataflow
        return expression(self.cycles or _MATRIX_LATENCY[key], MATRIX_SYMBOLS)

    @field_validator("cycles")
    @classmethod
    def _parses(cls, text: str) -> str:
        if text:
            Expression(text, MATRIX_SYMBOLS)
        return text


class Vector(_Schema):
    """The vector unit: pooling, depthwise convolution, sums, tables and every requantization.

    Attributes:
        lanes: channels a cycle; divides the matrix unit's columns.
        start_cycles: cycles from taking an instruction to its first operand, and from the last result to done.
        block_cycles: cycles a block of channels takes before its first pixel (its constants are fetched).
        cycles: latency function of one instruction without ``start_cycles``, an expression in p (pixels), w (window
            positions), s (operands read in turn), b (blocks of C channels), x (cycles of one block's width, C / lanes).
    """

    lanes: _Lanes
    start_cycles: _Cycles = 0
    block_cycles: _Cycles = 0
    cycles: str = "b * p * w * s * x"

    @property
    def latency(self) -> Expression:
        """Cycles of one instruction as a function of :data:`VECTOR_SYMBOLS`."""
        return expression(self.cycles, VECTOR_SYMBOLS)

    @field_validator("cycles")
    @classmethod
    def _parses(cls, text: str) -> str:
        Expression(text, VECTOR_SYMBOLS)
        return text


class Scratchpad(_Schema):
    """One on-chip memory.

    Attributes:
        bytes: capacity. banks: equal parts, each with ports of its own.
        ports: of one bank: ``1rw`` one access a cycle, ``1r1w`` one read and one write, ``multi`` never in the way.
    """

    bytes: Annotated[int, Field(ge=64, le=1 << 30)]
    banks: Annotated[int, Field(ge=1, le=64)] = 1
    ports: Literal["1rw", "1r1w", "multi"] = "1r1w"

    @property
    def bank_bytes(self) -> int:
        """Capacity of one bank."""
        return self.bytes // self.banks

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.bytes % self.banks:
            raise ValueError(f"{self.bytes} bytes are no {self.banks} equal banks")
        return self


class Scratchpads(_Schema):
    """The four memories: activations in and out, weights, constants of the vector unit, 32-bit accumulators."""

    activation: Scratchpad
    weight: Scratchpad
    constant: Scratchpad
    accumulator: Scratchpad


class Dma(_Schema):
    """The path to DRAM.

    Attributes:
        bytes_per_cycle: bandwidth of one direction. latency_cycles: from a request to its first byte.
        burst_bytes: longest burst; a row of a transfer is cut into bursts. burst_gap_cycles: lost between bursts.
        start_cycles: cycles from taking an instruction to its first request, and from the last byte to done.
        channels: 2: loads and stores have a queue and a data path each; 1: both go through one queue in program order.
        granularity_bytes: address and length of every row are multiples of it (1: any byte).
        local_bytes_per_cycle: bytes a cycle of FILL; one word of the scratchpad.
    """

    bytes_per_cycle: Annotated[float, Field(gt=0, le=1 << 16)]
    latency_cycles: _Cycles
    burst_bytes: Annotated[int, Field(ge=1, le=1 << 20)] = 256
    burst_gap_cycles: _Cycles = 0
    start_cycles: _Cycles = 0
    channels: Literal[1, 2] = 2
    granularity_bytes: Annotated[int, Field(ge=1, le=1024)] = 1


class Control(_Schema):
    """Instruction supply.

    Attributes:
        fetch_cycles: cycles the sequencer takes to fetch and hand out one instruction.
        first_cycles: cycles before the first of them.
        issue_cycles: cycles from handing an instruction out to the earliest start of its unit.
        queue_depth: instructions a unit's queue holds beyond the one at work.
        refill_cycles: cycles from a start until the place in the queue can be taken again.
        halt_cycles: cycles from the last end to the end of the program.
        shared_compute: matrix and vector unit take turns out of one queue (VTA's compute core).
    """

    fetch_cycles: _Cycles = 1
    first_cycles: _Cycles = 0
    issue_cycles: _Cycles = 0
    refill_cycles: _Cycles = 0
    halt_cycles: _Cycles = 0
    queue_depth: Annotated[int, Field(ge=1, le=4096)] = 16
    shared_compute: bool = False


class Spec(_Schema):
    """One accelerator.

    Attributes:
        name: what a user writes after ``sim:``. title: one line for lists.
        family: ``systolic``, ``vta`` or ``npu``; which peers it is compared with.
        clock_mhz: clock the cycles are turned into time with.
        energy: name of the table of energy by operation (``targets/accelerator/energy``).
        source: where the figures come from, "" for a design of one's own.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    title: str
    family: Literal["systolic", "vta", "npu"]
    clock_mhz: Annotated[float, Field(gt=0, le=10000)]
    matrix: Matrix
    vector: Vector
    scratchpads: Scratchpads
    dma: Dma
    control: Control = Control()
    energy: str = "horowitz45"
    source: str = ""

    @property
    def alignment_bytes(self) -> int:
        """A pixel's channels are padded to a multiple of this, in DRAM and in the activation scratchpad."""
        return max(self.matrix.rows, self.matrix.columns)

    @property
    def fold_bytes(self) -> int:
        """Weights of one fold, R x C bytes."""
        return self.matrix.rows * self.matrix.columns

    @property
    def parameter_bytes(self) -> int:
        """Constants of one block of C channels: bias and multiplier of 4 bytes, shift of 1 byte, a channel."""
        return 9 * self.matrix.columns

    @property
    def accumulator_rows(self) -> int:
        """Rows of C accumulators of 32 bits."""
        return self.scratchpads.accumulator.bytes // (4 * self.matrix.columns)

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        rows, columns, pads = self.matrix.rows, self.matrix.columns, self.scratchpads
        if max(rows, columns) % min(rows, columns):
            raise ValueError(f"rows {rows} and columns {columns}: one must be a multiple of the other")
        if columns % self.vector.lanes:
            raise ValueError(f"vector.lanes {self.vector.lanes} does not divide matrix.columns {columns}")
        needs = {
            "activation": (pads.activation.bytes, 4 * self.alignment_bytes),
            "weight": (pads.weight.bytes, self.fold_bytes),
            "constant": (pads.constant.bytes, max(self.parameter_bytes, 256)),
            "accumulator": (pads.accumulator.bytes, 4 * columns),
        }
        for name, (there, least) in needs.items():
            if there < least:
                raise ValueError(f"scratchpads.{name} holds {there} bytes; the array needs at least {least}")
        if pads.accumulator.bank_bytes % (4 * columns):
            raise ValueError(f"a bank of scratchpads.accumulator is no whole number of {4 * columns}-byte rows")
        if self.dma.burst_bytes % self.dma.granularity_bytes:
            raise ValueError("dma.burst_bytes is no multiple of dma.granularity_bytes")
        if min(rows, columns) % self.dma.granularity_bytes:
            raise ValueError(
                "dma.granularity_bytes does not divide a block of channels (rows and columns of the array)"
            )
        return self


def parse_spec(text: str, place: str) -> Spec:
    """A spec from TOML.

    Args:
        text: the file's text.
        place: its name, for errors.

    Raises:
        UsageError: GW4301 on text that is no TOML, an unknown or missing key, or an impossible accelerator.
    """
    try:
        return parse_document(Spec, text)
    except ValueError as error:
        advice = "start from a shipped spec: 'gatewright targets sim:systolic-8x8-ws' prints one"
        raise UsageError("GW4301", place, str(error), advice) from None


def read_spec(path: Path) -> Spec:
    """A spec from a file.

    Raises:
        UsageError: GW4302 when the file cannot be read, GW4301 on what it says.
    """
    try:
        text = read_document(path)
    except ValueError as error:
        raise UsageError("GW4302", str(path), str(error), "name a readable TOML file after sim:") from None
    return parse_spec(text, str(path))
