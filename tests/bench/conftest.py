"""The command line and the compiled example of tests/cli."""

from __future__ import annotations

from tests.cli.conftest import compiled, digits, gatewright

__all__ = ["compiled", "digits", "gatewright"]
