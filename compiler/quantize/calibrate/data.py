"""Calibration arrays: which belong to which input, and whether they fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from gatewright.compiler.errors import UsageError
from gatewright.compiler.floatgraph.graph import TensorSpec
from gatewright.compiler.floatgraph.operators.types import Array

__all__ = ["batches", "match_samples"]


def match_samples(specs: Sequence[TensorSpec], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Arrays by input name, ready to run: (samples * batch, ...) in the input's dtype.

    An array bears its input's name, or is the only input's and called ``x``. It has the input's shape, with any
    multiple of the batch as leading axis, or one more axis of samples in front. ``y`` is labels unless an input bears
    that name.

    Raises:
        UsageError: GW0302 missing input, GW0303 wrong shape or no sample, GW0304 wrong type, GW0305 NaN or infinite
            values, GW0306 different numbers of samples.
    """
    found: dict[str, Array] = {}
    for spec in specs:
        array = arrays.get(spec.name)
        if array is None and len(specs) == 1:
            array = arrays.get("x")
        if array is None:
            held = ", ".join(sorted(arrays)) or "nothing"
            raise UsageError("GW0302", spec.name, f"the data holds no array for this input, only {held}",
                             f"name an array {spec.name!r}" + (" or 'x'" if len(specs) == 1 else ""))  # fmt: skip
        found[spec.name] = _typed(spec, _shaped(spec, np.asarray(array)))
    counts = {spec.name: len(found[spec.name]) // max(spec.shape[0], 1) for spec in specs if spec.shape}
    if len(set(counts.values())) > 1:
        text = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise UsageError("GW0306", "calibration", f"the inputs have different numbers of samples ({text})",
                         "give every input the same number of samples")  # fmt: skip
    return found


def batches(specs: Sequence[TensorSpec], samples: Mapping[str, Array], size: int) -> Iterator[dict[str, Array]]:
    """Cut matched samples into runs of ``size`` samples (the last may be shorter)."""
    total = next((len(samples[s.name]) // max(s.shape[0], 1) for s in specs if s.shape), 1)
    for start in range(0, total, size):
        stop = min(start + size, total)
        yield {
            s.name: samples[s.name][start * s.shape[0] : stop * s.shape[0]] if s.shape else samples[s.name]
            for s in specs
        }


def _shaped(spec: TensorSpec, array: Array) -> Array:
    shape = spec.shape
    if array.ndim == len(shape) + 1 and array.shape[1:] == shape and shape:
        array = array.reshape(-1, *shape[1:])
    fits = array.ndim == len(shape) and (not shape or (array.shape[1:] == shape[1:] and array.shape[0] % shape[0] == 0))
    if not fits or not array.size:
        wanted = f"(samples, {', '.join(map(str, shape[1:]))})" if shape else "()"
        problem = "holds no sample" if not array.size else f"has shape {array.shape}, not {wanted}"
        raise UsageError("GW0303", spec.name, f"the array {problem}", f"save samples along the leading axis: {wanted}")
    return array


def _typed(spec: TensorSpec, array: Array) -> Array:
    wanted = np.dtype(spec.dtype)
    if array.dtype.kind not in "fiu":
        raise UsageError("GW0304", spec.name, f"the array has type {array.dtype}, the input wants {wanted}",
                         f"save it as {wanted}")  # fmt: skip
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UsageError("GW0305", spec.name, "the array holds NaN or infinite values", "remove the broken samples")
    if wanted.kind in "iu":
        info = np.iinfo(wanted)
        if array.dtype.kind == "f" or array.min() < info.min or array.max() > info.max:
            raise UsageError("GW0304", spec.name, f"the values are not of type {wanted}",
                             f"save the integers the model takes, as {wanted}")  # fmt: skip
    return array.astype(wanted, copy=False)
