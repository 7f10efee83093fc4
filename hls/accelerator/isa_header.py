"""``gw_isa.vh``: where the fields of an instruction lie, for the Verilog decoder; made from the instruction table."""

from __future__ import annotations

from gatewright.schedules.accelerator.isa.fields import FIELDS, OPCODES, SPACES, VECTOR_OPS, WORDS

__all__ = ["isa_header"]

_NOT_DECODED = ("input_channels", "output_channels", "channels")
"""Fields for counts and other arrays: no hardware reads them, and words that hold nothing else are not queued."""


def isa_header() -> str:
    """Text of the header: macros that are part selects of an instruction (word 0 in the least significant bits)."""
    lines = ["// Made by gatewright from schedules/accelerator/isa/fields.py.", "`ifndef GW_ISA", "`define GW_ISA"]

    def define(name: str, value: str) -> None:
        lines.append(f"`define GW_{name.upper()} {value}")

    common = FIELDS["halt"]
    define("instruction_bits", str(32 * WORDS))
    define("opcode", f"{32 * common['opcode'].word + common['opcode'].low} +: {common['opcode'].width}")
    define("wait_bit", str(32 * common["wait_load"].word))
    for mnemonic, code in OPCODES.items():
        define(f"op_{mnemonic}", f"8'd{code}")
    for space, number in SPACES.items():
        define(f"space_{space}", f"8'd{number}")
    for operation, number in VECTOR_OPS.items():
        define(f"vector_op_{operation}", f"4'd{number}")
    for mnemonic, fields in FIELDS.items():
        decoded = {name: field for name, field in fields.items() if name not in _NOT_DECODED}
        define(f"{mnemonic}_words", str(1 + max(f.word + (f.width == 64) for f in decoded.values())))
        for name, field in decoded.items():
            if name not in common:
                define(f"{mnemonic}_{name}", f"{32 * field.word + field.low} +: {field.width}")
    return "\n".join([*lines, "`endif", ""])
