"""The one table of the instruction set: every field of every instruction, and where its bits lie.

An instruction is 32 words of 32 bits, little endian, 128 bytes. Encoder, decoder, assembler, disassembler, the Verilog
decoder and the page ``README.md`` beside this file are made from this table.

Word 0 begins with the opcode (bits 7:0). Words 1 to 4 are the waits: an instruction starts when the load, store, matrix
and vector unit have completed at least so many instructions since the program began. An instruction waits only for
instructions before it in the program, so no program deadlocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FIELDS", "FIRST_WAIT", "OPCODES", "SPACES", "UNITS", "UNIT_OF", "VECTOR_OPS", "WORDS", "Field"]

WORDS = 32
"""32-bit words of one instruction."""

OPCODES: Mapping[str, int] = {"halt": 0, "load": 1, "store": 2, "fill": 3, "matmul": 4, "vector": 5}
"""Mnemonic -> opcode."""

UNITS = ("load", "store", "matrix", "vector")
"""The units with a queue each; waits are in this order."""

FIRST_WAIT = 1
"""Word of the first wait; the others follow in the order of the units."""

UNIT_OF: Mapping[str, str] = {
    "load": "load", "fill": "load", "store": "store", "matmul": "matrix", "vector": "vector"
}  # fmt: skip
"""Unit that executes an instruction; ``halt`` belongs to none: the program ends when its waits are met."""

SPACES: Mapping[str, int] = {"activation": 0, "weight": 1, "constant": 2, "accumulator": 3}
"""Scratchpad -> number. Addresses are bytes, but rows of C accumulators in ``accumulator``."""

VECTOR_OPS: Mapping[str, int] = {
    "rescale": 0, "depthwise": 1, "sum": 2, "max": 3, "add": 4, "multiply": 5, "table": 6
}  # fmt: skip
"""Operation of a ``vector`` instruction -> number."""


@dataclass(frozen=True)
class Field:
    """One field.

    Attributes:
        word: of the instruction. low: least bit in it. width: bits; 64 spans this word and the next.
        signed: two's complement. meaning: for the documentation.
    """

    word: int
    low: int
    width: int
    signed: bool
    meaning: str

    @property
    def range(self) -> tuple[int, int]:
        """Least and greatest value."""
        if self.signed:
            return -(1 << (self.width - 1)), (1 << (self.width - 1)) - 1
        return 0, (1 << self.width) - 1


def _u(word: int, meaning: str, low: int = 0, width: int = 32) -> Field:
    return Field(word, low, width, False, meaning)


def _s(word: int, meaning: str, low: int = 0, width: int = 32) -> Field:
    return Field(word, low, width, True, meaning)


_COMMON = {
    "opcode": _u(0, "what to do", 0, 8),
    **{
        f"wait_{unit}": _u(word, f"instructions the {unit} unit must have completed")
        for word, unit in enumerate(UNITS, FIRST_WAIT)
    },
}
_TRANSFER = {
    "space": _u(0, "scratchpad", 8, 8),
    "local_address": _u(6, "first byte in the scratchpad"),
    "row_bytes": _u(7, "contiguous bytes of a row"),
    "rows": _u(8, "rows of a plane"),
    "planes": _u(9, "planes"),
    "local_row_stride": _s(12, "bytes from row to row in the scratchpad"),
    "local_plane_stride": _s(13, "bytes from plane to plane in the scratchpad"),
}
_DRAM = {
    "dram_address": _u(5, "first byte in DRAM"),
    "dram_row_stride": _s(10, "bytes from row to row in DRAM"),
    "dram_plane_stride": _s(11, "bytes from plane to plane in DRAM"),
}

FIELDS: Mapping[str, Mapping[str, Field]] = {
    "halt": _COMMON,
    "load": {**_COMMON, **_TRANSFER, **_DRAM},
    "store": {**_COMMON, **_TRANSFER, **_DRAM},
    "fill": {**_COMMON, **_TRANSFER, "value": _u(0, "byte that is written", 16, 8)},
    "matmul": {
        **_COMMON,
        "accumulate": _u(0, "1: add to the accumulators, 0: overwrite them", 8, 1),
        "activation_signed": _u(0, "activations are two's complement", 9, 1),
        "weight_signed": _u(0, "weights are two's complement", 10, 1),
        "weight_zero": _s(0, "subtracted from every weight as it is loaded", 16, 16),
        "activation_address": _u(5, "first byte of the first pixel"),
        "weight_address": _u(6, "first byte of the first fold"),
        "accumulator_address": _u(7, "first row"),
        "height": _u(8, "rows of pixels", 0, 16),
        "width": _u(8, "pixels in a row", 16, 16),
        "kernel_height": _u(9, "rows of the window", 0, 16),
        "kernel_width": _u(9, "columns of the window", 16, 16),
        "input_blocks": _u(10, "blocks of R input channels at a window position", 0, 16),
        "output_blocks": _u(10, "blocks of C output channels", 16, 16),
        "row_stride": _s(11, "bytes from a row of pixels to the next"),
        "pixel_stride": _s(12, "bytes from a pixel to the next"),
        "kernel_row_stride": _s(13, "bytes from a row of the window to the next"),
        "kernel_pixel_stride": _s(14, "bytes from a column of the window to the next"),
        "input_channels": _u(15, "input channels that are no padding (for counts and output-stationary arrays)", 0, 16),
        "output_channels": _u(15, "output channels that are no padding", 16, 16),
    },
    "vector": {
        **_COMMON,
        "operation": _u(0, "rescale, depthwise, sum, max, add, multiply or table", 8, 4),
        "from_accumulator": _u(0, "operand a lies in the accumulators, not in the activations", 12, 1),
        "per_channel": _u(0, "bias, multiplier and shift are read by channel from the constants", 13, 1),
        "a_signed": _u(0, "operand a is two's complement", 14, 1),
        "b_signed": _u(0, "operand b is two's complement", 15, 1),
        "weight_signed": _u(0, "depthwise weights are two's complement", 16, 1),
        "shift": _u(0, "n, where not by channel", 24, 6),
        "a_address": _u(5, "operand a: first byte, or first accumulator row"),
        "b_address": _u(6, "operand b: first byte"),
        "output_address": _u(7, "first byte of the result"),
        "parameter_address": _u(8, "constants: first record of bias, multiplier, shift"),
        "weight_address": _u(9, "constants: depthwise weights, or the table of 256 bytes"),
        "height": _u(10, "rows of pixels", 0, 16),
        "width": _u(10, "pixels in a row", 16, 16),
        "kernel_height": _u(11, "rows of the window", 0, 16),
        "kernel_width": _u(11, "columns of the window", 16, 16),
        "blocks": _u(12, "blocks of C channels", 0, 16),
        "channels": _u(12, "channels that are no padding (for counts)", 16, 16),
        "a_block_stride": _s(13, "operand a: from a block of channels to the next"),
        "a_row_stride": _s(14, "operand a: from a row of pixels to the next"),
        "a_pixel_stride": _s(15, "operand a: from a pixel to the next"),
        "a_kernel_row_stride": _s(16, "operand a: from a row of the window to the next"),
        "a_kernel_pixel_stride": _s(17, "operand a: from a column of the window to the next"),
        "b_block_stride": _s(18, "operand b: from a block of channels to the next"),
        "b_row_stride": _s(19, "operand b: from a row of pixels to the next"),
        "b_pixel_stride": _s(20, "operand b: from a pixel to the next"),
        "output_block_stride": _s(21, "result: from a block of channels to the next"),
        "output_row_stride": _s(22, "result: from a row of pixels to the next"),
        "output_pixel_stride": _s(23, "result: from a pixel to the next"),
        "multiplier": _s(24, "M of operand a, where not by channel"),
        "multiplier_b": _s(25, "M of operand b (add)"),
        "addend": _s(26, "k, added before the shift, where not by channel", 0, 64),
        "a_zero": _s(28, "subtracted from operand a (multiply)", 0, 16),
        "b_zero": _s(28, "subtracted from operand b (multiply)", 16, 16),
        "output_zero": _s(29, "z, added after the shift", 0, 16),
        "weight_zero": _s(29, "subtracted from every depthwise weight", 16, 16),
        "clamp_low": _s(30, "least result", 0, 16),
        "clamp_high": _s(30, "greatest result", 16, 16),
    },
}
"""Mnemonic -> field name -> field."""
