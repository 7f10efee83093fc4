"""Hostile and broken models through the command itself: exit code, message, time and memory of the whole process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.make_corpus import make_corpus

SECONDS, BYTES = 2.0, 512 << 20

# What wait4 says of a child's memory counts the parent's before exec; VmHWM does not. Processor time, since the wall
# clock of a loaded test machine says nothing.
_MEASURED = """
import re, sys, time
from gatewright.compiler.cli.boundary import guarded
from gatewright.compiler.cli.main import cli
code = guarded(cli, sys.argv[2:])
peak = re.search("VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]
open(sys.argv[1], "w").write(f"{time.process_time()} {peak}")
sys.exit(code)
"""


@pytest.mark.slow
def test_check_refuses_hostile_models(tmp_path: Path) -> None:
    wrong = []
    for case in make_corpus(tmp_path / "corpus"):
        command = [sys.executable, "-c", _MEASURED, str(tmp_path / "cost"), "check", str(case.path), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        error = json.loads(done.stdout)["error"]
        if (done.returncode, error["code"]) != (case.exit_code, case.code):
            wrong.append(f"{case.name}: exit code {done.returncode}: {done.stderr}")
        seconds, peak = (float(word) for word in (tmp_path / "cost").read_text().split())
        if seconds > SECONDS or peak * 1024 > BYTES:
            wrong.append(f"{case.name}: {seconds:.1f} s, {peak / 1024:.0f} MiB")
        if "try: " not in done.stderr or "Traceback" in done.stderr:
            wrong.append(f"{case.name}: {done.stderr}")
    assert not wrong, "\n".join(wrong)
