"""Random single layers with awkward and large shapes: convolutions with everything, products, pools, sums."""

from __future__ import annotations

import numpy as np

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import AvgPool2d, Conv2d, Dense, Input, Layer, MaxPool2d
from gatewright.compiler.integer.requantization import multipliers_of
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.numeric.windows import output_size

__all__ = ["random_convolution", "random_layer"]


def _kind(rng: np.random.Generator, shape: tuple[int, ...]) -> TensorType:
    signed = bool(rng.integers(2))
    bits = int(rng.choice([8, 8, 8, 4, 2]))
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    return TensorType(shape, bits, signed, 1.0, int(rng.integers(low, high, endpoint=True)))


def _affine(rng: np.random.Generator, outputs: int, depth: int) -> dict[str, object]:
    """Bias, multipliers and shifts that keep results within a few steps of their range."""
    reals = 0.5 / (64.0 * np.sqrt(depth + 1.0)) * rng.uniform(0.3, 3.0, outputs)
    multiplier, shift = multipliers_of(reals, 31, "test")
    return {
        "bias": rng.integers(-5000, 5000, outputs),
        "weight_scale": np.ones(outputs, np.float32),
        "multiplier": multiplier,
        "shift": shift,
    }


def _weights(rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, object]:
    """Signed or unsigned bytes with no zero point, one for all, or one a channel: 8 bits, 9 bits, two passes."""
    signed = bool(rng.integers(2))
    low, high = (-128, 127) if signed else (0, 255)
    zero = {
        0: np.zeros(shape[0], np.int64),
        1: np.full(shape[0], rng.integers(low, high, endpoint=True)),
        2: rng.integers(low, high, shape[0], endpoint=True),
    }[int(rng.integers(3))]
    return {
        "weight": rng.integers(low, high, shape, endpoint=True),
        "weight_zero_point": zero,
        "weight_signed": signed,
    }


def random_convolution(rng: np.random.Generator) -> list[Layer]:
    """An input and a convolution: padding, stride, dilation, groups, depthwise, one pixel wide."""
    while True:
        kernel = tuple(int(v) for v in rng.choice([1, 1, 2, 3, 5, 7], 2))
        strides = tuple(int(v) for v in rng.choice([1, 1, 2, 3], 2))
        dilation = tuple(int(v) for v in rng.choice([1, 1, 2], 2))
        padding = tuple(int(v) for v in rng.choice([0, 1, 2], 4))
        height, width = (int(v) for v in rng.choice([1, 2, 3, 7, 12, 19], 2))
        out = [
            output_size(size, kernel[axis], strides[axis], padding[axis] + padding[axis + 2], dilation[axis])
            for axis, size in ((0, height), (1, width))
        ]
        if min(out) >= 1:
            break
    groups = int(rng.choice([1, 1, 1, 2, 3, 8]))
    per_in, per_out = int(rng.choice([1, 2, 3, 5, 17])), int(rng.choice([1, 1, 2, 3, 20]))
    if groups == 8:
        per_in, per_out = 1, int(rng.choice([1, 1, 2]))
    samples = int(rng.choice([1, 1, 2]))
    outputs = groups * per_out
    source = Input("x", (), _kind(rng, (samples, groups * per_in, height, width)))
    target = _kind(rng, (samples, outputs, *out))
    layer = Conv2d(
        "y", ("x",), target, **_weights(rng, (outputs, per_in, *kernel)),
        **_affine(rng, outputs, per_in * kernel[0] * kernel[1]), clamp=(target.qmin, target.qmax),
        strides=strides, padding=padding, dilation=dilation, groups=groups,
    )  # fmt: skip
    return [source, layer]


def _dense(rng: np.random.Generator) -> list[Layer]:
    rows, depth, outputs = (
        int(rng.choice([1, 2, 5, 33])),
        int(rng.choice([1, 7, 40, 130])),
        int(rng.choice([1, 9, 70])),
    )
    target = _kind(rng, (rows, outputs))
    layer = Dense(
        "y", ("x",), target, **_weights(rng, (outputs, depth)), **_affine(rng, outputs, depth),
        clamp=(target.qmin, target.qmax),
    )  # fmt: skip
    return [Input("x", (), _kind(rng, (rows, depth))), layer]


def _pool(rng: np.random.Generator) -> list[Layer]:
    kernel = tuple(int(v) for v in rng.choice([1, 2, 3, 4], 2))
    strides = tuple(int(v) for v in rng.choice([1, 2, 3], 2))
    padding = tuple(int(v) for v in rng.choice([0, 0, 1], 4))
    height, width = (int(v) for v in rng.choice([4, 9, 15], 2))
    channels = int(rng.choice([1, 3, 24]))
    out = [output_size(s, kernel[a], strides[a], padding[a] + padding[a + 2]) for a, s in ((0, height), (1, width))]
    kind = _kind(rng, (1, channels, height, width))
    target = TensorType((1, channels, *out), kind.bits, kind.signed, kind.scale, kind.zero_point)
    clamp = (target.qmin, target.qmax)
    if rng.integers(2):
        return [Input("x", (), kind), MaxPool2d("y", ("x",), target, kernel, clamp, strides, padding)]
    positions = (1, 1) if rng.integers(2) else tuple(out)
    reals = rng.uniform(0.3, 1.2, positions) / (kernel[0] * kernel[1])
    multiplier, shift = multipliers_of(reals, 31, "test")
    return [Input("x", (), kind), AvgPool2d("y", ("x",), target, kernel, multiplier, shift, clamp, strides, padding)]


def random_layer(seed: int) -> IntegerGraph:
    """A graph of one layer: convolutions mostly."""
    rng = np.random.default_rng(seed)
    make = [random_convolution, random_convolution, random_convolution, _dense, _pool][int(rng.integers(5))]
    return IntegerGraph(make(rng), ["y"])
