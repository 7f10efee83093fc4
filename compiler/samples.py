"""Sample arrays from ``.npz`` files: calibration data, test inputs and their labels."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import LimitError, UsageError
from gatewright.compiler.floatgraph.graph import TensorSpec

__all__ = ["MAXIMUM_BYTES", "Samples", "noise", "read_samples", "samples_of"]

Array = npt.NDArray[np.generic]

MAXIMUM_BYTES = 8 * 2**30
"""Decompressed size a file may have: the arrays are held in memory at once."""


@dataclass(frozen=True)
class Samples:
    """Samples of every model input.

    Attributes:
        inputs: by input name, (S, *declared shape): S samples, each in the declared shape.
        labels: (S,) class numbers, or None.
    """

    inputs: Mapping[str, Array]
    labels: npt.NDArray[np.integer] | None = None

    def __len__(self) -> int:
        return min((len(array) for array in self.inputs.values()), default=0)

    def __iter__(self) -> Iterator[dict[str, Array]]:
        """One sample after the other, by input name in the declared shapes."""
        return ({name: array[i] for name, array in self.inputs.items()} for i in range(len(self)))

    def head(self, count: int | None) -> Samples:
        """The first ``count`` samples (all with None)."""
        labels = None if self.labels is None else self.labels[:count]
        return Samples({name: array[:count] for name, array in self.inputs.items()}, labels)

    def stacked(self) -> dict[str, Array]:
        """All samples along the batch axis: (S * N, ...) by input name."""
        return {
            name: array.reshape(-1, *array.shape[2:]) if array.ndim > 1 else array
            for name, array in self.inputs.items()
        }


def read_samples(path: Path, inputs: Sequence[TensorSpec]) -> Samples:
    """The arrays of a ``.npz`` file as samples, see :func:`samples_of`.

    Raises:
        UsageError: GW0010 the file cannot be read; and as :func:`samples_of`.
        LimitError: GW6103 the file holds more than :data:`MAXIMUM_BYTES`.
    """
    return samples_of(_load(path), inputs, str(path))


def samples_of(arrays: Mapping[str, Array], inputs: Sequence[TensorSpec], place: str = "inputs") -> Samples:
    """The arrays of a model's inputs, and labels ``y`` unless an input bears that name.

    Arrays bear the inputs' names; with a single input, ``x`` will do. An array holds one sample in the declared shape
    (N, ...), samples in place of the batch axis (S * N, ...), samples in front of it (S, N, ...), or with N = 1 one
    sample without it.

    Args:
        arrays: by name.
        inputs: of the model.
        place: where the arrays come from, for errors.

    Raises:
        UsageError: GW0011 an array is missing; GW0012 an array has a wrong shape or type, or the arrays hold different
            numbers of samples.
    """
    found: dict[str, Array] = {}
    for spec in inputs:
        name = spec.name if spec.name in arrays or len(inputs) > 1 else "x"
        if name not in arrays:
            raise UsageError(
                "GW0011",
                place,
                f"holds no array for the input {spec.name!r} (it holds: {', '.join(sorted(arrays)) or 'nothing'})",
                f"save it with numpy.savez(file, **{{{spec.name!r}: array}})",
            )
        found[spec.name] = _shaped(place, spec, arrays[name])
    counts = {name: len(array) for name, array in found.items()}
    labels: npt.NDArray[np.integer] | None = None
    if "y" in arrays and "y" not in found:
        if arrays["y"].dtype.kind not in "iu":
            raise _wrong(place, "y", f"labels are integers, not {arrays['y'].dtype}", "save class numbers")
        labels = arrays["y"].reshape(-1).astype(np.int64)
        counts["y"] = len(labels)
    if len(set(counts.values())) > 1 or 0 in counts.values():
        told = ", ".join(f"{count} of {name!r}" for name, count in counts.items())
        raise _wrong(place, "arrays", f"the samples are {told}", "give every array the same number of samples, >= 1")
    return Samples(found, labels)


def noise(inputs: Sequence[TensorSpec], seed: int, count: int = 4) -> Samples:
    """``count`` samples of standard normal noise, for where values do not matter; integers get small magnitudes."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for spec in inputs:
        values = rng.standard_normal((count, *spec.shape))
        arrays[spec.name] = (values if np.dtype(spec.dtype).kind == "f" else np.abs(values)).astype(spec.dtype)
    return Samples(arrays)


def _load(path: Path) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            foreign = [entry.filename for entry in archive.infolist() if not entry.filename.endswith(".npy")]
        if foreign:
            raise ValueError(f"{foreign[0]!r} is no array")
        if size > MAXIMUM_BYTES:
            raise LimitError(
                "GW6103", str(path), f"holds {size} bytes of arrays, more than {MAXIMUM_BYTES}", "split the file"
            )
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise UsageError("GW0010", str(path), "there is no such file", "check the name") from None
    except (LimitError, MemoryError):
        raise
    except Exception as error:  # of zipfile, zlib, tokenize, numpy, ...: damaged bytes raise whatever meets them
        raise UsageError(
            "GW0010",
            str(path),
            f"is not a readable .npz file ({error})",
            "write it with numpy.savez; no pickled objects",
        ) from None


def _shaped(place: str, spec: TensorSpec, array: Array) -> Array:
    shape, batch = spec.shape, spec.shape[0] if spec.shape else 1
    if array.shape == shape:
        samples = array[None]
    elif array.shape[1:] == shape:
        samples = array
    elif shape and array.ndim == len(shape) and array.shape[1:] == shape[1:] and array.shape[0] % max(batch, 1) == 0:
        samples = array.reshape(-1, *shape)
    elif batch == 1 and array.shape == shape[1:]:
        samples = array[None, None]
    else:
        wanted = ", ".join(["samples", *map(str, shape[1:] if batch == 1 else shape)])
        raise _wrong(
            place,
            spec.name,
            f"the array has shape {array.shape}, the model wants {shape}",
            f"save an array of shape ({wanted})",
        )
    wanted_type = np.dtype(spec.dtype)
    if array.dtype == wanted_type:
        return samples
    exact = np.can_cast(array.dtype, wanted_type) or (array.dtype.kind in "fiu" and wanted_type.kind == "f")
    if not exact:
        cast = samples.astype(wanted_type) if array.dtype.kind in "fiub" else None
        exact = cast is not None and bool(np.array_equal(cast, samples))
    if not exact:
        raise _wrong(
            place,
            spec.name,
            f"{array.dtype} values do not all exist in the model's {wanted_type}",
            f"convert the array to {wanted_type}",
        )
    return samples.astype(wanted_type)


def _wrong(place: str, what: str, reason: str, action: str) -> UsageError:
    return UsageError("GW0012", f"{place}: {what}", reason, action)
