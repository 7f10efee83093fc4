"""Hostile and broken models, each with what has to be said about it. ``python tests/hostile/make_corpus.py FOLDER``.

Every case is a folder of its own, so that a file outside it is a file outside the model's folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

__all__ = ["Case", "make_corpus"]

UNSUPPORTED, LIMIT = 3, 7


@dataclass(frozen=True)
class Case:
    """One model and what the front end has to answer.

    Attributes:
        name: of the case and its folder.
        path: the file to import.
        exit_code, code: of the error.
        places: texts the message has to contain: node, tensor, byte or file.
    """

    name: str
    path: Path
    exit_code: int
    code: str
    places: tuple[str, ...]


Content: TypeAlias = "onnx.ModelProto | bytes | None"
_MAKERS: list[tuple[str, int, str, tuple[str, ...], Callable[[Path], Content]]] = []


def case(code: str, *places: str, exit_code: int = UNSUPPORTED) -> Callable[[Any], Any]:
    """Registers a function that gets the case's folder and returns the content of ``model.onnx``, if it makes one."""

    def register(make: Callable[[Path], Content]) -> Callable[[Path], Content]:
        _MAKERS.append((make.__name__, exit_code, code, places, make))
        return make

    return register


def make_corpus(folder: Path) -> list[Case]:
    """Write all cases below ``folder``, which must not exist, and list them."""
    cases = []
    folder.mkdir(parents=True)
    (folder / "secret.bin").write_bytes(bytes(64))
    for name, exit_code, code, places, make in _MAKERS:
        own = folder / name
        own.mkdir()
        path = own / "model.onnx"
        content = make(own)
        if content is not None:
            data = content if isinstance(content, bytes) else content.SerializeToString()
            path.write_bytes(data)
        cases.append(Case(name, path, exit_code, code, places or (str(path),)))
    return cases


# Building blocks


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


# The file itself


@case("GW1001")
def missing_file(folder: Path) -> Content:
    return None


@case("GW1002")
def folder_instead_of_file(folder: Path) -> Content:
    (folder / "model.onnx").mkdir()
    return None


@case("GW1002")
def pipe(folder: Path) -> Content:
    os.mkfifo(folder / "model.onnx")
    return None


@case("GW1002")
def link_to_device(folder: Path) -> Content:
    (folder / "model.onnx").symlink_to("/dev/zero")
    return None


@case("GW1004")
def empty_file(folder: Path) -> Content:
    return b""


@case("GW6001", exit_code=LIMIT)
def larger_than_protobuf_can_be(folder: Path) -> Content:
    with (folder / "model.onnx").open("wb") as file:
        file.truncate(3 << 30)  # a hole: takes no disk
    return None


# Wire format


@case("GW1010", "byte")
def text_file(folder: Path) -> Content:
    return b"This is not a model.\n" * 20


@case("GW1010", "byte")
def random_bytes(folder: Path) -> Content:
    return bytes(np.random.default_rng(1).integers(0, 256, 4096, np.uint8))


@case("GW1010", "graph")
def truncated_in_graph(folder: Path) -> Content:
    return relu().SerializeToString()[:-30]


@case("GW1010", "graph")
def truncated_in_weights(folder: Path) -> Content:
    data = conv(tensor("w", np.ones((64, 3, 3, 3), np.float32))).SerializeToString()
    return data[: len(data) // 2]


@case("GW1010", "byte")
def length_of_2_to_the_63(folder: Path) -> Content:
    return varint(7 << 3 | 2) + varint(1 << 63) + b"abc"


@case("GW1010", "byte")
def endless_number(folder: Path) -> Content:
    return varint(1 << 3) + b"\xff" * 100


@case("GW1010", "model.graph")
def groups(folder: Path) -> Content:
    return field(7, bytes([1 << 3 | 3]) * 1000)


@case("GW1010", "model.graph.node")
def name_not_utf8(folder: Path) -> Content:
    data = model([node("Relu", ["x"], ["y"], "name_to_break")]).SerializeToString()
    return data.replace(b"name_to_break", b"name\xff\xfeto_break")


@case("GW6002", "model.graph.node.attribute.g", exit_code=LIMIT)
def subgraphs_100000_deep(folder: Path) -> Content:
    # Inside out: graph { node { attribute { g: graph } } }, lengths by hand because no library would serialize it.
    tags = (varint(1 << 3 | 2), varint(5 << 3 | 2), varint(6 << 3 | 2))
    parts: list[bytes] = []
    size = 0
    for i in range(99_999):
        head = tags[2 - i % 3] + varint(size)
        parts.append(head)
        size += len(head)
    return varint(7 << 3 | 2) + varint(size) + b"".join(reversed(parts))


@case("GW6002", "elem_type", exit_code=LIMIT)
def types_nest(folder: Path) -> Content:
    kind = b""
    for _ in range(5000):
        kind = field(4, field(1, kind))  # sequence_type { elem_type }
    return field(7, field(11, field(2, kind)))


@case("GW6003", "nodes", exit_code=LIMIT)
def hundred_thousand_nodes(folder: Path) -> Content:
    chain = b"".join(
        field(1, field(1, b"%d" % i) + field(2, b"%d" % (i + 1)) + field(4, b"Relu")) for i in range(100_000)
    )
    return varint(1 << 3) + varint(8) + field(7, chain)


@case("GW6008", "fields", exit_code=LIMIT)
def attribute_of_millions_of_numbers(folder: Path) -> Content:
    ints = bytes([8 << 3, 1]) * 4_000_000
    return varint(1 << 3) + varint(8) + field(7, field(1, field(4, b"Relu") + field(5, ints)))


@case("GW6004", "tensors", exit_code=LIMIT)
def too_many_initializers(folder: Path) -> Content:
    return varint(1 << 3) + varint(8) + field(7, field(5, b"") * 300_000)


@case("GW6009", "model.graph.node", exit_code=LIMIT)
def name_of_a_megabyte(folder: Path) -> Content:
    return model([node("Relu", ["x"], ["y"], "n" * 1_000_000)])


# Header


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


# Structure


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


# Tensors


@case("GW1030", "'w'", "bytes")
def weights_too_short(folder: Path) -> Content:
    t = weights()
    t.raw_data = t.raw_data[:-4]
    return conv(t)


@case("GW1030", "'w'", "values")
def weights_too_many_values(folder: Path) -> Content:
    return conv(TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 3, 3, 3], float_data=[1.0] * 500))


@case("GW1030", "'w'", "negative")
def negative_dimension(folder: Path) -> Content:
    t = weights()
    t.dims[0] = -4
    return conv(t)


@case("GW6005", "'w'", exit_code=LIMIT)
def dimension_of_2_to_the_63(folder: Path) -> Content:
    t = weights()
    t.dims[0] = 2**63 - 1
    return conv(t)


@case("GW6005", "'w'", exit_code=LIMIT)
def dimensions_that_overflow_to_zero(folder: Path) -> Content:
    t = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2**32, 2**32], raw_data=b"")
    return conv(t)


@case("GW6007", "'w'", exit_code=LIMIT)
def rank_of_10000(folder: Path) -> Content:
    return conv(TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1] * 10_000, raw_data=bytes(4)))


@case("GW1031", "'w'", "STRING")
def text_tensor(folder: Path) -> Content:
    return conv(TensorProto(name="w", data_type=TensorProto.STRING, dims=[1], string_data=[b"hello"]))


@case("GW1031", "'w'", "77")
def unknown_element_type(folder: Path) -> Content:
    return conv(TensorProto(name="w", data_type=77, dims=[1], raw_data=bytes(4)))


@case("GW1032", "'w'", "NaN")
def nan_weights(folder: Path) -> Content:
    array = np.ones((4, 3, 3, 3), np.float32)
    array[1, 2, 0, 0] = np.nan
    return conv(tensor("w", array))


@case("GW1032", "'bad'", "infinite")
def infinite_constant(folder: Path) -> Content:
    nodes = [
        node("Constant", [], ["c"], "bad", value=tensor("c", np.array([np.inf], np.float32))),
        node("Mul", ["x", "c"], ["y"]),
    ]
    return model(nodes)


# External data


@case("GW1040", "'w'", "../secret.bin")
def traversal(folder: Path) -> Content:
    return external("../secret.bin")


@case("GW1040", "'w'", "sub/../../secret.bin")
def traversal_through_a_folder(folder: Path) -> Content:
    (folder / "sub").mkdir()
    return external("sub/../../secret.bin")


@case("GW1040", "'w'", "absolute")
def absolute_path(folder: Path) -> Content:
    return external(str((folder.parent / "secret.bin").resolve()))


@case("GW1040", "'w'", "absolute")
def windows_path(folder: Path) -> Content:
    return external("C:\\Windows\\win.ini")


@case("GW1040", "'w'", "symbolic link")
def symbolic_link(folder: Path) -> Content:
    (folder / "w.bin").symlink_to(folder.parent / "secret.bin")
    return external("w.bin")


@case("GW1040", "'w'", "symbolic link")
def symbolic_link_folder(folder: Path) -> Content:
    (folder / "data").symlink_to(folder.parent)
    return external("data/secret.bin")


@case("GW1040", "'w'", "hard link")
def hard_link(folder: Path) -> Content:
    os.link(folder.parent / "secret.bin", folder / "w.bin")
    return external("w.bin")


@case("GW1040", "'w'")
def external_pipe(folder: Path) -> Content:
    os.mkfifo(folder / "w.bin")
    return external("w.bin")


@case("GW1040", "'w'")
def no_location(folder: Path) -> Content:
    return external("")


@case("GW1041", "'w'", "w.bin")
def external_file_missing(folder: Path) -> Content:
    return external("w.bin")


@case("GW1042", "'w'", "w.bin")
def offset_past_the_end(folder: Path) -> Content:
    (folder / "w.bin").write_bytes(bytes(32))
    return external("w.bin", offset="20")


@case("GW1042", "'w'", "offset")
def negative_offset(folder: Path) -> Content:
    (folder / "w.bin").write_bytes(bytes(32))
    return external("w.bin", offset="-16")


@case("GW1042", "'w'", "length")
def length_of_external_data_absurd(folder: Path) -> Content:
    (folder / "w.bin").write_bytes(bytes(32))
    return external("w.bin", length=str(2**62))


# Shapes


@case("GW1050", "'x'", "dimension 2", "'height'", "--input-shape")
def symbolic_dimension(folder: Path) -> Content:
    return model([node("Relu", ["x"], ["y"])], inputs=[value("x", ["N", 3, "height", None])])


@case("GW1050", "'x'", "--input-shape")
def input_without_shape(folder: Path) -> Content:
    return model([node("Relu", ["x"], ["y"])], inputs=[value("x", None)])


@case("GW1050", "'x'", "dimension 1")
def input_without_elements(folder: Path) -> Content:
    return model([node("Relu", ["x"], ["y"])], inputs=[value("x", [1, 0, 8])])


@case("GW6005", "'x'", exit_code=LIMIT)
def input_of_an_exabyte(folder: Path) -> Content:
    return model([node("Relu", ["x"], ["y"])], inputs=[value("x", [1 << 30, 1 << 30])])


@case("GW1053", "'x'", "STRING")
def text_input(folder: Path) -> Content:
    return model([node("Relu", ["x"], ["y"])], inputs=[value("x", [1], TensorProto.STRING)])


@case("GW1053", "'x'", "sequence")
def sequence_input(folder: Path) -> Content:
    return model(
        [node("SequenceLength", ["x"], ["y"])],
        inputs=[helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [1])],
    )


@case("GW1060", "'flat'")
def reshape_that_overflows(folder: Path) -> Content:
    shape = tensor("s", np.array([2**62, 4, -1]))
    return model([node("Reshape", ["x", "s"], ["y"], "flat")], initializers=[shape])


@case("GW6005", "'fill'", exit_code=LIMIT)
def constant_of_a_terabyte(folder: Path) -> Content:
    shape = tensor("s", np.array([2**20, 2**20]))
    return model([node("ConstantOfShape", ["s"], ["c"], "fill"), node("Add", ["x", "c"], ["y"])], initializers=[shape])


@case("GW1060", "'again'")
def tile_that_overflows(folder: Path) -> Content:
    reps = tensor("r", np.array([2**62, 2**62, 1, 1]))
    return model([node("Tile", ["x", "r"], ["y"], "again")], initializers=[reps])


@case("GW1060", "'conv1'", "channels")
def channels_do_not_fit(folder: Path) -> Content:
    return conv(weights((4, 5, 3, 3)))


@case("GW1060", "'conv1'", "strides")
def stride_of_zero(folder: Path) -> Content:
    return conv(weights(), strides=[0, 1])


@case("GW1060", "'conv1'", "pads")
def pads_below_zero(folder: Path) -> Content:
    return conv(weights(), pads=[-3, -3, -3, -3])


@case("GW1060", "'conv1'", "dilations")
def dilation_of_2_to_the_62(folder: Path) -> Content:
    return conv(weights(), dilations=[2**62, 1])


@case("GW1060", "'conv1'", "spans 4001")
def dilation_beyond_the_input(folder: Path) -> Content:
    return conv(weights(), dilations=[2000, 1])


@case("GW1060", "'pool'", "spans")
def kernel_larger_than_the_input(folder: Path) -> Content:
    return model([node("MaxPool", ["x"], ["y"], "pool", kernel_shape=[2**30, 2])])


@case("GW1060", "'turn'")
def permutation_out_of_range(folder: Path) -> Content:
    return model([node("Transpose", ["x"], ["y"], "turn", perm=[0, 1, 2, 9])])


@case("GW1060", "'flat'", "reshape")
def reshape_to_another_size(folder: Path) -> Content:
    return model([node("Reshape", ["x", "s"], ["y"], "flat")], initializers=[tensor("s", np.array([1, 100]))])


@case("GW1060", "'take'", "index 9")
def index_out_of_range(folder: Path) -> Content:
    return model([node("Gather", ["x", "i"], ["y"], "take", axis=1)], initializers=[tensor("i", np.array([0, 9]))])


@case("GW1070", "'deq'", "scale")
def scale_of_zero(folder: Path) -> Content:
    values = [tensor("q", np.ones((1, 3, 8, 8), np.int8)), tensor("s", np.float32(0))]
    return model(
        [node("DequantizeLinear", ["q", "s"], ["d"], "deq"), node("Add", ["x", "d"], ["y"])], initializers=values
    )


# Operators


@case("GW2100", "'magic'", "FlyToTheMoon")
def unknown_operator(folder: Path) -> Content:
    return model([node("FlyToTheMoon", ["x"], ["y"], "magic")])


@case("GW2100", "'one'", "'two'", "'three'", "'four'")
def several_unsupported_operators(folder: Path) -> Content:
    return model(
        [
            node("FlyToTheMoon", ["x"], ["a"], "one"),
            node("Relu", ["a"], ["b"], "fine"),
            node("NonZero", ["b"], ["c"], "two"),
            node("Cast", ["c"], ["d"], "also_fine", to=1),
            node("Grill", ["d"], ["e"], "three", domain="com.example"),
            node("RandomNormalLike", ["e"], ["y"], "four"),
        ]
    )


@case("GW2100", "'q1'", "'q2'", "QONNX")
def qonnx_dialect(folder: Path) -> Content:
    scalars = [tensor(name, np.float32(v)) for name, v in (("s", 0.1), ("z", 0.0), ("b", 4.0))]
    quant = {"domain": "qonnx.custom_op.general", "signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    return model(
        [
            node("Quant", ["x", "s", "z", "b"], ["a"], "q1", **quant),
            node("Quant", ["a", "s", "z", "b"], ["y"], "q2", **quant),
        ],
        initializers=scalars,
    )


@case("GW2100", "'either'", "condition")
def branch_on_data(folder: Path) -> Content:
    def branch(op: str) -> onnx.GraphProto:
        return helper.make_graph([node(op, ["x"], [f"{op}_out"])], op, [], [value(f"{op}_out", None)])

    nodes = [
        node("ReduceMax", ["x"], ["m"], keepdims=0),
        node("Cast", ["m"], ["c"], to=TensorProto.BOOL),
        node("If", ["c"], ["y"], "either", then_branch=branch("Relu"), else_branch=branch("Abs")),
    ]
    return model(nodes)


if __name__ == "__main__":
    for made in make_corpus(Path(sys.argv[1])):
        print(made.exit_code, made.code, made.path)
