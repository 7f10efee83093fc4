"""Spec files: shipped ones are sound, impossible ones are refused with a reason, latency functions are safe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.compiler.errors import UsageError
from gatewright.schedules.accelerator.expressions import Expression
from gatewright.schedules.accelerator.spec import parse_spec, read_spec
from gatewright.targets.accelerator import AcceleratorTarget
from gatewright.targets.accelerator.database import shipped, shipped_text
from tests.accelerator.random_specs import random_spec

GOOD = shipped_text("systolic-8x8-ws")


def test_three_families_with_several_sizes() -> None:
    families: dict[str, list[str]] = {}
    for name, spec in shipped().items():
        assert spec.name == name
        families.setdefault(spec.family, []).append(name)
    assert set(families) == {"systolic", "vta", "npu"}
    assert all(len(names) >= 2 for names in families.values()), families


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("rows = 8", "rows = 6", "one must be a multiple of the other"),
        ("rows = 8", "rows = 0", "matrix.rows"),
        ('dataflow = "ws"', 'dataflow = "rs"', "matrix.dataflow"),
        ("lanes = 8", "lanes = 3", "does not divide"),
        ("bytes = 65536\nbanks = 4", "bytes = 65536\nbanks = 3", "no 3 equal banks"),
        ("bytes = 8192", "bytes = 64", "needs at least"),
        ("bytes_per_cycle = 8", "bytes_per_cycle = 0", "dma.bytes_per_cycle"),
        ("granularity_bytes = 8", "granularity_bytes = 5", "multiple"),
        ("clock_mhz = 50", "clock = 50", "clock"),
        ('dataflow = "ws"', 'dataflow = "ws"\ncycles = "m ** 9"', "not allowed in a latency function"),
        ('dataflow = "ws"', 'dataflow = "ws"\ncycles = "open(1, 2)"', "not allowed in a latency function"),
        ("[matrix]", "[matrix", "is no TOML"),
        ('family = "systolic"', "", "family"),
    ],
)
def test_impossible_specs_are_refused(before: str, after: str, reason: str) -> None:
    assert before in GOOD
    with pytest.raises(UsageError) as caught:
        parse_spec(GOOD.replace(before, after, 1), "mine.toml")
    assert caught.value.code == "GW4301"
    assert caught.value.place == "mine.toml"
    assert reason in caught.value.reason


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("systolic-8x8-ws", "mine"))
    assert AcceleratorTarget.named(f"sim:{path}").spec.name == "mine"
    with pytest.raises(UsageError) as caught:
        read_spec(tmp_path / "absent.toml")
    assert caught.value.code == "GW4302"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        read_spec(path)
    with pytest.raises(UsageError, match="no such accelerator") as caught:
        AcceleratorTarget.named("sim:systolic-8x8-wss")
    assert "sim:systolic-8x8-ws" in caught.value.actions[0]


@given(st.integers(0, 1 << 20), st.integers(1, 1 << 10), st.integers(1, 1 << 10))
def test_expressions_follow_python(m: int, r: int, c: int) -> None:
    expression = Expression("r + ceil(m, c) * max(m - 3, r) // 2 + min(r, c)", ("m", "r", "c"))
    wanted = r + -(-m // c) * max(m - 3, r) // 2 + min(r, c)
    assert expression(m=m, r=r, c=c) == wanted
    assert expression(m=np.array([m, m]), r=r, c=c).tolist() == [wanted, wanted]


@pytest.mark.parametrize("text", ["m + k", "m.real", "m()", "True", "1.5", "max(m)", "m if m else 1", "(" * 300, "m +"])
def test_expressions_refuse_the_rest(text: str) -> None:
    with pytest.raises(ValueError, match=r"latency function|expression"):
        Expression(text, ("m",))


def test_random_specs_are_possible() -> None:
    assert len({random_spec(seed).model_dump_json() for seed in range(50)}) > 45
