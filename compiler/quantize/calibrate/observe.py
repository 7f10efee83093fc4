"""Running the float graph over calibration batches and collecting histograms."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from gatewright.compiler.errors import QuantizeError
from gatewright.compiler.floatgraph.graph import FloatGraph, Node
from gatewright.compiler.floatgraph.interpreter import execute
from gatewright.compiler.floatgraph.operators.types import Array
from gatewright.compiler.quantize.calibrate.data import batches, fitting
from gatewright.compiler.quantize.calibrate.histogram import Histogram

__all__ = ["collect"]


def collect(
    graph: FloatGraph, samples: Mapping[str, Array], wanted: Collection[str], batch_size: int
) -> dict[str, Histogram]:
    """Histograms of the tensors ``wanted`` over all samples.

    Args:
        graph: the float program.
        samples: as :func:`~gatewright.compiler.quantize.calibrate.data.calibration_samples` returns them.
        wanted: names of inputs and nodes.
        batch_size: samples run at once, fewer where tensors are large.

    Raises:
        QuantizeError: GW3305 when a tensor becomes NaN or infinite.
    """
    histograms = {name: Histogram() for name in wanted}

    def observe(node: Node, value: Array) -> None:
        if node.name in histograms:
            _count(histograms[node.name], node.name, value)

    for batch in batches(graph.inputs, samples, fitting(graph, batch_size)):
        for name, value in batch.items():
            if name in histograms:
                _count(histograms[name], name, value)
        execute(graph, batch, observe)
    return histograms


def _count(histogram: Histogram, name: str, value: Array) -> None:
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise QuantizeError("GW3305", name, "the tensor becomes NaN or infinite on the calibration data",
                            "calibrate with inputs of the range the model was trained on")  # fmt: skip
    histogram.add(value)
