"""The stages of a streaming design: what each computes, before anything is said about how parallel it is.

A tensor travels as a stream of ``pixels * channels`` integers, channels innermost. A stage reads one or more streams
and makes one, which bears the stage's name. Stages are plain frozen data; both roads into hardware, gatewright's
integer graph and hls4ml's ModelGraph, end here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

__all__ = [
    "Combine",
    "Concat",
    "Design",
    "Gather",
    "IntArray",
    "Mac",
    "Map",
    "Pool",
    "Port",
    "Product",
    "Rescale",
    "Stage",
    "Stream",
    "Table",
    "Window",
]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stream:
    """Type of a stream.

    Attributes:
        pixels, channels: a frame is ``pixels * channels`` elements, channels innermost.
        bits, signed: of one element.
        low, high: proven range of the elements.
    """

    pixels: int
    channels: int
    bits: int
    signed: bool
    low: int
    high: int

    @property
    def elements(self) -> int:
        """Elements of a frame."""
        return self.pixels * self.channels


@dataclass(frozen=True)
class Window:
    """Sliding windows over an image, channels last.

    Attributes:
        height, width, channels: of the image.
        kernel, strides, dilation: (vertical, horizontal).
        padding: (top, left, bottom, right).
        pad: the integer that pads.
    """

    height: int
    width: int
    channels: int
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    pad: int = 0

    @property
    def padded(self) -> tuple[int, int]:
        """(height, width) with padding."""
        top, left, bottom, right = self.padding
        return self.height + top + bottom, self.width + left + right

    @property
    def span(self) -> tuple[int, int]:
        """(rows, columns) from the first to the last pixel of a window."""
        return (self.kernel[0] - 1) * self.dilation[0] + 1, (self.kernel[1] - 1) * self.dilation[1] + 1

    @property
    def output(self) -> tuple[int, int]:
        """(height, width) of the result."""
        rows, columns = self.padded
        return (rows - self.span[0]) // self.strides[0] + 1, (columns - self.span[1]) // self.strides[1] + 1


@dataclass(frozen=True, eq=False)
class Rescale:
    """``q = clamp((((acc + bias) * M + half) >> n) + z)``, constants by position in the token stream.

    Attributes:
        bias, multiplier, shift: (P,) each: element i of the stream takes entry ``i % P``.
        zero_point: z.
        low, high: of the clamp.
        acc_low, acc_high: proven range of ``acc``; value_low, value_high: of ``acc + bias``.
        rounding: ``half_up``, ``floor`` (half = 0), ``toward_zero`` (the magnitude is shifted), or ``half_even``, which
            hardware has for M = 1 and one n only.
        wrap: keep the low bits instead of clamping.
    """

    bias: IntArray
    multiplier: IntArray
    shift: IntArray
    zero_point: int
    low: int
    high: int
    acc_low: int
    acc_high: int
    value_low: int
    value_high: int
    rounding: str = "half_up"
    wrap: bool = False


@dataclass(frozen=True, eq=False)
class Stage:
    """Base: reads the streams ``inputs``, makes ``output``.

    Attributes:
        name: of the stage and its stream; unique.
        inputs: names of stages or of inputs of the design.
        output: type of the result.
        layer: the layer of the model it belongs to, for reports.
    """

    name: str
    inputs: tuple[str, ...]
    output: Stream
    layer: str


@dataclass(frozen=True, eq=False)
class Mac(Stage):
    """Convolution of any kind, or matrix product (a 1 x 1 image).

    Attributes:
        x: type of the input.
        window: geometry.
        weight: (O, C / groups, KH, KW), less its zero point.
        groups: of the convolution.
        rescale: positions are output channels.
    """

    x: Stream
    window: Window
    weight: IntArray
    groups: int
    rescale: Rescale

    @property
    def depthwise(self) -> bool:
        """One filter a channel."""
        return self.groups == self.window.channels == self.weight.shape[0] and self.groups > 1

    @cached_property
    def weight_bits(self) -> int:
        """Two's complement width of the weights."""
        low, high = int(self.weight.min(initial=0)), int(self.weight.max(initial=0))
        return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1

    @cached_property
    def ternary(self) -> bool:
        """Whether every weight is -1, 0 or 1: no multiplier."""
        return bool(np.abs(self.weight).max(initial=0) <= 1)


@dataclass(frozen=True, eq=False)
class Pool(Stage):
    """Maximum or sum of every channel over a window, rescaled.

    Attributes:
        x: type of the input.
        window: geometry.
        maximum: maximum instead of sum.
        rescale: positions are 1 or every output element.
    """

    x: Stream
    window: Window
    maximum: bool
    rescale: Rescale


@dataclass(frozen=True, eq=False)
class Map(Stage):
    """Element by element: rescaled. ``x`` is the type of the input."""

    x: Stream
    rescale: Rescale


@dataclass(frozen=True, eq=False)
class Table(Stage):
    """Element by element: entry ``x - qmin`` of a table of ``2**x.bits`` entries."""

    x: Stream
    table: IntArray


@dataclass(frozen=True, eq=False)
class Combine(Stage):
    """``sum_i x_i * weights[i]``, rescaled; operands may repeat. ``x`` holds all operands."""

    x: Stream
    weights: tuple[int, ...]
    rescale: Rescale


@dataclass(frozen=True, eq=False)
class Product(Stage):
    """``(x_0 - zero_points[0]) * (x_1 - zero_points[1])``, rescaled. ``x`` holds both operands."""

    x: Stream
    zero_points: tuple[int, int]
    rescale: Rescale


@dataclass(frozen=True, eq=False)
class Concat(Stage):
    """Blocks of the operands in turn, ``blocks[i]`` elements of operand i, round after round; rescaled.

    ``x`` holds all operands; the rescale's positions are the elements of a round.
    """

    x: Stream
    blocks: tuple[int, ...]
    rescale: Rescale


@dataclass(frozen=True, eq=False)
class Gather(Stage):
    """Element i of the result is element ``source[i]`` of the input, or ``fill`` where ``source[i] < 0``."""

    x: Stream
    source: IntArray
    fill: int = 0


@dataclass(frozen=True, eq=False)
class Port:
    """One input or output of a design.

    Attributes:
        name: of the tensor in the model.
        stream: the stage (or input) that makes it.
        shape: logical shape.
        index: (elements,): logical row-major position of every physical element.
        dtype: NumPy name of the storage type.
    """

    name: str
    stream: str
    shape: tuple[int, ...]
    index: IntArray
    dtype: str


@dataclass(frozen=True, eq=False)
class Design:
    """All stages in topological order.

    Attributes:
        name: of the design.
        inputs, outputs: ports; an input's stream bears the port's ``stream`` name.
        input_streams: type of every input's stream, by name.
        stages: every stage after those it reads.
    """

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    input_streams: dict[str, Stream]
    stages: tuple[Stage, ...]
    _by_name: dict[str, Stage] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {stage.name: stage for stage in self.stages})

    def __getitem__(self, name: str) -> Stage:
        return self._by_name[name]

    def stream(self, name: str) -> Stream:
        """Type of the stream called ``name``."""
        return self.input_streams[name] if name in self.input_streams else self._by_name[name].output

    def readers(self, name: str) -> Sequence[tuple[str, int]]:
        """(stage, operand position) of every reader of a stream; outputs of the design read as ``("", i)``."""
        found = [(s.name, i) for s in self.stages for i, source in enumerate(s.inputs) if source == name]
        return found + [("", i) for i, port in enumerate(self.outputs) if port.stream == name]
