"""Assembler and disassembler: one instruction a line, ``mnemonic field=value ...``; fields that are 0 are left out.

load space=activation dram_address=4096 row_bytes=64 rows=8 planes=1 dram_row_stride=64 local_row_stride=64
matmul wait_load=1 height=8 width=8 kernel_height=3 kernel_width=3 input_blocks=1 output_blocks=2 ...
halt wait_store=1    # everything after '#' is a comment
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gatewright.compiler.errors import TargetError
from gatewright.schedules.accelerator.isa.encoding import Instruction, Words, decode, encode
from gatewright.schedules.accelerator.isa.fields import FIELDS, SPACES, VECTOR_OPS

__all__ = ["assemble", "disassemble"]

_NAMED: Mapping[str, Mapping[str, int]] = {"space": SPACES, "operation": VECTOR_OPS}


def disassemble(words: Words) -> str:
    """Text of a program, one line an instruction; :func:`assemble` gives the same words back."""
    return "".join(_line(instruction) + "\n" for instruction in decode(words))


def _line(instruction: Instruction) -> str:
    parts = [instruction.mnemonic]
    for name in FIELDS[instruction.mnemonic]:
        value = instruction.get(name, 0)
        if name == "opcode" or (value == 0 and name not in _NAMED):
            continue
        names = {number: text for text, number in _NAMED.get(name, {}).items()}
        parts.append(f"{name}={names.get(value, value)}")
    return " ".join(parts)


def assemble(text: str) -> Words:
    """Words of a program.

    Raises:
        TargetError: GW4305 with the line that is wrong; GW4303 when a value does not fit its field.
    """
    return encode(_instructions(text.splitlines()))


def _instructions(lines: Iterable[str]) -> list[Instruction]:
    found = []
    for number, line in enumerate(lines, 1):
        parts = line.partition("#")[0].split()
        if not parts:
            continue
        mnemonic, *settings = parts
        if mnemonic not in FIELDS:
            raise _wrong(number, f"no such instruction {mnemonic!r}; there are {', '.join(FIELDS)}")
        values: dict[str, int] = {}
        for setting in settings:
            name, _, value = setting.partition("=")
            if name not in FIELDS[mnemonic] or name == "opcode":
                raise _wrong(number, f"{mnemonic} has no field {name!r}")
            if name in values:
                raise _wrong(number, f"{name} stands twice")
            values[name] = _value(number, name, value)
        found.append(Instruction(mnemonic, **values))
    return found


def _value(number: int, name: str, text: str) -> int:
    named = _NAMED.get(name, {})
    if text in named:
        return named[text]
    try:
        return int(text, 0)
    except ValueError:
        wanted = f"one of {', '.join(named)} or a number" if named else "a number"
        raise _wrong(number, f"{name} wants {wanted}, not {text!r}") from None


def _wrong(line: int, reason: str) -> TargetError:
    return TargetError("GW4305", f"line {line}", reason, "see schedules/accelerator/isa/README.md for the instructions")
