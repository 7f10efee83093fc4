"""Energy is counts times a named table; tables are data that say where every number comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewright.compiler.errors import UsageError
from gatewright.schedules.accelerator.energy import (
    LEVELS,
    EnergyTable,
    energy_of,
    layer_energy,
    scratchpad_pj_per_byte,
)
from gatewright.schedules.accelerator.timing.counts import Counts, total_counts
from gatewright.targets.accelerator.energy_tables import energy_table, shipped_tables
from tests.accelerator.random_specs import make_spec

TABLE = """
name = "mine"
title = "t"
source = "s"
[operations]
mac = {pj = 2, source = "s", grade = "A"}
vector = {pj = 3, source = "s", grade = "A"}
rescale = {pj = 5, source = "s", grade = "A"}
[dram]
read_pj_per_byte = 7
write_pj_per_byte = 11
source = "s"
grade = "A"
[[scratchpads]]
bytes = 1024
read_pj_per_byte = 1
write_pj_per_byte = 2
source = "s"
grade = "A"
[[scratchpads]]
bytes = 4096
read_pj_per_byte = 4
write_pj_per_byte = 4
source = "s"
grade = "A"
"""


@pytest.fixture
def mine(tmp_path: Path) -> EnergyTable:
    path = tmp_path / "mine.toml"
    path.write_text(TABLE, encoding="utf-8")
    return energy_table(str(path))


def test_every_count_has_its_price(mine: EnergyTable) -> None:
    # 4096 bytes of activations, 1024 of the others.
    spec = make_spec()
    prices = {
        "array_macs": ("matrix", 2), "vector_macs": ("vector", 2 - 3), "vector_operations": ("vector", 3),
        "rescales": ("vector", 5), "dram_weight_read": ("dram", 7), "dram_constant_read": ("dram", 7),
        "dram_activation_read": ("dram", 7), "dram_activation_written": ("dram", 11),
        "activation_read": ("activation", 4), "activation_written": ("activation", 4), "weight_read": ("weight", 1),
        "weight_written": ("weight", 2), "constant_read": ("constant", 1), "constant_written": ("constant", 2),
        "accumulator_read": ("accumulator", 1), "accumulator_written": ("accumulator", 2),
    }  # fmt: skip
    for name in Counts().to_json():
        energy = energy_of(spec, Counts(**{name: 1000}), mine)
        assert energy.table == "mine"
        assert tuple(energy.pj) == LEVELS
        level, price = prices.get(name, ("dram", 0))
        assert energy.pj[level] == 1000 * price, name
        assert energy.energy_pj == 1000 * price, name


def test_layers_sum_to_the_network(mine: EnergyTable) -> None:
    counts = {
        "a": Counts(array_macs=100, dram_weight_read=30, accumulator_read=8),
        "b": Counts(array_macs=50, rescales=4, vector_operations=9),
    }
    whole = energy_of(make_spec(), total_counts(counts), mine).energy_pj
    assert sum(energy.energy_pj for energy in layer_energy(make_spec(), counts, mine).values()) == whole
    assert counts["a"] + counts["b"] == total_counts(counts) == Counts(**total_counts(counts).to_json())


def test_scratchpads_between_and_outside_the_sizes_of_a_table(mine: EnergyTable) -> None:
    assert scratchpad_pj_per_byte(mine, 1024) == (1.0, 2.0)
    assert scratchpad_pj_per_byte(mine, 4096) == (4.0, 4.0)
    # Reads grow as the capacity, writes as its square root.
    assert scratchpad_pj_per_byte(mine, 2048) == pytest.approx((2.0, 2 * 2**0.5))
    assert scratchpad_pj_per_byte(mine, 512) == pytest.approx((0.5, 2**0.5))
    assert scratchpad_pj_per_byte(mine, 16384) == pytest.approx((16.0, 8.0))
    one = mine.model_copy(update={"scratchpads": mine.scratchpads[:1]})
    assert scratchpad_pj_per_byte(one, 77) == (1.0, 2.0)


def test_shipped_tables() -> None:
    assert set(shipped_tables()) == {"accelergy40", "horowitz45", "tpu7nm"}
    for name, table in shipped_tables().items():
        assert energy_table(name) is table
        assert table.name == name
        assert table.source and table.dram.source and all(entry.source for entry in table.scratchpads)
        sizes = [1 << power for power in range(6, 25)]
        energies = [scratchpad_pj_per_byte(table, size) for size in sizes]
        assert energies == sorted(energies)
    # int8: 0.2 + 0.1 pJ; 32 KB: 20 pJ for 8 bytes; DRAM: 1300 pJ for 8 bytes (Horowitz).
    horowitz = energy_table("horowitz45")
    assert horowitz.operations.mac.pj == 0.3
    assert scratchpad_pj_per_byte(horowitz, 32768) == (20 / 8, 20 / 8)
    assert horowitz.dram.read_pj_per_byte == 1300 / 8


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TABLE.replace("pj = 2", "pj = -2"), "operations.mac.pj"),
        (TABLE.replace("bytes = 4096", "bytes = 1024"), "ascending"),
        (TABLE.replace('grade = "A"}', 'grade = "Z"}', 1), "operations.mac.grade"),
        ("name = ", "is no TOML"),
        (TABLE + "\nmore = 1", "more"),
    ],
)
def test_malformed_tables(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="GW4320") as caught:
        energy_table(str(path))
    assert says in str(caught.value) and "wrong.toml" in str(caught.value)


def test_unknown_tables(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="GW4320") as caught:
        energy_table("horowitz54")
    assert any("horowitz45" in action for action in caught.value.actions)
    with pytest.raises(UsageError, match="GW4320"):
        energy_table(str(tmp_path / "absent.toml"))
