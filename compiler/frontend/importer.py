"""The road through the front end: bytes, wire check, parse, decode, order, static shapes, sweep, Relax."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.frontend.draft import Draft
from gatewright.compiler.frontend.external import ExternalData
from gatewright.compiler.frontend.files import read_model_bytes
from gatewright.compiler.frontend.finite import check_finite
from gatewright.compiler.frontend.header import opset_versions, parse
from gatewright.compiler.frontend.limits import Limits
from gatewright.compiler.frontend.reader import ModelReader
from gatewright.compiler.frontend.shapes import input_specs
from gatewright.compiler.frontend.structure import in_order
from gatewright.compiler.frontend.sweep import Normal, sweep
from gatewright.compiler.frontend.tensors import TensorReader
from gatewright.compiler.frontend.wire import walk
from gatewright.compiler.model import ImportedModel

__all__ = ["normalise", "run"]


def normalise(
    path: Path, input_shapes: Mapping[str, tuple[int, ...]], limits: Limits
) -> tuple[Normal, Mapping[str, object]]:
    """Everything before tvm: the normalised graph and the facts about the file.

    Raises:
        FrontendError, GraphError, LimitError: see :func:`gatewright.compiler.frontend.import_model`.
    """
    data = read_model_bytes(path, limits)
    place = str(path)
    walk(data, place, limits)
    model = parse(data, place)
    opsets = opset_versions(model.opset_import, place)
    facts = _facts(data, model, opsets)
    del data
    # Before any weight is decoded: what only the user can repair is said first.
    inputs = input_specs(model.graph, {tensor.name for tensor in model.graph.initializer}, input_shapes, limits)
    reader = ModelReader(model, TensorReader(ExternalData(path.parent, limits), limits), opsets)
    nodes, constants = reader.graph()
    outputs = tuple(value.name for value in model.graph.output)
    if not all(outputs):
        raise FrontendError("GW1023", place, "declares an output without a name", "export the model again")
    ordered = in_order(nodes, {*constants, *(spec.name for spec in inputs)}, outputs, place)
    check_finite(ordered, constants)
    functions = reader.functions()
    return sweep(Draft(place, inputs, outputs, ordered, constants, frozenset(reader.narrow), functions), limits), facts


def run(path: Path, input_shapes: Mapping[str, tuple[int, ...]], limits: Limits) -> ImportedModel:
    """See :func:`gatewright.compiler.frontend.import_model`."""
    normal, facts = normalise(path, input_shapes, limits)
    from gatewright.compiler.frontend.emit import emit

    return ImportedModel(path.stem, emit(normal), normal.inputs, normal.outputs, facts)


def _facts(data: bytes, model: onnx.ModelProto, opsets: Mapping[str, int]) -> dict[str, object]:
    return {
        "opset": opsets[""],
        "opsets": {domain or "ai.onnx": version for domain, version in sorted(opsets.items())},
        "ir_version": int(model.ir_version),
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "file_bytes": len(data),
        "operators": dict(sorted(Counter(_operators(model.graph)).items())),
    }


def _operators(graph: Any) -> Iterator[str]:
    """Operator of every node, those of subgraphs included; the wire check has bounded the depth."""
    for node in graph.node:
        yield f"{node.domain}:{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _operators(attribute.g)
