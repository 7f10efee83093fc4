"""Running the command line in this process, and one compiled example for all tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gatewright.compiler.cli.boundary import guarded
from gatewright.compiler.cli.main import cli

DIGITS = Path(__file__).resolve().parents[2] / "examples" / "digits"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object on stdout: nothing else may stand there."""
        document = json.loads(self.out)
        assert document["schema_version"] == 1
        return document

    @property
    def results(self) -> list[dict[str, Any]]:
        return self.document["results"]


Gatewright = Callable[..., Ended]


@pytest.fixture
def gatewright(capfd: pytest.CaptureFixture[str]) -> Gatewright:
    """``gatewright("check", model)``: runs the verb, returns how it ended; errors never escape as exceptions."""

    def call(*arguments: object) -> Ended:
        capfd.readouterr()
        code = guarded(cli, [str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Ended(int(code), captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def digits() -> Path:
    """The folder of the example models."""
    return DIGITS


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example MLP for cpu. Read only: copy it before changing anything."""
    directory = tmp_path_factory.mktemp("compiled") / "mlp"
    code = guarded(cli, ["compile", str(DIGITS / "digits_mlp.onnx"), "-t", "cpu", "-o", str(directory), "--quiet",
                         "--calib", str(DIGITS / "digits_mlp_calib.npz")])  # fmt: skip
    assert code == 0
    return directory
