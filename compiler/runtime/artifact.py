"""A built target of an artefact folder, ready to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.artifact.graphs import read_graphs
from gatewright.compiler.artifact.reader import read_manifest
from gatewright.compiler.artifact.schema import GRAPH_FOLDER, Manifest
from gatewright.compiler.errors import UsageError
from gatewright.compiler.floatgraph.graph import TensorSpec
from gatewright.compiler.floatgraph.interpreter import execute
from gatewright.compiler.integer.reference import Reference
from gatewright.compiler.model import QuantizedModel
from gatewright.compiler.plugins import family_class
from gatewright.compiler.runtime.boundary import quantize_inputs
from gatewright.compiler.runtime.integrity import check_files, check_graphs
from gatewright.compiler.samples import samples_of

__all__ = ["Artifact", "open_artifact"]

Array = npt.NDArray[np.generic]
Tensors = dict[str, Array]


Runner = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""One inference of a target's library or of the reference: arrays by name -> arrays by name."""


def open_artifact(directory: Path | str, target: str | None = None) -> Artifact:
    """Open a built target.

    Args:
        directory: what ``gatewright compile -o`` wrote; it may have been moved.
        target: full name, e.g. ``xilinx:zcu104``; not needed when one target was built.

    Raises:
        UsageError: GW0032 no artefact; GW0016 the target was not built there, or several were and none is named.
        FrontendError: GW1901 a broken manifest or graph, GW1903 changed files.
        GatewrightError: what the target says when its library cannot be loaded.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    target = _chosen(directory, manifest, target)
    folder = manifest.targets[target]
    check_files(directory, manifest, (GRAPH_FOLDER, folder))
    library = family_class(target.partition(":")[0]).load(directory / folder)
    return Artifact(manifest, target, read_graphs(directory, manifest.model), library.run)


class Artifact:
    """One built target with boundary and tail: what ``run`` and ``verify`` execute.

    Attributes:
        manifest: of the folder.
        target: full name of the target.
        model: the graphs.
        inputs: as the ONNX model declares them.
        outputs: likewise.
    """

    def __init__(self, manifest: Manifest, target: str, model: QuantizedModel, runner: Runner) -> None:
        self.manifest = manifest
        self.target = target
        self.model = model
        self.inputs: tuple[TensorSpec, ...] = tuple(tensor.spec() for tensor in manifest.inputs)
        self.outputs: tuple[TensorSpec, ...] = tuple(tensor.spec() for tensor in manifest.outputs)
        self._runner = runner
        check_graphs(manifest, model)

    def run(self, inputs: Mapping[str, Array]) -> Tensors:
        """The model's outputs, in the ONNX model's types.

        Args:
            inputs: by input name (a lone input may be called ``x``), one sample in the declared shape or several: in
                place of the batch axis or in front of it.

        Returns:
            By output name; the outputs of several samples are joined along the leading axis.

        Raises:
            UsageError: GW0011, GW0012 wrong arrays; GW0103 NaN, or an integer out of range.
        """
        return self._each(inputs, self._sample)

    def run_integer(self, inputs: Mapping[str, Array]) -> Tensors:
        """The integer tensors that enter the tail, by tensor name; arguments and errors as :meth:`run`.

        Raises:
            UsageError: GW0018 with profile ``float``, which has none.
        """
        return self._each(inputs, self._integers)

    def golden(self) -> Artifact:
        """The same model on the golden reference instead of the built target.

        Raises:
            UsageError: GW0018 with profile ``float``, which has none.
        """
        if self.model.integer is None:
            raise self._no_integers()
        return Artifact(self.manifest, "golden reference", self.model, Reference(self.model.integer).run)

    def _each(self, inputs: Mapping[str, Array], run: Callable[[Mapping[str, Array]], Tensors]) -> Tensors:
        results = [run(sample) for sample in samples_of(inputs, self.inputs)]
        if len(results) == 1:
            return results[0]
        return {name: np.concatenate([np.atleast_1d(result[name]) for result in results]) for name in results[0]}

    def _integers(self, sample: Mapping[str, Array]) -> Tensors:
        if self.model.integer is None:
            raise self._no_integers()
        return dict(self._runner(quantize_inputs(self.model.integer, sample)))

    def _sample(self, sample: Mapping[str, Array]) -> Tensors:
        tail = self.model.tail
        results = self._runner(sample) if tail is None else execute(tail, self._integers(sample))
        return {
            spec.name: np.asarray(results[spec.name]).astype(spec.dtype, copy=False).reshape(spec.shape)
            for spec in self.outputs
        }

    def _no_integers(self) -> UsageError:
        return UsageError("GW0018", self.target, "profile 'float' has no integer tensors", "leave --raw out",
                          "or compile with --profile scaled")  # fmt: skip


def _chosen(directory: Path, manifest: Manifest, target: str | None) -> str:
    built = ", ".join(manifest.targets) or "none"
    if target is None:
        if len(manifest.targets) != 1:
            raise UsageError("GW0016", str(directory), f"which target? Built are: {built}", "name one with -t")
        return next(iter(manifest.targets))
    if target not in manifest.targets:
        raise UsageError("GW0016", target, f"is not built in {directory} (built: {built})", "name a built target")
    return target
