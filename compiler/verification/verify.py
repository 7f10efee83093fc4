"""``verify``: every built target against the golden reference, byte for byte, and against the float model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from gatewright.compiler.artifact.graphs import read_graphs
from gatewright.compiler.artifact.schema import GRAPH_FOLDER, Manifest
from gatewright.compiler.errors import UsageError
from gatewright.compiler.model import QuantizedModel
from gatewright.compiler.runtime import open_artifact
from gatewright.compiler.runtime.integrity import check_files, check_graphs
from gatewright.compiler.samples import Samples
from gatewright.compiler.verification.comparison import FirstMismatch, byte_mismatches
from gatewright.compiler.verification.model import Measured, float_outputs, integer_tensors, quality, tail_outputs

__all__ = ["Row", "Verifier"]

Array = npt.NDArray[np.generic]
Item = TypeVar("Item")
Track = Callable[[Iterable[Item], str, int], Iterable[Item]]

_FLOAT_BOUND = 1e-3
"""Profile ``float``: largest error, as part of max|y|, that another order of float32 summation can explain in a deep
network; a wrong operator is orders of magnitude beyond it."""


@dataclass(frozen=True)
class Row:
    """What became of one target.

    Attributes:
        target: its name.
        measured: against the float model and the labels.
        mismatching_bytes: None with profile ``float``, where no exact reference exists.
        compared_bytes: how many were compared.
        first_mismatch: where it begins, or None.
        passed: whether the target does what it must.
    """

    target: str
    measured: Measured
    mismatching_bytes: int | None
    compared_bytes: int
    first_mismatch: FirstMismatch | None
    passed: bool

    def to_json(self) -> dict[str, Any]:
        """The row of ``verify --json``."""
        return {
            "target": self.target,
            **self.measured.to_json(),
            "mismatching_bytes": self.mismatching_bytes,
            "compared_bytes": self.compared_bytes,
            "first_mismatch": None if self.first_mismatch is None else self.first_mismatch.to_json(),
            "passed": self.passed,
        }


class Verifier:
    """Compares the targets of one artefact on one set of samples; the references are computed once.

    Args:
        directory: the artefact.
        manifest: of the artefact.
        samples: inputs of every target; a target may be given fewer, always the first ones.
    """

    def __init__(self, directory: Path, manifest: Manifest, samples: Samples) -> None:
        self.directory, self.samples = directory, samples
        check_files(directory, manifest, (GRAPH_FOLDER,))
        self.model: QuantizedModel = read_graphs(directory, manifest.model)
        check_graphs(manifest, self.model)
        if self.model.float_graph is None:
            raise UsageError("GW0014", str(directory), "holds no float graph", "compile the model again")
        self.float_outputs = float_outputs(self.model.float_graph, samples)
        self.integers = integer_tensors(self.model.integer, samples) if self.model.integer is not None else None

    def run(self, target: str, track: Track[tuple[int, Mapping[str, Array]]], limit: int | None = None) -> Row:
        """Run ``target`` on the first ``limit`` samples and compare.

        Raises:
            GatewrightError: the target cannot be loaded or run.
        """
        samples = self.samples.head(limit)
        numbered = track(enumerate(samples), f"verify {target}", len(samples))
        built = open_artifact(self.directory, target)
        expected_float = _first(self.float_outputs, len(samples), len(self.samples))
        if self.integers is None:
            outputs = _joined([built.run(sample) for _, sample in numbered])
            measured = quality(expected_float, outputs, samples)
            bound = _FLOAT_BOUND * max(
                (float(np.abs(np.asarray(a, np.float64)).max()) for a in expected_float.values() if a.size), default=0
            )
            error = measured.float_max_abs_error
            return Row(target, measured, None, 0, None, error is not None and error <= bound)
        assert self.model.tail is not None
        wrong, compared, first, got = 0, 0, None, []
        for number, sample in numbered:
            tensors = built.run_integer(sample)
            part = _slice(self.integers, number, len(self.samples))
            differing, bytes_compared, place = byte_mismatches(number, part, tensors)
            wrong, compared, first = wrong + differing, compared + bytes_compared, first or place
            got.append({name: tensors.get(name, np.zeros_like(array)) for name, array in part.items()})
        outputs = tail_outputs(self.model.tail, _joined(got), len(samples))
        return Row(target, quality(expected_float, outputs, samples), wrong, compared, first, wrong == 0)


def _joined(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _slice(tensors: Mapping[str, Array], number: int, count: int) -> dict[str, Array]:
    """The tensors of one sample."""
    return {name: np.split(array, count)[number] for name, array in tensors.items()}


def _first(tensors: Mapping[str, Array], wanted: int, count: int) -> dict[str, Array]:
    """The tensors of the first ``wanted`` of ``count`` samples."""
    return {name: array[: len(array) // count * wanted] for name, array in tensors.items()}
