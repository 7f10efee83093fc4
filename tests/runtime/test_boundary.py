"""Float to integer at the graph's inputs: ONNX QuantizeLinear, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gatewright.compiler.errors import UsageError
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.runtime.boundary import quantize_array, quantize_inputs
from tests.runtime.artefact import integer_graph

FLOATS = arrays.arrays(np.float32, (20,), elements=st.floats(width=32, allow_nan=False))


@pytest.mark.parametrize(
    ("x", "q"),
    [
        (0.0, 3), (0.5, 3), (1.5, 5), (2.5, 5), (-0.5, 3), (-1.5, 1), (1e30, 127), (-1e30, -128),
        (np.inf, 127), (-np.inf, -128), (np.nextafter(np.float32(0.5), np.float32(1)), 4), (124.4, 127), (-131.6, -128),
    ],
)  # fmt: skip
def test_rounds_half_to_even_then_adds_the_zero_point(x: float, q: int) -> None:
    kind = TensorType((1,), 8, True, 1.0, 3)
    assert quantize_array(np.array([x], np.float32), kind).tolist() == [q]


def test_divides_in_float32() -> None:
    kind = TensorType((511,), 16, True, float(np.float32(0.1)))
    x = np.linspace(-12.75, 12.75, 511, dtype=np.float32)
    expected = np.rint(x / np.float32(0.1))
    assert (expected != np.rint(x.astype(np.float64) / float(np.float32(0.1)))).any()  # else this shows nothing
    assert quantize_array(x, kind).tolist() == expected.tolist()


@given(FLOATS, st.sampled_from([1.0, 0.5, float(np.float32(0.1)), float(np.float32(1e-38)), float(np.float32(3e38))]))
def test_matches_exact_rational_rounding_of_the_float32_quotient(x: np.ndarray, scale: float) -> None:
    kind = TensorType(x.shape, 16, True, scale, -7)
    with np.errstate(over="ignore"):
        quotients = (x / np.float32(scale)).tolist()
    for quotient, got in zip(quotients, quantize_array(x, kind).tolist(), strict=True):
        exact = quotient if np.isinf(quotient) else round(quotient)  # Python rounds half to even, without bounds
        assert got == min(max(exact - 7, kind.qmin), kind.qmax)


@pytest.mark.parametrize(("bits", "signed"), [(32, True), (32, False), (1, True), (1, False), (24, True)])
def test_ends_of_wide_and_narrow_types(bits: int, signed: bool) -> None:
    kind = TensorType((2,), bits, signed, 2.0**-20, 0)
    got = quantize_array(np.array([-3e38, 3e38], np.float32), kind)
    assert got.dtype == kind.dtype
    assert got.tolist() == [kind.qmin, kind.qmax]


def test_integer_inputs_pass_and_floats_are_quantized() -> None:
    graph = integer_graph()
    got = quantize_inputs(
        graph, {"x": np.array([[1.0, -16.0, 100.0]], np.float32), "side": np.array([[1, 2, 3, -128]], np.int8)}
    )
    assert got["x"].dtype == np.uint8
    assert got["x"].tolist() == [[136, 0, 255]]
    assert got["side"].tolist() == [[1, 2, 3, -128]]


@pytest.mark.parametrize(
    ("changes", "code", "place"),
    [
        ({"x": np.array([[0, np.nan, 0]], np.float32)}, "GW0103", "x"),
        ({"side": np.array([[0, 0, 0, 128]])}, "GW0103", "side"),
        ({"side": np.zeros((1, 4), np.float32)}, "GW0104", "side"),
        ({"x": np.array([["a", "b", "c"]])}, "GW0104", "x"),
        ({"x": None}, "GW0101", "x"),
    ],
)
def test_errors_name_the_input(changes: dict[str, np.ndarray | None], code: str, place: str) -> None:
    inputs = {"x": np.zeros((1, 3), np.float32), "side": np.zeros((1, 4), np.int8), **changes}
    given_arrays = {name: array for name, array in inputs.items() if array is not None}
    with pytest.raises(UsageError, match=f"{code} input '{place}'"):
        quantize_inputs(integer_graph(), given_arrays)
