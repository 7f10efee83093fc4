"""Layers of the integer graph a Xilinx design holds."""

from __future__ import annotations

from collections.abc import Mapping

from gatewright.hls.check import PLACED

__all__ = ["SUPPORTED"]

SUPPORTED: Mapping[str, str] = {name: note for name, note in PLACED.items() if name != "input"}
"""Operator name -> note."""
