"""Runs the examples in Markdown files and compares what they print with what stands there.

    python -m tests.repository.readme README.md [...]
    python -m tests.repository.readme --update README.md        # writes what they print now

A ``console`` block holds commands after ``$ `` (a backslash continues a line), each followed by its output; ``...``
stands for any text. A ``pycon`` block is a doctest. Blocks of other languages are not run.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

__all__ = ["agrees", "commands", "main"]

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```(console|pycon)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?:e[+-]?\d+)?")
_ROUNDING = 0.02
"""Decimal fractions may differ by this part: another processor adds float32 numbers in another order, and a page shows
few digits. Whole numbers (bytes, samples, cycles) are compared as they stand."""


def commands(block: str) -> list[tuple[str, str]]:
    """(command, expected output) pairs of a ``console`` block."""
    found: list[tuple[str, str]] = []
    lines = iter(block.splitlines())
    for line in lines:
        if line.startswith("$ "):
            command = line.removeprefix("$ ")
            while command.endswith("\\"):
                command += "\n" + next(lines)
            found.append((command, ""))
        else:
            command, output = found[-1]
            found[-1] = (command, output + line + "\n")
    return found


def agrees(expected: str, got: str) -> bool:
    """Whether ``got`` is what a page says: the same text, decimal fractions within the rounding of a processor."""
    if doctest.OutputChecker().check_output(expected, got, _FLAGS):
        return True
    if _DECIMAL.sub("#", expected).split() != _DECIMAL.sub("#", got).split():
        return False
    pairs = zip(map(float, _DECIMAL.findall(expected)), map(float, _DECIMAL.findall(got)), strict=True)
    return all(abs(a - b) <= _ROUNDING * max(a, b) for a, b in pairs)


def _run(command: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    output = "".join(line.rstrip() + "\n" for line in done.stdout.splitlines())
    return output if done.returncode == 0 else f"{output}{done.stderr}exit code {done.returncode}\n"


def _console(block: str, place: str, update: bool) -> tuple[str, list[str]]:
    text, wrong = "", []
    for command, expected in commands(block):
        output = _run(command)
        if agrees(expected, output):
            output = expected
        elif not update:
            wrong.append(f"{place}: $ {command}\nexpected:\n{expected}got:\n{output}")
        text += f"$ {command}\n{output}"
    return text, wrong


def main(path: Path, update: bool) -> list[str]:
    """Run one file; returns what differs."""
    source, wrong = path.read_text(encoding="utf-8"), []
    names: dict[str, object] = {}

    def visit(match: re.Match[str]) -> str:
        line = source.count("\n", 0, match.start()) + 1
        if match[1] == "pycon":
            test = doctest.DocTestParser().get_doctest(match[2], names, path.name, path.name, line)
            said: list[str] = []
            doctest.DocTestRunner(optionflags=_FLAGS).run(test, out=said.append, clear_globs=False)
            names.update(test.globs)
            wrong.extend(said)
            return match[0]
        text, differing = _console(match[2], f"{path.name}:{line}", update)
        wrong.extend(differing)
        return f"```console\n{text}```"

    result = _BLOCK.sub(visit, source)
    if update:
        path.write_text(result, encoding="utf-8")
    return wrong


if __name__ == "__main__":
    os.chdir(ROOT)
    files = [argument for argument in sys.argv[1:] if argument != "--update"]
    problems = [problem for name in files for problem in main(Path(name), "--update" in sys.argv)]
    print("\n".join(problems) or f"{len(files)} files: every example prints what the page says")
    sys.exit(bool(problems))
