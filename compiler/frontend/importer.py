"""The road through the front end (first form: no checks yet)."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import onnx
from onnx.helper import tensor_dtype_to_np_dtype

from gatewright.compiler.floatgraph.graph import TensorSpec
from gatewright.compiler.frontend.limits import Limits
from gatewright.compiler.model import ImportedModel

__all__ = ["run"]


def run(path: Path, input_shapes: dict[str, tuple[int, ...]], limits: Limits) -> ImportedModel:
    """See :func:`gatewright.compiler.frontend.import_model`."""
    data = path.read_bytes()
    model = onnx.load_model_from_string(data)
    initializers = {i.name for i in model.graph.initializer}
    inputs = []
    for value in model.graph.input:
        if value.name in initializers:
            continue
        kind = value.type.tensor_type
        shape = input_shapes.get(value.name) or tuple(d.dim_value or 1 for d in kind.shape.dim)
        inputs.append(TensorSpec(value.name, shape, str(tensor_dtype_to_np_dtype(kind.elem_type))))
    opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    from gatewright.compiler.frontend.emit import emit

    module = emit(model, {spec.name: spec.shape for spec in inputs}, opset)
    result = module["main"].ret_ty
    fields = list(result.fields) if hasattr(result, "fields") else [result]
    outputs = tuple(
        TensorSpec(value.name, tuple(int(d) for d in field.shape), str(field.dtype))
        for value, field in zip(model.graph.output, fields, strict=True)
    )
    facts = {
        "opset": opset,
        "ir_version": model.ir_version,
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "operators": dict(sorted(Counter(node.op_type for node in model.graph.node).items())),
    }
    return ImportedModel(path.stem, module, tuple(inputs), outputs, facts)
