"""Running the graphs of a model on many samples with NumPy: the integer reference and the float model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.graph import FloatGraph
from gatewright.compiler.floatgraph.interpreter import execute
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.reference import Reference
from gatewright.compiler.model import QuantizedModel
from gatewright.compiler.runtime.boundary import quantize_inputs
from gatewright.compiler.samples import Samples
from gatewright.compiler.verification.comparison import accuracy, float_errors, scores_of, top1_agreement

__all__ = ["Measured", "float_outputs", "integer_tensors", "measure", "quality", "tail_outputs"]

Array = npt.NDArray[np.generic]

_BATCH = 64  # samples at once: enough to feed NumPy, little enough for memory


@dataclass(frozen=True)
class Measured:
    """How far outputs are from the float model's.

    Attributes:
        samples: how many were run.
        float_max_abs_error: over all outputs.
        float_mean_abs_error: likewise.
        float_top1_agreement: None where the model is no classifier.
        accuracy: None without labels.
        float_accuracy: of the float model.
    """

    samples: int
    float_max_abs_error: float | None
    float_mean_abs_error: float | None
    float_top1_agreement: float | None
    accuracy: float | None
    float_accuracy: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def _batches(samples: Samples) -> Iterator[dict[str, Array]]:
    for start in range(0, len(samples), _BATCH):
        part = Samples({name: array[start : start + _BATCH] for name, array in samples.inputs.items()})
        yield part.stacked()


def _joined(parts: list[dict[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def float_outputs(graph: FloatGraph, samples: Samples) -> dict[str, Array]:
    """Outputs of a float program, samples along the leading axis."""
    return _joined([execute(graph, part) for part in _batches(samples)])


def integer_tensors(graph: IntegerGraph, samples: Samples) -> dict[str, Array]:
    """What the golden reference hands to the tail, samples along the leading axis."""
    reference = Reference(graph)
    return _joined([dict(reference.run(quantize_inputs(graph, part))) for part in _batches(samples)])


def tail_outputs(tail: FloatGraph, tensors: Mapping[str, Array], count: int) -> dict[str, Array]:
    """The model's outputs from the integer tensors of ``count`` samples."""
    parts = []
    for start in range(0, count, _BATCH):
        stop = min(start + _BATCH, count)
        chosen = {
            name: array[start * (len(array) // count) : stop * (len(array) // count)] for name, array in tensors.items()
        }
        parts.append(execute(tail, chosen))
    return _joined(parts)


def quality(expected: Mapping[str, Array] | None, got: Mapping[str, Array], samples: Samples) -> Measured:
    """Compare outputs with the float model's (None where there is none) and with the labels."""
    count, labels = len(samples), samples.labels
    scores = None if _reproduces_an_input(got, samples) else scores_of(got, count)
    wanted = scores_of(expected, count) if expected is not None else None
    errors = float_errors(expected, got) if expected is not None else None
    both = scores is not None and wanted is not None and scores.shape == wanted.shape
    return Measured(
        count,
        errors.max_abs if errors else None,
        errors.mean_abs if errors else None,
        top1_agreement(wanted, scores) if both and scores is not None and wanted is not None else None,
        accuracy(scores, labels) if scores is not None and labels is not None else None,
        accuracy(wanted, labels) if wanted is not None and labels is not None else None,
    )


def _reproduces_an_input(outputs: Mapping[str, Array], samples: Samples) -> bool:
    """An autoencoder: as many numbers out as in; the largest of them is nobody's class."""
    sizes = {array.size for array in samples.inputs.values()}
    return any(array.size in sizes for array in outputs.values())


def measure(model: QuantizedModel, samples: Samples) -> Measured:
    """The integer graph and its tail against the float graph and the labels."""
    assert model.integer is not None and model.tail is not None
    outputs = tail_outputs(model.tail, integer_tensors(model.integer, samples), len(samples))
    expected = float_outputs(model.float_graph, samples) if model.float_graph is not None else None
    return quality(expected, outputs, samples)
