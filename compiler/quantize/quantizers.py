"""Recognizing quantizers that a model spells out: ``clip(round(x * k) / k)`` as QKeras exports write it.

Such a function is no table but the grid its tensor lives on: the layer in front rounds to it directly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.quantize.functions import evaluate
from gatewright.compiler.quantize.parameters import Parameters

__all__ = ["recognize"]

_REACH = 16.0
_POINTS = 1 << 14
_FAR = 1e6


@dataclass(frozen=True)
class Quantizer:
    """A function ``gain * clip(round(x / s) * s, low, high)``.

    Attributes:
        parameters: of the result; its scale is ``gain * s``.
        gain: a power of two; 1 unless a factor was left in front of the next layer or folded into it.
        low, high: bounds of the argument.
    """

    parameters: Parameters
    gain: float
    low: float
    high: float


def recognize(
    nodes: Sequence[Node], root: str, constants: Mapping[str, npt.NDArray[Any]], low: float, high: float
) -> Quantizer | None:
    """The quantizer that the function is, or None.

    The steps are read off the values and the claim is checked on a dense, irregular set of points; at exact ties the
    model rounds half to even, the integer graph half up.

    Args:
        nodes: the function, see :func:`~gatewright.compiler.quantize.functions.evaluate`.
        root: its argument.
        constants: float values by name.
        low: lower bound of the argument, infinite where there is none.
        high: upper bound likewise.
    """
    if not any(node.op == "round" for node in nodes):
        return None
    x = np.linspace(max(low, -_REACH), min(high, _REACH), _POINTS + 1, dtype=np.float32) + np.float32(1e-4)
    ends = [max(low, -_FAR), min(high, _FAR)]  # where nothing bounds the argument, the function itself must
    x = np.clip(np.concatenate([x, np.array(ends, np.float32)]), low, high).astype(np.float32)
    x.sort()
    y = evaluate(nodes, root, x, constants).astype(np.float64)
    if not np.isfinite(y).all():
        return None
    values = np.unique(y)
    if not 2 <= len(values) <= 256 or values[0] > 0 or values[-1] < 0:
        return None
    scale = float(np.float32(np.diff(values).min()))
    turns = np.abs(x[1:][np.diff(y) != 0])  # the first turn from 0 to a step lies at half a step of the argument
    gain = 2.0 ** round(math.log2(scale / (2 * float(turns.min()))))
    step, least, greatest = scale / gain, values[0] / gain, values[-1] / gain
    wanted = np.clip(np.rint(x.astype(np.float64) / step) * step, least, greatest)
    apart = np.abs(x / step - np.floor(x / step) - 0.5) > 1e-3  # float32 ties may fall either way
    if not apart.any() or not np.allclose(y[apart] / gain, wanted[apart], rtol=0, atol=1e-5 * step):
        return None
    bottom, top = round(least / step), round(greatest / step)
    if top - bottom + 1 != len(values):  # a step was left out: the function has no bound of its own
        return None
    signed = bottom < 0
    bits = max((-bottom - 1).bit_length() if signed else 0, top.bit_length()) + signed
    return Quantizer(Parameters(max(bits, 1), signed, scale, 0), gain, float(least), float(greatest))
