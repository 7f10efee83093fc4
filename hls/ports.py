"""Tensors as a design's ports carry them: from the logical order of the graph to the physical one and back.

A port is a mapping with ``name``, ``shape`` (logical, with the batch axis), ``dtype`` and the order of its elements:
``axes``, the transpose that gives the physical order (of all axes, or of all but the batch axis), or ``index``, the
row-major logical position of every physical element.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import UsageError

__all__ = ["Tensors", "all_physical", "element_bytes", "from_bytes", "logical", "to_bytes"]

Tensors = dict[str, npt.NDArray[np.integer[Any]]]


def all_physical(
    ports: list[dict[str, Any]], inputs: Mapping[str, npt.NDArray[np.integer[Any]]]
) -> list[npt.NDArray[np.int32]]:
    """What every input port is fed.

    Args:
        ports: the input ports.
        inputs: by tensor name, in the declared shape or with a leading axis k times the declared one: k samples.

    Returns:
        One array (samples, elements) a port, in the port's order.

    Raises:
        UsageError: GW0101 on a missing input, GW0102 on a wrong shape.
    """
    fed = [_physical(port, inputs) for port in ports]
    if len({array.shape[0] for array in fed}) > 1:
        raise UsageError("GW0102", "inputs", "the inputs hold different numbers of samples", "give all the same number")
    return fed


def logical(port: Mapping[str, Any], array: npt.NDArray[np.int32]) -> npt.NDArray[np.integer[Any]]:
    """``array`` (samples, elements) in the port's order as a tensor in storage dtype, samples on the leading axis."""
    samples, shape = array.shape[0], tuple(port["shape"])
    if "axes" in port:
        axes = _axes(port)
        physical = array.reshape(samples, *(shape[axis] for axis in axes))
        restored = physical.transpose(0, *(int(axis) + 1 for axis in np.argsort(axes)))
    else:
        restored = np.empty_like(array)
        restored[:, port["index"]] = array
    whole = restored.reshape(samples * shape[0], *shape[1:]) if shape else restored.reshape(samples)
    return np.ascontiguousarray(whole, np.dtype(port["dtype"]))


def element_bytes(bits: int) -> int:
    """Bytes an element takes on a line or in a file."""
    return (bits + 7) // 8


def to_bytes(port: Mapping[str, Any], array: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
    """Elements as whole bytes, the lowest first: (samples, elements) -> (samples, tokens, bytes of a token)."""
    bits = port["bits"]
    words = (array.astype(np.int64) & ((1 << bits) - 1)).astype("<i8")
    parts = words[..., None].view(np.uint8)[..., : element_bytes(bits)]
    return np.ascontiguousarray(parts).reshape(array.shape[0], port["tokens"], -1)


def from_bytes(port: Mapping[str, Any], data: bytes | bytearray, samples: int) -> npt.NDArray[np.int32]:
    """The inverse of :func:`to_bytes`: (samples, elements)."""
    bits, size = port["bits"], element_bytes(port["bits"])
    parts = np.frombuffer(bytes(data), np.uint8).reshape(samples, -1, size)
    words = np.zeros(parts.shape[:2], np.int64)
    for position in range(size):
        words |= parts[..., position].astype(np.int64) << (8 * position)
    if port["signed"]:
        words -= (words >> (bits - 1)) << bits
    return words.astype(np.int32)


def _physical(port: Mapping[str, Any], inputs: Mapping[str, npt.NDArray[np.integer[Any]]]) -> npt.NDArray[np.int32]:
    name, shape = port["name"], tuple(port["shape"])
    if name not in inputs:
        raise UsageError("GW0101", name, "the input is missing", f"give an array named {name}")
    array = np.asarray(inputs[name])
    lead = shape[0] if shape else 1
    if array.shape[1:] != shape[1:] or (shape and array.shape[0] % lead):
        raise UsageError("GW0102", name, f"shape {array.shape} instead of {shape}", "reshape the array")
    samples = array.reshape(-1, *shape)
    if "axes" in port:
        ordered = samples.transpose(0, *(axis + 1 for axis in _axes(port))).reshape(samples.shape[0], -1)
    else:
        ordered = samples.reshape(samples.shape[0], -1)[:, port["index"]]
    return np.ascontiguousarray(ordered, np.int32)


def _axes(port: Mapping[str, Any]) -> list[int]:
    """The transpose of all axes; one without the batch axis leaves that in front."""
    axes: list[int] = port["axes"]
    return axes if len(axes) == len(port["shape"]) else [0, *(axis + 1 for axis in axes)]
