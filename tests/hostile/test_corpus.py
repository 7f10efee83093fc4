"""Every hostile or broken model ends in time, within memory, with the right error, and opens nothing it should not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.make_corpus import Case, make_corpus

SECONDS = 2.0
BYTES = 512 << 20


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Case, dict[str, Any]]]:
    cases = make_corpus(tmp_path_factory.mktemp("hostile") / "corpus")
    runner = Path(__file__).with_name("run_cases.py")
    # -P: the folder of the script holds nothing to import.
    done = subprocess.run(
        [sys.executable, "-P", str(runner)],
        input="".join(json.dumps(str(case.path)) + "\n" for case in cases),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(cases), done.stderr
    return list(zip(cases, map(json.loads, lines), strict=True))


def test_there_are_enough(reports: list[tuple[Case, dict[str, Any]]]) -> None:
    assert len(reports) >= 80
    assert len({case.code for case, _ in reports}) >= 25


def test_each_has_its_error(reports: list[tuple[Case, dict[str, Any]]]) -> None:
    wrong = []
    for case, report in reports:
        error = report["error"]
        if error is None:
            wrong.append(f"{case.name}: {report['crash'] or 'was imported'}")
            continue
        got = (error["exit_code"], error["code"])
        if got != (case.exit_code, case.code):
            wrong.append(f"{case.name}: {got}, not {(case.exit_code, case.code)}: {error['text']}")
        missing = [place for place in case.places if place not in error["text"]]
        if missing:
            wrong.append(f"{case.name}: does not name {missing}: {error['text']}")
    assert not wrong, "\n".join(wrong)


def test_each_says_what_to_do(reports: list[tuple[Case, dict[str, Any]]]) -> None:
    for case, report in reports:
        assert report["error"]["actions"], case.name
        assert len(report["error"]["text"]) < 4000, case.name


def test_each_ends_in_time_and_memory(reports: list[tuple[Case, dict[str, Any]]]) -> None:
    slow = {case.name: report["seconds"] for case, report in reports if report["seconds"] > SECONDS}
    large = {case.name: report["peak_bytes"] for case, report in reports if report["peak_bytes"] > BYTES}
    assert not slow
    assert not large


def test_none_imports_tvm(reports: list[tuple[Case, dict[str, Any]]]) -> None:
    assert [case.name for case, report in reports if report["tvm"]] == []


def test_none_opens_a_file_outside_its_folder(reports: list[tuple[Case, dict[str, Any]]]) -> None:
    """Only Python's own modules, the model, and, one path component at a time without following links, what lies
    beside it: a component that is not "..", opened with O_NOFOLLOW relative to the folder, cannot leave it."""
    import gatewright.compiler as package

    paths = sysconfig.get_paths()
    python = tuple({paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"], *package.__path__})
    outside = []
    for case, report in reports:
        folder = str(case.path.parent)
        for name, flags in report["opened"]:
            if not name.startswith("/"):
                good = "/" not in name and name != ".." and flags & os.O_NOFOLLOW
            else:
                good = name == folder or name.startswith((f"{folder}/", *(f"{p}/" for p in python)))
            if not good:
                outside.append((case.name, name))
    assert outside == []


def test_the_hook_sees_opens(reports: list[tuple[Case, dict[str, Any]]]) -> None:
    by_name = {case.name: report for case, report in reports}
    assert any(name.endswith("model.onnx") for name, _ in by_name["nan_weights"]["opened"])
    assert any(name == "w.bin" for name, _ in by_name["offset_past_the_end"]["opened"])
    # Looked at and never opened.
    assert not any(name.endswith("model.onnx") for name, _ in by_name["link_to_device"]["opened"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path: Path) -> None:
    from gatewright.compiler.errors import FrontendError
    from gatewright.compiler.frontend import import_model

    path = tmp_path / "model.onnx"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(FrontendError, match="GW1003"):
        import_model(path)
