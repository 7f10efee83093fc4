"""What a pass did, for reports."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PassRecord"]


@dataclass(frozen=True)
class PassRecord:
    """One run of one pass.

    Attributes:
        name: the pass.
        modified: whether the module came back changed.
        nodes_before, nodes_after: operator calls.
        max_abs_error: largest difference of a float output on the validation inputs, relative to the largest output
            of magnitude above one (absolute below); None when the run was not validated or nothing was modified.
    """

    name: str
    modified: bool
    nodes_before: int
    nodes_after: int
    max_abs_error: float | None = None
