"""Random small ONNX models, as exporters write them: chains of blocks over a feature map, then a head.

``python -m tests.cli.random_models SEED FILE.onnx`` writes one of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["random_model", "random_samples"]

Array = npt.NDArray[Any]

OPSETS = (7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22)


class Builder:
    """A graph that grows node by node; every value is a name with a known static shape.

    Args:
        seed: of every choice.
    """

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.opset = int(self.random.choice(OPSETS))
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}
        self.inputs: list[onnx.ValueInfoProto] = []
        self.shapes: dict[str, tuple[int, ...]] = {}

    # Choices.

    def chance(self, part: float) -> bool:
        return bool(self.random.random() < part)

    def choice(self, items: Sequence[Any]) -> Any:
        return items[int(self.random.integers(len(items)))]

    def integer(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high + 1))

    # Growing.

    def input(self, shape: tuple[int, ...], symbolic: bool = False) -> str:
        name = f"x{len(self.inputs)}"
        declared = ["batch", *shape[1:]] if symbolic else list(shape)
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, declared))
        self.shapes[name] = shape
        return name

    def constant(self, array: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(array)
        return name

    def floats(self, *shape: int, scale: float = 1.0, mean: float = 0.0) -> Array:
        return (mean + scale * self.random.standard_normal(shape)).astype(np.float32)

    def node(self, op: str, inputs: Sequence[str], count: int = 1, domain: str = "", **attributes: Any) -> str:
        """Append a node; returns its (first) output, whose shape ONNX infers."""
        names = [f"n{len(self.nodes)}_{op.lower()}_{i}" for i in range(count)]
        made = helper.make_node(op, inputs, names, name=f"{op}_{len(self.nodes)}", domain=domain, **attributes)
        self.nodes.append(made)
        self.shapes.update(self._inferred(made))
        return names[0]

    def _inferred(self, node: onnx.NodeProto) -> dict[str, tuple[int, ...]]:
        read = {name for name in node.input if name}
        values = [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, self.shapes[n]) for n in sorted(read & set(self.shapes))
        ]
        outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
        graph = helper.make_graph([node], "one", values, outputs)
        graph.initializer.extend(
            numpy_helper.from_array(self.constants[n], n) for n in sorted(read & set(self.constants))
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        return {o.name: tuple(d.dim_value for d in o.type.tensor_type.shape.dim) for o in inferred.graph.output}

    def model(self, outputs: Sequence[str]) -> onnx.ModelProto:
        """The finished model; dead branches stay in, as exporters leave them."""
        batches = {d.dim_param for v in self.inputs for d in v.type.tensor_type.shape.dim[:1]} - {""}
        infos = [
            helper.make_tensor_value_info(
                name, TensorProto.FLOAT, [None] * len(self.shapes[name]) if batches else self.shapes[name]
            )
            for name in outputs
        ]
        graph = helper.make_graph(self.nodes, "random", self.inputs, infos)
        graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in self.constants.items())
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)


# Blocks: each takes a value of rank 3 or 4, (N, C, W) or (N, C, H, W), and gives one of the same rank.


def convolution(b: Builder, x: str) -> str:
    """Any convolution whose window fits."""
    _, channels, *size = b.shapes[x]
    rank = len(size)
    groups = b.choice([g for g in (1, 1, 1, 2, 3, channels) if channels % g == 0])
    filters = groups * b.integer(1, max(1, 8 // groups))
    kernel = [b.choice((1, 2, 3, 3, 5)) for _ in size]
    attributes: dict[str, Any] = {"strides": [b.choice((1, 1, 2, 3)) for _ in size]} if b.chance(0.6) else {}
    dilations = [b.choice((1, 1, 2)) for _ in size]
    form = b.choice(("pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID", ""))
    if form == "pads":
        attributes["pads"] = [b.integer(0, 2) for _ in range(2 * rank)]
    elif form:
        attributes["auto_pad"] = form
    if not form.startswith("SAME"):
        pads = attributes.get("pads", [0] * 2 * rank)
        room = [s + pads[i] + pads[rank + i] for i, s in enumerate(size)]
        kernel = [min(k, r) for k, r in zip(kernel, room, strict=True)]
        dilations = [d if (k - 1) * d + 1 <= r else 1 for d, k, r in zip(dilations, kernel, room, strict=True)]
        attributes["dilations"] = dilations
    fan_in = channels // groups * int(np.prod(kernel))
    inputs = [x, b.constant(b.floats(filters, channels // groups, *kernel, scale=fan_in**-0.5))]
    if b.chance(0.7):
        inputs.append(b.constant(b.floats(filters, scale=0.2)))
    return b.node("Conv", inputs, kernel_shape=kernel, group=groups, **attributes)


def normalization(b: Builder, x: str) -> str:
    """Batch normalization, or scale and shift by channel, which it is."""
    channels, ones = b.shapes[x][1], [1] * (len(b.shapes[x]) - 2)
    gain, shift = b.floats(channels, scale=0.3, mean=1), b.floats(channels, scale=0.3)
    if b.chance(0.6):
        variance = b.random.uniform(0.2, 2, channels).astype(np.float32)
        return b.node("BatchNormalization", [x, *map(b.constant, (gain, shift, b.floats(channels) * 0.1, variance))])
    scaled = b.node("Mul", [x, b.constant(gain.reshape(-1, *ones))])
    return b.node(b.choice(("Add", "Sub")), [scaled, b.constant(shift.reshape(-1, *ones))])


def activation(b: Builder, x: str) -> str:
    """One of the element-wise functions, in one of the forms exporters write."""
    channels, ones = b.shapes[x][1], [1] * (len(b.shapes[x]) - 2)
    name = b.choice(("Relu", "Relu", "Clip", "HardSwish", "Sigmoid", "LeakyRelu", "PRelu", "Gelu", "Swish", "Tanh", "Elu", "HardSigmoid", "Abs", "Neg"))  # fmt: skip # noqa: E501
    if name == "Clip":
        low, high = b.choice(((0.0, 6.0), (-1.0, 1.0), (0.0, 1.0), (-0.5, 2.0)))
        if b.opset < 11:
            return b.node("Clip", [x], min=low, max=high)
        return b.node("Clip", [x, b.constant(np.float32(low)), b.constant(np.float32(high))])
    if name == "HardSwish":
        if b.opset >= 14 and b.chance(0.5):
            return b.node("HardSwish", [x])
        gate = b.node("HardSigmoid", [x], alpha=1 / 6, beta=0.5)
        return b.node("Mul", [x, gate])
    if name == "PRelu":
        slope = b.floats(channels, *ones, scale=0.1, mean=0.2) if b.chance(0.6) else b.floats(1, scale=0.1, mean=0.2)
        return b.node("PRelu", [x, b.constant(slope)])
    if name == "Gelu":
        if b.opset >= 20:
            return b.node("Gelu", [x], approximate=b.choice(("none", "tanh")))
        if b.opset < 9:
            return b.node("Relu", [x])
        erf = b.node("Erf", [b.node("Div", [x, b.constant(np.float32(2**0.5))])])
        half = b.node("Mul", [x, b.node("Add", [erf, b.constant(np.float32(1))])])
        return b.node("Mul", [half, b.constant(np.float32(0.5))])
    if name == "Swish":
        return b.node("Mul", [x, b.node("Sigmoid", [x])])
    if name == "LeakyRelu":
        return b.node("LeakyRelu", [x], alpha=b.choice((0.01, 0.1, 0.3)))
    return b.node(name, [x])


def pooling(b: Builder, x: str) -> str:
    """Maximum or average over windows that fit."""
    size = b.shapes[x][2:]
    op = b.choice(("MaxPool", "AveragePool"))
    kernel = [min(b.integer(1, 3), s) for s in size]
    attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": [b.integer(1, 2) for _ in size]}
    form = b.choice(("pads", "SAME_UPPER", ""))
    if form == "pads":
        attributes["pads"] = [b.integer(0, kernel[i % len(size)] - 1) for i in range(2 * len(size))]
    elif form:
        attributes["auto_pad"] = form
    if op == "AveragePool" and b.chance(0.5):
        attributes["count_include_pad"] = 1
    elif b.opset >= 10 and b.chance(0.4) and form != "SAME_UPPER":
        attributes["ceil_mode"] = 1
    return b.node(op, [x], **attributes)


def residual(b: Builder, x: str) -> str:
    """A branch that comes back: same shape, one value a channel, or one number."""
    branch = activation(b, x) if b.chance(0.5) else x
    channels = b.shapes[x][1]
    ones = [1] * (len(b.shapes[x]) - 2)
    w = b.constant(b.floats(channels, channels, *ones, scale=channels**-0.5))
    branch = b.node("Conv", [branch, w, b.constant(b.floats(channels, scale=0.1))], kernel_shape=ones)
    if b.chance(0.3):
        branch = b.node("GlobalAveragePool", [branch])
    pair = [x, branch] if b.chance(0.5) else [branch, x]
    return b.node(b.choice(("Add", "Add", "Sub")), pair)


def gate(b: Builder, x: str) -> str:
    """Squeeze and excitation."""
    channels, ones = b.shapes[x][1], [1] * (len(b.shapes[x]) - 2)
    squeezed = mean_over_space(b, x, keep=True)
    w = b.constant(b.floats(channels, channels, *ones))
    weighed = b.node("Conv", [squeezed, w], kernel_shape=ones)
    return b.node("Mul", [x, b.node(b.choice(("Sigmoid", "HardSigmoid")), [weighed])])


def mean_over_space(b: Builder, x: str, keep: bool) -> str:
    """Global average in its many forms."""
    axes = list(range(2, len(b.shapes[x])))
    if b.chance(0.4):
        pooled = b.node("GlobalAveragePool", [x])
        return pooled if keep else flattened(b, pooled)
    if b.opset >= 11 and b.chance(0.5):
        axes = [a - len(b.shapes[x]) for a in axes]
    if b.opset >= 18:
        return b.node("ReduceMean", [x, b.constant(np.array(axes))], keepdims=int(keep))
    return b.node("ReduceMean", [x], axes=axes, keepdims=int(keep))


def concatenation(b: Builder, x: str) -> str:
    """Two or three branches of one size side by side."""
    return b.node("Concat", [x, *(activation(b, x) for _ in range(b.integer(1, 2)))], axis=1)


def split(b: Builder, x: str) -> str:
    """Two halves, one of them changed, together again or added."""
    channels = b.shapes[x][1]
    if channels < 2:
        return x
    cut = channels // 2
    if b.chance(0.5) and b.opset >= 10:
        sliced = [
            b.node("Slice", [x, *(b.constant(np.array([v])) for v in (low, high, 1))])
            for low, high in ((0, cut), (cut, 2**31 - 1))
        ]
        first, second = sliced
    elif b.opset >= 13:
        first = b.node("Split", [x, b.constant(np.array([cut, channels - cut]))], 2, axis=1)
        second = first[:-1] + "1"
    else:
        first = b.node("Split", [x], 2, axis=1, split=[cut, channels - cut])
        second = first[:-1] + "1"
    second = activation(b, second)
    if channels % 2 == 0 and b.chance(0.4):
        return b.node("Add", [first, second])
    return b.node("Concat", [second, first], axis=1)


def crop(b: Builder, x: str) -> str:
    """A strided slice of the picture."""
    if b.opset < 10:
        return x
    axis = b.integer(2, len(b.shapes[x]) - 1)
    size = b.shapes[x][axis]
    start, step = b.integer(0, size - 1), b.choice((1, 2, -1))
    end = size if step > 0 else -(2**31)
    return b.node("Slice", [x, *(b.constant(np.array([v])) for v in (start, end, axis, step))])


def padding(b: Builder, x: str) -> str:
    """Pad with a constant, the edge or a reflection."""
    rank = len(b.shapes[x])
    least = min(b.shapes[x][2:])
    mode = b.choice(("constant", "constant", "edge", *(("reflect",) if least > 2 else ())))
    pads = [0, 0, *(b.integer(0, 2) for _ in range(rank - 2))] * 2
    value = b.choice((0.0, 0.0, 0.75))
    if b.opset < 11:
        return b.node("Pad", [x], pads=pads, mode=mode, value=value)
    return b.node("Pad", [x, b.constant(np.array(pads)), b.constant(np.float32(value))], mode=mode)


def enlargement(b: Builder, x: str) -> str:
    """Nearest-neighbour resize."""
    if max(b.shapes[x][2:]) > 8:
        return x
    scales = b.constant(np.array([1, 1, *(b.integer(1, 2) for _ in b.shapes[x][2:])], np.float32))
    if b.opset < 9:
        return b.node("Upsample", [x], mode="nearest", scales=list(map(float, b.constants[scales])))
    if b.opset == 9:
        return b.node("Upsample", [x, scales], mode="nearest")
    if b.opset == 10:
        return b.node("Resize", [x, scales], mode="nearest")
    empty = "" if b.opset >= 13 else b.constant(np.zeros(0, np.float32))
    return b.node(
        "Resize", [x, empty, scales], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    )


def shuffle(b: Builder, x: str) -> str:
    """Channel shuffle: reshape, transpose, reshape."""
    n, channels, *size = b.shapes[x]
    if channels % 2:
        return x
    wide = b.node("Reshape", [x, b.constant(np.array([n, 2, channels // 2, *size]))])
    turned = b.node("Transpose", [wide], perm=[0, 2, 1, *range(3, 3 + len(size))])
    return b.node("Reshape", [turned, b.constant(np.array([n, channels, *size]))])


def layout(b: Builder, x: str) -> str:
    """To channels last, something there, and back."""
    rank = len(b.shapes[x])
    last = b.node("Transpose", [x], perm=[0, *range(2, rank), 1])
    channels = b.shapes[last][-1]
    if b.chance(0.5):
        wide = b.integer(1, 6)
        last = b.node("MatMul", [last, b.constant(b.floats(channels, wide, scale=channels**-0.5))])
        last = b.node("Add", [last, b.constant(b.floats(wide, scale=0.2))])
    else:
        last = b.node("Relu", [last])
    return b.node("Transpose", [last], perm=[0, rank - 1, *range(1, rank - 1)])


BLOCKS: tuple[Callable[[Builder, str], str], ...] = (
    convolution, convolution, convolution, convolution, normalization, activation, activation, pooling, residual, gate,
    concatenation, split, crop, padding, enlargement, shuffle, layout,
)  # fmt: skip


# Heads: from a feature map to a value of any rank.


def flattened(b: Builder, x: str) -> str:
    """(N, K) in one of three forms."""
    n, *rest = b.shapes[x]
    form = b.choice(("Flatten", "Reshape", "Reshape0"))
    if form == "Flatten":
        return b.node("Flatten", [x], axis=1)
    return b.node("Reshape", [x, b.constant(np.array([n if form == "Reshape" else 0, int(np.prod(rest))]))])


def dense(b: Builder, x: str) -> str:
    """A fully connected layer over (N, K)."""
    k, units = b.shapes[x][-1], b.integer(1, 8)
    w = b.floats(k, units, scale=k**-0.5)
    bias = b.floats(units, scale=0.2)
    if b.chance(0.5):
        turned = b.chance(0.5)
        attributes: dict[str, Any] = {"transB": 1} if turned else {}
        if b.chance(0.3):
            attributes |= {"alpha": 0.5, "beta": 2.0}
        return b.node("Gemm", [x, b.constant(w.T.copy() if turned else w), b.constant(bias)], **attributes)
    product = b.node("MatMul", [x, b.constant(w)])
    return b.node("Add", [product, b.constant(bias)]) if b.chance(0.7) else product


def classifier(b: Builder, x: str) -> str:
    """Mean or flat, then dense layers, then perhaps softmax."""
    x = mean_over_space(b, x, keep=False) if b.chance(0.5) else flattened(b, x)
    for _ in range(b.integer(1, 2)):
        x = dense(b, x)
        if b.chance(0.4):
            x = b.node(b.choice(("Relu", "Tanh", "Sigmoid")), [x])
    if b.chance(0.4):
        return b.node(b.choice(("Softmax", "Sigmoid", "LogSoftmax")), [x])
    return x


def random_model(seed: int) -> onnx.ModelProto:
    """One model; everything about it follows from ``seed``."""
    b = Builder(seed)
    flat = b.chance(0.12)
    batch, symbolic = (1, True) if b.chance(0.3) else (b.choice((1, 1, 1, 2, 3)), False)
    if flat:
        x = b.input((batch, b.integer(1, 20)), symbolic)
        for _ in range(b.integer(1, 4)):
            x = dense(b, x)
            if b.chance(0.6):
                x = b.node(b.choice(("Relu", "Sigmoid", "Tanh")), [x])
        return b.model([x])
    rank = b.choice((1, 2, 2, 2, 2))
    size = [b.choice((1, 4, 5, 7, 8, 11)) for _ in range(rank)]
    channels = b.choice((1, 1, 2, 3, 4, 6))
    if b.chance(0.25):  # channels last at the border
        x = b.node("Transpose", [b.input((batch, *size, channels), symbolic)], perm=[0, rank + 1, *range(1, rank + 1)])
    else:
        x = b.input((batch, channels, *size), symbolic)
    if b.chance(0.15):
        other = b.input((batch, b.shapes[x][1], *b.shapes[x][2:]), symbolic)
        x = b.node("Concat", [x, other], axis=1) if b.chance(0.4) else b.node(b.choice(("Add", "Mul")), [x, other])
    kept = []
    for _ in range(b.integer(1, 6)):
        x = b.choice(BLOCKS)(b, x)
        kept.append(x)
    outputs = [classifier(b, x)] if b.chance(0.6) else [x]
    if b.chance(0.2):
        outputs.append(b.choice(kept))
    made = {name for node in b.nodes for name in node.output}
    outputs = [name for name in dict.fromkeys(outputs) if name in made]
    return b.model(outputs or [b.node("Relu", [x])])


def random_samples(model: onnx.ModelProto, seed: int, count: int = 24) -> dict[str, Array]:
    """``count`` samples of every input in front of its batch: smooth values, each input with its own range."""
    random = np.random.default_rng(seed)
    found = {}
    for value in model.graph.input:
        shape = [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
        mean, scale = random.choice((0.0, 0.0, 1.0)), random.choice((0.5, 1.0, 2.0))
        found[value.name] = (mean + scale * random.standard_normal((count, *shape))).astype(np.float32)
    return found


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(random_model(int(sys.argv[1])).SerializeToString())
