"""Models whose header or graph does not hold together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import AttributeProto, helper

from tests.hostile.building import conv, model, node, relu, tensor, weights
from tests.hostile.case import LIMIT, Content, case


@case("GW1011")
def no_graph(folder: Path) -> Content:
    return onnx.ModelProto(ir_version=8, producer_name="nobody").SerializeToString()


@case("GW1012")
def ir_version_of_the_future(folder: Path) -> Content:
    m = relu()
    m.ir_version = 99
    return m


@case("GW1013")
def opset_too_old(folder: Path) -> Content:
    return model([node("Relu", ["x"], ["y"])], opset=6)


@case("GW1013")
def opset_of_the_future(folder: Path) -> Content:
    return model([node("Relu", ["x"], ["y"])], opset=9999)


@case("GW1013")
def no_opset(folder: Path) -> Content:
    m = relu()
    del m.opset_import[:]
    return m


@case("GW1020", "'w'")
def initializer_twice(folder: Path) -> Content:
    m = conv(weights())
    m.graph.initializer.append(weights())
    return m


@case("GW1020", "'second'", "'y'")
def tensor_made_twice(folder: Path) -> Content:
    return model([node("Relu", ["x"], ["y"], "first"), node("Abs", ["x"], ["y"], "second")])


@case("GW1021", "'adder'", "'ghost'")
def undefined_input(folder: Path) -> Content:
    return model([node("Add", ["x", "ghost"], ["y"], "adder")])


@case("GW1022", "'a'", "'b'")
def cycle(folder: Path) -> Content:
    return model([node("Add", ["x", "q"], ["p"], "a"), node("Relu", ["p"], ["q"], "b"), node("Abs", ["q"], ["y"], "c")])


@case("GW1022", "'self'")
def node_reads_itself(folder: Path) -> Content:
    return model([node("Identity", ["y"], ["y"], "self")])


@case("GW1023", "'nowhere'")
def undefined_output(folder: Path) -> Content:
    return model([node("Relu", ["x"], ["y"])], outputs=["nowhere"])


@case("GW1024", "'conv1'", "'group'")
def attribute_twice(folder: Path) -> Content:
    m = conv(weights())
    m.graph.node[0].attribute.extend([helper.make_attribute("group", 1), helper.make_attribute("group", 3)])
    return m


@case("GW1024", "'conv1'", "'strides'")
def attribute_of_wrong_type(folder: Path) -> Content:
    return conv(weights(), strides=2.5)


@case("GW1024", "'conv1'", "inputs")
def too_few_inputs(folder: Path) -> Content:
    return model([node("Conv", ["x"], ["y"], "conv1")])


@case("GW1024", "'cat'", "'axis'")
def required_attribute_missing(folder: Path) -> Content:
    return model([node("Concat", ["x", "x"], ["y"], "cat")])


@case("GW1024", "'odd'", "TYPE_PROTO")
def attribute_nobody_takes(folder: Path) -> Content:
    m = model([node("Relu", ["x"], ["y"], "odd")])
    m.graph.node[0].attribute.add(name="t", type=AttributeProto.TYPE_PROTO)
    return m


@case("GW1025", "'again'", "calls itself")
def recursive_function(folder: Path) -> Content:
    m = model([node("f", ["x"], ["y"], "call", domain="own")])
    body = [node("f", ["a"], ["b"], "again", domain="own")]
    m.functions.append(
        helper.make_function(
            "own", "f", ["a"], ["b"], body, [helper.make_opsetid("own", 1), helper.make_opsetid("", 17)]
        )
    )
    m.opset_import.append(helper.make_opsetid("own", 1))
    return m


@case("GW6003", "nodes", exit_code=LIMIT)
def functions_that_multiply(folder: Path) -> Content:
    m = model([node("f9", ["x"], ["y"], "call", domain="own")])
    opsets = [helper.make_opsetid("own", 1), helper.make_opsetid("", 17)]
    for level in range(10):
        names = [f"t{i}" for i in range(10)]
        op = {"op_type": f"f{level - 1}", "domain": "own"} if level else {"op_type": "Relu", "domain": ""}
        body = [
            helper.make_node(op["op_type"], [a], [b], domain=op["domain"])
            for a, b in zip(["a", *names[:-1]], [*names[:-1], "b"], strict=True)
        ]
        m.functions.append(helper.make_function("own", f"f{level}", ["a"], ["b"], body, opsets))
    m.opset_import.append(helper.make_opsetid("own", 1))
    return m


@case("GW1026", "'w'")
def sparse_initializer(folder: Path) -> Content:
    m = relu()
    indices = tensor("i", np.array([0, 5]))
    m.graph.sparse_initializer.append(helper.make_sparse_tensor(tensor("w", np.ones(2, np.float32)), indices, [10]))
    return m
