"""Execution of a model before and after a pass on the same inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import GraphError
from gatewright.compiler.floatgraph.from_relax import read
from gatewright.compiler.floatgraph.graph import FloatGraph, TensorSpec
from gatewright.compiler.floatgraph.interpreter import execute
from gatewright.compiler.model import ImportedModel

__all__ = ["BOUND", "compare", "outputs", "sample_inputs"]

Array = npt.NDArray[Any]

BOUND = 1e-5
"""Largest allowed difference of a float output, relative to its tensor's largest magnitude (absolute where that is
below one). A fold rounds each weight to float32 once, 6e-8 relative; depth and cancellation may amplify that a
hundredfold. Both graphs run in float64, so the order of summation adds nothing."""


def sample_inputs(specs: tuple[TensorSpec, ...], seed: int) -> dict[str, Array]:
    """Seeded random inputs of a plausible range: floats standard normal, small integers over their whole range, wide
    ones (indices) 0 or 1."""
    generator = np.random.default_rng(seed)
    found: dict[str, Array] = {}
    for spec in specs:
        kind = np.dtype(spec.dtype)
        if kind.kind == "f":
            found[spec.name] = generator.standard_normal(spec.shape).astype(kind)
        elif kind.kind in "iu" and kind.itemsize <= 2:
            info = np.iinfo(kind)
            found[spec.name] = generator.integers(info.min, info.max, spec.shape, kind, endpoint=True)
        else:
            found[spec.name] = generator.integers(0, 2, spec.shape).astype(kind)
    return found


def outputs(model: ImportedModel, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The model's outputs, computed in float64 throughout: equal functions then differ by folded weights only."""
    wide = {name: x.astype(np.float64) if x.dtype == np.float32 else x for name, x in inputs.items()}
    return execute(_widened(read(model)), wide)


def _widened(graph: FloatGraph) -> FloatGraph:
    constants = {name: c.astype(np.float64) if c.dtype == np.float32 else c for name, c in graph.constants.items()}
    nodes = tuple(replace(node, dtype="float64") if node.dtype == "float32" else node for node in graph.nodes)
    return replace(graph, constants=constants, nodes=nodes)


def compare(before: Mapping[str, Array], after: Mapping[str, Array], name: str) -> float:
    """Largest relative difference of the float outputs.

    Raises:
        GraphError: GW2011 names the pass when a float output is off by more than :data:`BOUND` or an integer output
            differs at all.
    """
    worst = 0.0
    for output, expected in before.items():
        found = after[output]
        if expected.dtype.kind != "f":
            if not np.array_equal(expected, found):
                count = int(np.sum(expected != found)) if expected.shape == found.shape else expected.size
                raise _changed(name, output, f"{count} of {expected.size} integers differ")
            continue
        same = (expected == found) | (np.isnan(expected) & np.isnan(found))  # infinities are equal or wrong
        largest = np.max(np.abs(expected), initial=1.0, where=np.isfinite(expected))
        with np.errstate(invalid="ignore"):  # inf - inf, where both are equal
            difference = np.abs(expected - found)
        error = float(np.max(np.where(same, 0.0, difference), initial=0.0) / largest)
        if not error <= BOUND:
            raise _changed(name, output, f"it is off by {error:.3g} of its largest value, more than {BOUND}")
        worst = max(worst, error)
    return worst


def _changed(name: str, output: str, reason: str) -> GraphError:
    return GraphError("GW2011", f"pass {name}", f"it changed output {output!r}: {reason}", "please report this model")
