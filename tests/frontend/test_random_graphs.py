"""Random single nodes, every form of every operator set from 7 on, against ONNX Runtime or ONNX's reference."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from onnx import helper

from gatewright.compiler.frontend.header import newest_opset
from tests.frontend.onnx_models import Array, assert_close, build, ours, reference

OPSETS = st.integers(7, newest_opset())
SEEDS = st.integers(0, 2**32 - 1)


def check(
    node: onnx.NodeProto, x: Array, opset: int, constants: Mapping[str, Any] | None = None, outputs: int = 1
) -> None:
    """One node over x, in the same model twice: ours and the reference's."""
    names = [f"y{i}" for i in range(outputs)]
    node.output[:] = names
    model = build([node], {"x": x}, names, constants, opset)
    try:
        wanted = reference(model, {"x": x})
    except Exception as error:
        # Not every pair of attributes that ONNX defines exists in the reference; the example is then worth nothing.
        assume("implement" not in str(error).lower() and "support" not in str(error).lower())
        raise
    with tempfile.TemporaryDirectory() as folder:
        assert_close(ours(model, {"x": x}, Path(folder)), wanted)


def normal(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@st.composite
def windows(draw: st.DrawFn, rank: int) -> tuple[list[int], dict[str, Any]]:
    """Spatial sizes, and attributes of a window that fits them."""
    size = [draw(st.integers(1, 9)) for _ in range(rank)]
    kernel = [draw(st.integers(1, 4)) for _ in range(rank)]
    attributes: dict[str, Any] = {}
    if draw(st.booleans()):
        attributes["strides"] = [draw(st.integers(1, 3)) for _ in range(rank)]
    mode = draw(st.sampled_from(["", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    pads = [0] * (2 * rank)
    if mode:
        attributes["auto_pad"] = mode
    if mode in ("", "NOTSET") and draw(st.booleans()):
        pads = [draw(st.integers(0, kernel[i % rank] - 1)) for i in range(2 * rank)]
        attributes["pads"] = pads
    if mode.startswith("SAME"):
        return size, {"kernel_shape": kernel, **attributes}
    assume(all(k <= s + pads[i] + pads[rank + i] for i, (k, s) in enumerate(zip(kernel, size, strict=True))))
    return size, {"kernel_shape": kernel, **attributes}


@settings(max_examples=60)
@given(data=st.data(), opset=OPSETS, seed=SEEDS, rank=st.sampled_from([1, 2, 2]))
def test_conv(data: st.DataObject, opset: int, seed: int, rank: int) -> None:
    size, attributes = data.draw(windows(rank))
    kernel = attributes["kernel_shape"]
    if data.draw(st.booleans()):
        del attributes["kernel_shape"]
    if "auto_pad" not in attributes and data.draw(st.booleans()):
        attributes["dilations"] = [data.draw(st.integers(1, 2)) for _ in range(rank)]
        extent = [(k - 1) * d + 1 for k, d in zip(kernel, attributes["dilations"], strict=True)]
        pads = attributes.get("pads", [0] * 2 * rank)
        assume(all(e <= s + pads[i] + pads[rank + i] for i, (e, s) in enumerate(zip(extent, size, strict=True))))
    group = data.draw(st.integers(1, 3))
    channels, filters = group * data.draw(st.integers(1, 2)), group * data.draw(st.integers(1, 2))
    w = normal(seed, filters, channels // group, *kernel)
    inputs, constants = ["x", "w"], {"w": w}
    if data.draw(st.booleans()):
        inputs, constants = [*inputs, "b"], {**constants, "b": normal(seed + 1, filters)}
    node = helper.make_node("Conv", inputs, [], group=group, **attributes)
    check(node, normal(seed + 2, data.draw(st.integers(1, 2)), channels, *size), opset, constants)


@settings(max_examples=40)
@given(data=st.data(), opset=OPSETS, seed=SEEDS, rank=st.sampled_from([1, 2, 2]))
def test_conv_transpose(data: st.DataObject, opset: int, seed: int, rank: int) -> None:
    size = [data.draw(st.integers(1, 5)) for _ in range(rank)]
    kernel = [data.draw(st.integers(1, 4)) for _ in range(rank)]
    strides = [data.draw(st.integers(1, 3)) for _ in range(rank)]
    attributes: dict[str, Any] = {"strides": strides}
    form = data.draw(st.sampled_from(["pads", "output_padding", "auto_pad", "plain"]))
    if form == "pads":
        attributes["pads"] = [data.draw(st.integers(0, (kernel[i % rank] - 1) // 2)) for i in range(2 * rank)]
    elif form == "output_padding":
        attributes["output_padding"] = [data.draw(st.integers(0, s - 1)) for s in strides]
    elif form == "auto_pad":
        # With a kernel below the stride ONNX does not say how the missing rows come about.
        assume(all(k >= s for k, s in zip(kernel, strides, strict=True)))
        attributes["auto_pad"] = data.draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]))
    group = data.draw(st.integers(1, 2))
    channels = group * data.draw(st.integers(1, 2))
    w = normal(seed, channels, data.draw(st.integers(1, 2)), *kernel)
    node = helper.make_node("ConvTranspose", ["x", "w"], [], group=group, **attributes)
    check(node, normal(seed + 2, 1, channels, *size), opset, {"w": w})


@settings(max_examples=60)
@given(
    data=st.data(),
    opset=OPSETS,
    seed=SEEDS,
    rank=st.sampled_from([1, 2, 2]),
    op=st.sampled_from(["MaxPool", "AveragePool"]),
)
def test_pool(data: st.DataObject, opset: int, seed: int, rank: int, op: str) -> None:
    size, attributes = data.draw(windows(rank))
    # SAME_LOWER of pools differs between versions of ONNX Runtime; the formula is tested with Conv.
    assume(attributes.get("auto_pad") != "SAME_LOWER")
    if opset >= 10 and "auto_pad" not in attributes:
        attributes["ceil_mode"] = data.draw(st.integers(0, 1))
    if op == "AveragePool" and data.draw(st.booleans()):
        attributes["count_include_pad"] = 1
    # Where a ceil-mode window hangs over the padding, ONNX Runtime counts what lies outside; ONNX does not since 19.
    assume(not (attributes.get("ceil_mode") and attributes.get("count_include_pad")))
    node = helper.make_node(op, ["x"], [], **attributes)
    check(node, normal(seed, 1, data.draw(st.integers(1, 3)), *size), opset)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("opset", [11, 18, 19, 22])
def test_no_window_begins_behind_the_input(op: str, opset: int) -> None:
    """Stride above the kernel, rounded up: ONNX's inference counts a window more than anybody computes."""
    node = helper.make_node(op, ["x"], [], kernel_shape=[1, 2], strides=[2, 3], ceil_mode=1)
    check(node, normal(0, 1, 2, 10, 7), opset)


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
@settings(max_examples=6)
@given(data=st.data(), opset=OPSETS, seed=SEEDS)
def test_global_pool(op: str, data: st.DataObject, opset: int, seed: int) -> None:
    shape = [data.draw(st.integers(1, 5)) for _ in range(data.draw(st.integers(3, 4)))]
    check(helper.make_node(op, ["x"], []), normal(seed, *shape), opset)


@settings(max_examples=30)
@given(data=st.data(), opset=OPSETS, seed=SEEDS)
def test_gemm_and_matmul(data: st.DataObject, opset: int, seed: int) -> None:
    m, k, n = (data.draw(st.integers(1, 5)) for _ in range(3))
    if data.draw(st.booleans()):
        shape = [data.draw(st.integers(1, 3)) for _ in range(data.draw(st.integers(0, 2)))]
        check(
            helper.make_node("MatMul", ["x", "w"], []), normal(seed, *shape, m, k), opset, {"w": normal(seed + 1, k, n)}
        )
        return
    a, b = data.draw(st.integers(0, 1)), data.draw(st.integers(0, 1))
    attributes: dict[str, Any] = {"transA": a, "transB": b}
    if data.draw(st.booleans()):
        attributes.update(alpha=0.5, beta=-2.0)
    inputs, constants = ["x", "w"], {"w": normal(seed + 1, *((n, k) if b else (k, n)))}
    c = data.draw(st.sampled_from([(), (n,), (m, 1), (1, n), (m, n)]))
    if opset < 11 or data.draw(st.booleans()):
        inputs, constants = [*inputs, "c"], {**constants, "c": normal(seed + 2, *c)}
    check(
        helper.make_node("Gemm", inputs, [], **attributes), normal(seed, *((k, m) if a else (m, k))), opset, constants
    )


@settings(max_examples=20)
@given(data=st.data(), opset=OPSETS, seed=SEEDS)
def test_batch_normalization(data: st.DataObject, opset: int, seed: int) -> None:
    shape = [data.draw(st.integers(1, 4)) for _ in range(data.draw(st.integers(2, 4)))]
    c = shape[1]
    constants = {
        "s": normal(seed, c),
        "b": normal(seed + 1, c),
        "m": normal(seed + 2, c),
        "v": normal(seed + 3, c) ** 2,
    }
    attributes = {"epsilon": 1e-3} if data.draw(st.booleans()) else {}
    node = helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], [], **attributes)
    check(node, normal(seed + 4, *shape), opset, constants)


@settings(max_examples=25)
@given(data=st.data(), opset=OPSETS, seed=SEEDS, op=st.sampled_from(["Softmax", "LogSoftmax", "Hardmax"]))
def test_softmax(data: st.DataObject, opset: int, seed: int, op: str) -> None:
    shape = [data.draw(st.integers(1, 4)) for _ in range(data.draw(st.integers(1, 4)))]
    rank = len(shape)
    axis = data.draw(st.integers(0 if opset < 11 else -rank, rank - 1))
    check(helper.make_node(op, ["x"], [], axis=axis), normal(seed, *shape), opset)


@settings(max_examples=25)
@given(data=st.data(), opset=OPSETS, seed=SEEDS)
def test_clip(data: st.DataObject, opset: int, seed: int) -> None:
    low, high = sorted([data.draw(st.floats(-2, 2, width=32)), data.draw(st.floats(-2, 2, width=32))])
    bounds = {k: v for k, v in (("min", low), ("max", high)) if data.draw(st.booleans())}
    x = normal(seed, 3, 4)
    if opset < 11:
        check(helper.make_node("Clip", ["x"], [], **bounds), x, opset)
        return
    inputs = ["x", *(k if k in bounds else "" for k in ("min", "max"))]
    check(helper.make_node("Clip", inputs, []), x, opset, {k: np.float32(v) for k, v in bounds.items()})


@settings(max_examples=30)
@given(data=st.data(), opset=OPSETS, seed=SEEDS)
def test_pad(data: st.DataObject, opset: int, seed: int) -> None:
    shape = [data.draw(st.integers(3, 5)) for _ in range(data.draw(st.integers(2, 4)))]
    mode = data.draw(st.sampled_from(["constant", "reflect", "edge"]))
    pads = [data.draw(st.integers(0, 2)) for _ in range(2 * len(shape))]
    x = normal(seed, *shape)
    if opset < 11:
        check(helper.make_node("Pad", ["x"], [], pads=pads, mode=mode, value=1.5), x, opset)
        return
    inputs, constants = ["x", "p", "v"], {"p": np.array(pads), "v": np.float32(1.5)}
    if opset >= 18 and data.draw(st.booleans()):
        axes = data.draw(st.permutations(range(len(shape))))[:2]
        constants = {**constants, "p": np.array(pads[:4]), "a": np.array(axes)}
        inputs.append("a")
    check(helper.make_node("Pad", inputs, [], mode=mode), x, opset, constants)


@settings(max_examples=40)
@given(data=st.data(), opset=st.integers(10, newest_opset()), seed=SEEDS)
def test_resize(data: st.DataObject, opset: int, seed: int) -> None:
    rank = data.draw(st.sampled_from([1, 2, 2])) if opset > 10 else 2
    x = normal(seed, 1, data.draw(st.integers(1, 2)), *(data.draw(st.integers(1, 4)) for _ in range(rank)))
    factors = [1, 1, *(data.draw(st.integers(1, 3)) for _ in range(rank))]
    scales = np.array(factors, np.float32)
    if opset == 10:
        check(helper.make_node("Resize", ["x", "s"], [], mode="nearest"), x, opset, {"s": scales})
        return
    mode = data.draw(st.sampled_from(["nearest", "linear"]))
    coordinates = data.draw(st.sampled_from(["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]))
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    if mode == "nearest":
        attributes["nearest_mode"] = data.draw(
            st.sampled_from(["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
        )
    if data.draw(st.booleans()):
        sizes = np.array([s * f for s, f in zip(x.shape, factors, strict=True)])
        inputs = ["x", "r", "e", "n"] if opset < 13 else ["x", "", "", "n"]
        constants = {"n": sizes, **({"r": np.zeros(0, np.float32), "e": np.zeros(0, np.float32)} if opset < 13 else {})}
    else:
        inputs = ["x", "r", "s"] if opset < 13 else ["x", "", "s"]
        constants = {"s": scales, **({"r": np.zeros(0, np.float32)} if opset < 13 else {})}
    check(helper.make_node("Resize", inputs, [], **attributes), x, opset, constants)


@settings(max_examples=10)
@given(data=st.data(), opset=st.integers(7, 9), seed=SEEDS)
def test_upsample(data: st.DataObject, opset: int, seed: int) -> None:
    scales = [1.0, 1.0, float(data.draw(st.integers(1, 3))), float(data.draw(st.integers(1, 3)))]
    x = normal(seed, 1, 2, 3, 4)
    if opset < 9:
        check(helper.make_node("Upsample", ["x"], [], scales=scales, mode="nearest"), x, opset)
    else:
        check(
            helper.make_node("Upsample", ["x", "s"], [], mode="nearest"), x, opset, {"s": np.array(scales, np.float32)}
        )


@settings(max_examples=15)
@given(data=st.data(), opset=st.integers(8, newest_opset()), seed=SEEDS)
def test_sum(data: st.DataObject, opset: int, seed: int) -> None:
    count = data.draw(st.integers(1, 4))
    shapes = [data.draw(st.sampled_from([(2, 3, 4), (1, 3, 1), (4,), (3, 4)])) for _ in range(count - 1)]
    constants = {f"c{i}": normal(seed + i + 1, *shape) for i, shape in enumerate(shapes)}
    names = data.draw(st.permutations(["x", *constants]))
    check(helper.make_node("Sum", names, []), normal(seed, 2, 3, 4), opset, constants)


REDUCTIONS = ["L1", "L2", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"]


@settings(max_examples=40)
@given(data=st.data(), opset=OPSETS, seed=SEEDS, name=st.sampled_from(REDUCTIONS))
def test_reduce(data: st.DataObject, opset: int, seed: int, name: str) -> None:
    shape = [data.draw(st.integers(1, 4)) for _ in range(data.draw(st.integers(1, 4)))]
    rank = len(shape)
    attributes: dict[str, Any] = {"keepdims": data.draw(st.integers(0, 1))}
    axes = data.draw(st.permutations(range(rank)))[: data.draw(st.integers(0, rank))]
    if opset >= 11:
        axes = [a - rank if data.draw(st.booleans()) else a for a in axes]
    x = normal(seed, *shape)
    if opset < (13 if name == "Sum" else 18):
        if axes:
            attributes["axes"] = axes
        check(helper.make_node(f"Reduce{name}", ["x"], [], **attributes), x, opset)
        return
    if not axes and data.draw(st.booleans()):
        attributes["noop_with_empty_axes"] = 1
    inputs, constants = (["x", "a"], {"a": np.array(axes)}) if axes else (["x"], {})
    check(helper.make_node(f"Reduce{name}", inputs, [], **attributes), x, opset, constants)


@settings(max_examples=25)
@given(data=st.data(), opset=OPSETS, seed=SEEDS)
def test_slice(data: st.DataObject, opset: int, seed: int) -> None:
    shape = [data.draw(st.integers(2, 5)) for _ in range(data.draw(st.integers(1, 3)))]
    axes = data.draw(st.permutations(range(len(shape))))[: data.draw(st.integers(1, len(shape)))]
    starts, ends, steps = [], [], []
    for axis in axes:
        step = data.draw(st.sampled_from([1, 1, 2, -1])) if opset >= 10 else 1
        first = data.draw(st.integers(0, shape[axis] - 1))
        last = data.draw(st.sampled_from([2**31, shape[axis]])) if step > 0 else -(2**31)
        starts.append(first - shape[axis] if data.draw(st.booleans()) else first)
        ends.append(last)
        steps.append(step)
    x = normal(seed, *shape)
    if opset < 10:
        check(helper.make_node("Slice", ["x"], [], starts=starts, ends=ends, axes=axes), x, opset)
        return
    constants = {k: np.array(v) for k, v in (("s", starts), ("e", ends), ("a", axes), ("p", steps))}
    check(helper.make_node("Slice", ["x", "s", "e", "a", "p"], []), x, opset, constants)


@settings(max_examples=20)
@given(data=st.data(), opset=OPSETS, seed=SEEDS)
def test_split(data: st.DataObject, opset: int, seed: int) -> None:
    parts = [data.draw(st.integers(1, 3)) for _ in range(data.draw(st.integers(2, 3)))]
    axis = data.draw(st.integers(0, 1))
    equal = data.draw(st.booleans())
    total = len(parts) * parts[0] if equal else sum(parts)
    x = normal(seed, *((total, 4) if axis == 0 else (4, total)))
    attributes: dict[str, Any] = {"axis": axis}
    inputs, constants = ["x"], {}
    if equal and opset >= 18:
        attributes["num_outputs"] = len(parts)
    elif not equal and opset < 13:
        attributes["split"] = parts
    elif not equal:
        inputs, constants = ["x", "s"], {"s": np.array(parts)}
    check(helper.make_node("Split", inputs, [], **attributes), x, opset, constants, len(parts))


@settings(max_examples=20)
@given(data=st.data(), opset=OPSETS, seed=SEEDS, op=st.sampled_from(["Squeeze", "Unsqueeze"]))
def test_squeeze_unsqueeze(data: st.DataObject, opset: int, seed: int, op: str) -> None:
    shape = [1, data.draw(st.integers(2, 3)), 1, 3]
    axes = data.draw(st.sampled_from([[0], [2], [0, 2]] if op == "Squeeze" else [[0], [4], [1, 3]]))
    x = normal(seed, *shape)
    if opset < 13:
        check(helper.make_node(op, ["x"], [], axes=axes), x, opset)
    else:
        check(helper.make_node(op, ["x", "a"], []), x, opset, {"a": np.array(axes)})


UNARY = [
    "Abs", "Atan", "Ceil", "Cos", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish",
    "Neg", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Tanh", "ThresholdedRelu",
    "Celu", "Identity", "Dropout", "Swish",
]  # fmt: skip


@pytest.mark.parametrize("op", UNARY)
@settings(max_examples=3)
@given(opset=OPSETS, seed=SEEDS)
def test_unary(op: str, opset: int, seed: int) -> None:
    first = min(
        schema.since_version
        for schema in onnx.defs.get_all_schemas_with_history()
        if (schema.name, schema.domain) == (op, "")
    )
    opset = max(opset, first)
    attributes = {"alpha": 0.75} if op in ("Elu", "LeakyRelu", "Celu", "ThresholdedRelu") else {}
    check(helper.make_node(op, ["x"], [], **attributes), 2 * normal(seed, 3, 5), opset)


@settings(max_examples=25)
@given(
    data=st.data(),
    opset=OPSETS,
    seed=SEEDS,
    op=st.sampled_from(["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "PRelu"]),
)
def test_binary_broadcast(data: st.DataObject, opset: int, seed: int, op: str) -> None:
    shape = [data.draw(st.integers(1, 4)) for _ in range(data.draw(st.integers(1, 4)))]
    other = [1 if data.draw(st.booleans()) else d for d in shape]
    if op in ("Max", "Min") and opset < 8:
        other = shape  # before 8 they did not broadcast
    elif op != "PRelu":
        other = other[data.draw(st.integers(0, len(shape) - 1)) :]
    x, c = normal(seed, *shape), normal(seed + 1, *other)
    if op in ("Pow", "Div"):
        x, c = np.abs(x) + np.float32(0.5), np.abs(c) + np.float32(0.5)
    check(helper.make_node(op, ["x", "c"], []), x, opset, {"c": c})


@settings(max_examples=15)
@given(data=st.data(), opset=OPSETS, seed=SEEDS)
def test_transpose_flatten_concat(data: st.DataObject, opset: int, seed: int) -> None:
    shape = [data.draw(st.integers(1, 4)) for _ in range(data.draw(st.integers(2, 4)))]
    x = normal(seed, *shape)
    form = data.draw(st.sampled_from(["Transpose", "Flatten", "Concat"]))
    if form == "Transpose":
        check(helper.make_node("Transpose", ["x"], [], perm=data.draw(st.permutations(range(len(shape))))), x, opset)
    elif form == "Flatten":
        check(helper.make_node("Flatten", ["x"], [], axis=data.draw(st.integers(0, len(shape)))), x, opset)
    else:
        axis = data.draw(st.integers(0, len(shape) - 1))
        check(helper.make_node("Concat", ["x", "c", "x"], [], axis=axis), x, opset, {"c": normal(seed + 1, *shape)})
