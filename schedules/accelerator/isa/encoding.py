"""Binary form of programs: one row of 32 words an instruction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import TargetError
from gatewright.schedules.accelerator.isa.fields import FIELDS, OPCODES, WORDS, Field

__all__ = [
    "MNEMONICS", "Columns", "Instruction", "Words", "column", "columns", "decode", "encode", "malformed", "read_words",
]  # fmt: skip

Words = npt.NDArray[np.uint32]
"""A program: (instructions, 32) words."""

MNEMONICS: Mapping[int, str] = {code: name for name, code in OPCODES.items()}
"""Opcode -> mnemonic."""


class Columns(Mapping[str, npt.NDArray[np.int64]]):
    """Field -> its values in many instructions of a kind, (n,) int64. A field is decoded when it is first asked for.

    Args:
        mnemonic: the kind.
        words: (n, 32) the instructions.
    """

    def __init__(self, mnemonic: str, words: Words) -> None:
        self._fields, self._words = FIELDS[mnemonic], words
        self._decoded: dict[str, npt.NDArray[np.int64]] = {}

    def __getitem__(self, name: str) -> npt.NDArray[np.int64]:
        if name not in self._decoded:
            self._decoded[name] = column(self._words, self._fields[name])
        return self._decoded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


class Instruction(dict[str, int]):
    """Field values of one instruction by name; fields that are not named are 0.

    Args:
        mnemonic: a key of :data:`~gatewright.schedules.accelerator.isa.fields.OPCODES`.
        values: fields by name.

    Raises:
        KeyError: the instruction has no such field.
    """

    def __init__(self, mnemonic: str, **values: int) -> None:
        known = FIELDS[mnemonic]
        for name in values:
            if name not in known:
                raise KeyError(f"{mnemonic} has no field {name!r}")
        super().__init__(values)
        self.mnemonic = mnemonic
        self["opcode"] = OPCODES[mnemonic]

    def __missing__(self, name: str) -> int:
        if name in FIELDS[self.mnemonic]:
            return 0
        raise KeyError(name)

    def __repr__(self) -> str:
        return f"{self.mnemonic} " + " ".join(f"{name}={value}" for name, value in self.items() if name != "opcode")


def encode(instructions: Iterable[Instruction]) -> Words:
    """Words of a program.

    Raises:
        TargetError: GW4303 when a value does not fit its field: the tile is too large for the instruction set.
    """
    rows = list(instructions)
    words = np.zeros((len(rows), WORDS), np.uint32)
    places: dict[str, list[int]] = {}
    for index, instruction in enumerate(rows):
        places.setdefault(instruction.mnemonic, []).append(index)
    for mnemonic, where in places.items():
        # A field of all instructions of a kind at once; what none of them names is 0.
        same = [rows[index] for index in where]
        named = set().union(*same)
        packed = np.zeros((len(same), WORDS), np.int64)
        for name, field in FIELDS[mnemonic].items():
            if name not in named:
                continue
            values = [instruction.get(name, 0) for instruction in same]
            bits = _in_range(mnemonic, name, field, values)
            if field.width == 64:
                packed[:, field.word] = bits & 0xFFFFFFFF
                packed[:, field.word + 1] = (bits >> 32) & 0xFFFFFFFF
            else:
                packed[:, field.word] |= (bits & ((1 << field.width) - 1)) << field.low
        words[where] = packed.astype(np.uint32)
    return words


def _in_range(mnemonic: str, name: str, field: Field, values: list[int]) -> npt.NDArray[np.int64]:
    low, high = field.range
    if min(values) < low or max(values) > high:
        wrong = next(value for value in values if not low <= value <= high)
        raise TargetError(
            "GW4303", mnemonic, f"{name} = {wrong} lies outside [{low}, {high}]",
            "the tensor is too large for the instruction set; split the model's layer",
        )  # fmt: skip
    return np.array(values, np.int64)


def column(words: Words, field: Field) -> npt.NDArray[np.int64]:
    """One field of many instructions of a kind, (n,) int64."""
    value = words[:, field.word].astype(np.int64)
    if field.width == 64:
        return value | (words[:, field.word + 1].astype(np.int64) << 32)
    value = (value >> field.low) & ((1 << field.width) - 1)
    return value - ((value >> (field.width - 1)) << field.width) if field.signed else value


def columns(words: Words) -> Iterator[tuple[str, npt.NDArray[np.intp], Columns]]:
    """Every kind of instruction in a program but ``halt``: (mnemonic, (n,) where they stand, fields)."""
    opcodes = words[:, 0] & 0xFF
    for mnemonic, code in OPCODES.items():
        (where,) = np.nonzero(opcodes == code)
        if len(where) and mnemonic != "halt":
            yield mnemonic, where, Columns(mnemonic, words[where])


def decode(words: Words) -> list[Instruction]:
    """Instructions of a program, every field named.

    Raises:
        TargetError: GW4304 on an unknown opcode or a bit set outside every field.
    """
    table = np.ascontiguousarray(words, np.uint32).reshape(-1, WORDS)
    result: list[Instruction | None] = [None] * len(table)
    opcodes = table[:, 0] & 0xFF
    for code in np.unique(opcodes):
        (where,) = np.nonzero(opcodes == code)
        if int(code) not in MNEMONICS:
            raise malformed(int(where[0]), f"unknown opcode {int(code)}")
        mnemonic, rows = MNEMONICS[int(code)], table[where]
        layout = FIELDS[mnemonic]
        stray = rows & ~_used(layout)[None, :]
        if stray.any():
            raise malformed(int(where[np.nonzero(stray.any(axis=1))[0][0]]), "bits are set outside every field")
        found = {name: column(rows, field).tolist() for name, field in layout.items()}
        for position, index in enumerate(where):
            values: dict[str, Any] = {name: one[position] for name, one in found.items() if name != "opcode"}
            result[index] = Instruction(mnemonic, **values)
    return [instruction for instruction in result if instruction is not None]


def read_words(data: bytes, place: str) -> Words:
    """A program from its bytes.

    Raises:
        TargetError: GW4304 on a length that is no whole number of instructions.
    """
    if len(data) % (4 * WORDS):
        raise TargetError("GW4304", place, f"{len(data)} bytes are no whole number of {4 * WORDS}-byte instructions",
                          "build the artefact again; the file is damaged")  # fmt: skip
    return np.frombuffer(data, "<u4").reshape(-1, WORDS).astype(np.uint32)


def _used(layout: Mapping[str, Field]) -> Words:
    masks = [0] * WORDS
    for field in layout.values():
        masks[field.word] |= (((1 << min(field.width, 32)) - 1) << field.low) & 0xFFFFFFFF
        if field.width == 64:
            masks[field.word + 1] = 0xFFFFFFFF
    return np.array(masks, np.uint32)


def malformed(index: int, reason: str) -> TargetError:
    """The error (GW4304) for an instruction no compiler writes."""
    return TargetError("GW4304", f"instruction {index}", reason, "build the artefact again; the file is damaged")
