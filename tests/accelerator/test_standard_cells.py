"""The array in the cells of a tiny library, and files that are none."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from gatewright.compiler.errors import ToolError, UsageError
from gatewright.hls.accelerator.standard_cells import map_array, read_statistics
from gatewright.schedules.accelerator.spec import Spec, read_spec

LIBERTY = Path(__file__).parent / "tiny.lib"
AREAS = {"INV": 1, "BUF": 2, "NAND2": 2, "XOR2": 4, "DFF": 8}


@pytest.fixture(scope="module")
def spec() -> Spec:
    return read_spec(Path(str(files("gatewright.targets").joinpath("accelerator", "specs", "systolic-4x4-ws.toml"))))


def test_registers_and_area_of_the_array(spec: Spec, tmp_path: Path) -> None:
    made = map_array(spec, LIBERTY, tmp_path)
    # A cell: x 9, weights 2 x 9, flags 2, product 18, sum 32. Skews: 10 bits for row i, 9 for column j, by i and j;
    # the swap flag of rows 2 and 3 comes out of the registers of the rows above.
    assert made.cells["DFF"] == 16 * (9 + 18 + 2 + 18 + 32) + (10 + 9) * (1 + 2 + 3) - 3
    assert set(made.cells) <= set(AREAS)
    assert made.area == sum(AREAS[name] * count for name, count in made.cells.items())
    assert made.sequential_area == 8 * made.cells["DFF"]
    assert made.cell_count == sum(made.cells.values())
    assert "module gw_systolic_array" in made.netlist.read_text("utf-8")


def test_a_library_without_flip_flop(spec: Spec, tmp_path: Path) -> None:
    text = LIBERTY.read_text("utf-8")
    library = tmp_path / "gates.lib"
    library.write_text(text[: text.index("  cell (DFF)")] + "}\n", encoding="utf-8")
    with pytest.raises(ToolError, match=r"GW5310 yosys: the array cannot be mapped to gates\.lib"):
        map_array(spec, library, tmp_path)


def test_files_that_are_no_library(spec: Spec, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"GW4311 .*missing\.lib: cannot be read: No such file"):
        map_array(spec, tmp_path / "missing.lib", tmp_path)
    for text in ("module x; endmodule", "library (empty) { }", "\x1f\x8b\x08"):
        (tmp_path / "other.lib").write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=r"GW4311 .*other\.lib: is no liberty file"):
            map_array(spec, tmp_path / "other.lib", tmp_path)


def test_the_report_counts_cells_and_not_modules() -> None:
    report = {
        "modules": {"\\gw_pe": {}, "\\gw_systolic_array": {}},
        "design": {"area": 12.5, "num_cells_by_type": {"DFF": 3, "gw_pe": 2, "INV": {"count": 4, "area": 4.0}}},
    }
    made = read_statistics(f"Yosys says\n{json.dumps(report)}\n", Path("x.v"))
    assert (made.cells, made.area, made.sequential_area, made.cell_count) == ({"DFF": 3, "INV": 4}, 12.5, 0.0, 7)
