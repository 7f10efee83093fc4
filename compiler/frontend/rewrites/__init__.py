"""Rewrites of single nodes into forms TVM's importer takes and computes rightly. One dialect or topic a file.

A rewrite gets a node whose inputs have known types and returns the nodes that replace it, or None when the node is
in its normal form already. What it returns is swept again, so rewrites build on each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gatewright.compiler.frontend.draft import Node
from gatewright.compiler.frontend.rewrites import (
    constants,
    dynamic,
    elementary,
    indices,
    microsoft,
    old_forms,
    qdq,
    qlinear,
    resize,
    stored,
    windows,
)
from gatewright.compiler.frontend.scope import Scope

__all__ = ["REWRITES", "Rewrite"]

Rewrite = Callable[[Node, Scope], "Sequence[Node] | None"]


def _collected() -> Mapping[tuple[str, str], tuple[Rewrite, ...]]:
    collected: dict[tuple[str, str], tuple[Rewrite, ...]] = {}
    for module in (
        constants, stored, old_forms, windows, resize, qdq, qlinear, microsoft, dynamic, elementary, indices,
    ):  # fmt: skip
        for key, rewrite in module.RULES.items():
            collected[key] = (*collected.get(key, ()), rewrite)
    return collected


REWRITES = _collected()
