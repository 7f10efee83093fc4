"""Weights as hls4ml's C simulation reads them, and types of nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from gatewright.hls.lattice.plugin.fixed import Fixed, Unsupported
from gatewright.schedules.stream.stages import IntArray

__all__ = ["kind_of", "raw_weights", "result_kind"]


def result_kind(node: Any) -> Fixed:
    """Type of a node's result."""
    return Fixed.of(node.get_output_variable().type.precision)


def kind_of(node: Any, name: str) -> Fixed:
    """Type ``name`` of a node, e.g. ``accum_t``."""
    found = node.types.get(name) if hasattr(node.types, "get") else node.types[name]
    if found is None:
        raise Unsupported(f"it has no {name}", "convert the model again")
    return Fixed.of(found.precision)


def raw_weights(node: Any, name: str) -> tuple[IntArray, Fixed]:
    """Raw values and type of weights.

    hls4ml writes weights as text with as many decimals as the type has fraction bits, and the simulation casts what it
    reads: values the type holds come through unchanged, others do not always round as the type says.
    """
    from hls4ml.model.types import CompressedWeightVariable, ExponentWeightVariable

    variable = node.weights[name]
    if isinstance(variable, CompressedWeightVariable | ExponentWeightVariable):
        raise Unsupported(f"the {name} is stored as {type(variable).__name__}", "use plain fixed-point weights")
    kind = Fixed.of(variable.type.precision)
    data = np.asarray(variable.data, np.float64)
    values = [kind.cast_float(float(variable.precision_fmt.format(value))) for value in data.reshape(-1)]
    return np.array(values, np.int64).reshape(data.shape), kind
