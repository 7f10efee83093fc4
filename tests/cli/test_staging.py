"""A folder appears whole or not at all, and nothing of the user's is ever lost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gatewright.compiler.artifact import staging
from gatewright.compiler.artifact.npz import load_arrays, save_arrays
from gatewright.compiler.artifact.schema import MANIFEST_NAME
from gatewright.compiler.artifact.staging import staged, staged_file
from gatewright.compiler.errors import UsageError


def _artifact(directory: Path, content: str = "old") -> None:
    (directory / "cpu").mkdir(parents=True)
    (directory / "cpu" / "file").write_text(content)
    (directory / MANIFEST_NAME).write_text(json.dumps({"gatewright": "0", "targets": {"cpu": "cpu"}}))


def _tree(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*")}


def test_a_new_folder_with_its_parents(tmp_path: Path) -> None:
    with staged(tmp_path / "a" / "b" / "out") as part:
        assert not (tmp_path / "a" / "b" / "out").exists()
        (part / "file").write_text("new")
    assert _tree(tmp_path) == {"a", "a/b", "a/b/out", "a/b/out/file"}
    assert (tmp_path / "a" / "b" / "out").stat().st_mode & 0o077 == 0o077 & ~staging._umask()


@pytest.mark.parametrize("error", [RuntimeError(), KeyboardInterrupt()])
def test_failure_leaves_nothing(error: BaseException, tmp_path: Path) -> None:
    with pytest.raises(type(error)), staged(tmp_path / "a" / "out") as part:
        (part / "half").write_text("written")
        raise error
    assert not _tree(tmp_path)


@pytest.mark.parametrize("exchange", [True, False], ids=["renameat2", "two renames"])
def test_an_artifact_is_replaced_only_by_success(
    exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:
        monkeypatch.setattr(staging, "_exchanged", lambda one, other: False)
    _artifact(tmp_path / "out")
    before = _tree(tmp_path)
    with pytest.raises(RuntimeError), staged(tmp_path / "out") as part:
        (part / "new").write_text("new")
        raise RuntimeError
    assert _tree(tmp_path) == before
    with staged(tmp_path / "out") as part:
        (part / "new").write_text("new")
    assert _tree(tmp_path) == {"out", "out/new"}


def test_what_is_not_ours_is_refused(tmp_path: Path) -> None:
    _artifact(tmp_path / "with_notes")
    (tmp_path / "with_notes" / "notes.txt").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / MANIFEST_NAME).write_text("[]")
    _artifact(tmp_path / "ours")
    before = _tree(tmp_path)
    for name in ("with_notes", "folder", "file", "link", "json", "ours/graph/inside", "ours/beside"):
        with pytest.raises(UsageError, match="GW0030"), staged(tmp_path / name):
            raise AssertionError("nothing may be built first")
    assert _tree(tmp_path) == before


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with staged(tmp_path / "out") as part:
        (part / "new").write_text("new")
    assert _tree(tmp_path) == {"out", "out/new"}


def test_a_file_is_replaced_only_by_success(tmp_path: Path) -> None:
    path = tmp_path / "out.npz"
    path.write_text("old")
    with pytest.raises(RuntimeError), staged_file(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and _tree(tmp_path) == {"out.npz"}
    with staged_file(path) as part:
        part.write_text("new")
    assert path.read_text() == "new" and _tree(tmp_path) == {"out.npz"}
    with pytest.raises(UsageError, match="GW0031"), staged_file(tmp_path):
        pass


def test_arrays_are_the_same_bytes_every_time(tmp_path: Path) -> None:
    arrays = {
        "/odd/name:0": np.arange(6, dtype=np.int8).reshape(2, 3)[:, ::-1],
        "file": np.float32(3),
        "z": np.zeros((0, 2)),
    }
    for name in ("a", "b"):
        save_arrays(tmp_path / f"{name}.npz", {key: np.asarray(value) for key, value in arrays.items()})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded = load_arrays(tmp_path / "a.npz")
    assert list(loaded) == list(arrays)
    for key, value in arrays.items():
        assert loaded[key].dtype == np.asarray(value).dtype and np.array_equal(loaded[key], np.asarray(value))
