"""Files that are no files, or no protobuf, or too much of one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from tests.hostile.building import conv, field, model, node, relu, tensor, varint
from tests.hostile.case import LIMIT, Content, case


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
