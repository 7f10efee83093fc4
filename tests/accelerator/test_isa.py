"""Instruction set: every program survives text and bytes; what is no program is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.compiler.errors import TargetError
from gatewright.schedules.accelerator.isa.documentation import page
from gatewright.schedules.accelerator.isa.encoding import Instruction, decode, encode, read_words
from gatewright.schedules.accelerator.isa.fields import FIELDS, WORDS
from gatewright.schedules.accelerator.isa.text import assemble, disassemble
from tests.repository.modules import ROOT


@st.composite
def instructions(draw: st.DrawFn) -> Instruction:
    mnemonic = draw(st.sampled_from(sorted(FIELDS)))
    values: dict[str, Any] = {}
    for name, field in FIELDS[mnemonic].items():
        if name != "opcode" and draw(st.booleans()):
            low, high = field.range
            values[name] = draw(st.one_of(st.sampled_from([low, high, 0]), st.integers(low, high)))
    return Instruction(mnemonic, **values)


@given(st.lists(instructions(), max_size=8))
def test_round_trip(program: list[Instruction]) -> None:
    words = encode(program)
    again = decode(words)
    assert [i.mnemonic for i in again] == [i.mnemonic for i in program]
    for before, after in zip(program, again, strict=True):
        assert all(after[name] == before.get(name, 0) for name in FIELDS[before.mnemonic])
    assert np.array_equal(encode(again), words)
    assert np.array_equal(assemble(disassemble(words)), words)
    assert np.array_equal(read_words(words.astype("<u4").tobytes(), "x"), words)


@pytest.mark.parametrize("mnemonic", sorted(FIELDS))
def test_fields_do_not_overlap(mnemonic: str) -> None:
    taken: set[int] = set()
    for name, field in FIELDS[mnemonic].items():
        first = 32 * field.word + field.low
        bits = set(range(first, first + field.width))
        assert not bits & taken, name
        assert max(bits) < 32 * WORDS
        assert field.width == 64 or field.low + field.width <= 32
        taken |= bits


def test_page_is_current() -> None:
    written = (ROOT / "schedules/accelerator/isa/README.md").read_text("utf-8")
    assert written == page(), "run the command in the page's first paragraph"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("jump", "no such instruction"),
        ("load colour=3", "has no field 'colour'"),
        ("load rows=3 rows=4", "stands twice"),
        ("load rows=many", "wants a number"),
        ("load space=attic", "one of activation"),
        ("fill opcode=3", "has no field 'opcode'"),
    ],
)
def test_assembler_names_the_line(text: str, reason: str) -> None:
    with pytest.raises(TargetError, match=reason) as caught:
        assemble(f"halt # fine\n\n{text}\n")
    assert caught.value.code == "GW4305"
    assert caught.value.place == "line 3"


def test_values_must_fit() -> None:
    with pytest.raises(TargetError, match="height = 65536 lies outside") as caught:
        encode([Instruction("matmul", height=1 << 16)])
    assert caught.value.code == "GW4303"


def test_stray_bits_and_opcodes_are_refused() -> None:
    words = encode([Instruction("halt"), Instruction("halt")])
    words[1, 0] = 99
    with pytest.raises(TargetError, match="unknown opcode 99"):
        decode(words)
    words[1, 0], words[1, 20] = 0, 1
    with pytest.raises(TargetError, match="outside every field") as caught:
        decode(words)
    assert caught.value.place == "instruction 1"
    with pytest.raises(TargetError, match="no whole number"):
        read_words(b"123", "program.bin")
