"""Compiling a Relax module into an artefact folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tvm import ir, relax, target, transform

from gatewright.compiler.floatgraph.graph import TensorSpec
from gatewright.targets.cpu.features import needed
from gatewright.targets.cpu.linking import find_linker, link_shared
from gatewright.targets.cpu.lowering import lowered

__all__ = ["LIBRARY", "METADATA", "build_library", "processor_target"]

LIBRARY = "model.so"
METADATA = "cpu.json"


def build_library(
    module: ir.IRModule, mcpu: str, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], directory: Path
) -> None:
    """Compile ``module`` for the processor ``mcpu`` and write library, loader's metadata and texts to ``directory``.

    Args:
        module: ``main`` takes ``inputs`` and returns ``outputs`` in order.
        mcpu: LLVM processor name.
        inputs: of the library.
        outputs: of the library.
        directory: exists.

    Raises:
        ToolError: GW5201, GW5202 of the linker.
    """
    find_linker()  # before minutes of compilation
    processor = processor_target(mcpu)
    tir = lowered(module, processor)
    with transform.PassContext(opt_level=3):
        executable = relax.build(tir, processor, relax_pipeline=None)
    executable.export_library(
        str(directory / LIBRARY), fcompile=lambda output, objects, **_: link_shared(Path(output), objects)
    )
    metadata = {
        "library": LIBRARY,
        "mcpu": mcpu,
        "features": needed(target.codegen.llvm_get_cpu_features(processor)),
        "inputs": _specs(inputs),
        "outputs": _specs(outputs),
    }
    (directory / METADATA).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
    (directory / "relax.txt").write_text(module.script() + "\n", encoding="utf-8")
    (directory / "tir.txt").write_text(tir.script() + "\n", encoding="utf-8")


def processor_target(mcpu: str) -> target.Target:
    """TVM's description of the processor.

    LLVM's level 2 instead of TVM's default 3: it compiles faster, and no integer kernel tried ran slower for it.
    """
    return target.Target({"kind": "llvm", "mcpu": mcpu, "opt-level": 2})


def _specs(specs: Sequence[TensorSpec]) -> list[dict[str, Any]]:
    return [{"name": spec.name, "shape": list(spec.shape), "dtype": spec.dtype} for spec in specs]
