"""The integer semantics once more, as scalar loops over Python integers: slow, literal, sharing no code with the table.

Everything here is written from design section 2 alone, so that a slip in the vectorised table shows.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from gatewright.compiler.integer.graph import IntegerGraph
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

__all__ = ["evaluate", "round_half_up_shift"]

Values = npt.NDArray[np.object_]


def round_half_up_shift(value: int, shift: int) -> int:
    """``floor(value / 2**shift + 1/2)`` in exact rational arithmetic."""
    return (2 * value + (1 << shift)) // (2 << shift)


def _finish(acc: int, multiplier: int, shift: int, zero: int, clamp: tuple[int, int]) -> int:
    return max(clamp[0], min(clamp[1], round_half_up_shift(acc * multiplier, shift) + zero))


def evaluate(graph: IntegerGraph, inputs: Mapping[str, npt.NDArray[np.integer]]) -> dict[str, Values]:
    """All tensors of the graph, one sample, as arrays of Python integers."""
    values: dict[str, Values] = {}
    for layer in graph:
        if isinstance(layer, Input):
            values[layer.name] = inputs[layer.name].astype(object)
            continue
        out = np.empty(layer.output.shape, object)
        zeros = [operand.output.zero_point for operand in graph.operands(layer)]
        operands = [values[name] for name in layer.inputs]
        low = graph[layer.inputs[0]].output.qmin
        for index in np.ndindex(out.shape):
            out[index] = _element(layer, index, operands, zeros, low)
        values[layer.name] = out
    return values


def _element(  # noqa: C901 - one case an operator, meant to be read side by side with the design page
    layer: Layer, index: tuple[int, ...], operands: list[Values], zeros: list[int], low: int
) -> int:
    x, z = operands[0], layer.output.zero_point
    match layer:
        case Conv2d():
            return _conv(layer, index, x, zeros[0])
        case Dense():
            o = index[-1]
            acc = int(layer.bias[o])
            for k in range(layer.weight.shape[1]):
                acc += (x[(*index[:-1], k)] - zeros[0]) * (int(layer.weight[o, k]) - int(layer.weight_zero_point[o]))
            return _finish(acc, int(layer.multiplier[o]), int(layer.shift[o]), z, layer.clamp)
        case Add():
            acc = sum(
                (_broadcast(v, index) - zero) * int(m)
                for v, zero, m in zip(operands, zeros, layer.multiplier, strict=True)
            )
            return _finish(acc, 1, layer.shift, z, layer.clamp)
        case Multiply():
            acc = (_broadcast(operands[0], index) - zeros[0]) * (_broadcast(operands[1], index) - zeros[1])
            return _finish(acc, layer.multiplier, layer.shift, z, layer.clamp)
        case Concat():
            position = index[layer.axis]
            for i, operand in enumerate(operands):
                if position < operand.shape[layer.axis]:
                    at = (*index[: layer.axis], position, *index[layer.axis + 1 :])
                    return _finish(
                        operand[at] - zeros[i], int(layer.multiplier[i]), int(layer.shift[i]), z, layer.clamp
                    )
                position -= operand.shape[layer.axis]
            raise AssertionError("the index lies behind the last operand")
        case MaxPool2d():
            window = _window(layer.kernel, layer.strides, layer.padding, layer.dilation, index, x)
            best = max(low if value is None else value for value in window)
            return max(layer.clamp[0], min(layer.clamp[1], best))
        case AvgPool2d():
            window = _window(layer.kernel, layer.strides, layer.padding, (1, 1), index, x)
            acc = sum(0 if value is None else value - zeros[0] for value in window)
            at = (index[2], index[3]) if layer.multiplier.size > 1 else (0, 0)
            return _finish(acc, int(layer.multiplier[at]), int(layer.shift[at]), z, layer.clamp)
        case Table():
            return int(layer.table[x[index] - low])
        case Requantize():
            return _finish(x[index] - zeros[0], layer.multiplier, layer.shift, z, layer.clamp)
        case Reshape():
            flat = 0
            for size, i in zip(layer.output.shape, index, strict=True):
                flat = flat * size + i
            return int(x.flat[flat])
        case Transpose():
            at_list = [0] * len(index)
            for i, axis in zip(index, layer.permutation, strict=True):
                at_list[axis] = i
            return int(x[tuple(at_list)])
        case Pad():
            source = tuple(i - before for i, (before, _) in zip(index, layer.pads, strict=True))
            inside = all(0 <= i < size for i, size in zip(source, x.shape, strict=True))
            return int(x[source]) if inside else layer.value
        case Slice():
            return int(x[tuple(b + i * s for i, b, s in zip(index, layer.begin, layer.step, strict=True))])
        case Resize():
            return int(x[index[0], index[1], layer.rows[index[2]], layer.columns[index[3]]])
        case _:
            raise AssertionError(f"no direct definition of {layer.op}")


def _conv(layer: Conv2d, index: tuple[int, ...], x: Values, zero: int) -> int:
    n, o, _, _ = index
    outputs, per_group, kh, kw = layer.weight.shape
    first = (o // (outputs // layer.groups)) * per_group
    acc = int(layer.bias[o])
    for i in range(per_group):
        at = (n, first + i, index[2], index[3])
        window = _window((kh, kw), layer.strides, layer.padding, layer.dilation, at, x)
        for (u, v), value in zip(itertools.product(range(kh), range(kw)), window, strict=True):
            centred = 0 if value is None else value - zero
            acc += centred * (int(layer.weight[o, i, u, v]) - int(layer.weight_zero_point[o]))
    return _finish(acc, int(layer.multiplier[o]), int(layer.shift[o]), layer.output.zero_point, layer.clamp)


def _window(
    kernel: tuple[int, int],
    strides: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
    index: tuple[int, ...],
    x: Values,
) -> list[int | None]:
    """The values one window meets, row by row; None outside the tensor."""
    n, c, oy, ox = index
    found: list[int | None] = []
    for u, v in itertools.product(range(kernel[0]), range(kernel[1])):
        y = oy * strides[0] + u * dilation[0] - padding[0]
        w = ox * strides[1] + v * dilation[1] - padding[1]
        inside = 0 <= y < x.shape[2] and 0 <= w < x.shape[3]
        found.append(int(x[n, c, y, w]) if inside else None)
    return found


def _broadcast(operand: Values, index: tuple[int, ...]) -> int:
    tail = index[len(index) - operand.ndim :]
    return int(operand[tuple(0 if size == 1 else i for size, i in zip(operand.shape, tail, strict=True))])
