"""Times of the tokens of a channel."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["CREDIT", "Advance", "Wire"]

Advance = Callable[[], bool]
"""Moves what can be moved; whether anything did."""

CREDIT = 2
"""Cycles from a token's leaving a FIFO to the start its credit allows, see gw_credit.v."""


class Wire:
    """Times of one channel."""

    def __init__(self) -> None:
        self.available: list[int] = []
        self.moved: list[int] = []
