"""What builds of several families leave in their folder: JSON files, and what tools measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["MEASURED", "read_measured", "say", "write_json"]

MEASURED = "measured.json"
"""File of what tools measured in a build, by the name of the estimate's total."""


def write_json(path: Path, data: object) -> None:
    """Write ``data`` to be read by people, too."""
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def read_measured(directory: Path) -> Mapping[str, float]:
    """What was measured in a build; empty when nothing was."""
    path = directory / MEASURED
    if not path.is_file():
        return {}
    found: dict[str, float] = json.loads(path.read_text("utf-8"))
    return found


def say(text: str) -> None:
    """Progress of tools that take minutes goes where nobody parses it."""
    sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()
