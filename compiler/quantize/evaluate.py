"""Float against integer on many samples: agreement, accuracy where labels are given, error of the outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.graph import FloatGraph
from gatewright.compiler.floatgraph.interpreter import execute
from gatewright.compiler.floatgraph.operators.types import Array
from gatewright.compiler.integer.reference import Reference
from gatewright.compiler.model import QuantizedModel
from gatewright.compiler.quantize.calibrate.data import batches, match_samples
from gatewright.compiler.quantize.measure import quantize_inputs

__all__ = ["Evaluation", "compare_outputs", "evaluate", "run_integer", "top1_agreement"]


@dataclass(frozen=True)
class Evaluation:
    """Float model against integer graph and tail, over ``samples`` samples.

    Attributes:
        float_accuracy, integer_accuracy: part of the samples whose first output's greatest element is the label; None
            without labels, or where the output has no class axis.
        top1_agreement: part of the samples where the float model's choice is (one of) the integer model's; None where
            the first output is no vector of classes.
        max_abs_error, mean_abs_error: over all outputs.
        output_sqnr_db: of the first output; None where nothing differs.
    """

    samples: int
    float_accuracy: float | None
    integer_accuracy: float | None
    top1_agreement: float | None
    max_abs_error: float
    mean_abs_error: float
    output_sqnr_db: float | None

    def to_json(self) -> dict[str, object]:
        """Plain data."""
        return asdict(self)


def run_integer(model: QuantizedModel, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Boundary, golden reference, tail, on one batch of matched samples."""
    assert model.integer is not None
    assert model.tail is not None
    return execute(model.tail, Reference(model.integer).run(quantize_inputs(model.integer, inputs)))


def evaluate(
    model: QuantizedModel, data: Mapping[str, Array], labels: Array | None = None, batch_size: int = 128
) -> Evaluation:
    """Run both models over ``data``.

    Args:
        model: with float graph, integer graph and tail.
        data: arrays named as the inputs, or ``x``; ``y`` is ignored unless an input bears that name.
        labels: (samples,) class numbers.
        batch_size: samples run at once.

    Raises:
        UsageError: GW03xx on data that does not fit.
    """
    assert model.float_graph is not None
    samples = match_samples(model.float_graph.inputs, data)
    pairs = [
        (execute(model.float_graph, batch), run_integer(model, batch))
        for batch in batches(model.float_graph.inputs, samples, batch_size)
    ]
    real = _joined(model.float_graph, [a for a, _ in pairs])
    ours = _joined(model.float_graph, [b for _, b in pairs])
    return compare_outputs(real, ours, labels)


def compare_outputs(real: list[Array], ours: list[Array], labels: Array | None) -> Evaluation:
    """The figures from outputs in order, each with a leading axis of samples."""
    differences = [np.abs(b.astype(np.float64) - a.astype(np.float64)).ravel() for a, b in zip(real, ours, strict=True)]
    errors = np.concatenate(differences)
    first, second = real[0].astype(np.float64), ours[0].astype(np.float64)
    noise = float(np.mean((first - second) ** 2))
    sqnr = None if noise == 0 else round(10 * float(np.log10(max(float(np.mean(first**2)), 1e-300) / noise)), 2)
    count = len(first)
    a, b = first.reshape(count, -1), second.reshape(count, -1)
    classes = a.shape[1] > 1 and len(real) == 1
    float_accuracy = integer_accuracy = agreement = None
    if classes:
        agreement = top1_agreement(a, b)
        if labels is not None:
            truth = np.asarray(labels).reshape(-1)
            float_accuracy = float(np.mean(a.argmax(1) == truth))
            integer_accuracy = float(np.mean(b.argmax(1) == truth))
    return Evaluation(
        count, float_accuracy, integer_accuracy, agreement, float(errors.max(initial=0)),
        float(errors.mean()) if errors.size else 0.0, sqnr,
    )  # fmt: skip


def top1_agreement(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Part of the rows where a greatest element of ``a`` is a greatest element of ``b``: ties count as agreement."""
    top = (a == a.max(axis=1, keepdims=True)) & (b == b.max(axis=1, keepdims=True))
    return float(np.mean(top.any(axis=1)))


def _joined(graph: FloatGraph, runs: list[dict[str, Array]]) -> list[Array]:
    return [np.concatenate([np.atleast_1d(run[spec.name]) for run in runs]) for spec in graph.outputs]
