"""Reading ``manifest.json``."""

from __future__ import annotations

from pathlib import Path

from gatewright.compiler.artifact.schema import MANIFEST_NAME, Manifest
from gatewright.compiler.errors import FrontendError, UsageError

__all__ = ["read_manifest"]


def read_manifest(directory: Path) -> Manifest:
    """The manifest of an artefact folder.

    Raises:
        UsageError: GW0032 when there is none.
        FrontendError: GW1901 when it is not what gatewright writes.
    """
    path = directory / MANIFEST_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            "GW0032",
            str(directory),
            "is no artefact folder (it has no manifest.json)",
            "name a folder that 'gatewright compile -o' wrote",
        ) from None
    except UnicodeDecodeError as error:
        raise _broken(path, str(error)) from None
    try:
        return Manifest.model_validate_json(text)
    except ValueError as error:
        raise _broken(path, str(error).splitlines()[0]) from None


def _broken(path: Path, reason: str) -> FrontendError:
    return FrontendError("GW1901", str(path), f"is no manifest of this version: {reason}", "compile the model again")
