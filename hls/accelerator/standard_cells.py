"""The array in standard cells: Yosys maps it to those of a liberty file; cells and area are read from its report."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatewright.compiler.errors import ToolError, UsageError
from gatewright.hls.accelerator.verilog import ARRAY, copy_library
from gatewright.hls.lattice.toolchain import tools
from gatewright.schedules.accelerator.spec import Spec

__all__ = ["StandardCells", "map_array", "read_statistics"]

_TOP = "gw_systolic_array"
_LIBERTY, _STATISTICS, _NETLIST = "cells.lib", "statistics.json", "array.v"


@dataclass(frozen=True)
class StandardCells:
    """What a library's cells make of the array (processing elements and the skew of their inputs; no memories).

    Attributes:
        cells: how many of each cell.
        area: their area, in the library's unit (mostly um2).
        sequential_area: of it that of registers, 0 where Yosys does not say.
        netlist: the mapped Verilog.
    """

    cells: Mapping[str, int]
    area: float
    sequential_area: float
    netlist: Path

    @property
    def cell_count(self) -> int:
        """All cells."""
        return sum(self.cells.values())


def map_array(spec: Spec, liberty: Path, directory: Path, *, timeout_s: float = 3600) -> StandardCells:
    """Map the systolic array of ``spec`` to the cells of ``liberty``.

    Each processing element is mapped once and counted as often as it is there. Registers start undefined.

    Args:
        spec: a weight-stationary accelerator; only its rows and columns matter here.
        liberty: the library (Liberty format); it needs a D flip-flop and gates that make every function.
        directory: an existing folder; ``cells.ys``, ``cells.log`` and the mapped netlist are left in it.
        timeout_s: seconds Yosys may take.

    Raises:
        UsageError: GW4311 when the file cannot be read or is no liberty file.
        ToolError: GW5030 without Yosys, GW5031 when it is killed, GW5310 when it cannot map to these cells.
    """
    _check_liberty(liberty)
    sources = copy_library(ARRAY, directory)
    # A name without blanks, beside the script.
    shutil.copyfile(liberty, directory / _LIBERTY)
    (directory / "cells.ys").write_text(_script(spec, sources), encoding="utf-8")
    (directory / _STATISTICS).unlink(missing_ok=True)
    log = directory / "cells.log"
    status = tools.run(tools.yosys(), ["cells.ys"], directory, log, timeout_s)
    if status != 0 or not (directory / _STATISTICS).exists():
        raise _not_mapped(liberty, tools.last_line(log))
    (directory / _LIBERTY).unlink()
    found = read_statistics((directory / _STATISTICS).read_text("utf-8"), directory / _NETLIST)
    inside = sorted(name for name in found.cells if name.startswith("$"))
    if inside:
        raise _not_mapped(liberty, f"no cell of the library makes {', '.join(inside)}")
    return found


def _check_liberty(path: Path) -> None:
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError as error:
        raise _no_liberty(path, f"cannot be read: {error.strerror}") from None
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    if not re.match(r"\s*library\s*\(", text) or not re.search(r"\bcell\s*\(", text):
        raise _no_liberty(path, "is no liberty file: it has no library (...) { cell (...) ... }")


def _no_liberty(path: Path, reason: str) -> UsageError:
    return UsageError("GW4311", str(path), reason, "name the .lib file of a standard-cell library, not compressed")


def _not_mapped(path: Path, reason: str) -> ToolError:
    return ToolError(
        "GW5310", "yosys", f"the array cannot be mapped to {path.name}: {reason}",
        "use a library with a D flip-flop, a buffer, an inverter and a NAND or NOR gate", "read cells.log",
    )  # fmt: skip


def _script(spec: Spec, sources: Sequence[str]) -> str:
    size = f"-chparam ROWS {spec.matrix.rows} -chparam COLUMNS {spec.matrix.columns}"
    return "\n".join(
        [
            *(f"read_verilog -defer {name}" for name in sources),
            f"hierarchy -top {_TOP} {size}",
            # Standard cells hold nothing when they wake; the array's flags are flushed by reset.
            "proc",
            "attrmap -remove init",
            # One processing element is mapped for all of them; the skews dissolve into the array.
            "setattr -mod -set keep_hierarchy 1 *gw_pe*",
            "flatten",
            f"synth -run coarse: -top {_TOP}",
            f"dfflibmap -liberty {_LIBERTY}",
            f"abc -liberty {_LIBERTY}",
            "opt_clean -purge",
            f"write_verilog -noattr {_NETLIST}",
            f"tee -q -o {_STATISTICS} stat -json -top {_TOP} -liberty {_LIBERTY}",
            "",
        ]
    )


def read_statistics(text: str, netlist: Path) -> StandardCells:
    """Totals of Yosys' ``stat -json -liberty``.

    Args:
        text: its report, with whatever Yosys prints around the JSON.
        netlist: the netlist it is of.
    """
    report = json.loads(text[text.index("{") : text.rindex("}") + 1])
    design, modules = report["design"], {name.lstrip("\\") for name in report["modules"]}
    cells = {name: _count(entry) for name, entry in design["num_cells_by_type"].items() if name not in modules}
    return StandardCells(cells, float(design["area"]), float(design.get("sequential_area", 0.0)), netlist)


def _count(entry: int | Mapping[str, int]) -> int:
    return int(entry) if isinstance(entry, int) else int(entry["count"])
