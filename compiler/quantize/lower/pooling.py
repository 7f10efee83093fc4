"""Window maximum and window average, over one or two dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.floatgraph.operators.types import axes_of, integers
from gatewright.compiler.integer.layers import AvgPool2d, MaxPool2d, Reshape, Transpose
from gatewright.compiler.integer.requantization import multipliers_of
from gatewright.compiler.numeric.windows import pad_spatial, positions
from gatewright.compiler.quantize.blocks import Block
from gatewright.compiler.quantize.lower.context import Lowering

__all__ = ["lower_avg_pool2d", "lower_max_pool2d"]

Pads = tuple[int, int, int, int]
Pair = tuple[int, int]


@dataclass(frozen=True)
class _Windows:
    """Where the windows lie. One-dimensional pooling has height 1 throughout.

    Attributes:
        shape, result: (N, C, H, W) of operand and result.
        declared: padding as the model states it; ``padding`` adds the overhang of ceil mode at the bottom and right.
        counted: whether declared padding counts in an average.
    """

    shape: tuple[int, ...]
    result: tuple[int, ...]
    kernel: Pair
    strides: Pair
    dilation: Pair
    declared: Pads
    counted: bool

    @property
    def padding(self) -> Pads:
        sizes = zip(
            self.result[2:], self.shape[2:], self.kernel, self.strides, self.dilation, self.declared, strict=False
        )
        over = [(out - 1) * s + (k - 1) * d + 1 - size - before for out, size, k, s, d, before in sizes]
        top, left, bottom, right = self.declared
        return top, left, max(over[0], bottom), max(over[1], right)

    def divisors(self) -> npt.NDArray[np.float64]:
        """(OH, OW): elements inside the input, and inside declared padding when that counts (ONNX AveragePool);
        (1, 1) where they are all the same."""
        _, _, bottom, right = self.declared
        inside, rest = np.ones((1, 1, *self.shape[2:])), self.padding
        if self.counted:
            inside = pad_spatial(inside, self.declared, 1)
            rest = (0, 0, rest[2] - bottom, rest[3] - right)
        views = positions(pad_spatial(inside, rest, 0), self.kernel, self.strides)
        counts = np.asarray(sum(view for _, _, view in views), np.float64)
        counts = counts[0, 0, : self.result[2], : self.result[3]]
        return counts[:1, :1] if np.all(counts == counts[0, 0]) else counts


def _windows(node: Node, shape: tuple[int, ...]) -> _Windows:
    wide = shape if len(shape) == 4 else (*shape[:2], 1, *shape[2:])
    if node.op == "mean" and not _over_image(node, shape):
        count = math.prod(shape[axis] for axis in _reduced(node, shape))
        wide = (shape[0], math.prod(shape[1:]) // count, 1, count)
    if not node.op.startswith(("nn.max_pool", "nn.avg_pool")):  # a global mean
        size = (wide[2], wide[3])
        return _Windows(wide, (*wide[:2], 1, 1), size, size, (1, 1), (0, 0, 0, 0), False)
    found = [integers(node.attributes[key]) for key in ("pool_size", "strides", "dilation")]
    kernel, strides, dilation = ((1, *pair)[-2:] for pair in found)
    padding = integers(node.attributes["padding"])
    declared = padding if len(padding) == 4 else (0, padding[0], 0, padding[1])
    result = node.shape if len(node.shape) == 4 else (*node.shape[:2], 1, node.shape[2])
    return _Windows(
        wide, result, (kernel[0], kernel[1]), (strides[0], strides[1]), (dilation[0], dilation[1]),
        (declared[0], declared[1], declared[2], declared[3]), bool(node.attributes.get("count_include_pad")),
    )  # fmt: skip


def _reduced(node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Axes of a mean, ascending."""
    return tuple(sorted(axes_of(node.attributes["axis"], len(shape))))


def _over_image(node: Node, shape: tuple[int, ...]) -> bool:
    """Whether a mean is a global average pooling."""
    return len(shape) in (3, 4) and _reduced(node, shape) == tuple(range(2, len(shape)))


def _wide(block: Block, context: Lowering, windows: _Windows) -> str:
    """The operand with four dimensions, what is averaged last."""
    (source,) = block.inputs
    shape = context.program.shapes[source]
    if block.anchor.op == "mean" and not _over_image(block.anchor, shape):
        reduced = _reduced(block.anchor, shape)
        order = tuple(axis for axis in range(len(shape)) if axis not in reduced) + reduced
        if order != tuple(range(len(shape))):
            turned = context.type_of(source, tuple(shape[axis] for axis in order))
            source = context.emit(Transpose(f"{block.name}.turned", (source,), turned, order))
        output = context.type_of(block.inputs[0], windows.shape)
        return context.emit(Reshape(f"{block.name}.wide", (source,), output))
    if context.program.shapes[source] == windows.shape:
        return source
    return context.emit(Reshape(f"{block.name}.wide", (source,), context.type_of(source, windows.shape)))


def lower_max_pool2d(block: Block, context: Lowering) -> None:
    """One MaxPool2d layer, and a Requantize where the model gives the result other parameters."""
    (source,) = block.inputs
    windows = _windows(block.anchor, context.program.shapes[source])
    before, target = context.parameters[source], context.parameters[block.name]
    same, flat = before == target, block.shape == windows.result
    name = block.name if same and flat else f"{block.name}.pool"
    clamp = before.clamp(block.low, block.high) if same else before.limits
    output = before.of_shape(windows.result)
    context.emit(
        MaxPool2d(name, (_wide(block, context, windows),), output, windows.kernel, clamp, windows.strides,
                  windows.padding, windows.dilation)
    )  # fmt: skip
    if not same:
        rounded = block.name if flat else f"{block.name}.rounded"
        name = context.requantized(name, output, rounded, target, target.clamp(block.low, block.high))
    if not flat:
        context.emit(Reshape(block.name, (name,), context.type_of(block.name)))


def lower_avg_pool2d(block: Block, context: Lowering) -> None:
    """One AvgPool2d layer; the divisor is a table by position where windows hold different numbers of elements."""
    (source,) = block.inputs
    windows = _windows(block.anchor, context.program.shapes[source])
    target = context.rounding(block)
    reals = context.parameters[source].scale / target.scale / windows.divisors()
    multiplier, shift = multipliers_of(reals, context.options.multiplier_bits, block.name)
    flat = block.shape == windows.result
    name = block.name if flat else f"{block.name}.pool"
    context.emit(
        AvgPool2d(name, (_wide(block, context, windows),), context.type_of(block.name, windows.result), windows.kernel,
                  multiplier, shift, target.clamp(block.low, block.high), windows.strides, windows.padding)
    )  # fmt: skip
    if not flat:
        context.emit(Reshape(block.name, (name,), context.type_of(block.name)))
