"""Shapes that are missing, impossible or meant to exhaust memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from tests.hostile.building import conv, model, node, tensor, value, weights
from tests.hostile.case import LIMIT, Content, case


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
