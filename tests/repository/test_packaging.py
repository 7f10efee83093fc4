"""What is installed is what is in the repository."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.repository.modules import PACKAGES, ROOT, sources

DATA = (".toml", ".v", ".h", ".hpp", ".j2", ".tcl", ".typed")


def test_package_list_is_what_lies_on_disk() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = {".".join(("gatewright", *path.parent.relative_to(ROOT).parts)) for path in sources()}
    assert project["tool"]["setuptools"]["packages"] == sorted(found)


@pytest.mark.slow
def test_wheel_holds_every_module_and_data_file(tmp_path: Path) -> None:
    """Built from a copy: setuptools leaves folders beside the sources."""
    copy = tmp_path / "source"
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        ".",
    ]
    subprocess.run(command, cwd=copy, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("gatewright/")}
    wanted = {
        f"gatewright/{path.relative_to(copy).as_posix()}"
        for package in PACKAGES
        for path in (copy / package).rglob("*")
        if path.suffix in (".py", *DATA) or path.name == "py.typed"
    }
    assert inside == wanted
