"""Is the artefact what was written?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gatewright.compiler.artifact.schema import Manifest, file_digest
from gatewright.compiler.errors import FrontendError

__all__ = ["check_files"]


def check_files(directory: Path, manifest: Manifest, folders: Iterable[str]) -> None:
    """Compare the files of ``folders`` with the manifest's sha256.

    Files the manifest does not list are ignored: nothing reads them, and a simulation may leave some.

    Raises:
        FrontendError: GW1903 naming every file that is missing, changed, or a link out of the folder.
    """
    root = directory.resolve()
    prefixes = tuple(f"{folder}/" for folder in folders)
    wrong = []
    for name, digest in manifest.files.items():
        if not name.startswith(prefixes):
            continue
        path = root / name
        if not path.resolve().is_relative_to(root):
            wrong.append(f"{name} (a link out of the folder)")
        elif not path.is_file():
            wrong.append(f"{name} (missing)")
        elif file_digest(path) != digest:
            wrong.append(f"{name} (changed)")
    if wrong:
        raise FrontendError(
            "GW1903", str(directory), f"files are not what the manifest says: {', '.join(wrong)}",
            "compile the model again", "or copy the artefact again, whole",
        )  # fmt: skip
