"""Schema of ``manifest.json``: what the artefact writer writes and the run-time loader believes.

The manifest names every file of the artefact with its sha256, so a changed or lost file is found on load. It holds
nothing that depends on the machine, the clock or the folder's own place: same input, options and seed give the same
bytes, and the folder can be moved.

Layout of an artefact (design section 5)::

    DIR/manifest.json
    DIR/report.json                    not listed: it holds wall times
    DIR/graph/float.txt, float.npz     the simplified float graph (floatgraph.text)
    DIR/graph/integer.txt, integer.npz the integer graph (integer.text); absent with profile ``float``
    DIR/graph/tail.txt, tail.npz       the host tail; absent with profile ``float``
    DIR/<target folder>/...            what the target built
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gatewright.compiler.floatgraph.graph import TensorSpec

__all__ = [
    "GRAPH_FOLDER",
    "MANIFEST_NAME",
    "REPORT_NAME",
    "SCHEMA_VERSION",
    "Manifest",
    "RelativePath",
    "Tensor",
    "file_digest",
]

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
REPORT_NAME = "report.json"
GRAPH_FOLDER = "graph"


def _inside(path: str) -> str:
    """A path that stays in the folder: relative, forward slashes, no ``..``, no drive, nothing to normalise."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or "\\" in path or ":" in parts[0] or ".." in parts:
        raise ValueError(f"{path!r} leaves the artefact folder")
    if "/".join(parts) != path or path == ".":
        raise ValueError(f"{path!r} is not in its shortest form")
    return path


def _element_type(name: str) -> str:
    """The name of a NumPy type that a model's tensor can have."""
    try:
        plain = np.dtype(name).kind in "biuf"
    except TypeError:
        plain = False
    if not plain:
        raise ValueError(f"{name!r} is no type of numbers")
    return name


RelativePath = Annotated[str, AfterValidator(_inside)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tensor(_Strict):
    """Name, static shape and NumPy dtype name of a model input or output, as the ONNX file declares them."""

    name: str
    shape: tuple[Annotated[int, Field(ge=0)], ...]
    dtype: Annotated[str, AfterValidator(_element_type)]

    @classmethod
    def of(cls, spec: TensorSpec) -> Tensor:
        """The manifest's form of ``spec``."""
        return cls(name=spec.name, shape=spec.shape, dtype=spec.dtype)

    def spec(self) -> TensorSpec:
        """The compiler's form."""
        return TensorSpec(self.name, self.shape, self.dtype)


class Manifest(_Strict):
    """``manifest.json``.

    Attributes:
        schema_version: of this file; readers refuse a newer one.
        gatewright: version of the compiler.
        model: name of the model.
        facts: opset, producer and sha256 of the ONNX file.
        profile: of the integer graph, or ``float``.
        inputs, outputs: the model's, in order.
        targets: target name -> its folder, in the order they were asked for.
        options: all options of the command after defaults, plain data without paths of this machine.
        seed: of everything random.
        versions: package name -> version of what took part (apache-tvm, hls4ml, numpy, ...).
        files: path relative to the folder -> sha256, for every file but the manifest and the report.
    """

    schema_version: Literal[1] = 1
    gatewright: str
    model: str
    facts: dict[str, Any] = {}
    profile: Literal["scaled", "fixed", "float"]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    targets: dict[str, RelativePath]
    options: dict[str, Any] = {}
    seed: int = 0
    versions: dict[str, str] = {}
    files: dict[RelativePath, Sha256]

    def dumps(self) -> str:
        """The text of ``manifest.json``: files sorted, two spaces, a final newline."""
        data = self.model_dump(mode="json")
        data["files"] = dict(sorted(data["files"].items()))
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def file_digest(path: Path) -> str:
    """sha256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
