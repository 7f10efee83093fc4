"""Closing an artefact: the manifest that names every file, and the report beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gatewright.compiler.artifact.schema import MANIFEST_NAME, REPORT_NAME, Manifest, Tensor, file_digest
from gatewright.compiler.floatgraph.graph import TensorSpec
from gatewright.compiler.model import QuantizedModel

__all__ = ["PACKAGES", "package_versions", "seal", "write_report"]

PACKAGES = ("apache-tvm", "apache-tvm-ffi", "hls4ml", "networkx", "numpy", "onnx")
"""Packages whose versions can change what is written."""


def package_versions() -> dict[str, str]:
    """Versions of :data:`PACKAGES`, those that are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def seal(
    directory: Path,
    model: QuantizedModel,
    *,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    facts: Mapping[str, Any],
    targets: Mapping[str, str],
    options: Mapping[str, Any],
    seed: int,
) -> Manifest:
    """Write ``manifest.json`` over everything that lies in ``directory``.

    Args:
        directory: the artefact, complete but for manifest and report.
        model: what was compiled.
        inputs: the ONNX model's.
        outputs: the ONNX model's.
        facts: of the ONNX file.
        targets: full target name -> its folder.
        options: of the command, plain data without paths.
        seed: of everything random.
    """
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path != directory / REPORT_NAME)
    manifest = Manifest(
        gatewright=version("gatewright"),
        model=model.name,
        facts=dict(facts),
        profile=model.integer.profile if model.integer is not None else "float",
        inputs=tuple(Tensor.of(spec) for spec in inputs),
        outputs=tuple(Tensor.of(spec) for spec in outputs),
        targets=dict(targets),
        options=dict(options),
        seed=seed,
        versions=package_versions(),
        files={path.relative_to(directory).as_posix(): file_digest(path) for path in files},
    )
    (directory / MANIFEST_NAME).write_text(manifest.dumps(), encoding="utf-8")
    return manifest


def write_report(directory: Path, report: Mapping[str, Any]) -> None:
    """Write ``report.json``; it may hold wall times, so the manifest does not list it."""
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
    (directory / REPORT_NAME).write_text(text + "\n", encoding="utf-8")
