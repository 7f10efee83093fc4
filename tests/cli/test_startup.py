"""What help and lists may cost: no compiler, no array library they do not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gatewright.compiler.cli.main import VERBS
from tests.cli.conftest import Gatewright

HEAVY = {"tvm", "tvm_ffi", "onnx", "hls4ml", "onnxruntime", "sklearn", "torch", "networkx", "tensorflow"}
# What a verb's own help may import: its options come from the quantizer's dataclass.
OPTIONS_NEED = {"networkx"}


def _modules_after(*arguments: str) -> set[str]:
    code = (
        "import sys\nfrom gatewright.compiler.cli.boundary import guarded\n"
        "from gatewright.compiler.cli.main import cli\n"
        f"assert guarded(cli, {list(arguments)!r}) == 0\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (("--help",), set()),
        (("--version",), set()),
        (("targets",), set()),
        (("compile", "--help"), OPTIONS_NEED),
        (("run", "--help"), set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_imports_nothing_heavy(arguments: tuple[str, ...], allowed: set[str]) -> None:
    assert not _modules_after(*arguments) & (HEAVY - allowed)


def test_help_alone_needs_no_numpy() -> None:
    assert not _modules_after("--help") & {"numpy", "rich", "pydantic"}


def test_help_lists_every_verb(gatewright: Gatewright) -> None:
    ended = gatewright("--help")
    assert ended.code == 0
    assert all(f"  {verb}" in ended.out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_common_flags(verb: str, gatewright: Gatewright) -> None:
    ended = gatewright(verb, "--help")
    assert ended.code == 0
    assert "--json" in ended.out
    assert "--quiet" in ended.out


def test_quantizer_fields_are_options(gatewright: Gatewright) -> None:
    out = gatewright("quantize", "--help").out
    for option in ("--calibration", "--percentile", "--weights", "--activations", "--bias-correction", "--equalize"):
        assert option in out
    assert "per_channel" in out
