"""Hand-made integer graphs that hold every case of the lowering at least once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gatewright.compiler.integer.graph import IntegerGraph, Profile
from gatewright.compiler.integer.layers import (
    Add,
    AvgPool2d,
    Concat,
    Conv2d,
    Dense,
    Input,
    Layer,
    MaxPool2d,
    Multiply,
    Pad,
    Requantize,
    Reshape,
    Resize,
    Slice,
    Table,
    Transpose,
)
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.integer.verifier import verify
from gatewright.compiler.numeric.windows import output_size

__all__ = ["fixed_graph", "serial_graph", "settings", "small_graph", "zoo_graph"]


def settings(io_type: str = "io_stream", backend: str = "Vitis", **more: Any) -> dict[str, Any]:
    """Settings of a project called ``net``."""
    return {
        "part": "xc7z020clg400-1", "clock_period_ns": 5, "io_type": io_type, "backend": backend, "board": None,
        "project_name": "net", **more,
    }  # fmt: skip


class _Maker:
    """Layers one after another, with random constants."""

    def __init__(self, profile: Profile) -> None:
        self.rng = np.random.default_rng(5)
        self.profile = profile
        self.layers: list[Layer] = []
        self.types: dict[str, TensorType] = {}

    def put(self, layer: Layer) -> str:
        self.layers.append(layer)
        self.types[layer.name] = layer.output
        return layer.name

    def kind(self, shape: tuple[int, ...], **more: Any) -> TensorType:
        if self.profile == "fixed":
            return TensorType(shape, scale=float(2.0 ** int(self.rng.integers(-6, 3))), **more)
        return TensorType(shape, zero_point=int(self.rng.integers(-20, 20)), **more)

    def like(self, name: str, shape: tuple[int, ...]) -> TensorType:
        """The element type of ``name`` in another shape."""
        kind = self.types[name]
        return TensorType(shape, kind.bits, kind.signed, kind.scale, kind.zero_point)

    def scaling(self, fan_in: int, channels: int, spread: int) -> tuple[Any, Any]:
        """Multipliers and shifts that bring a sum of ``fan_in`` products of two bytes to about a byte."""
        shift = round(37 + 0.5 * math.log2(fan_in))
        if self.profile == "fixed":
            return np.full(channels, 1 << 30), shift - np.linspace(0, spread, channels).astype(np.int64)
        return self.rng.integers(1 << 30, 1 << 31, channels), shift + self.rng.integers(-1, 2, channels)

    def weights(self, shape: tuple[int, ...], spread: int) -> dict[str, Any]:
        o = shape[0]
        multiplier, shift = self.scaling(math.prod(shape[1:]), o, spread)
        zero = self.rng.integers(-3, 4, o) if self.profile == "scaled" else np.zeros(o)
        return {
            "weight": self.rng.integers(-127, 128, shape).astype(np.int8), "weight_zero_point": zero.astype(np.int8),
            "bias": self.rng.integers(-1000, 1000, o).astype(np.int32), "weight_scale": np.ones(o, np.float32),
            "multiplier": multiplier, "shift": shift,
        }  # fmt: skip

    def conv(
        self, name: str, x: str, o: int, kernel: tuple[int, int], clamp: tuple[int, int] = (-128, 127),
        spread: int = 0, **more: Any,
    ) -> str:  # fmt: skip
        _, c, h, w = self.types[x].shape
        strides, dilation = more.get("strides", (1, 1)), more.get("dilation", (1, 1))
        top, left, bottom, right = more.get("padding", (0, 0, 0, 0))
        height = output_size(h, kernel[0], strides[0], top + bottom, dilation[0])
        width = output_size(w, kernel[1], strides[1], left + right, dilation[1])
        weights = self.weights((o, c // more.get("groups", 1), *kernel), spread)
        return self.put(Conv2d(name, (x,), self.kind((1, o, height, width)), **weights, clamp=clamp, **more))

    def dense(self, name: str, x: str, o: int, spread: int = 0) -> str:
        shape = self.types[x].shape
        weights = self.weights((o, shape[-1]), spread)
        return self.put(Dense(name, (x,), self.kind((*shape[:-1], o)), **weights, clamp=(-128, 127)))

    def average(self, name: str, x: str, kernel: tuple[int, int], **more: Any) -> str:
        _, c, h, w = self.types[x].shape
        strides = more.get("strides", (1, 1))
        top, left, bottom, right = more.get("padding", (0, 0, 0, 0))
        size = (
            output_size(h, kernel[0], strides[0], top + bottom),
            output_size(w, kernel[1], strides[1], left + right),
        )
        table = size if any(more.get("padding", ())) else (1, 1)
        multiplier = self.rng.integers(1 << 30, 1 << 31, table)
        shift = 30 + round(0.5 * math.log2(kernel[0] * kernel[1])) + self.rng.integers(0, 2, table)
        return self.put(AvgPool2d(name, (x,), self.kind((1, c, *size)), kernel, multiplier, shift, (-128, 127), **more))

    def graph(self, *outputs: str) -> IntegerGraph:
        graph = IntegerGraph(self.layers, outputs, self.profile)
        verify(graph)
        return graph


def small_graph() -> IntegerGraph:
    """NHWC image -> conv -> flatten -> dense: what the golden files show."""
    make = _Maker("scaled")
    make.put(Input("image", (), make.kind((1, 4, 4, 2))))
    make.put(Transpose("nchw", ("image",), make.like("image", (1, 2, 4, 4)), (0, 3, 1, 2)))
    make.conv("stem/conv", "nchw", 3, (3, 3), padding=(1, 1, 1, 1), strides=(2, 2))
    make.put(Reshape("flatten", ("stem/conv",), make.like("stem/conv", (1, 12))))
    make.dense("logits", "flatten", 4)
    return make.graph("logits")


def zoo_graph() -> IntegerGraph:
    """Profile ``scaled``: every operator; names no C compiler would take; a tensor with more than seven readers."""
    make = _Maker("scaled")
    make.put(Input("in put:0", (), make.kind((1, 10, 9, 3))))
    make.put(Transpose("nchw", ("in put:0",), make.like("in put:0", (1, 3, 10, 9)), (0, 3, 1, 2)))
    make.conv("conv", "nchw", 6, (3, 3), padding=(0, 1, 1, 0), strides=(2, 1))
    make.conv("dw", "conv", 6, (3, 3), padding=(1, 1, 1, 1), groups=6)
    body = make.conv("dw 1x1", "dw", 6, (1, 1), groups=6)
    shape = make.types[body].shape
    h, w = shape[2:]
    make.conv("dw_row", body, 6, (1, 3), groups=6, strides=(2, 1), padding=(1, 1, 0, 1))
    make.conv("row", body, 6, (1, 3), strides=(2, 1), padding=(1, 1, 1, 1))
    make.conv("point", body, 8, (1, 1), strides=(2, 2))
    make.conv("grouped", body, 8, (2, 2), groups=2)
    make.conv("dilated", body, 4, (2, 2), dilation=(2, 3), clamp=(-10, 90))
    make.put(
        MaxPool2d(
            "max", (body,), make.like(body, (1, 6, (h + 2 - 3) + 1, (w + 1 - 2) // 2 + 1)), (3, 2), (-60, 60), (1, 2),
            (1, 0, 1, 1),
        )
    )  # fmt: skip
    make.put(
        MaxPool2d("max_dilated", (body,), make.like(body, (1, 6, h - 2, w - 2)), (2, 2), (-128, 127), dilation=(2, 2))
    )
    make.average("mean_padded", body, (2, 2), strides=(2, 2), padding=(1, 1, 1, 1))
    make.average("mean", body, (h, w))
    table = np.sort(make.rng.integers(0, 256, 256))
    make.put(Table("gate", ("mean",), TensorType((1, 6, 1, 1), signed=False, zero_point=3), table, function="sigmoid"))
    make.put(Multiply("excite", (body, "gate"), make.kind(shape), 1999999999, 38, (-128, 127)))
    operands = ("excite", body, "dw")
    make.put(Add("sum3", operands, make.kind(shape), np.array([1 << 30, -(1 << 29), 1086086086]), 31, (-100, 120)))
    make.put(Add("twice", ("sum3", "sum3"), make.kind(shape), np.array([1 << 30, 1 << 29]), 31, (-128, 127)))
    make.put(
        Concat(
            "joined", ("twice", "sum3", body), make.like("twice", (1, 18, h, w)), 1,
            np.array([1 << 30, (1 << 30) + 5, 1 << 30]), np.array([30, 30, 31]), (-128, 127),
        )
    )  # fmt: skip
    make.put(
        Concat(
            "stacked", ("joined", "joined"), make.kind((1, 18, 2 * h, w)), 2, np.array([1 << 30, (1 << 30) + 7]),
            np.array([30, 31]), (-128, 120),
        )
    )  # fmt: skip
    make.put(Pad("pad", ("joined",), make.like("joined", (1, 20, h + 1, w + 2)), ((0, 0), (1, 1), (1, 0), (0, 2)), -77))
    make.put(Slice("slice", ("pad",), make.like("pad", (1, 10, h, 3)), (0, 19, 0, 1), (1, -2, 1, 3)))
    make.put(
        Resize(
            "resize", ("slice",), make.like("slice", (1, 10, 2 * h, 3)), np.repeat(np.arange(h), 2), np.array([2, 0, 1])
        )
    )
    make.put(Slice("crop", (body,), make.like(body, (1, 6, 2, 3)), (0, 0, 1, 2), (1, 1, 2, 1)))
    make.put(Requantize("requantize", ("resize",), make.kind((1, 10, 2 * h, 3)), (1 << 30) + 99, 31, (-50, 50)))
    make.put(Reshape("reshape", ("requantize",), make.like("requantize", (1, 10, 6 * h))))
    make.put(Transpose("transpose", ("reshape",), make.like("requantize", (1, 6 * h, 10)), (0, 2, 1)))
    make.dense("rows", "transpose", 5)
    make.put(Reshape("flat", ("dw_row",), make.like("dw_row", (1, math.prod(make.types["dw_row"].shape)))))
    make.dense("logits", "flat", 7)
    make.put(
        MaxPool2d("max_plain", ("joined",), make.like("joined", (1, 18, h // 5, w // 2)), (5, 2), (-128, 127), (5, 2))
    )
    return make.graph(
        "logits", "rows", "max", "max_dilated", "mean_padded", "excite", "sum3", "stacked", "crop", "requantize", "row",
        "point", "grouped", "dilated", "max_plain",
    )  # fmt: skip


def fixed_graph() -> IntegerGraph:
    """Profile ``fixed``: ReLU, both clamps and a symmetric one natively, shifts by channel, ReLU6."""
    make = _Maker("fixed")
    make.put(Input("x", (), make.kind((1, 3, 9, 9))))
    make.conv("relu", "x", 6, (3, 3), padding=(1, 1, 1, 1), clamp=(0, 127))
    make.conv("relu6", "relu", 6, (3, 3), groups=6, clamp=(0, 96))
    make.conv("linear", "relu6", 8, (1, 1))
    make.conv("symmetric", "linear", 8, (1, 1), clamp=(-127, 127), strides=(2, 2))
    make.conv("by_channel", "linear", 8, (3, 3), strides=(2, 2), padding=(1, 1, 1, 1), spread=3)
    make.conv("far_apart", "linear", 8, (3, 3), strides=(2, 2), padding=(1, 1, 1, 1), spread=12)
    shape = make.types["symmetric"].shape
    make.put(Add("sum", ("symmetric", "by_channel"), make.kind(shape), np.array([1 << 30, 1 << 28]), 30, (0, 127)))
    make.average("mean", "sum", (4, 4))
    table = np.sort(make.rng.integers(0, 256, 256))
    kind = TensorType((1, 8, 1, 1), signed=False, scale=2.0**-8)
    make.put(Table("gate", ("mean",), kind, table, function="sigmoid"))
    make.put(Multiply("excite", ("sum", "gate"), make.kind(shape), 1 << 30, 36, (-128, 127)))
    make.put(
        Concat(
            "joined", ("excite", "far_apart"), make.kind((1, 16, 4, 4)), 1, np.array([1 << 30, 1 << 30]),
            np.array([30, 31]), (-128, 127),
        )
    )  # fmt: skip
    make.put(MaxPool2d("max", ("by_channel",), make.like("by_channel", (1, 8, 2, 2)), (2, 2), (-128, 127), (2, 2)))
    make.put(Reshape("flat", ("max",), make.like("max", (1, 32))))
    make.dense("hidden", "flat", 10, spread=2)
    make.dense("logits", "hidden", 4)
    return make.graph("logits", "joined", "mean", "max", "relu", "relu6", "linear")


def serial_graph(profile: Profile) -> IntegerGraph:
    """What the serial kernels do, in odd shapes: 1-wide and 1-high images, strides that leave rest, padding on one
    side, dilation, kernels larger than the image, padded and strided pointwise convolutions."""
    make = _Maker(profile)
    make.put(Input("x", (), make.kind((1, 6, 7, 5))))
    make.conv("plain", "x", 6, (3, 3), groups=6, padding=(1, 1, 1, 1))
    make.conv("strided", "plain", 6, (3, 2), groups=6, strides=(3, 2), padding=(1, 0, 0, 1), clamp=(-100, 90))
    make.conv("dilated", "plain", 6, (3, 2), groups=6, dilation=(2, 3), padding=(2, 0, 1, 3))
    make.conv("column", "plain", 6, (3, 1), groups=6, strides=(2, 1), padding=(0, 0, 2, 0), clamp=(0, 127))
    make.conv("row", "plain", 6, (1, 5), groups=6, padding=(1, 2, 0, 2))
    make.conv("scale", "plain", 6, (1, 1), groups=6, spread=3)
    make.conv("skip", "plain", 6, (1, 1), groups=6, strides=(3, 2))
    make.conv("all", "plain", 6, (7, 5), groups=6)
    make.conv("large", "all", 6, (3, 3), groups=6, padding=(1, 1, 1, 1))
    make.put(Slice("narrow", ("plain",), make.like("plain", (1, 6, 7, 1)), (0, 0, 0, 2), (1, 1, 1, 1)))
    make.conv("thin", "narrow", 6, (3, 3), groups=6, padding=(1, 1, 1, 1))
    make.put(Slice("low", ("plain",), make.like("plain", (1, 6, 1, 5)), (0, 0, 3, 0), (1, 1, 1, 1)))
    make.conv("flat", "low", 6, (2, 3), groups=6, padding=(1, 1, 0, 1), spread=12)
    make.conv("mix", "scale", 9, (1, 1))
    make.conv("mix_strided", "plain", 4, (1, 1), strides=(3, 2), clamp=(-7, 100), spread=2)
    make.conv("mix_padded", "plain", 4, (1, 1), padding=(1, 0, 0, 2))
    make.conv("mix_grouped", "plain", 8, (1, 1), groups=2)
    make.put(Reshape("lines", ("mix",), make.like("mix", (1, 9, 35))))
    make.dense("rows", "lines", 3)
    make.conv("full", "x", 4, (3, 3), padding=(1, 1, 1, 1), clamp=(-100, 90))
    make.conv("full_strided", "plain", 3, (2, 3), strides=(3, 2), padding=(0, 2, 1, 0))
    make.conv("full_dilated", "plain", 5, (2, 2), dilation=(3, 2), padding=(1, 0, 0, 1), spread=3)
    make.conv("full_grouped", "plain", 4, (3, 1), groups=2)
    make.conv("full_thin", "narrow", 4, (3, 3), padding=(1, 1, 1, 1))
    make.conv("full_row", "low", 4, (1, 4), strides=(1, 2))
    make.conv("full_all", "plain", 2, (7, 5))
    make.average("mean", "full", make.types["full"].shape[2:])
    return make.graph(
        "full_strided", "full_dilated", "full_grouped", "full_thin", "full_row", "full_all", "mean",
        "strided", "dilated", "column", "row", "skip", "large", "thin", "flat", "mix_strided", "mix_padded",
        "mix_grouped", "rows",
    )  # fmt: skip
