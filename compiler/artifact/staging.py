"""A folder appears whole or not at all: it is written beside its place and renamed into it."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gatewright.compiler.artifact.schema import GRAPH_FOLDER, MANIFEST_NAME, REPORT_NAME
from gatewright.compiler.errors import UsageError

__all__ = ["check_replaceable", "staged", "staged_file"]

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fs.h


@contextlib.contextmanager
def staged(directory: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``directory`` that becomes ``directory`` when the block ends well.

    An older artefact of ours under that name is exchanged for the new one in one step and then removed; it stays as
    it is when the block fails or is interrupted, and nothing else is left behind.

    Raises:
        UsageError: GW0030 when ``directory`` is something that must not be replaced.
    """
    check_replaceable(directory)
    directory = Path(os.path.abspath(directory))  # noqa: PTH100 - resolve() would follow a link that bears the name
    created = _make_parents(directory.parent)
    part: Path | None = None
    try:
        part = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", suffix=".part", dir=directory.parent))
        part.chmod(0o777 & ~_umask())
        yield part
        check_replaceable(directory)  # it may have appeared meanwhile
        _put(part, directory)
    except BaseException:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
        for folder in reversed(created):
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    shutil.rmtree(part, ignore_errors=True)  # after an exchange this is the old artefact


def check_replaceable(directory: Path) -> None:
    """Allow a name that is free, an empty folder, or an artefact of ours without foreign files beside it.

    Never inside another artefact, whose next compilation would remove it.

    Raises:
        UsageError: GW0030.
    """
    for parent in Path(os.path.abspath(directory)).parents:  # noqa: PTH100 - as in staged
        if _folders_of(parent) is not None:
            raise _refused(directory, f"lies inside the artefact {parent}", "written")
    if not os.path.lexists(directory):
        return
    if directory.is_symlink() or not directory.is_dir():
        raise _refused(directory, "exists and is no folder")
    entries = {entry.name for entry in directory.iterdir()}
    if not entries:
        return
    folders = _folders_of(directory)
    if folders is None:
        raise _refused(directory, "exists and is no artefact of gatewright")
    ours = {MANIFEST_NAME, REPORT_NAME, GRAPH_FOLDER, *folders}
    foreign = sorted(entries - ours)
    if foreign:
        raise _refused(directory, f"holds files that are not the artefact's: {', '.join(foreign[:5])}")


def _folders_of(directory: Path) -> set[str] | None:
    """Names of the targets' folders when ``directory`` is an artefact of ours, of any version, else None."""
    try:
        manifest = json.loads((directory / MANIFEST_NAME).read_text(encoding="utf-8"))
        return set(manifest["targets"].values()) if isinstance(manifest["gatewright"], str) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _refused(directory: Path, reason: str, done: str = "replaced") -> UsageError:
    actions = ("name another folder with -o", *(("move it away",) if done == "replaced" else ()))
    return UsageError("GW0030", str(directory), f"{reason}, so it is not {done}", *actions)


def _make_parents(folder: Path) -> list[Path]:
    """Make ``folder``; returns the folders that were missing, outermost first."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _put(part: Path, directory: Path) -> None:
    """Give ``part`` the name ``directory``; what bore it before is then called ``part``."""
    if not os.path.lexists(directory):
        part.rename(directory)
    elif not _exchanged(part, directory):
        # A file system without exchange: the name is free for an instant, and nothing is lost at any time.
        aside = part.with_suffix(".old")
        directory.rename(aside)
        try:
            part.rename(directory)
        except BaseException:
            aside.rename(directory)
            raise
        shutil.rmtree(aside, ignore_errors=True)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names in one step (renameat2, Linux); False where that does not exist."""
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    if renameat2 is None:
        return False
    return bool(renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


@contextlib.contextmanager
def staged_file(path: Path) -> Iterator[Path]:
    """Yield the name of a file beside ``path`` that replaces ``path`` when the block ends well.

    Raises:
        UsageError: GW0031 when ``path`` is a folder.
    """
    if path.is_dir():
        raise UsageError("GW0031", str(path), "is a folder", "name a file with -o")
    created = _make_parents(path.parent)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        for folder in reversed(created):
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
