"""Calibration samples as the interpreter takes them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from gatewright.compiler.errors import UsageError
from gatewright.compiler.floatgraph.graph import FloatGraph, TensorSpec
from gatewright.compiler.floatgraph.operators.types import Array
from gatewright.compiler.samples import samples_of

__all__ = ["batches", "calibration_samples", "fitting"]


def calibration_samples(specs: Sequence[TensorSpec], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Arrays by input name, samples along the batch axis: (samples * batch, ...) in the input's dtype.

    Raises:
        UsageError: as :func:`~gatewright.compiler.samples.samples_of`; GW0302 on NaN or infinite values.
    """
    samples = samples_of(arrays, specs, "calibration").stacked()
    for name, array in samples.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UsageError("GW0302", f"calibration: {name}", "the array holds NaN or infinite values",
                             "remove the broken samples")  # fmt: skip
    return samples


_BUDGET = 1 << 24
"""Elements of the largest tensor of a run: 64 MiB in float32, and a few such tensors live at a time."""


def fitting(graph: FloatGraph, samples: int) -> int:
    """At most ``samples``, and as few as keep the largest tensor of a run within the budget; at least one."""
    largest = max((math.prod(node.shape) for node in graph.nodes), default=1)
    return max(1, min(samples, _BUDGET // max(largest, 1)))


def batches(specs: Sequence[TensorSpec], samples: Mapping[str, Array], size: int) -> Iterator[dict[str, Array]]:
    """Cut samples into runs of ``size`` samples (the last may be shorter)."""
    total = next((len(samples[s.name]) // max(s.shape[0], 1) for s in specs if s.shape), 1)
    for start in range(0, total, size):
        stop = min(start + size, total)
        yield {
            s.name: samples[s.name][start * s.shape[0] : stop * s.shape[0]] if s.shape else samples[s.name]
            for s in specs
        }
