"""Every way a command can end has its exit code and its message."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from gatewright.compiler.cli.boundary import guarded
from gatewright.compiler.errors import ConstraintError, ExitCode, MismatchError, ToolError
from tests.cli.conftest import Gatewright


def _raising(error: BaseException) -> click.Command:
    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def command(as_json: bool) -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (ConstraintError("GW4100", "lut", "does not fit", "take a larger device"), ExitCode.CONSTRAINT),
        (MismatchError("GW7001", "cpu", "differs", "report it"), ExitCode.MISMATCH),
        (ToolError("GW5001", "g++", "is missing", "install it"), ExitCode.TOOL),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out/file"), ExitCode.LIMIT),
        (shutil.Error([("a", "b", str(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "b")))]), ExitCode.LIMIT),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/root/x"), ExitCode.USAGE),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "/proc/x"), ExitCode.USAGE),
        (MemoryError(), ExitCode.LIMIT),
        (RuntimeError("unexpected"), ExitCode.BUG),
        (OSError(errno.EIO, os.strerror(errno.EIO)), ExitCode.BUG),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_exit_code(error: BaseException, code: ExitCode, capsys: pytest.CaptureFixture[str], tmp_path: Path,
                   monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("GATEWRIGHT_DEBUG", raising=False)
    assert guarded(_raising(error), []) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert captured.err.strip()
    assert code is ExitCode.INTERRUPTED or "try: " in captured.err


def test_a_bug_leaves_a_log_with_the_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    guarded(_raising(ZeroDivisionError("here")), [])
    (log,) = tmp_path.glob("gatewright-crash-*.log")
    assert "ZeroDivisionError: here" in log.read_text()


@pytest.mark.parametrize("error", [ZeroDivisionError("here"), RecursionError(), KeyboardInterrupt(), OSError("odd")])
def test_json_is_one_object_however_it_ends(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    guarded(_raising(error), ["verb", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1 and document["error"]["reason"]


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWRIGHT_DEBUG", "1")
    guarded(_raising(ZeroDivisionError("here")), [])
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nosuchverb"], "GW0001"),
        (["compile", "x.onnx"], "GW0001"),
        (["compile", "x.onnx", "-o", "out"], "GW0013"),
        (["compile", "x.onnx", "-t", "nosuchtarget", "-o", "out"], "GW0020"),
        (["compile", "x.onnx", "-t", "cpu", "-o", "out", "--bits", "8"], "GW0005"),
        (["compile", "x.onnx", "-t", "cpu", "-o", "out", "--bits", "8,99"], "GW0301"),
        (["check", "x.onnx", "--input-shape", "x[1,2]"], "GW0004"),
        (["check", "x.onnx", "--profile", "float", "--calib", "x.npz"], "GW0007"),
        (["verify", "nowhere", "--inputs", "x.npz"], "GW0032"),
        (["run", "nowhere", "--inputs", "x.npz", "-o", "y.npz"], "GW0032"),
        (["inspect", "."], "GW0032"),
        (["inspect", "x.onnx", "--graph", "integer"], "GW0017"),
        (["report", "."], "GW0032"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_usage_errors(arguments: list[str], code: str, gatewright: Gatewright, tmp_path: Path,
                      monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    ended = gatewright(*arguments)
    assert ended.code == ExitCode.USAGE
    assert code in ended.err
    assert ended.out == ""
    as_json = gatewright(*arguments, "--json")
    assert as_json.code == ExitCode.USAGE
    assert as_json.document["error"]["code"] == code
    assert as_json.document["error"]["actions"]
    assert not list(tmp_path.iterdir())


def test_missing_model(gatewright: Gatewright, tmp_path: Path) -> None:
    ended = gatewright("check", tmp_path / "none.onnx")
    assert ended.code in (ExitCode.USAGE, ExitCode.UNSUPPORTED)
    assert "none.onnx" in ended.err


def test_libraries_cannot_print_into_the_results() -> None:
    """From Python, from C and from a child process; in a process of its own, with stdout a pipe."""
    code = """
import ctypes, os, sys, warnings, click
from gatewright.compiler.cli.boundary import guarded
from gatewright.compiler.cli.output import Outcome, verb

@click.command("chatter")
@verb
def chatter(progress):
    print("python")
    ctypes.CDLL(None).puts(b"C")
    os.system("echo child")
    warnings.warn("warning")
    return Outcome([{"a": 1}], lambda console: None)

sys.exit(guarded(chatter, ["--json"]))
"""
    environment = {name: value for name, value in os.environ.items() if name != "GATEWRIGHT_DEBUG"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert json.loads(done.stdout) == {"schema_version": 1, "command": "chatter", "results": [{"a": 1}]}
    assert done.stderr == ""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**environment, "GATEWRIGHT_DEBUG": "1"})  # fmt: skip
    assert json.loads(done.stdout)["results"] and {"python", "C", "child"} <= set(done.stderr.split())
