"""Flip-flops behind ECP5 block memories move into them only where both circuits are the same."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from gatewright.hls.lattice.toolchain.output_registers import absorb_output_registers

CLOCK, OTHER = [2], [3]


def memory(width: int, **changed: list[Any]) -> dict[str, Any]:
    """A block memory read by port A, or, 36 bits wide, by port B with the pins of both."""
    wide = width == 36
    side = "B" if wide else "A"
    outputs = {f"DOA{i}": [10 + i] for i in range(2)} | ({f"DOB{i}": [20 + i] for i in range(2)} if wide else {})
    pins = {"CLKA": ["0"], "CLKB": ["0"], "CEA": ["0"], "CEB": ["0"], "OCEA": ["0"], "OCEB": ["0"]}
    pins |= {f"CLK{side}": CLOCK, f"CE{side}": ["1"]} | changed
    return {
        "type": "DP16KD",
        "parameters": {"DATA_WIDTH_B": f"{width:032b}", "REGMODE_A": "NOREG", "REGMODE_B": "NOREG"},
        "connections": pins | outputs,
        "port_directions": {**dict.fromkeys(pins, "input"), **dict.fromkeys(outputs, "output")},
    }


def register(source: int, target: int, **changed: Any) -> dict[str, Any]:
    pins = {"CLK": CLOCK, "DI": [source], "Q": [target]} | changed
    directions = {name: "output" if name == "Q" else "input" for name in pins}
    return {"type": "TRELLIS_FF", "parameters": {"CEMUX": "1"}, "connections": pins, "port_directions": directions}


def netlist(width: int = 18, **cells: dict[str, Any]) -> dict[str, Any]:
    outputs = [10, 11] + ([20, 21] if width == 36 else [])
    found = {"memory": memory(width), **{f"ff{bit}": register(bit, bit + 100) for bit in outputs}} | cells
    ports = {"clk": {"bits": CLOCK}, "data": {"bits": [bit + 100 for bit in outputs]}}
    return {"modules": {"top": {"cells": found, "ports": ports}}}


def test_registers_move_into_the_memory() -> None:
    made = netlist()
    assert absorb_output_registers(made, "top") == 2
    (cell,) = made["modules"]["top"]["cells"].values()
    assert (cell["parameters"]["REGMODE_A"], cell["parameters"]["REGMODE_B"]) == ("OUTREG", "NOREG")
    assert cell["connections"]["OCEA"] == ["1"] and cell["connections"]["OCEB"] == ["0"]
    assert [cell["connections"][f"DOA{i}"] for i in range(2)] == [[110], [111]]


def test_both_halves_of_a_wide_word_have_registers() -> None:
    made = netlist(36)
    assert absorb_output_registers(made, "top") == 4
    (cell,) = made["modules"]["top"]["cells"].values()
    assert cell["parameters"]["REGMODE_A"] == cell["parameters"]["REGMODE_B"] == "OUTREG"
    assert cell["connections"]["OCEA"] == cell["connections"]["OCEB"] == ["1"]
    assert [cell["connections"][f"DO{side}{i}"] for side in "AB" for i in range(2)] == [[110], [111], [120], [121]]


@pytest.mark.parametrize(
    "cells",
    [
        {"ff11": register(11, 111, CLK=OTHER)},
        {"ff11": register(11, 111, LSR=[5])},
        {"ff11": {**register(11, 111, CE=[5]), "parameters": {"CEMUX": "CE"}}},
        {"ff11": {**register(11, 111), "parameters": {"CEMUX": "1", "CLKMUX": "INV"}}},
        {"second": register(10, 130)},
        {"logic": {"type": "LUT4", "parameters": {}, "connections": {"A": [10]}, "port_directions": {"A": "input"}}},
        {"memory": memory(18, CEA=[5])},
    ],
    ids=["clock", "reset", "enable", "edge", "read twice", "read by logic", "memory waits"],
)
def test_what_is_not_the_same_stays(cells: dict[str, Any]) -> None:
    made = netlist(**cells)
    before = copy.deepcopy(made)
    assert absorb_output_registers(made, "top") == 0
    assert made == before
