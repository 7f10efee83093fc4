"""Histograms, the four methods, and what is refused as calibration data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.compiler.errors import GatewrightError, QuantizeError, UsageError
from gatewright.compiler.quantize import QuantizeOptions, quantize_graph
from gatewright.compiler.quantize.calibrate import Histogram, range_of
from gatewright.compiler.quantize.calibrate.data import fitting
from gatewright.compiler.quantize.calibrate.mse import error_of
from gatewright.compiler.quantize.scales import choose_parameters, power_of_two_at_least
from tests.quantize.graphs import Builder, normal


def histogram(*batches: np.ndarray) -> Histogram:
    found = Histogram()
    for batch in batches:
        found.add(batch)
    return found


@given(st.integers(0, 1 << 16), st.integers(1, 6), st.sampled_from([1e-6, 1.0, 300.0]))
def test_a_histogram_does_not_depend_on_the_batches(seed: int, parts: int, scale: float) -> None:
    x = normal(seed, 600, scale=scale) * np.repeat([1, 10, 0.1], 200)
    whole, cut = histogram(x), histogram(*np.array_split(x, parts))
    assert np.array_equal(whole.counts, cut.counts)
    assert (whole.low, whole.high, whole.total) == (cut.low, cut.high, cut.total)
    assert whole.counts.sum() == x.size
    halves = [histogram(x[:100]), histogram(x[100:])]
    halves[0].merge(halves[1])
    assert np.array_equal(halves[0].counts, whole.counts)


def test_histogram_of_zeros_counts_them_at_zero() -> None:
    found = histogram(np.zeros(5), np.array([0.25, -1.0]))
    assert found.total == found.counts.sum() == 7
    assert found.counts[len(found.counts) // 2] == 5


def test_minmax_takes_all_and_percentile_cuts_the_tails() -> None:
    x = np.concatenate([normal(0, 100_000), [50.0, -80.0]])
    found = histogram(x)
    assert range_of(found, 8, QuantizeOptions(calibration="minmax")) == (-80.0, 50.0)
    low, high = range_of(found, 8, QuantizeOptions(calibration="percentile", percentile=99.0))
    expected = np.quantile(x, [0.005, 0.995])
    width = 80.0 / 2048  # a bin, at the range that the outlier forced
    assert abs(low - expected[0]) <= 2 * width and abs(high - expected[1]) <= 2 * width


@pytest.mark.parametrize("method", ["entropy", "mse"])
@pytest.mark.parametrize("bits", [4, 8])
def test_clipping_methods_ignore_a_lone_outlier(method: str, bits: int) -> None:
    found = histogram(np.concatenate([np.abs(normal(0, 200_000)), [1000.0]]))
    _, high = range_of(found, bits, QuantizeOptions(calibration=method))  # type: ignore[arg-type]
    # One value in 200 000: entropy cuts it off; its squared error alone keeps MSE from going far.
    assert high < (100.0 if method == "entropy" else 1000.1)
    bounded = histogram(np.abs(np.tanh(normal(0, 200_000))))
    _, high = range_of(bounded, 8, QuantizeOptions(calibration=method))  # type: ignore[arg-type]
    assert high > 0.8


@given(
    st.integers(0, 1 << 16), st.sampled_from([3, 4, 6, 8]), st.booleans(), st.sampled_from(["asymmetric", "symmetric"])
)
def test_mse_is_never_worse_than_minmax(seed: int, bits: int, positive: bool, kind: str) -> None:
    x = normal(seed, 4000) ** 3
    found = histogram(np.abs(x) if positive else x)

    def error(method: str) -> float:
        options = QuantizeOptions(calibration=method, activations=kind)  # type: ignore[arg-type]
        p = choose_parameters(found, bits, options)
        return error_of(found, p.scale, *p.limits, p.zero_point)

    # The range is chosen before the zero point is rounded to an integer, which may cost a little.
    assert error("mse") <= 1.02 * error("minmax")


@given(st.integers(0, 1 << 16), st.sampled_from([2, 4, 8, 12]),
       st.sampled_from(["minmax", "percentile", "entropy", "mse"]),
       st.sampled_from([1e-30, 1e-3, 1.0, 1e12]))  # fmt: skip
def test_fixed_scales_are_powers_of_two_with_zero_point_zero(seed: int, bits: int, method: str, size: float) -> None:
    x = normal(seed, 1000).astype(np.float64) * size
    for values in (x, np.abs(x), np.zeros(3)):
        p = choose_parameters(histogram(values), bits, QuantizeOptions(profile="fixed", calibration=method))  # type: ignore[arg-type]
        assert np.frexp(p.scale)[0] == 0.5
        assert p.zero_point == 0
        assert p.signed == bool(values.min() < 0)


@given(st.integers(0, 1 << 16), st.sampled_from([2, 4, 8, 12]), st.sampled_from(["asymmetric", "symmetric"]),
       st.floats(-3, 3), st.sampled_from(["scaled", "fixed"]))  # fmt: skip
def test_a_minmax_range_covers_all_that_was_seen(seed: int, bits: int, kind: str, shift: float, profile: str) -> None:
    """To half a step at each end: the zero point is a whole number."""
    x = normal(seed, 500) + np.float32(shift)
    options = QuantizeOptions(calibration="minmax", activations=kind, profile=profile)  # type: ignore[arg-type]
    p = choose_parameters(histogram(x), bits, options)
    low, high = p.range
    assert low <= min(x.min(), 0) + 0.501 * p.scale
    assert high >= max(x.max(), 0) - 0.501 * p.scale
    if kind == "asymmetric" and profile == "scaled":
        assert high - low <= (max(x.max(), 0) - min(x.min(), 0)) * 1.0001


def test_the_power_of_two_is_chosen_by_error_and_not_by_range() -> None:
    """Values just above a power of two: covering them would cost a bit everywhere else."""
    x = np.concatenate([np.random.default_rng(0).uniform(0, 1, 100_000), [1.01]])
    assert choose_parameters(histogram(x), 8, QuantizeOptions(profile="fixed")).scale == 2.0**-8
    assert choose_parameters(histogram(x), 8, QuantizeOptions(profile="fixed", calibration="minmax")).scale == 2.0**-7


@pytest.mark.parametrize(("value", "power"), [(0.0, 1.0), (1.0, 1.0), (1.5, 2.0), (0.25, 0.25), (0.26, 0.5)])
def test_power_of_two_at_least(value: float, power: float) -> None:
    assert power_of_two_at_least(value) == power


def network() -> Builder:
    b = Builder()
    b.y = b.dense(b.input("x", 1, 4), normal(0, 4, 3), normal(1, 3))  # type: ignore[attr-defined]
    return b


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (None, "GW3303"),
        ({}, "GW0011"),
        ({"z": np.zeros((5, 4), np.float32)}, "GW0011"),
        ({"x": np.zeros((5, 3), np.float32)}, "GW0012"),
        ({"x": np.zeros((0, 4), np.float32)}, "GW0012"),
        ({"x": np.full((5, 4), "a")}, "GW0012"),
        ({"x": np.array([[1, np.nan, 0, 0]], np.float32)}, "GW0302"),
        ({"x": np.array([[1, np.inf, 0, 0]], np.float32)}, "GW0302"),
    ],
)
def test_bad_calibration_data_is_refused_with_a_reason(data: dict[str, np.ndarray] | None, code: str) -> None:
    b = network()
    with pytest.raises(GatewrightError) as caught:
        quantize_graph("m", b.graph(b.y), data, QuantizeOptions())  # type: ignore[attr-defined]
    assert caught.value.code == code
    assert caught.value.actions


def test_one_array_x_serves_a_lone_input_of_another_name() -> None:
    b = Builder()
    y = b.dense(b.input("image", 1, 4), normal(0, 4, 3))
    model = quantize_graph("m", b.graph(y), {"x": normal(1, 8, 4)}, QuantizeOptions())
    assert model.integer is not None
    assert model.integer.inputs[0].name == "image"


def test_large_tensors_are_run_few_samples_at_a_time_with_the_same_result() -> None:
    b = Builder()
    y = b.node("nn.pad", b.input("x", 1, 1, 8, 8), pad_width=(0, 0, 0, 0, 0, 2000, 0, 2000), pad_value=0.0)
    assert fitting(b.graph(y), 64) == (1 << 24) // 2008**2
    assert fitting(network().graph(network().y), 64) == 64  # type: ignore[attr-defined]
    graph, data = network().graph(network().y), {"x": normal(3, 50, 4)}  # type: ignore[attr-defined]
    found = [quantize_graph("m", graph, data, QuantizeOptions(batch_size=size)).integer for size in (7, 64)]
    assert found[0] is not None and found[1] is not None
    assert found[0].digest() == found[1].digest()


def test_a_tensor_that_overflows_is_named() -> None:
    b = Builder()
    big = b.node("exp", b.conv(b.input("x", 1, 1, 2, 2), normal(0, 2, 1, 1, 1)))
    y = b.conv(big, normal(1, 2, 2, 1, 1))
    with pytest.raises(QuantizeError) as caught:
        quantize_graph("m", b.graph(y), {"x": np.full((2, 1, 2, 2), 1e4, np.float32)}, QuantizeOptions())
    assert (caught.value.code, caught.value.place) == ("GW3305", big)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("profile", "float"), ("weight_bits", 1), ("weight_bits", 9), ("activation_bits", 17), ("multiplier_bits", 7),
        ("multiplier_bits", 32), ("calibration", "max"), ("percentile", 50), ("percentile", 100.1), ("weights", "x"),
        ("activations", ""), ("batch_size", 0), ("weight_bits", True), ("measure_samples", -1), ("nothing", 1),
    ],
)  # fmt: skip
def test_bad_options_are_usage_errors(field: str, value: object) -> None:
    with pytest.raises(UsageError) as caught:
        QuantizeOptions.from_mapping({field: value})
    assert caught.value.code == "GW0301"
    assert caught.value.place == field


def test_options_survive_plain_data() -> None:
    options = QuantizeOptions(profile="fixed", calibration="entropy", weight_bits=5)
    assert QuantizeOptions.from_mapping(options.to_json()) == options
