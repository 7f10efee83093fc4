"""Every quantized dialect arrives as DequantizeLinear, float operator, QuantizeLinear, and computes what it did."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from gatewright.compiler.errors import FrontendError, GraphError
from gatewright.compiler.floatgraph.from_relax import read
from tests.frontend.onnx_models import Array, assert_close, build, imported, onnxruntime_results, ours

MICROSOFT = "com.microsoft"
Constants = dict[str, Any]


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def integers(*shape: int, dtype: str = "int8") -> Array:
    info = np.iinfo(dtype)
    return rng().integers(info.min, info.max + 1, shape).astype(dtype)


def within_one_lsb(model: onnx.ModelProto, inputs: Mapping[str, Array], folder: Path) -> None:
    """The float result is rounded once in both; ONNX Runtime's kernels may round the product of the scales first."""
    got, wanted = ours(model, inputs, folder), onnxruntime_results(model.SerializeToString(), inputs)
    for a, b in zip(got, wanted, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert np.abs(a.astype(int) - b.astype(int)).max() <= 1
        # And hardly ever: a wrong scale or zero point moves every element.
        assert (a != b).mean() < 0.02
        assert np.unique(b).size > 3


X: Constants = {"xs": np.float32(0.05), "xz": np.int8(3)}
# No multiple of the others: exact ties would go either way.
Y: Constants = {"ys": np.float32(0.0973), "yz": np.int8(-5)}
Z: Constants = {"zs": np.float32(0.02), "zz": np.int8(-7)}


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_qlinear_conv(per_channel: bool, bias: bool, tmp_path: Path) -> None:
    scales = np.array([0.01, 0.02, 0.005, 0.03], np.float32) if per_channel else np.float32(0.01)
    zeros = np.zeros(4, np.int8) if per_channel else np.int8(2)
    constants: Constants = {
        **X,
        **Y,
        "w": integers(4, 3, 3, 3),
        "ws": scales,
        "wz": zeros,
        "b": integers(4, dtype="int16").astype(np.int32),
    }
    names = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", *(["b"] if bias else [])]
    node = helper.make_node("QLinearConv", names, ["y"], pads=[1, 1, 1, 1], strides=[2, 2])
    model = build([node], {"x": (x := integers(1, 3, 8, 8))}, ["y"], {k: constants[k] for k in names if k != "x"}, 13)
    within_one_lsb(model, {"x": x}, tmp_path)


@pytest.mark.parametrize("per_column", [False, True])
def test_qlinear_matmul(per_column: bool, tmp_path: Path) -> None:
    scales = np.array([0.01, 0.02, 0.005], np.float32) if per_column else np.float32(0.01)
    zeros = np.array([0, 1, -2], np.int8) if per_column else np.int8(4)
    constants = {**X, **Y, "w": integers(6, 3), "ws": scales, "wz": zeros}
    node = helper.make_node("QLinearMatMul", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"])
    within_one_lsb(build([node], {"x": (x := integers(5, 6))}, ["y"], constants, 13), {"x": x}, tmp_path)


@pytest.mark.parametrize("op", ["QLinearAdd", "QLinearMul"])
def test_qlinear_binary(op: str, tmp_path: Path) -> None:
    names = ["x", "xs", "xz", "w", "zs", "zz", "ys", "yz"]
    node = helper.make_node(op, names, ["y"], domain=MICROSOFT)
    constants = {**X, **Y, **Z, "w": integers(4, 5)}
    within_one_lsb(
        build([node], {"x": (x := integers(4, 5)[::-1].copy())}, ["y"], constants, 13, [MICROSOFT]), {"x": x}, tmp_path
    )


UNARY: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("QLinearSigmoid", {}, (3, 40)),
    ("QLinearLeakyRelu", {"alpha": 0.1}, (3, 40)),
    ("QLinearGlobalAveragePool", {}, (2, 8, 5, 5)),
    ("QLinearAveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}, (1, 3, 8, 8)),
    ("QLinearReduceMean", {"axes": [2, 3], "keepdims": 1}, (2, 8, 5, 5)),
    ("QLinearSoftmax", {"axis": -1, "opset": 13}, (3, 6)),
]


@pytest.mark.parametrize(("op", "attributes", "shape"), UNARY, ids=[row[0] for row in UNARY])
def test_qlinear_unary(op: str, attributes: dict[str, Any], shape: tuple[int, ...], tmp_path: Path) -> None:
    names = ["x", "xs", "xz", "ys", "yz"]
    scale, zero = (
        (np.float32(1 / 256), np.int8(-128))
        if op in ("QLinearSigmoid", "QLinearSoftmax")
        else (np.float32(0.02), np.int8(-5))
    )
    node = helper.make_node(op, names, ["y"], domain=MICROSOFT, **attributes)
    model = build([node], {"x": (x := integers(*shape))}, ["y"], {**X, "ys": scale, "yz": zero}, 13, [MICROSOFT])
    if op == "QLinearReduceMean":  # ONNX Runtime registers no kernel of its own for it
        (got,) = ours(model, {"x": x}, tmp_path)
        mean = ((x.astype(np.float32) - 3) * np.float32(0.05)).mean(axis=(2, 3), keepdims=True)
        wanted = np.clip(np.rint(mean / scale) + zero, -128, 127)
        assert np.abs(got - wanted).max() <= 1 and np.unique(got).size > 3
        return
    within_one_lsb(model, {"x": x}, tmp_path)


def test_qlinear_concat(tmp_path: Path) -> None:
    node = helper.make_node(
        "QLinearConcat", ["ys", "yz", "x", "xs", "xz", "w", "zs", "zz"], ["y"], domain=MICROSOFT, axis=1
    )
    constants = {**X, **Y, **Z, "w": integers(2, 5)}
    within_one_lsb(build([node], {"x": (x := integers(2, 30))}, ["y"], constants, 13, [MICROSOFT]), {"x": x}, tmp_path)


@pytest.mark.parametrize("quantized", [True, False])
def test_qgemm(quantized: bool, tmp_path: Path) -> None:
    names = ["x", "xs", "xz", "w", "ws", "wz", "c", *(["ys", "yz"] if quantized else [])]
    constants: Constants = {
        **X,
        "w": integers(7, 4),
        "ws": np.float32(0.01),
        "wz": np.int8(0),
        "c": integers(4, dtype="int16").astype(np.int32),
    }
    if quantized:
        constants.update(Y)
    node = helper.make_node("QGemm", names, ["y"], domain=MICROSOFT, alpha=1.0, transB=0)
    model = build([node], {"x": (x := integers(3, 7))}, ["y"], constants, 13, [MICROSOFT])
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT8 if quantized else TensorProto.FLOAT
    if quantized:
        within_one_lsb(model, {"x": x}, tmp_path)
    else:
        assert_close(ours(model, {"x": x}, tmp_path), onnxruntime_results(model.SerializeToString(), {"x": x}))


@pytest.mark.parametrize("op", ["MatMulInteger", "ConvInteger"])
def test_integer_products_are_exact(op: str, tmp_path: Path) -> None:
    """QuantizeLinear, the integer operator, Cast, Mul, as dynamic quantizers leave it."""
    conv = op == "ConvInteger"
    shape, w = ((1, 3, 6, 6), integers(4, 3, 3, 3)) if conv else ((5, 8), integers(8, 4))
    x = rng().standard_normal(shape).astype(np.float32)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
        helper.make_node(op, ["q", "w", "xz", "wz"], ["acc"]),
        helper.make_node("Cast", ["acc"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f", "m"], ["y"]),
    ]
    constants = {"xs": np.float32(0.05), "xz": np.uint8(120), "w": w, "wz": np.int8(1), "m": np.float32(0.05 * 0.01)}
    model = build(nodes, {"x": x}, ["y"], constants, 13)
    assert_close(ours(model, {"x": x}, tmp_path), onnxruntime_results(model.SerializeToString(), {"x": x}), 1e-6)


def test_bare_integer_product_keeps_its_type(tmp_path: Path) -> None:
    node = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
    model = build([node], {"x": (x := integers(3, 6))}, ["y"], {"w": integers(6, 2)}, 13)
    got = ours(model, {"x": x}, tmp_path)
    np.testing.assert_array_equal(got[0], x.astype(np.int32) @ integers(6, 2).astype(np.int32))
    assert got[0].dtype == np.int32


def test_dynamic_quantization_becomes_the_float_model(tmp_path: Path) -> None:
    # Weights of 7 bits: without VNNI instructions ONNX Runtime adds pairs of products in 16 bits, which saturate.
    x, w = rng().standard_normal((4, 16)).astype(np.float32), integers(16, 3) // np.int8(2)
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "w", "z", "wz"], ["acc"]),
        helper.make_node("Cast", ["acc"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["s", "ws"], ["m"]),
        helper.make_node("Mul", ["f", "m"], ["y"]),
    ]
    model = build(nodes, {"x": x}, ["y"], {"w": w, "wz": np.int8(0), "ws": np.float32(0.01)}, 13)
    (got,) = ours(model, {"x": x}, tmp_path)
    assert_close([got], [x @ (w.astype(np.float32) * np.float32(0.01))])
    # And near what ONNX Runtime makes of it: half a step of 255 over the range, times the weights' sum.
    (wanted,) = onnxruntime_results(model.SerializeToString(), {"x": x})
    bound = (x.max() - x.min()) / 255 / 2 * np.abs(w * 0.01).sum(axis=0).max()
    assert np.abs(got - wanted).max() <= bound


def test_dynamic_quantization_that_shows_its_integers_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="dyn")
    model = build([node], {"x": np.zeros((2, 2), np.float32)}, ["q"], {}, 13)
    with pytest.raises(GraphError, match=r"dyn.*range of its input at run time"):
        imported(model, tmp_path)


def test_weights_stay_integers_behind_dequantize(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "xs", "xz"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=0),
        helper.make_node("Conv", ["d", "wd"], ["y"]),
    ]
    w = integers(4, 3, 3, 3)
    constants = {**X, "w": w, "ws": np.array([0.1, 0.2, 0.3, 0.4], np.float32), "wz": np.zeros(4, np.int8)}
    model = build(nodes, {"x": np.zeros((1, 3, 6, 6), np.float32)}, ["y"], constants, 13)
    graph = read(imported(model, tmp_path))
    dequantized = [node for node in graph.nodes if node.op == "dequantize"]
    assert len(dequantized) == 2
    (of_weights,) = (node for node in dequantized if node.inputs[0] in graph.constants)
    np.testing.assert_array_equal(graph.constants[of_weights.inputs[0]], w)
    assert graph.constants[of_weights.inputs[0]].dtype == np.int8
    assert of_weights.attributes["axis"] == 0


def test_stored_parameters_become_float(tmp_path: Path) -> None:
    """As ONNX Runtime's quantizer writes them: the padding value and a batch normalization behind DequantizeLinear."""
    held: dict[str, tuple[Any, Any]] = {
        "v": (3, 0.25),
        "g": ([4, -5, 6], [0.1, 0.2, 0.3]),
        "b": ([70, 80, -90], [0.01, 0.02, 0.03]),
    }
    nodes, constants = [], {"p": np.array([0, 0, 1, 0, 0, 0, 0, 2]), "m": np.zeros(3, np.float32)}
    for name, (q, scale) in held.items():
        constants |= {f"{name}q": np.array(q, np.int8), f"{name}s": np.array(scale, np.float32)}
        constants[f"{name}z"] = np.full(np.shape(q), 2, np.int8)
        nodes.append(helper.make_node("DequantizeLinear", [name + c for c in "qsz"], [name], axis=0))
    nodes += [
        helper.make_node("Pad", ["x", "p", "v"], ["t"]),
        helper.make_node("BatchNormalization", ["t", "g", "b", "m", "one"], ["y"]),
    ]
    x = rng().standard_normal((1, 3, 2, 4)).astype(np.float32)
    model = build(nodes, {"x": x}, ["y"], {**constants, "one": np.ones(3, np.float32)}, 15)
    assert_close(ours(model, {"x": x}, tmp_path), onnxruntime_results(model.SerializeToString(), {"x": x}))
    assert all(node.op != "dequantize" for node in read(imported(model, tmp_path)).nodes)


def test_factors_of_a_gemm_go_into_the_scales(tmp_path: Path) -> None:
    """Between product and rounding stands nothing, so that the quantizer finds a scale for every layer."""
    w, c = integers(5, 3), np.array([1000, -2000, 300], np.int32)
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "ws"], ["wd"]),
        helper.make_node("DequantizeLinear", ["c", "cs"], ["cd"]),
        helper.make_node("Gemm", ["x", "wd", "cd"], ["y"], alpha=0.5, beta=2.0),
    ]
    x = rng().standard_normal((2, 5)).astype(np.float32)
    model = build(nodes, {"x": x}, ["y"], {"w": w, "ws": np.float32(0.1), "c": c, "cs": np.float32(0.01)}, 13)
    assert_close(ours(model, {"x": x}, tmp_path), onnxruntime_results(model.SerializeToString(), {"x": x}))
    assert sorted(node.op for node in read(imported(model, tmp_path)).nodes) == [
        "add", "dequantize", "dequantize", "matmul",
    ]  # fmt: skip


def test_four_bit_weights_are_widened(tmp_path: Path) -> None:
    w = np.arange(-8, 8).reshape(4, 4)
    model = build(
        [helper.make_node("DequantizeLinear", ["w", "s"], ["d"]), helper.make_node("MatMul", ["x", "d"], ["y"])],
        {"x": (x := rng().standard_normal((2, 4)).astype(np.float32))},
        ["y"],
        {"s": np.float32(0.5)},
        21,
    )
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.INT4, [4, 4], w.reshape(-1)))
    assert_close(ours(model, {"x": x}, tmp_path), [x @ (w * np.float32(0.5)).astype(np.float32)])


def test_parameters_are_checked(tmp_path: Path) -> None:
    def attempt(scale: Any, zero: Any) -> None:
        node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], name="quant")
        imported(build([node], {"x": np.zeros((2, 3), np.float32)}, ["y"], {"s": scale, "z": zero}, 13), tmp_path)

    attempt(np.float32(0.5), np.int8(0))
    for scale, zero in ((-1, 0), (np.inf, 0)):
        with pytest.raises(FrontendError, match=r"GW1070.*quant|GW1032"):
            attempt(np.float32(scale), np.int8(zero))
    with pytest.raises(FrontendError, match=r"GW1070.*2 values for the 3 channels"):
        attempt(np.array([0.1, 0.2], np.float32), np.array([0, 0], np.int8))
