"""Types and shapes, node by node, through ONNX's own inference: with static shapes everything is known at once.

One node at a time, so an error names its node, and a result is held against the limits before the next node sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.floatgraph.graph import TensorSpec
from gatewright.compiler.frontend.draft import Body, Node
from gatewright.compiler.frontend.scope import Scope, UnsupportedError
from gatewright.compiler.frontend.tensors import dtype_name

__all__ = ["infer", "schema_of", "to_proto"]

# The inference of older pools counts windows that begin behind the input, which nobody computes (ONNX 22 corrected it).
_CORRECTED = {"MaxPool": 22, "AveragePool": 22}
# Constants whose values shapes depend on are small: axes, pads, sizes, scales.
_SMALL = 1024


def schema_of(node: Node) -> Any | None:
    """ONNX's definition of the node's operator at its version, or None."""
    try:
        return onnx.defs.get_schema(node.op, node.version, node.domain)
    except onnx.defs.SchemaError:
        return None


def to_proto(node: Node) -> onnx.NodeProto:
    """``node`` as ONNX keeps it. Empty lists are left out: nothing gives them a type."""
    proto = helper.make_node(node.op, node.inputs, node.outputs, name=node.name, domain=node.domain)
    for key, value in node.attributes.items():
        if isinstance(value, Body) or (isinstance(value, tuple) and not value):
            continue
        if isinstance(value, np.ndarray):
            value = numpy_helper.from_array(value)
        proto.attribute.append(helper.make_attribute(key, value))
    return proto


def infer(node: Node, scope: Scope) -> Mapping[str, TensorSpec]:
    """Specs of the node's outputs.

    Raises:
        FrontendError: GW1060 when inputs, attributes or shapes contradict the operator's definition.
        UnsupportedError: an output's shape depends on data, or its type is not supported.
        LimitError: an output larger than the limits.
    """
    if not node.domain and node.attributes.get("ceil_mode", 0):
        node = replace(node, version=max(node.version, _CORRECTED.get(node.op, 0)))
    schema = schema_of(node)
    if schema is None:
        raise UnsupportedError(f"opset {node.version} defines no operator {node.op}", "export the model again")
    names = [name for name in node.inputs if name]
    types = {}
    data = {}
    for name in names:
        spec = scope.spec(name)
        types[name] = helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype)), spec.shape)
        value = scope.constant(name)
        if value is not None and value.ndim <= 1 and value.size <= _SMALL:
            data[name] = numpy_helper.from_array(np.asarray(value, order="C"))
    opsets = [helper.make_opsetid("", node.version)]
    try:
        found = onnx.shape_inference.infer_node_outputs(schema, to_proto(node), types, data, opset_imports=opsets)
    except Exception as error:
        raise FrontendError(
            "GW1060",
            node.where(),
            f"contradicts the operator's definition: {_first_line(error)}",
            "run onnx.checker.check_model on the file and export it again",
        ) from None
    return {name: _spec(node, name, found.get(name), scope) for name in node.outputs if name}


def _spec(node: Node, name: str, found: onnx.TypeProto | None, scope: Scope) -> TensorSpec:
    if found is None or not found.HasField("tensor_type"):
        raise UnsupportedError(f"output {name!r} is no tensor", "replace sequences and optionals by tensors")
    element_type = found.tensor_type.elem_type
    dtype = dtype_name(element_type)
    if dtype is None or str(helper.tensor_dtype_to_np_dtype(element_type)) != dtype:
        text = onnx.TensorProto.DataType.Name(element_type)
        raise UnsupportedError(f"makes elements of type {text}", "use float32 or integers of 8 bits and more")
    dims = found.tensor_type.shape.dim
    if not found.tensor_type.HasField("shape") or any(not d.HasField("dim_value") for d in dims):
        raise UnsupportedError(
            f"the shape of output {name!r} depends on the data it gets", "export the model with static shapes"
        )
    shape = tuple(int(d.dim_value) for d in dims)
    place = f"{node.where()}, output {name!r}"
    if any(d < 0 for d in shape):
        raise FrontendError(
            "GW1060",
            place,
            f"would have the shape {list(shape)}",
            "check kernel sizes and pads against the input shape",
        )
    scope.limits.check_tensor(place, shape, np.dtype(dtype).itemsize)
    return TensorSpec(name, shape, dtype)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
