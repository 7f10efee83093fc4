"""Integer graph -> hls4ml ``ModelGraph``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatewright.compiler.integer.graph import IntegerGraph

__all__ = ["lower"]


def lower(graph: IntegerGraph, rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> Any:
    """See :func:`gatewright.hls.lowering.driver.lower`; hls4ml is imported when this is called."""
    from gatewright.hls.lowering import driver

    return driver.lower(graph, rows, settings)
