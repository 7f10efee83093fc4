"""Is the artefact what was written?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from gatewright.compiler.artifact.schema import Manifest, file_digest
from gatewright.compiler.errors import FrontendError
from gatewright.compiler.model import QuantizedModel

__all__ = ["check_files", "check_graphs"]


def check_files(directory: Path, manifest: Manifest, folders: Iterable[str]) -> None:
    """Compare the files of ``folders`` with the manifest's sha256.

    Files the manifest does not list are ignored: nothing reads them, and a simulation may leave some.

    Raises:
        FrontendError: GW1903 naming every file that is missing, changed, or a link out of the folder.
    """
    root = directory.resolve()
    prefixes = tuple(f"{folder}/" for folder in folders)
    wrong = []
    for name, digest in manifest.files.items():
        if not name.startswith(prefixes):
            continue
        path = root / name
        if not path.resolve().is_relative_to(root):
            wrong.append(f"{name} (a link out of the folder)")
        elif not path.is_file():
            wrong.append(f"{name} (missing)")
        elif file_digest(path) != digest:
            wrong.append(f"{name} (changed)")
    if wrong:
        raise FrontendError(
            "GW1903", str(directory), f"files are not what the manifest says: {', '.join(wrong)}",
            "compile the model again", "or copy the artefact again, whole",
        )  # fmt: skip


def check_graphs(manifest: Manifest, model: QuantizedModel) -> None:
    """Hold the graphs against what the manifest says of profile, inputs and outputs; it bears no sum of its own.

    Raises:
        FrontendError: GW1903.
    """
    if (model.integer is None) != (manifest.profile == "float") or (model.integer is None) != (model.tail is None):
        raise _strange(manifest, f"the graphs do not belong to profile {manifest.profile!r}")
    last = model.tail or model.float_graph
    if last is None:
        raise _strange(manifest, "there is no float graph")
    first = model.integer.inputs if model.integer is not None else ()
    read = {layer.name: layer.output.shape for layer in first} or {spec.name: spec.shape for spec in last.inputs}
    told = {tensor.name: tensor.shape for tensor in manifest.inputs}
    for name, shape in read.items():
        if told.get(name) != shape:
            raise _strange(manifest, f"the graphs read an input {name!r} of shape {shape}, the manifest knows none")
    made = {spec.name: math.prod(spec.shape) for spec in last.outputs}
    for tensor in manifest.outputs:
        if made.get(tensor.name) != math.prod(tensor.shape):
            raise _strange(manifest, f"the graphs make no output {tensor.name!r} of shape {tensor.shape}")


def _strange(manifest: Manifest, reason: str) -> FrontendError:
    return FrontendError("GW1903", manifest.model, reason, "compile the model again")
