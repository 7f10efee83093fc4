"""NaN and infinity among the weights: found by name, before they spread through every later figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.frontend.draft import Body, Node
from gatewright.compiler.frontend.tensors import Array

__all__ = ["check_finite"]

# Inputs where an infinity means "no bound" or "never chosen", or is only handed on: (operator, input index).
_UNBOUNDED = frozenset(
    {
        *((op, i) for op in ("Max", "Min", "Where") for i in range(3)),
        *((op, 0) for op in ("Cast", "CastLike", "Expand", "Identity", "Reshape", "Unsqueeze")),
        *(("Clip", 1), ("Clip", 2), ("Pad", 2)),
    }
)
_MANY = 5


def check_finite(nodes: Sequence[Node], constants: Mapping[str, Array]) -> None:
    """Look at every initializer and Constant node of the main graph.

    Raises:
        FrontendError: GW1032 naming the tensors that hold NaN, or infinity where it means nothing.
    """
    bound_only = _bound_only(nodes)
    bad: list[str] = []
    for name, array in constants.items():
        if (what := _what(array, name in bound_only)) is not None:
            bad.append(f"initializer {name!r} ({what})")
    for node in nodes:
        if node.op == "Constant":
            for value in node.attributes.values():
                if not isinstance(value, float | tuple | np.ndarray):
                    continue
                if (what := _what(np.asarray(value), node.outputs[0] in bound_only)) is not None:
                    bad.append(f"Constant node {node.name!r} ({what})")
    if bad:
        more = f" and {len(bad) - _MANY} more" if len(bad) > _MANY else ""
        raise FrontendError(
            "GW1032",
            bad[0].rsplit(" (", maxsplit=1)[0],
            f"weights that are not numbers: {', '.join(bad[:_MANY])}{more}",
            "train or export the model again; a diverged training run leaves such weights",
        )


def _bound_only(nodes: Sequence[Node]) -> set[str]:
    """Names every reader of which takes an infinity as a bound."""
    bounds: set[str] = set()
    others: set[str] = set()
    for node in nodes:
        for i, name in enumerate(node.inputs):
            (bounds if (node.op, i) in _UNBOUNDED else others).add(name)
        for value in node.attributes.values():
            if isinstance(value, Body):
                others.update(name for inner in value.nodes for name in inner.inputs)
    return bounds - others


def _what(array: Array, bound: bool) -> str | None:
    if array.dtype.kind != "f" or not array.size or bool(np.isfinite(array).all()):
        return None
    nans = int(np.isnan(array).sum())
    if nans:
        return f"{nans} of {array.size} are NaN"
    return None if bound else f"{int(np.isinf(array).sum())} of {array.size} are infinite"
