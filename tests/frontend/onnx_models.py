"""Small ONNX models, and the three ways to run one: onnxruntime, ONNX's reference, and ours."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from gatewright.compiler.floatgraph.from_relax import read
from gatewright.compiler.floatgraph.interpreter import execute
from gatewright.compiler.frontend import import_model
from gatewright.compiler.model import ImportedModel

Array = npt.NDArray[Any]

# ONNX Runtime refuses operator sets that were not final when it was built.
NEWEST_IN_ONNXRUNTIME = 22


def build(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Array],
    outputs: Sequence[str],
    constants: Mapping[str, Any] | None = None,
    opset: int = 17,
    domains: Sequence[str] = (),
) -> onnx.ModelProto:
    """A model whose inputs have the types and shapes of the arrays given."""
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in inputs.items()
    ]
    graph = helper.make_graph(list(nodes), "graph", values, [])
    for name in outputs:
        graph.output.add().name = name
    graph.initializer.extend(numpy_helper.from_array(np.asarray(a), name) for name, a in (constants or {}).items())
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    # Only ONNX Runtime minds outputs without types.
    with contextlib.suppress(Exception):
        model = onnx.shape_inference.infer_shapes(model)
    return model


def imported(model: onnx.ModelProto, folder: Path) -> ImportedModel:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return import_model(path)


def ours(model: onnx.ModelProto, inputs: Mapping[str, Array], folder: Path) -> list[Array]:
    """Imported, and executed by the float graph's interpreter."""
    found = imported(model, folder)
    results = execute(read(found), {spec.name: inputs[spec.name] for spec in found.inputs})
    for spec in found.outputs:
        assert results[spec.name].shape == spec.shape
        assert str(results[spec.name].dtype) == spec.dtype
    return [results[spec.name] for spec in found.outputs]


def reference(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> list[Array]:
    """ONNX Runtime without graph optimizations, or ONNX's reference evaluator where an operator is too new for it.

    A model of a newer opset whose operators have not changed since is shown to ONNX Runtime as one of the older.
    """
    (entry,) = (entry for entry in model.opset_import if entry.domain == "")
    if entry.version > NEWEST_IN_ONNXRUNTIME:
        since = [
            onnx.defs.get_schema(n.op_type, entry.version, "").since_version for n in model.graph.node if not n.domain
        ]
        if max(since) <= NEWEST_IN_ONNXRUNTIME:
            older = onnx.ModelProto.FromString(model.SerializeToString())
            next(e for e in older.opset_import if e.domain == "").version = NEWEST_IN_ONNXRUNTIME
            return onnxruntime_results(older.SerializeToString(), inputs)
        from onnx.reference import ReferenceEvaluator

        return [np.asarray(a) for a in ReferenceEvaluator(model).run(None, dict(inputs))]
    return onnxruntime_results(model.SerializeToString(), inputs)


def onnxruntime_results(model: bytes | str, inputs: Mapping[str, Array]) -> list[Array]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return [np.asarray(a) for a in session.run(None, dict(inputs))]


def assert_close(got: Sequence[Array], wanted: Sequence[Array], relative: float = 1e-4) -> None:
    """Equal shapes and types; floats within ``relative`` of the largest value (float32 sums in another order)."""
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        if b.dtype.kind != "f":
            np.testing.assert_array_equal(a, b)
        elif b.size:
            np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
            bound = relative * float(np.nanmax(np.abs(b))) + 1e-6
            assert float(np.nanmax(np.abs(a.astype(np.float64) - b.astype(np.float64)))) <= bound


FLOAT = TensorProto.FLOAT
