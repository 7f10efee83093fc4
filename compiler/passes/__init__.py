"""Passes over Relax, one a file; :func:`gatewright.compiler.passes.pipeline.simplify` runs them checked.

:data:`PASSES` names them without importing tvm. A pass is a frozen dataclass: its fields are its options, its docstring
shows what stands before and after.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["PASSES"]


def _load(name: str) -> Callable[[], Any]:
    def thunk() -> Any:
        module = importlib.import_module(f"gatewright.compiler.passes.{name}")
        return getattr(module, "".join(part.capitalize() for part in name.split("_")))

    return thunk


PASSES: Mapping[str, Callable[[], Any]] = {
    name: _load(name)
    for name in (
        "fold_constants",
        "eliminate_identities",
        "canonicalize",
        "decompose_batch_norm",
        "fold_scales",
        "fold_pads",
        "recognize_activations",
        "sink_transposes",
        "fold_transposes",
        "eliminate_common_subexpressions",
        "fuse_layers",
    )
}
"""Pass name -> function that imports it and returns its class, in the order of the pipeline."""
