"""``gatewright doctor``: what is installed, what is missing, and what for."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING, Any

import click

from gatewright.compiler.cli.output import Outcome, Progress, verb
from gatewright.compiler.errors import ExitCode

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["TOOLS", "command"]

TOOLS: Sequence[tuple[str, bool, str]] = (
    ("g++", True, "C simulation of HLS projects"),
    ("vitis_hls", False, "--synth of Vitis projects (AMD Vitis, licence needed)"),
    ("vitis-run", False, "--synth of Vitis projects, 2024.2 and later"),
    ("vivado_hls", False, "--synth of Vivado HLS projects"),
    ("vivado", False, "--synth of VivadoAccelerator projects, bitstreams"),
)
"""(program, whether it is required, what for)."""


@click.command("doctor")
@verb
def command(progress: Progress) -> Outcome:
    """Say which packages and tools are here; exit code 6 when a required one is missing."""
    rows = [_python(), *_packages(), *_tools()]
    missing = any(row["required"] and not row["ok"] for row in rows)

    def render(console: Console) -> None:
        from rich.table import Table

        table = Table("", "part", "found", "needed for", box=None, pad_edge=False)
        for row in rows:
            mark = "ok" if row["ok"] else ("MISSING" if row["required"] else "-")
            table.add_row(mark, row["name"], row["found"] or "-", row["purpose"])
        console.print(table)

    return Outcome(rows, render, ExitCode.TOOL if missing else ExitCode.OK)


def _row(kind: str, name: str, found: str | None, ok: bool, required: bool, purpose: str) -> dict[str, Any]:
    return {"kind": kind, "name": name, "found": found, "ok": ok, "required": required, "purpose": purpose}


def _python() -> dict[str, Any]:
    found = platform.python_version()
    return _row("python", "python", found, found.startswith("3.11."), True, "TVM's wheels and ours: 3.11")


def _packages() -> list[dict[str, Any]]:
    from packaging.requirements import Requirement

    rows = []
    for text in requires("gatewright") or []:
        requirement = Requirement(text)
        extra = str(requirement.marker).partition("extra == ")[2].strip("\"'") if requirement.marker else ""
        if requirement.name == "gatewright" or extra == "dev":
            continue
        purpose = f"extra {extra}" if extra else "always"
        try:
            found: str | None = version(requirement.name)
        except PackageNotFoundError:
            found = None
        ok = found is not None and requirement.specifier.contains(found, prereleases=True)
        rows.append(_row("package", f"{requirement.name}{requirement.specifier}", found, ok, not extra, purpose))
    return rows


def _tools() -> list[dict[str, Any]]:
    rows = []
    for name, required, purpose in TOOLS:
        path = shutil.which(name)
        rows.append(_row("tool", name, _tool_version(path) if path else None, path is not None, required, purpose))
    return rows


def _tool_version(path: str) -> str:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "does not answer"
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0].strip() if lines else "found"
