"""A small graph that holds every kind of field: hand-made, verified, profile scaled."""

from __future__ import annotations

import numpy as np

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Add, AvgPool2d, Conv2d, Dense, Input, Layer, MaxPool2d, Reshape, Table
from gatewright.compiler.integer.requantization import common_multipliers, multiplier_of, multipliers_of
from gatewright.compiler.integer.tensor import TensorType

__all__ = ["layers", "small_graph"]

_SCALE = 0.25


def layers() -> list[Layer]:
    """input, conv, table, residual add, max pool, average pool, flatten, dense."""
    rng = np.random.default_rng(7)
    plane = TensorType((1, 4, 6, 5), 8, True, _SCALE, -3)
    pooled, single = TensorType((1, 4, 3, 2), 8, True, _SCALE, -3), TensorType((1, 4, 1, 1), 8, True, _SCALE, 5)
    m, n = multipliers_of(np.full(4, 0.004), 31, "conv")
    md, nd = multipliers_of(np.full(3, 0.01), 31, "dense")
    add_m, add_n = common_multipliers([1.0, 0.5], 31, "add")
    avg_m, avg_n = multiplier_of(1 / 6, 31, "average")
    return [
        Input("x", (), TensorType((1, 2, 6, 5), 8, False, 0.5, 12)),
        Conv2d(
            "conv", ("x",), plane,
            weight=rng.integers(-128, 128, (4, 2, 3, 3)).astype(np.int8), weight_zero_point=np.zeros(4, np.int64),
            bias=rng.integers(-500, 500, 4), weight_scale=np.full(4, 0.125, np.float32),
            multiplier=m, shift=n, clamp=(-3, 127), padding=(1, 1, 1, 1),
        ),
        Table("act", ("conv",), plane, table=np.sort(rng.integers(-128, 128, 256)), function="made up"),
        Add("sum", ("conv", "act"), plane, multiplier=add_m, shift=add_n, clamp=(-128, 127)),
        MaxPool2d("max", ("sum",), pooled, kernel=(2, 2), strides=(2, 2), clamp=(-128, 127)),
        AvgPool2d(
            "average", ("max",), single, kernel=(3, 2), multiplier=np.array([[avg_m]]), shift=np.array([[avg_n]]),
            clamp=(-128, 127),
        ),
        Reshape("flat", ("average",), TensorType((1, 4), 8, True, _SCALE, 5)),
        Dense(
            "logits", ("flat",), TensorType((1, 3), 8, True, 0.5, 0),
            weight=rng.integers(-8, 8, (3, 4)).astype(np.int8), weight_zero_point=np.zeros(3, np.int64),
            bias=np.array([1, -2, 3]), weight_scale=np.full(3, 0.25, np.float32), multiplier=md, shift=nd,
            clamp=(-128, 127), weight_bits=4,
        ),
    ]  # fmt: skip


def small_graph() -> IntegerGraph:
    """The graph of :func:`layers`."""
    return IntegerGraph(layers(), ["logits", "max"])
