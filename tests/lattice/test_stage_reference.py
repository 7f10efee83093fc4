"""The interpreter of stages beside plain loops over Python integers."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.schedules.stream.reference import execute, rescaled
from gatewright.schedules.stream.stages import (
    Combine,
    Concat,
    Design,
    Gather,
    Mac,
    Pool,
    Port,
    Product,
    Rescale,
    Stream,
    Table,
    Window,
)

WIDE = Stream(1, 1, 40, True, -(1 << 39), (1 << 39) - 1)


def _keep(bias: Any = 0, reach: int = 1 << 30) -> Rescale:
    bias = np.atleast_1d(np.asarray(bias, np.int64))
    ones = np.ones_like(bias)
    return Rescale(bias, ones, 0 * ones, 0, -reach, reach, -reach, reach, -reach, reach)


def _byte(pixels: int, channels: int, signed: bool = True) -> Stream:
    return Stream(pixels, channels, 8, signed, *((-128, 127) if signed else (0, 255)))


def _run(stage: Any, *inputs: Any) -> Any:
    """The stage alone, reading ``inputs`` (samples, elements)."""
    names = [f"i{k}" for k in range(len(inputs))]
    ports = tuple(
        Port(n, n, (1, a.shape[1]), np.arange(a.shape[1]), "int32") for n, a in zip(names, inputs, strict=True)
    )
    elements = stage.output.elements
    out = Port("y", stage.name, (1, elements), np.arange(elements), "int64")
    design = Design("d", ports, (out,), dict.fromkeys(names, stage.x), (stage,))
    return execute(design, dict(zip(names, inputs, strict=True)))["y"]


# -- rescale -----------------------------------------------------------------------------------------------------------


def _exact(value: Fraction, rounding: str) -> int:
    whole = floor(value)
    match rounding:
        case "floor":
            return whole
        case "half_up":
            return floor(value + Fraction(1, 2))
        case "toward_zero":
            return int(value)
        case _:
            return round(value)  # Python rounds half to even


@given(
    st.lists(st.integers(-(1 << 20), 1 << 20), min_size=1), st.integers(-100, 100), st.integers(1, 1 << 31),
    st.integers(0, 40), st.integers(-5, 5), st.sampled_from(("half_up", "floor", "half_even", "toward_zero")),
)  # fmt: skip
def test_rescale_rounds_the_exact_quotient(
    acc: list[int], bias: int, multiplier: int, shift: int, zero: int, rounding: str
) -> None:
    reach = (1 << 20) + 100
    rescale = Rescale(
        np.array([bias]),
        np.array([multiplier]),
        np.array([shift]),
        zero,
        -128,
        127,
        -reach,
        reach,
        -reach,
        reach,
        rounding,
    )
    expected = [_exact(Fraction((a + bias) * multiplier, 1 << shift), rounding) + zero for a in acc]
    assert rescaled(np.array([acc]), rescale, WIDE)[0].tolist() == [min(max(q, -128), 127) for q in expected]


@pytest.mark.parametrize(("signed", "expected"), [(True, [-128, 127, 0, -1]), (False, [128, 127, 0, 255])])
def test_wrap_keeps_the_low_bits(signed: bool, expected: list[int]) -> None:
    zero, one = np.array([0]), np.array([1])
    rescale = Rescale(zero, one, zero, 0, 0, 0, -512, 512, -512, 512, "floor", True)
    assert rescaled(np.array([[128, 127, -256, 511]]), rescale, _byte(1, 4, signed))[0].tolist() == expected


def test_constants_go_by_position() -> None:
    made = rescaled(np.zeros((2, 6), np.int64), _keep([1, 2, 3]), _byte(2, 3))
    assert made.tolist() == [[1, 2, 3, 1, 2, 3]] * 2


# -- stages ------------------------------------------------------------------------------------------------------------

WINDOWS = [
    Window(5, 4, 4, (3, 2), (2, 1), (1, 1), (1, 0, 1, 2), 7),
    Window(6, 5, 4, (2, 2), (1, 2), (2, 3), (0, 1, 0, 0), -3),
    Window(1, 3, 4),
]


def _taps(window: Window, image: Any, y: int, x: int) -> list[tuple[int, int, Any]]:
    """(kernel row, kernel column, pixel) of the window at (y, x), padding included."""
    found = []
    for i, j in itertools.product(range(window.kernel[0]), range(window.kernel[1])):
        row = y * window.strides[0] + i * window.dilation[0] - window.padding[0]
        column = x * window.strides[1] + j * window.dilation[1] - window.padding[1]
        inside = 0 <= row < window.height and 0 <= column < window.width
        found.append((i, j, image[row, column] if inside else np.full(window.channels, window.pad)))
    return found


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("outputs", "groups"), [(3, 1), (6, 2), (4, 4), (8, 4)])
def test_mac(window: Window, outputs: int, groups: int) -> None:
    rng = np.random.default_rng(0)
    weight = rng.integers(-8, 8, (outputs, 4 // groups, *window.kernel))
    x, bias = rng.integers(-128, 128, (2, window.height * window.width * 4)), rng.integers(-99, 99, outputs)
    rows, columns = window.output
    out = Stream(rows * columns, outputs, 32, True, -(1 << 31), (1 << 31) - 1)
    stage = Mac("m", ("i0",), out, "m", _byte(window.height * window.width, 4), window, weight, groups, _keep(bias))
    expected = np.zeros((2, rows, columns, outputs), np.int64)
    for n, y, k, o in itertools.product(range(2), range(rows), range(columns), range(outputs)):
        group = o // (outputs // groups)
        expected[n, y, k, o] = bias[o] + sum(
            int(weight[o, c, i, j]) * int(pixel[group * (4 // groups) + c])
            for i, j, pixel in _taps(window, x[n].reshape(window.height, window.width, 4), y, k)
            for c in range(4 // groups)
        )
    assert np.array_equal(_run(stage, x), expected.reshape(2, -1))


def test_mac_beyond_the_floats() -> None:
    big = (1 << 40) + 1
    x = Stream(1, 2, 42, True, -(1 << 41), (1 << 41) - 1)
    stage = Mac("m", ("i0",), WIDE, "m", x, Window(1, 1, 2), np.array([[[[4097]], [[-4096]]]]), 1, _keep(0, 1 << 60))
    assert _run(stage, np.array([[big, big]]))[0, 0] == big


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("maximum", [True, False])
def test_pool(window: Window, maximum: bool) -> None:
    x = np.random.default_rng(1).integers(-128, 128, (2, window.height * window.width * 4))
    rows, columns = window.output
    out = Stream(rows * columns, 4, 16, True, -(1 << 15), (1 << 15) - 1)
    by_element = np.arange(rows * columns * 4)
    stage = Pool("p", ("i0",), out, "p", _byte(window.height * window.width, 4), window, maximum, _keep(by_element))
    expected = [
        [
            (max if maximum else sum)(int(pixel[c]) for _, _, pixel in _taps(window, image, y, k))
            for y, k, c in itertools.product(range(rows), range(columns), range(4))
        ]
        for image in x.reshape(2, window.height, window.width, 4)
    ]
    assert np.array_equal(_run(stage, x), np.array(expected) + by_element)


def test_elementwise_and_movement() -> None:
    a, b = np.array([[-128, 5, 127, 0]]), np.array([[3, -7, 2, 1]])
    x, out = _byte(2, 2), Stream(2, 2, 32, True, -(1 << 31), (1 << 31) - 1)
    assert _run(Combine("c", ("i0", "i1"), out, "c", x, (3, -2), _keep(1)), a, b).tolist() == [[-389, 30, 378, -1]]
    assert _run(Product("p", ("i0", "i1"), out, "p", x, (1, -1), _keep()), a, b).tolist() == [[-516, -24, 378, -2]]
    eight = Stream(4, 2, 8, True, -128, 127)
    made = _run(Concat("k", ("i0", "i1"), eight, "k", x, (1, 1), _keep([0, 10])), a, b)
    assert made.tolist() == [[-118 - 10, 13, 5, 3, 127, 12, 0, 11]]
    made = _run(Gather("g", ("i0",), Stream(1, 3, 8, True, -128, 127), "g", x, np.array([2, -1, 0]), 9), a)
    assert made.tolist() == [[127, 9, -128]]


@pytest.mark.parametrize("signed", [True, False])
def test_table(signed: bool) -> None:
    x = Stream(1, 4, 2, signed, *((-2, 1) if signed else (0, 3)))
    stage = Table("t", ("i0",), _byte(1, 4), "t", x, np.array([10, 11, 12, 13]))
    ordered = np.arange(x.low, x.high + 1)[None]
    assert _run(stage, ordered).tolist() == [[10, 11, 12, 13]]


def test_ports_order_elements_and_samples() -> None:
    """Channels first outside, channels last inside."""
    index = np.arange(6).reshape(2, 3).T.reshape(-1)
    x = _byte(3, 2)
    stage = Gather("g", ("s",), x, "g", x, np.arange(6))
    design = Design(
        "d",
        (Port("x", "s", (1, 2, 3), index, "int8"),),
        (Port("y", "g", (1, 6), np.arange(6), "int8"),),
        {"s": x},
        (stage,),
    )
    made = execute(design, {"x": np.arange(12, dtype=np.int8).reshape(2, 2, 3)})["y"]
    assert made.dtype == np.int8
    assert made.tolist() == [[0, 3, 1, 4, 2, 5], [6, 9, 7, 10, 8, 11]]
