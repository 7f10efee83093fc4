"""The roofline plot: valid SVG, every layer in it once, points where their figures say, below the roof if they are."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.targets.accelerator.database import shipped
from gatewright.targets.accelerator.roofline_plot import LayerPoint, roofline_svg

_SVG = "{http://www.w3.org/2000/svg}"

_POINTS = (
    LayerPoint("conv<1>", "matrix", 1_000_000, 40_000, 19_000),
    LayerPoint("pool & more", "vector", 0, 20_000, 3_000),
    LayerPoint("depthwise", "vector", 90_000, 30_000, 12_000),
    LayerPoint("a/very/long/name/of/a/layer/of/a/network/conv2d", "matrix", 5_000_000, 90_000, 95_000),
    LayerPoint("twin", "matrix", 5_000_000, 90_000, 95_000),
    LayerPoint("resident", "matrix", 100, 0, 10),
    LayerPoint("dense", "matrix", 64_000, 64_000, 16_000),
)


def _numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def _axis(root: ElementTree.Element, horizontal: bool) -> Callable[[float], float]:
    """Value -> pixels, from the ticks that a reader sees."""
    anchor = "middle" if horizontal else "end"
    ticks = {}
    for text in root.iter(f"{_SVG}text"):
        if text.get("text-anchor") == anchor and text.text and re.fullmatch(r"[\d.e+-]+", text.text):
            line = (text.get("x"), text.get("y")) if horizontal else (text.get("y"), text.get("x"))
            if (horizontal and float(line[1] or 0) == 437) or (not horizontal and line[1] == "-7"):
                ticks[float(text.text)] = float(line[0] or 0) - (0 if horizontal else 4)
    (low, at_low), (high, at_high) = sorted(ticks.items())[0], sorted(ticks.items())[-1]
    return lambda value: at_low + (at_high - at_low) * math.log(value / low) / math.log(high / low)


@pytest.mark.parametrize("name", sorted(shipped()))
def test_points_lie_where_their_figures_say(name: str) -> None:
    root = ElementTree.fromstring(roofline_svg(shipped()[name], _POINTS, "a <b> & c"))
    across, up = _axis(root, True), _axis(root, False)
    circles = root.findall(f".//{_SVG}circle")
    drawn = [point for point in _POINTS if point.drawable]
    assert len(circles) == len(drawn) - 1  # the twins share one
    tips = {circle.findtext(f"{_SVG}title"): circle for circle in circles}
    for point in drawn:
        (circle,) = [circle for tip, circle in tips.items() if tip and f"{point.layer}: " in tip]
        assert abs(float(circle.get("cx", "nan")) - across(point.macs / point.dram_bytes)) <= 0.15
        assert abs(float(circle.get("cy", "nan")) - up(point.macs / point.cycles)) <= 0.15
        assert circle.get("class") == f"{point.unit}-point"
    texts = [text.text for text in root.iter(f"{_SVG}text")]
    assert "pool & more" in texts
    assert "4, 5" in texts
    assert f"a <b> & c on {name}" in texts


@pytest.mark.parametrize("name", sorted(shipped()))
def test_the_roof_is_the_lower_of_both(name: str) -> None:
    spec = shipped()[name]
    root = ElementTree.fromstring(roofline_svg(spec, _POINTS))
    across, up = _axis(root, True), _axis(root, False)
    (line,) = [line for line in root.iter(f"{_SVG}polyline") if line.get("class") == "roof"]
    values = _numbers(line.get("points", ""))
    peak, bandwidth = spec.matrix.rows * spec.matrix.columns, spec.dma.bytes_per_cycle * spec.dma.channels
    corner = across(peak / bandwidth), up(peak)
    assert abs(values[2] - corner[0]) <= 0.15
    assert abs(values[3] - corner[1]) <= 0.15
    assert abs(values[5] - corner[1]) <= 0.15
    # One decade of intensity is one decade of rate under the bandwidth.
    slope = (values[1] - values[3]) / (values[2] - values[0])
    assert abs(slope - (up(1) - up(10)) / (across(10) - across(1))) <= 0.02


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["matrix", "vector"]), st.integers(0, 10**9), st.integers(0, 10**8), st.integers(1, 10**8)
        ),
        max_size=60,
    )
)
def test_any_network_can_be_drawn(figures: list[tuple[str, int, int, int]]) -> None:
    points = [LayerPoint(f"layer {index}", *rest) for index, rest in enumerate(figures)]
    root = ElementTree.fromstring(roofline_svg(shipped()["vta-pynq"], points))
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    named = [text for text in root.iter(f"{_SVG}text") if text.text and text.text.startswith("layer ")]
    assert [text.text for text in named] == [point.layer for point in points]
    assert all(float(text.get("y", "nan")) < height and float(text.get("x", "nan")) < width for text in named)
    for circle in root.findall(f".//{_SVG}circle"):
        assert 0 <= float(circle.get("cx", "nan")) <= 760
        assert 0 <= float(circle.get("cy", "nan")) <= 420


def test_numbers_do_not_cover_each_other() -> None:
    """Two dozen points in a cloud: their numbers stay apart."""
    points = [
        LayerPoint(f"layer {index}", "matrix", 10**6 * (1 + index % 5), 40_000 + 900 * index, 20_000 + 700 * index)
        for index in range(24)
    ]
    root = ElementTree.fromstring(roofline_svg(shipped()["systolic-32x32-ws"], points))
    boxes = []
    for text in root.iter(f"{_SVG}text"):
        if text.get("class") == "number":
            x, y, half = float(text.get("x", "nan")), float(text.get("y", "nan")), 4 * len(text.text or "")
            boxes.append((x - half, x + half, y - 9, y + 2))
    assert len(boxes) > 12
    covered = sum(
        a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3] for n, a in enumerate(boxes) for b in boxes[:n]
    )
    assert covered == 0


def test_golden(golden: Callable[[str, str], None]) -> None:
    spec = shipped()["systolic-8x8-ws"].model_copy(update={"clock_mhz": 50.0})
    text = roofline_svg(spec, _POINTS, "a <b> & c")
    assert text == roofline_svg(spec, _POINTS, "a <b> & c")
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert all(before or after for before, after in pairwise(text.splitlines()))
    golden("accelerator/roofline.svg", text)
