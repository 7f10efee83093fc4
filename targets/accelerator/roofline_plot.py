"""Roofline plots as SVG: what a layer achieves, and what bandwidth or arithmetic would allow.

After S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for multicore
architectures", CACM 52(4), 2009, with multiply-accumulates in place of floating-point operations and cycles in place of
seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from gatewright.schedules.accelerator.spec import Spec

__all__ = ["LayerPoint", "roofline_svg"]

_LEFT, _TOP, _WIDTH, _HEIGHT = 74, 62, 760, 420
_ROW, _COLUMN = 17, 420
"""Height of a line of the key and width of one of two columns."""
_SHORT, _LONG = 30, 92
"""Characters a name may have in two columns, and in one."""
_SHOWN = 3
"""Numbers of layers that stand beside one point; the others are counted."""
_RADIUS = 5
_NUMBER = (8, 11)
"""Width of a digit and height of a number beside a point."""
_AROUND = ((1, 0), (0.7, -0.7), (0, -1), (-0.7, -0.7), (-1, 0), (-0.7, 0.7), (0, 1), (0.7, 0.7))
"""Directions in which a number may stand, best first."""


@dataclass(frozen=True)
class LayerPoint:
    """One layer.

    Attributes:
        layer: its name.
        unit: ``matrix`` or ``vector``: whose ceiling it meets.
        macs: multiply-accumulates on values that are no padding.
        dram_bytes: loaded and stored.
        cycles: it took, or its busiest unit did.
    """

    layer: str
    unit: str
    macs: int
    dram_bytes: int
    cycles: int

    @property
    def drawable(self) -> bool:
        """Whether both logarithms exist."""
        return min(self.macs, self.dram_bytes, self.cycles) > 0

    @property
    def intensity(self) -> float:
        """MACs a byte of DRAM."""
        return self.macs / self.dram_bytes

    @property
    def rate(self) -> float:
        """MACs a cycle."""
        return self.macs / self.cycles


@dataclass(frozen=True)
class _Axis:
    """A logarithmic axis from ``low`` to ``high``, both powers of ten, over ``length`` pixels."""

    low: float
    high: float
    length: float

    def at(self, value: float) -> float:
        return self.length * math.log(value / self.low) / math.log(self.high / self.low)

    @property
    def decades(self) -> list[float]:
        first, last = round(math.log10(self.low)), round(math.log10(self.high))
        return [10.0**power for power in range(first, last + 1)]

    @property
    def minor(self) -> list[float]:
        return [decade * digit for decade in self.decades[:-1] for digit in range(2, 10)]


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def roofline_svg(spec: Spec, points: Sequence[LayerPoint], title: str = "") -> str:
    """The plot as the text of an SVG file, self-contained and the same for the same arguments.

    The roof is the lower of the peak of the matrix unit (R x C MACs a cycle) and of bandwidth times intensity; the
    bandwidth counts both directions where loads and stores have a data path each. Dashed lines: the vector unit's peak
    (a MAC a lane a cycle: depthwise convolution), and loads alone. Layers are numbered; the key below names them. Of
    layers that coincide the first are numbered, the others counted. A layer without multiplications or without DRAM
    traffic has no place on logarithmic axes and is listed only.

    Args:
        spec: the accelerator.
        points: of the layers, in order.
        title: name of the model.
    """
    import jinja2

    template = files("gatewright.targets.accelerator").joinpath("roofline.svg.j2").read_text("utf-8")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=True
    )
    environment.filters["px"] = lambda value: f"{value:.1f}".removesuffix(".0")
    text: str = environment.from_string(template).render(**_scene(spec, points, title))
    return text


def _scene(spec: Spec, points: Sequence[LayerPoint], title: str) -> dict[str, Any]:
    drawn = [point for point in points if point.drawable]
    peak = spec.matrix.rows * spec.matrix.columns
    bandwidth = spec.dma.bytes_per_cycle * spec.dma.channels
    ridge = peak / bandwidth
    across = _axis([ridge / 8, ridge * 8, *(point.intensity for point in drawn)], _WIDTH)
    up = _axis([peak, peak / 90, spec.vector.lanes, *(point.rate for point in drawn)], _HEIGHT)
    roofs = _roofs(spec, across, up)
    marks = _marks(drawn, points, across, up, roofs)
    key = [_key_line(number, point) for number, point in enumerate(points, 1)]
    columns = 2 if all(len(point.layer) <= _SHORT for point in points) else 1
    rows = -(-len(key) // columns)
    return {
        "title": f"{title} on {spec.name}" if title else spec.name,
        "subtitle": f"{spec.clock_mhz:g} MHz; {peak} MACs a cycle; DRAM {spec.dma.bytes_per_cycle:g} bytes a cycle"
        + (" each way" if spec.dma.channels == 2 else ""),
        "left": _LEFT, "top": _TOP, "width": _WIDTH, "height": _HEIGHT, "radius": _RADIUS,
        "total_width": _LEFT + _WIDTH + 26, "total_height": _TOP + _HEIGHT + 78 + rows * _ROW + 12,
        "key_top": _TOP + _HEIGHT + 78, "row": _ROW,
        "across": _ticks(across), "up": [(up.length - at, text) for at, text in _ticks(up)],
        "across_minor": [across.at(value) for value in across.minor],
        "up_minor": [up.length - up.at(value) for value in up.minor],
        "roofs": roofs, "column": _COLUMN * (3 - columns),
        "marks": marks,
        "key": [
            {"x": (index // rows) * _COLUMN, "y": index % rows * _ROW, **line} for index, line in enumerate(key)
        ],
    }  # fmt: skip


def _axis(values: Iterable[float], length: float) -> _Axis:
    """Whole decades around all values, at least one."""
    known = list(values)
    low, high = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)))
    return _Axis(10.0**low, 10.0 ** max(high, low + 1), length)


def _ticks(axis: _Axis) -> list[tuple[float, str]]:
    return [(axis.at(value), f"{value:g}") for value in axis.decades]


def _roofs(spec: Spec, across: _Axis, up: _Axis) -> list[dict[str, Any]]:
    peak = spec.matrix.rows * spec.matrix.columns
    rate, lanes = spec.dma.bytes_per_cycle, spec.vector.lanes
    roofs = [(peak, rate * spec.dma.channels, "roof", f"matrix unit: {peak} MACs a cycle")]
    if spec.dma.channels == 2:
        roofs.append((peak, rate, "loads", ""))
    roofs.append((lanes, rate * spec.dma.channels, "vector", f"vector unit: {lanes} MACs a cycle"))
    found = []
    for ceiling, bandwidth, name, text in roofs:
        start = max(across.low, up.low / bandwidth)
        corner = min(max(ceiling / bandwidth, start), across.high)
        line = [(start, min(ceiling, bandwidth * start)), (corner, ceiling), (across.high, ceiling)]
        if name == "loads":
            line = line[:2]
        coordinates = [(across.at(x), up.length - up.at(y)) for x, y in line]
        # Left of the corner and above the slope no point can lie.
        left = coordinates[1][0] - 8 if coordinates[1][0] > 8 * len(text) else 0.0
        found.append(
            {"name": name, "points": coordinates, "text": text, "x": left or across.length - 6,
             "y": coordinates[1][1] + (4 if left else -6)}
        )  # fmt: skip
    return found


def _marks(
    drawn: Sequence[LayerPoint],
    points: Sequence[LayerPoint],
    across: _Axis,
    up: _Axis,
    roofs: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Points in pixels, those that nearly coincide under one number list, numbers where they cover nothing."""
    numbers = {point.layer: number for number, point in enumerate(points, 1)}
    groups: list[tuple[float, float, list[LayerPoint]]] = []
    for point in drawn:
        x, y = across.at(point.intensity), up.length - up.at(point.rate)
        near = next((group for group in groups if math.hypot(x - group[0], y - group[1]) < _RADIUS), None)
        if near:
            near[2].append(point)
        else:
            groups.append((x, y, [point]))
    taken = [_Box(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS) for x, y, _ in groups]
    taken += [
        _Box(roof["x"] - 7 * len(roof["text"]), roof["y"] - 12, roof["x"], roof["y"] + 3)
        for roof in roofs
        if roof["text"]
    ]
    marks = []
    for x, y, members in groups:
        shown = members if len(members) <= _SHOWN else members[: _SHOWN - 1]
        text = ", ".join(str(numbers[point.layer]) for point in shown)
        if len(shown) < len(members):
            text += f" +{len(members) - len(shown)}"
        box = _place(x, y, len(text) * _NUMBER[0], taken, across.length, up.length)
        taken.append(box)
        marks.append({
            "x": x, "y": y, "text": text, "text_x": (box.left + box.right) / 2, "text_y": box.bottom - 2,
            "unit": members[0].unit,
            "tip": "; ".join(
                f"{point.layer}: {point.intensity:.4g} MACs a byte, {point.rate:.4g} MACs a cycle" for point in members
            ),
        })  # fmt: skip
    return marks


def _place(x: float, y: float, width: float, taken: Sequence[_Box], right: float, bottom: float) -> _Box:
    """The nearest free place around a point, or the one with the fewest boxes beneath."""
    height = _NUMBER[1]
    best: tuple[int, _Box] | None = None
    for distance in (1.0, 2.2, 3.6, 5.5):
        for dx, dy in _AROUND:
            cx = x + dx * (_RADIUS * distance + width / 2 + 2)
            cy = y + dy * (_RADIUS * distance + height / 2 + 2)
            box = _Box(cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2)
            outside = box.left < 0 or box.top < 0 or box.right > right or box.bottom > bottom
            covered = sum(box.meets(other) for other in taken) + 100 * outside
            if not covered:
                return box
            if best is None or covered < best[0]:
                best = covered, box
    assert best is not None
    return best[1]


def _key_line(number: int, point: LayerPoint) -> dict[str, str]:
    if not point.drawable:
        figures = "no MACs" if not point.macs else "no DRAM traffic" if not point.dram_bytes else "no cycles"
    else:
        figures = f"{point.intensity:.3g} MAC/B, {point.rate:.3g} MAC/cycle"
    name = point.layer if len(point.layer) <= _LONG else f"{point.layer[:52]}...{point.layer[-37:]}"
    return {"number": str(number), "name": name, "figures": figures, "unit": point.unit}
