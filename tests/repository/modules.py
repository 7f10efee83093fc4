"""The Python modules of the four packages, found on disk."""

from __future__ import annotations

from pathlib import Path

__all__ = ["PACKAGES", "ROOT", "module_name", "sources"]

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("compiler", "targets", "schedules", "hls")


def sources(*packages: str) -> list[Path]:
    """Source files of the packages (all four by default), sorted."""
    return sorted(path for package in packages or PACKAGES for path in (ROOT / package).rglob("*.py"))


def module_name(path: Path) -> str:
    """Import name of a source file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("gatewright", *(parts[:-1] if parts[-1] == "__init__" else parts)))
