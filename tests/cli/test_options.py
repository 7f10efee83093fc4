"""Texts of the command line become values, or an error that says how to write them."""

from __future__ import annotations

import pytest

from gatewright.compiler.cli.options import parse_bits, parse_input_shapes, parse_settings, settings_for
from gatewright.compiler.cli.verify import sample_limits
from gatewright.compiler.errors import UsageError


def test_input_shapes_split_at_the_last_bracket() -> None:
    assert parse_input_shapes(["serving_default_x:0:[1,3,32,32]", "state:[ 2 , 4 ]", "scalar:[]"]) == {
        "serving_default_x:0": (1, 3, 32, 32), "state": (2, 4), "scalar": (),
    }  # fmt: skip


@pytest.mark.parametrize("text", ["x", "x:1,2", "x:[1,2", ":[1]", "x:[1,-2]", "x:[1,a]", "x:[1,]", "x:[1.5]"])
def test_bad_input_shapes(text: str) -> None:
    with pytest.raises(UsageError, match="GW0004"):
        parse_input_shapes([text])


def test_an_input_shape_given_twice() -> None:
    with pytest.raises(UsageError, match="twice"):
        parse_input_shapes(["x:[1]", "x:[2]"])


def test_bits() -> None:
    assert parse_bits("4, 8") == (4, 8)
    for text in ("8", "8,8,8", "a,b", "-4,8", ""):
        with pytest.raises(UsageError, match="GW0005"):
            parse_bits(text)


def test_settings_are_numbers_booleans_json_or_text() -> None:
    texts = [
        "reuse_factor=4",
        "csim=false",
        "clock_mhz=12.5",
        'strategy={"a": "latency"}',
        "io_type=io_stream",
        "a.b=x=y",
    ]
    assert parse_settings(texts) == {
        "reuse_factor": 4, "csim": False, "clock_mhz": 12.5, "strategy": {"a": "latency"}, "io_type": "io_stream",
        "a.b": "x=y",
    }  # fmt: skip
    for wrong in (["novalue"], ["=1"], ["a=1", "a=2"]):
        with pytest.raises(UsageError, match="GW0006"):
            parse_settings(wrong)


def test_settings_nested_beyond_reason_are_text() -> None:
    assert parse_settings(["deep=" + "[" * 100000])["deep"].startswith("[[")


def test_settings_reach_the_families_that_have_them() -> None:
    known = {"cpu": {}, "xilinx": {"reuse_factor": ""}, "other": {"reuse_factor": ""}}
    settings = {"reuse_factor": 4, "xilinx.reuse_factor": 8, "cpu.anything": 1}
    assert settings_for(settings, known) == {
        "cpu": {"anything": 1}, "xilinx": {"reuse_factor": 8}, "other": {"reuse_factor": 4},
    }  # fmt: skip
    assert settings_for(dict(reversed(settings.items())), known)["xilinx"] == {"reuse_factor": 8}
    with pytest.raises(UsageError, match="GW0019"):
        settings_for({"nosuch": 1}, known)


def test_sample_limits() -> None:
    targets = ["cpu", "xilinx:zcu104"]
    assert sample_limits([], targets) == {"cpu": None, "xilinx:zcu104": None}
    assert sample_limits(["xilinx:zcu104=8", "256"], targets) == {"cpu": 256, "xilinx:zcu104": 8}
    for wrong in ("0", "x", "gpu=3", "cpu=", "cpu=-1"):
        with pytest.raises(UsageError, match="GW0015"):
            sample_limits([wrong], targets)
