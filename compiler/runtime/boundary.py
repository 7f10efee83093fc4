"""The boundary: from the model's float inputs to integers (design section 2)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import UsageError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Input
from gatewright.compiler.integer.tensor import TensorType

__all__ = ["quantize_array", "quantize_inputs"]

Array = npt.NDArray[np.generic]


def quantize_inputs(graph: IntegerGraph, inputs: Mapping[str, Array]) -> dict[str, npt.NDArray[np.integer]]:
    """Integers for every input of ``graph``, in storage dtype and in the shapes given.

    Args:
        graph: whose inputs say scale, zero point and the model's own type.
        inputs: by input name; arrays nobody asks for are ignored. The leading axis may hold several samples.

    Raises:
        UsageError: GW0101 on a missing input, GW0103 on NaN or on an integer outside the input's type, GW0104 on an
            array that is not of the model's type.
    """
    return {layer.name: _enter(layer, inputs) for layer in graph.inputs}


def quantize_array(x: npt.NDArray[np.floating], kind: TensorType) -> npt.NDArray[np.integer]:
    """``q = clamp(round_half_even(x / s) + z)`` with the division in IEEE float32, as ONNX QuantizeLinear.

    Infinities saturate; the caller has ruled out NaN.
    """
    with np.errstate(over="ignore"):  # a quotient beyond float32 is an infinity, which saturates
        quotient = np.rint(np.asarray(x, np.float32) / np.float32(kind.scale))
    # Beyond float32's own integers a sum with the zero point would round: clamp first, in a type that holds both ends.
    bounded = np.clip(quotient.astype(np.float64), kind.qmin - kind.zero_point, kind.qmax - kind.zero_point)
    return (bounded.astype(np.int64) + kind.zero_point).astype(kind.dtype)


def _enter(layer: Input, inputs: Mapping[str, Array]) -> npt.NDArray[np.integer]:
    name, kind = layer.name, layer.output
    if name not in inputs:
        raise UsageError(
            "GW0101", f"input {name!r}", "no array of this name was given", f"give an array named {name!r}"
        )
    array = np.asarray(inputs[name])
    if layer.source_dtype.startswith(("float", "bfloat")):
        if array.dtype.kind not in "fiub":
            raise _wrong_type(name, array, layer.source_dtype)
        values = array.astype(np.float32)
        if np.isnan(values).any():
            place = tuple(int(i) for i in np.argwhere(np.isnan(values))[0])
            raise UsageError(
                "GW0103", f"input {name!r}", f"NaN at {place} has no integer", "remove NaN from the input data"
            )
        return quantize_array(values, kind)
    if array.dtype.kind not in "iub":
        raise _wrong_type(name, array, layer.source_dtype)
    wide = array.astype(np.int64)
    if wide.size and not kind.qmin <= wide.min() <= wide.max() <= kind.qmax:
        raise UsageError(
            "GW0103", f"input {name!r}", f"values reach from {wide.min()} to {wide.max()}, the type holds "
            f"{kind.qmin} to {kind.qmax}", f"give values of {layer.source_dtype}",
        )  # fmt: skip
    return wide.astype(kind.dtype)


def _wrong_type(name: str, array: Array, wanted: str) -> UsageError:
    return UsageError(
        "GW0104", f"input {name!r}", f"the array is {array.dtype}, the model takes {wanted}", f"convert it to {wanted}"
    )
