"""Comparing tensors: byte for byte with the golden reference, in the float model's units with the float model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["FirstMismatch", "FloatErrors", "accuracy", "byte_mismatches", "float_errors", "scores_of", "top1_agreement"]

Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class FirstMismatch:
    """Where two runs first differ.

    Attributes:
        sample: number of the sample, from 0.
        tensor: name of the integer tensor.
        index: place in the tensor.
        expected, got: the reference's integer and the target's.
    """

    sample: int
    tensor: str
    index: tuple[int, ...]
    expected: int | float
    got: int | float

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        place = ", ".join(map(str, self.index))
        return f"sample {self.sample}, {self.tensor}[{place}]: expected {self.expected}, got {self.got}"


@dataclass(frozen=True)
class FloatErrors:
    """Distance of outputs from the float model's: largest and mean absolute error over all outputs."""

    max_abs: float
    mean_abs: float


def byte_mismatches(
    sample: int, expected: Mapping[str, Array], got: Mapping[str, Array]
) -> tuple[int, int, FirstMismatch | None]:
    """(differing bytes, compared bytes, first difference) of one sample's tensors.

    A tensor that is missing, or of another shape or type, differs in all its bytes.
    """
    differing, compared, first = 0, 0, None
    for name, want in expected.items():
        compared += want.nbytes
        have = got.get(name)
        if have is None or have.shape != want.shape or have.dtype != want.dtype:
            differing += want.nbytes
            first = first or FirstMismatch(sample, name, (), want.size, 0 if have is None else have.size)
            continue
        want_bytes = np.ascontiguousarray(want).view(np.uint8).reshape(-1)
        have_bytes = np.ascontiguousarray(have).view(np.uint8).reshape(-1)
        wrong = np.flatnonzero(want_bytes != have_bytes)
        differing += len(wrong)
        if len(wrong) and first is None:
            index = np.unravel_index(int(wrong[0]) // want.itemsize, want.shape)
            place = tuple(int(i) for i in index)
            first = FirstMismatch(sample, name, place, want[place].item(), have[place].item())
    return differing, compared, first


def float_errors(expected: Mapping[str, Array], got: Mapping[str, Array]) -> FloatErrors:
    """Errors of ``got`` over every output of ``expected``; integers count as their values."""
    errors = [
        np.abs(np.asarray(array, np.float64) - np.asarray(got[name], np.float64)).reshape(-1)
        for name, array in expected.items()
        if array.size
    ]
    if not errors:
        return FloatErrors(0.0, 0.0)
    joined = np.concatenate(errors)
    return FloatErrors(float(joined.max()), float(joined.mean()))


def scores_of(outputs: Mapping[str, Array], samples: int) -> npt.NDArray[np.float64] | None:
    """(S, K) class scores where the model looks like a classifier: one output, K > 1 numbers a sample on one axis."""
    if len(outputs) != 1 or not samples:
        return None
    (array,) = outputs.values()
    if array.size % samples or array.size // samples < 2:
        return None
    per_sample = array.size // samples
    if sum(size > 1 for size in array.shape[1:]) != 1:
        return None
    return np.asarray(array, np.float64).reshape(samples, per_sample)


def top1_agreement(expected: npt.NDArray[np.float64], got: npt.NDArray[np.float64]) -> float:
    """Part of the samples where some class is first in both; a tie on either side is agreement with all tied."""
    first = (expected == expected.max(axis=1, keepdims=True)) & (got == got.max(axis=1, keepdims=True))
    return float(np.mean(first.any(axis=1)))


def accuracy(scores: npt.NDArray[np.float64], labels: npt.NDArray[np.integer]) -> float:
    """Part of the samples whose first class of highest score is the label."""
    return float(np.mean(scores.argmax(axis=1) == labels))
