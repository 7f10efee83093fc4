"""Small models, and parts of them, that the cases then spoil."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["conv", "external", "field", "model", "node", "relu", "tensor", "value", "varint", "weights"]


def model(
    nodes: list[onnx.NodeProto],
    *,
    inputs: list[onnx.ValueInfoProto] | None = None,
    outputs: list[str] | None = None,
    initializers: list[TensorProto] | None = None,
    opset: int = 17,
    **kwargs: Any,
) -> onnx.ModelProto:
    """A model with input x (1, 3, 8, 8) unless said otherwise."""
    graph = helper.make_graph(nodes, "g", [], [])
    graph.input.extend(inputs if inputs is not None else [value("x", [1, 3, 8, 8])])
    for name in outputs or ["y"]:
        graph.output.add().CopyFrom(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    graph.initializer.extend(initializers or [])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, **kwargs)


def value(name: str, shape: list[Any] | None, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def node(op: str, inputs: list[str], outputs: list[str], name: str = "", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, outputs, name=name, **attributes)


def tensor(name: str, array: Any) -> TensorProto:
    return numpy_helper.from_array(np.asarray(array), name)


def relu() -> onnx.ModelProto:
    return model([node("Relu", ["x"], ["y"], "act")])


def conv(weights: TensorProto, **attributes: Any) -> onnx.ModelProto:
    return model([node("Conv", ["x", "w"], ["y"], "conv1", **attributes)], initializers=[weights])


def weights(shape: tuple[int, ...] = (4, 3, 3, 3)) -> TensorProto:
    return tensor("w", np.ones(shape, np.float32))


def external(location: str, **entries: str) -> onnx.ModelProto:
    """A Conv whose weights, 4 values, lie at ``location``."""
    t = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1, 1, 2, 2], data_location=TensorProto.EXTERNAL)
    for key, text in {"location": location, **entries}.items():
        t.external_data.add(key=key, value=text)
    return model([node("Conv", ["x", "w"], ["y"], "conv1")], inputs=[value("x", [1, 1, 8, 8])], initializers=[t])


def field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
