"""Running a quantized model in tests: boundary, golden reference, tail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.graph import FloatGraph
from gatewright.compiler.floatgraph.interpreter import execute
from gatewright.compiler.integer.reference import Reference
from gatewright.compiler.integer.verifier import violations
from gatewright.compiler.model import QuantizedModel
from gatewright.compiler.runtime.boundary import quantize_inputs

__all__ = ["floats", "integers", "outputs", "sound"]

Arrays = Mapping[str, npt.NDArray[Any]]


def floats(graph: FloatGraph, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
    """Outputs of the float program."""
    return execute(graph, inputs)


def integers(model: QuantizedModel, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
    """Every integer tensor of the graph, by name."""
    assert model.integer is not None
    found: dict[str, npt.NDArray[Any]] = {}
    Reference(model.integer).run(quantize_inputs(model.integer, inputs), lambda layer, q: found.update({layer.name: q}))
    return found


def outputs(model: QuantizedModel, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
    """The model's outputs."""
    assert model.integer is not None
    assert model.tail is not None
    return execute(model.tail, Reference(model.integer).run(quantize_inputs(model.integer, inputs)))


def sound(model: QuantizedModel) -> QuantizedModel:
    """The model, once the verifier found nothing and the tail's inputs are the integer outputs."""
    assert model.integer is not None
    assert model.tail is not None
    assert list(violations(model.integer)) == []
    for spec, name in zip(model.tail.inputs, model.integer.outputs, strict=True):
        kind = model.integer[name].output
        assert (spec.name, spec.shape, np.dtype(spec.dtype)) == (name, kind.shape, kind.dtype)
    return model
