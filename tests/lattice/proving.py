"""What proofs are made with: Yosys turns a module of claims into a circuit, ABC decides it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path

_YOSYS = "import sys; from pyosys import libyosys as ys; d = ys.Design(); ys.run_pass('script ' + sys.argv[1], d)"
_PREPARE = """proc; flatten; opt; memory -nomap; memory_map; opt -full; async2sync; techmap; opt; dffunmap
setundef -zero -undriven; aigmap; opt_clean
write_aiger -zinit claims.aig
"""


def library(*names: str) -> str:
    folder = files("gatewright.hls").joinpath("rtl")
    return "\n".join(folder.joinpath(f"{name}.v").read_text("utf-8") for name in names)


def holds(
    folder: Path, verilog: str, cycles: int = 0, parameters: Mapping[str, object] | None = None, cells: str = ""
) -> bool:
    """Whether the assertions of the module ``claims`` hold.

    Args:
        folder: where the files may lie.
        verilog: all modules. Registers without a value at first hold any.
        cycles: in so many cycles from the start; 0: for ever (property directed reachability).
        parameters: of ``claims``.
        cells: the family whose cells the library instantiates in synthesis; they are Yosys's own models. By default the
            library is as simulators see it.
    """
    (folder / "claims.v").write_text(verilog)
    given = " ".join(f"-chparam {name} {value}" for name, value in (parameters or {}).items())
    synthesis = f"-DSYNTHESIS claims.v\nread_verilog -defer -overwrite +/{cells}/cells_sim.v" if cells else "claims.v"
    script = f"read_verilog -defer -formal {synthesis}\nhierarchy -top claims {given}\n{_PREPARE}"
    (folder / "script.ys").write_text(script)
    run = partial(subprocess.run, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    made = run([sys.executable, "-c", _YOSYS, "script.ys"])
    assert not made.returncode, made.stdout[-2000:] + made.stderr[-2000:]
    spec = importlib.util.find_spec("pyosys")
    assert spec is not None and spec.origin is not None
    abc = Path(spec.origin).parent / "yosys-abc"
    search = f"bmc3 -F {cycles}" if cycles else "pdr"
    said = run([str(abc), "-c", f"read_aiger claims.aig; fold; strash; {search}"]).stdout
    proved = (f"No output asserted in {cycles} frames", "Property proved", "Explored all reachable states")
    good = any(words in said for words in proved)
    assert good != ("was asserted in frame" in said), said[-2000:]
    return good
