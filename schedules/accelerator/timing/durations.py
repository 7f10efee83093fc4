"""Cycles of every instruction of a program by itself, from start to done, vectorised over the program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from gatewright.schedules.accelerator.isa.encoding import Columns, Words, columns
from gatewright.schedules.accelerator.isa.fields import VECTOR_OPS
from gatewright.schedules.accelerator.spec import Dma, Matrix, Spec, Vector

__all__ = ["MatrixWork", "fill_cycles", "instruction_cycles", "matrix_cycles", "transfer_cycles", "vector_cycles"]

Cycles = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MatrixWork:
    """Sizes of matrix instructions, (n,) each or plain integers: pixels, blocks of R and C, channels."""

    pixels: Cycles
    input_blocks: Cycles
    output_blocks: Cycles
    depth: Cycles
    outputs: Cycles

    @classmethod
    def of(cls, fields: Columns) -> Self:
        """Of the fields of MATMUL instructions."""
        window = fields["kernel_height"] * fields["kernel_width"]
        return cls(
            fields["height"] * fields["width"], window * fields["input_blocks"], fields["output_blocks"],
            window * fields["input_channels"], fields["output_channels"],
        )  # fmt: skip


def matrix_cycles(matrix: Matrix, work: MatrixWork) -> Cycles:
    """Cycles of MATMUL: the spec's latency function plus ``start_cycles``."""
    cycles: Cycles = matrix.latency(
        m=work.pixels, kb=work.input_blocks, nb=work.output_blocks, k=work.depth, n=work.outputs,
        r=matrix.rows, c=matrix.columns,
    )  # fmt: skip
    return matrix.start_cycles + cycles


def vector_cycles(
    vector: Vector, columns: int, pixels: Cycles, window: Cycles, operands: Cycles, blocks: Cycles, records: Cycles
) -> Cycles:
    """Cycles of VECTOR; ``records`` is 1 where constants are read by channel."""
    width = columns // vector.lanes
    cycles: Cycles = vector.latency(p=pixels, w=window, s=operands, b=blocks, x=width)
    return vector.start_cycles + records * blocks * vector.block_cycles + cycles


def transfer_cycles(dma: Dma, rows: Cycles, row_bytes: Cycles) -> Cycles:
    """Cycles of LOAD and STORE: every row takes whole beats and is cut into bursts."""
    beats = np.ceil(row_bytes / dma.bytes_per_cycle) if dma.bytes_per_cycle >= 1 else row_bytes / dma.bytes_per_cycle
    bursts = -(-row_bytes // dma.burst_bytes)
    moving = np.ceil(rows * beats).astype(np.int64) + np.maximum(rows * bursts - 1, 0) * dma.burst_gap_cycles
    return np.asarray(dma.start_cycles + dma.latency_cycles + moving, np.int64)


def fill_cycles(spec: Spec, rows: Cycles, row_bytes: Cycles) -> Cycles:
    """Cycles of FILL: one word of R bytes a cycle."""
    return np.asarray(spec.dma.start_cycles + rows * -(-row_bytes // spec.matrix.rows), np.int64)


def instruction_cycles(spec: Spec, words: Words) -> Cycles:
    """Cycles of every instruction of a program, (n,); ``halt`` takes none."""
    cycles = np.zeros(len(words), np.int64)
    for mnemonic, where, of in columns(words):
        if mnemonic == "matmul":
            cycles[where] = matrix_cycles(spec.matrix, MatrixWork.of(of))
        elif mnemonic == "vector":
            two = (of["operation"] == VECTOR_OPS["add"]) | (of["operation"] == VECTOR_OPS["multiply"])
            cycles[where] = vector_cycles(
                spec.vector, spec.matrix.columns, of["height"] * of["width"], of["kernel_height"] * of["kernel_width"],
                1 + two, of["blocks"], of["per_channel"],
            )  # fmt: skip
        elif mnemonic == "fill":
            cycles[where] = fill_cycles(spec, of["rows"] * of["planes"], of["row_bytes"])
        else:
            cycles[where] = transfer_cycles(spec.dma, of["rows"] * of["planes"], of["row_bytes"])
    return cycles
