"""Hostile and broken models through the command itself: exit code, message, time and memory of the whole process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.make_corpus import make_corpus

SECONDS, BYTES = 2.0, 512 << 20


@pytest.mark.slow
def test_check_refuses_hostile_models(tmp_path: Path) -> None:
    wrong = []
    # Every third: tests/hostile holds the front end itself to all of them; here a process is started for each.
    for case in make_corpus(tmp_path / "corpus")[::3]:
        command = [sys.executable, "-m", "gatewright.compiler.cli", "check", str(case.path), "--json"]
        with (tmp_path / "out").open("w+") as out, (tmp_path / "err").open("w+") as err:
            process = subprocess.Popen(command, stdout=out, stderr=err)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            document, message = json.loads(out.read()), err.read()
        # Processor time: the wall clock of a loaded test machine says nothing.
        seconds = usage.ru_utime + usage.ru_stime
        if (process.returncode, document["error"]["code"]) != (case.exit_code, case.code):
            wrong.append(f"{case.name}: exit code {process.returncode}: {message}")
        if seconds > SECONDS or usage.ru_maxrss * 1024 > BYTES:
            wrong.append(f"{case.name}: {seconds:.1f} s, {usage.ru_maxrss >> 10} MiB")
        if "try: " not in message or "Traceback" in message:
            wrong.append(f"{case.name}: {message}")
    assert not wrong, "\n".join(wrong)
