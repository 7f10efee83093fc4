"""The typed layers of the integer graph: what every hardware target reads.

One layer makes one tensor, and the tensor bears the layer's name. Layers are plain frozen data: what they compute is
defined once, in :mod:`gatewright.compiler.integer.semantics`. Layout is channels first, ``(N, C, H, W)``.

A field that is an array is a constant of the layer (weights, multipliers, tables); in the Relax form it is an
argument of the composite function, in the text form a reference ``@layer.field``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from gatewright.compiler.integer.tensor import IntArray, TensorType

__all__ = [
    "LAYER_TYPES",
    "Add",
    "AvgPool2d",
    "Concat",
    "Conv2d",
    "Dense",
    "Input",
    "Layer",
    "MaxPool2d",
    "Multiply",
    "Pad",
    "Requantize",
    "Reshape",
    "Resize",
    "Slice",
    "Table",
    "Transpose",
]


@dataclass(frozen=True, eq=False)
class Layer:
    """Base of all layers.

    Attributes:
        name: the layer's and its output tensor's name, unique in the graph.
        inputs: names of the tensors it reads, in order.
        output: type of the tensor it makes.
    """

    op: ClassVar[str] = ""

    name: str
    inputs: tuple[str, ...]
    output: TensorType

    def __post_init__(self) -> None:
        for field, array in self.arrays():
            copy = np.array(array)  # a private copy: a layer never changes under its readers
            copy.flags.writeable = False
            object.__setattr__(self, field, copy)

    def arrays(self) -> Iterator[tuple[str, IntArray]]:
        """The constant arrays of the layer, as (field name, array), in declaration order."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                yield field.name, value


@dataclass(frozen=True, eq=False)
class Input(Layer):
    """A graph input. ``source_dtype`` is the ONNX input's: ``float32`` is quantized at the boundary, an integer
    type of the same width enters as it is."""

    op: ClassVar[str] = "input"
    source_dtype: str = "float32"


@dataclass(frozen=True, eq=False)
class Conv2d(Layer):
    """2-D convolution, any groups (depthwise: groups == C), with requantization.

    ``acc[n,o,y,x] = bias[o] + sum_{i,u,v} (q_x - z_x) * (weight[o,i,u,v] - weight_zero_point[o])``; padding adds
    positions where ``q_x = z_x``. Then ``q = clamp(((acc * multiplier[o] + half) >> shift[o]) + z)``.

    Attributes:
        weight: (O, I/groups, KH, KW).
        weight_zero_point: (O,).
        bias: (O,), in units of s_x * s_w[o].
        weight_scale: (O,) float32, s_w; information for reports, no part of the arithmetic.
        multiplier, shift: (O,) each.
        weight_bits: width of the stored weight; weight_signed: its signedness.
        strides, dilation: (vertical, horizontal). padding: (top, left, bottom, right).
        clamp: (low, high) of the result, within the output type; a fused ReLU or clip narrows it.
    """

    op: ClassVar[str] = "conv2d"
    weight: IntArray
    weight_zero_point: IntArray
    bias: IntArray
    weight_scale: np.ndarray
    multiplier: IntArray
    shift: IntArray
    clamp: tuple[int, int]
    weight_bits: int = 8
    weight_signed: bool = True
    strides: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


@dataclass(frozen=True, eq=False)
class Dense(Layer):
    """Matrix product over the last axis: (..., K) x (O, K) -> (..., O), with requantization as in Conv2d.

    Attributes:
        weight: (O, K); weight_zero_point, bias, weight_scale, multiplier, shift: (O,).
    """

    op: ClassVar[str] = "dense"
    weight: IntArray
    weight_zero_point: IntArray
    bias: IntArray
    weight_scale: np.ndarray
    multiplier: IntArray
    shift: IntArray
    clamp: tuple[int, int]
    weight_bits: int = 8
    weight_signed: bool = True


@dataclass(frozen=True, eq=False)
class Add(Layer):
    """Sum of two or more tensors (broadcasting allowed), one rounding.

    ``q = clamp(((sum_i (q_i - z_i) * multiplier[i] + half) >> shift) + z)``; a subtracted operand has a negative
    multiplier.
    """

    op: ClassVar[str] = "add"
    multiplier: IntArray
    shift: int
    clamp: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Multiply(Layer):
    """Product of two tensors (broadcasting allowed):
    ``q = clamp((((q_0 - z_0) * (q_1 - z_1) * multiplier + half) >> shift) + z)``."""

    op: ClassVar[str] = "multiply"
    multiplier: int
    shift: int
    clamp: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Concat(Layer):
    """Concatenation along ``axis`` (>= 0); operand i is requantized with multiplier[i], shift[i] first. An operand
    already of the output's scale and zero point passes unchanged: multiplier 2**(m-1), shift m-1."""

    op: ClassVar[str] = "concat"
    axis: int
    multiplier: IntArray
    shift: IntArray
    clamp: tuple[int, int]


@dataclass(frozen=True, eq=False)
class MaxPool2d(Layer):
    """Window maximum; padding (top, left, bottom, right) holds qmin. Input and output have the same scale and zero
    point; ``clamp`` is applied after the maximum. Ceil mode is explicit extra padding."""

    op: ClassVar[str] = "max_pool2d"
    kernel: tuple[int, int]
    clamp: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)


@dataclass(frozen=True, eq=False)
class AvgPool2d(Layer):
    """Window sum times a multiplier by position: ``acc = sum(q_x - z_x)``, padding adds zeros, and
    ``q = clamp(((acc * multiplier[y,x] + half) >> shift[y,x]) + z)``.

    ``multiplier`` and ``shift`` are (1, 1) where every window has the same divisor, else (OH, OW): uncounted padding
    and ceil mode divide by the number of positions inside. Global average pooling has the kernel (H, W).
    """

    op: ClassVar[str] = "avg_pool2d"
    kernel: tuple[int, int]
    multiplier: IntArray
    shift: IntArray
    clamp: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class Table(Layer):
    """Any unary function of a tensor of up to 8 bits: ``q = table[q_x - qmin_x]``.

    Attributes:
        table: (2**bits_x,), entries within the output range.
        function: name of the tabulated function, for reports ("sigmoid", "hard_swish", ...).
    """

    op: ClassVar[str] = "table"
    table: IntArray
    function: str = ""


@dataclass(frozen=True, eq=False)
class Requantize(Layer):
    """Change of type: ``q = clamp((((q_x - z_x) * multiplier + half) >> shift) + z)``; a lone ReLU or Clip too."""

    op: ClassVar[str] = "requantize"
    multiplier: int
    shift: int
    clamp: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Reshape(Layer):
    """Same elements, row-major order, shape ``output.shape``."""

    op: ClassVar[str] = "reshape"


@dataclass(frozen=True, eq=False)
class Transpose(Layer):
    """Axes permuted: output axis i is input axis ``permutation[i]``."""

    op: ClassVar[str] = "transpose"
    permutation: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Pad(Layer):
    """Constant padding of every axis with the integer ``value`` (= quantize(v)): pads[i] = (before, after)."""

    op: ClassVar[str] = "pad"
    pads: tuple[tuple[int, int], ...]
    value: int


@dataclass(frozen=True, eq=False)
class Slice(Layer):
    """Strided slice: axis i yields ``begin[i] + k * step[i]`` for k < output.shape[i]; step may be negative."""

    op: ClassVar[str] = "slice"
    begin: tuple[int, ...]
    step: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Resize(Layer):
    """Nearest-neighbour resize of (N, C, H, W): output row y reads input row ``rows[y]``, column x ``columns[x]``."""

    op: ClassVar[str] = "resize"
    rows: IntArray
    columns: IntArray


LAYER_TYPES: Mapping[str, type[Layer]] = {
    cls.op: cls
    for cls in (
        Input, Conv2d, Dense, Add, Multiply, Concat, MaxPool2d, AvgPool2d, Table, Requantize, Reshape, Transpose, Pad,
        Slice, Resize,
    )
}  # fmt: skip
"""Layer class of every operator name."""
