"""Linking object files to a shared library with the system's C++ compiler driver."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from gatewright.compiler.errors import ToolError

__all__ = ["find_linker", "link_shared"]

_DRIVERS = ("g++", "clang++", "c++")


def find_linker() -> list[str]:
    """The linker's command: the environment variable CXX, else the first of g++, clang++, c++ on PATH.

    Raises:
        ToolError: GW5201 when there is none.
    """
    chosen = shlex.split(os.environ.get("CXX", ""))
    for command in [chosen] if chosen else [[name] for name in _DRIVERS]:
        if shutil.which(command[0]):
            return command
    reason = f"CXX is {chosen[0]!r}, which is not on PATH" if chosen else f"none of {', '.join(_DRIVERS)} is on PATH"
    raise ToolError(
        "GW5201", "C++ compiler", reason, "install g++ (package 'g++' or 'gcc-c++')",
        "or set the environment variable CXX to a C++ compiler",
    )  # fmt: skip


def link_shared(output: Path, objects: Sequence[str]) -> None:
    """Link ``objects`` into the shared library ``output``, the same bytes each time.

    Raises:
        ToolError: GW5201 without a linker, GW5202 when it fails.
    """
    # Without build id and symbol table nothing of the temporary file names or the time is left in the library.
    flags = ["-shared", "-fPIC", "-s", "-Wl,--build-id=none", "-o", str(output)]
    command = [*find_linker(), *flags, *objects]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise ToolError(
            "GW5202", command[0], f"linking {output.name} failed: {lines[-1] if lines else done.returncode}",
            "check that the compiler can link: echo 'int main(){}' > a.cc && g++ a.cc",
            "check free disk space",
        )  # fmt: skip
