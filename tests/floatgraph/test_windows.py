"""Convolution and pooling against their definitions, element by element."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import assume, given
from hypothesis import strategies as st

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.floatgraph.operators import OPERATORS

Array = npt.NDArray[Any]


def _node(op: str, shape: tuple[int, ...], **attributes: Any) -> Node:
    return Node("y", op, ("x",), attributes, shape, "float32")


def _pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


_PADS = st.tuples(*[st.integers(0, 2)] * 4)


def _integers(seed: int, *shape: int) -> Array:
    """Small integers in float32: sums are exact, so results are compared with ``==``."""
    return np.random.default_rng(seed).integers(-8, 9, shape).astype(np.float32)


def _windows(size: int, kernel: int, stride: int, before: int, after: int, dilation: int) -> int:
    return (size + before + after - (kernel - 1) * dilation - 1) // stride + 1


@given(
    groups=st.integers(1, 3), per_group=st.integers(1, 3), out=st.integers(1, 3), size=_pairs(1, 6),
    kernel=_pairs(1, 3), strides=_pairs(1, 3), pads=_PADS, dilation=_pairs(1, 2), seed=st.integers(0, 99),
)  # fmt: skip
def test_conv2d(
    groups: int, per_group: int, out: int, size: Any, kernel: Any, strides: Any, pads: Any, dilation: Any, seed: int
) -> None:
    oh = _windows(size[0], kernel[0], strides[0], pads[0], pads[2], dilation[0])
    ow = _windows(size[1], kernel[1], strides[1], pads[1], pads[3], dilation[1])
    assume(oh > 0 and ow > 0)
    x = _integers(seed, 2, groups * per_group, *size)
    weight = _integers(seed + 1, groups * out, per_group, *kernel)
    expected = np.zeros((2, groups * out, oh, ow), np.float32)
    for n, o, y, z in np.ndindex(expected.shape):
        for i, u, v in np.ndindex(per_group, *kernel):
            row = y * strides[0] + u * dilation[0] - pads[0]
            column = z * strides[1] + v * dilation[1] - pads[1]
            if 0 <= row < size[0] and 0 <= column < size[1]:
                expected[n, o, y, z] += x[n, o // out * per_group + i, row, column] * weight[o, i, u, v]
    node = _node("nn.conv2d", expected.shape, strides=strides, padding=pads, dilation=dilation, groups=groups)
    assert np.array_equal(OPERATORS["nn.conv2d"](node, x, weight), expected)


@given(
    groups=st.integers(1, 2), per_group=st.integers(1, 2), out=st.integers(1, 3), size=_pairs(1, 4),
    kernel=_pairs(1, 4), strides=_pairs(1, 3), pads=_PADS, extra=_pairs(0, 2), dilation=_pairs(1, 2),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_conv2d_transpose(
    groups: int, per_group: int, out: int, size: Any, kernel: Any, strides: Any, pads: Any, extra: Any, dilation: Any,
    seed: int,
) -> None:  # fmt: skip
    assume(all(e < max(s, d) for e, s, d in zip(extra, strides, dilation, strict=True)))
    oh = (size[0] - 1) * strides[0] + dilation[0] * (kernel[0] - 1) + 1 - pads[0] - pads[2] + extra[0]
    ow = (size[1] - 1) * strides[1] + dilation[1] * (kernel[1] - 1) + 1 - pads[1] - pads[3] + extra[1]
    assume(oh > 0 and ow > 0)
    x = _integers(seed, 2, groups * per_group, *size)
    weight = _integers(seed + 1, groups * per_group, out, *kernel)
    expected = np.zeros((2, groups * out, oh, ow), np.float32)
    for n, c, r, s, o, u, v in np.ndindex(*x.shape, out, *kernel):
        row = r * strides[0] + u * dilation[0] - pads[0]
        column = s * strides[1] + v * dilation[1] - pads[1]
        if 0 <= row < oh and 0 <= column < ow:
            expected[n, c // per_group * out + o, row, column] += x[n, c, r, s] * weight[c, o, u, v]
    node = _node(
        "nn.conv2d_transpose", expected.shape, strides=strides, padding=pads, output_padding=extra, dilation=dilation,
        groups=groups,
    )  # fmt: skip
    assert np.array_equal(OPERATORS["nn.conv2d_transpose"](node, x, weight), expected)


@given(
    size=_pairs(1, 7), kernel=_pairs(1, 3), strides=_pairs(1, 3), pads=_PADS, dilation=_pairs(1, 2),
    ceil=st.booleans(), counted=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_pooling(
    size: Any, kernel: Any, strides: Any, pads: Any, dilation: Any, ceil: bool, counted: bool, seed: int
) -> None:
    # a window must start inside the data or the padding before it, and padding must be below the window
    assume(all(p < k for p, k in zip(pads, kernel * 2, strict=True)))
    counts = []
    for i in (0, 1):
        span = size[i] + pads[i] + pads[i + 2] - (kernel[i] - 1) * dilation[i] - 1
        count = (-(-span // strides[i]) if ceil else span // strides[i]) + 1
        if ceil and (count - 1) * strides[i] >= size[i] + pads[i]:
            count -= 1
        counts.append(count)
    assume(min(counts) > 0)
    x = _integers(seed, 1, 2, *size)
    largest = np.full((1, 2, *counts), -math.inf, np.float32)
    mean = np.zeros((1, 2, *counts))
    for n, c, y, z in np.ndindex(largest.shape):
        inside = 0
        for u, v in np.ndindex(*kernel):
            row = y * strides[0] + u * dilation[0] - pads[0]
            column = z * strides[1] + v * dilation[1] - pads[1]
            real = 0 <= row < size[0] and 0 <= column < size[1]
            inside += real or (counted and row < size[0] + pads[2] and column < size[1] + pads[3])
            if real:
                largest[n, c, y, z] = max(largest[n, c, y, z], x[n, c, row, column])
                mean[n, c, y, z] += x[n, c, row, column]
        mean[n, c, y, z] /= inside or math.nan
    attributes = {"pool_size": kernel, "strides": strides, "padding": pads, "dilation": dilation, "ceil_mode": ceil}
    node = _node("nn.max_pool2d", largest.shape, **attributes)
    assert np.array_equal(OPERATORS["nn.max_pool2d"](node, x), largest)
    node = _node("nn.avg_pool2d", largest.shape, **attributes, count_include_pad=counted)
    with np.errstate(invalid="ignore"):
        found = OPERATORS["nn.avg_pool2d"](node, x)
    assert np.array_equal(found, mean.astype(np.float32), equal_nan=True)


@given(size=_pairs(1, 9), target=_pairs(1, 5), seed=st.integers(0, 99))
def test_adaptive_pooling(size: Any, target: Any, seed: int) -> None:
    assume(target[0] <= size[0] and target[1] <= size[1])
    x = _integers(seed, 1, 2, *size)
    found = OPERATORS["nn.adaptive_avg_pool2d"](_node("nn.adaptive_avg_pool2d", (1, 2, *target)), x)
    for i, j in itertools.product(*(range(t) for t in target)):
        rows = slice(math.floor(i * size[0] / target[0]), math.ceil((i + 1) * size[0] / target[0]))
        columns = slice(math.floor(j * size[1] / target[1]), math.ceil((j + 1) * size[1] / target[1]))
        # one float32 rounding a term
        assert np.allclose(found[:, :, i, j], x[:, :, rows, columns].astype(float).mean((2, 3)), 1e-6, 1e-6)


@given(st.lists(st.floats(-300, 300, width=32), min_size=1, max_size=40), st.integers(-20, 5), st.integers(-128, 127))
def test_quantize(values: list[float], exponent: int, zero: int) -> None:
    """``clamp(round_half_even(x / s) + z)``; with s a power of two the quotient is exact."""
    scale = 2.0**exponent
    node = Node("q", "quantize", ("x",), {"axis": 0}, (len(values),), "int8")
    x = np.array(values, np.float32)
    found = OPERATORS["quantize"](node, x, np.float32(scale)[()] * np.ones((), np.float32), np.array(zero, np.int8))
    expected = [min(max(round(float(v) / scale) + zero, -128), 127) for v in x]  # Python's round is half to even
    assert found.dtype == np.int8 and list(found) == expected


@given(st.integers(1, 255), st.floats(2.0**-10, 10, width=32))
def test_dequantize_then_quantize_is_the_identity(seed: int, scale: float) -> None:
    q = np.arange(-128, 128).astype(np.int8)
    s, z = np.array(scale, np.float32), np.array(seed - 128, np.int8)
    x = OPERATORS["dequantize"](Node("x", "dequantize", (), {"axis": -1}, (256,), "float32"), q, s, z)
    assert x.dtype == np.float32
    again = OPERATORS["quantize"](Node("q", "quantize", (), {"axis": -1}, (256,), "int8"), x, s, z)
    assert np.array_equal(again, q)
