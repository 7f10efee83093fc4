"""Fixtures every test folder shares."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

# Read when an array library is loaded, so before that, and inherited by the commands tests start: with several test
# processes on few cores, threads that wait for each other cost far more than they bring.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TVM_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"

# The same examples every time: a red test stays red, and the wall time of the suite is known. No deadline, because
# the first example pays for imports.
hypothesis.settings.register_profile("gatewright", derandomize=True, deadline=None, max_examples=25, database=None)
hypothesis.settings.load_profile("gatewright")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the files under tests/golden")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``golden(name, text)``: ``text`` equals ``tests/golden/<name>``, or becomes it with ``--update-golden``."""
    update = request.config.getoption("--update-golden")

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.is_file(), f"tests/golden/{name} is missing: run pytest with --update-golden and read the result"
        assert text == path.read_text(encoding="utf-8"), (
            f"differs from tests/golden/{name} (--update-golden rewrites it)"
        )

    return compare


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of shared real models; the test is skipped where it is absent."""
    folder = Path(os.environ.get("GATEWRIGHT_MODELS", ROOT.parent / "shared" / "models"))
    if not folder.is_dir():
        pytest.skip(f"no shared models at {folder} (set GATEWRIGHT_MODELS)")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return ROOT
