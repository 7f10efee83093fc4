"""Weights that are not what they say, inside the file and beside it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from onnx import TensorProto

from tests.hostile.building import conv, external, model, node, tensor, weights
from tests.hostile.case import LIMIT, Content, case


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
