"""Shapes of the work the matrix unit does: a convolution as blocks of input and output channels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

__all__ = ["ConvShape", "Span"]


@dataclass(frozen=True)
class Span:
    """Output blocks ``[first, first + count)`` that read input blocks ``[low, high)``."""

    first: int
    count: int
    low: int
    high: int


@dataclass(frozen=True)
class ConvShape:
    """A convolution, or a matrix product (1 x 1 window over one row of pixels), without its numbers.

    Attributes:
        samples, height, width, channels: of the input. pitch_bytes: of an input pixel.
        out_height, out_width, out_channels: of the output. out_pitch_bytes: of an output pixel.
        kernel, strides, dilation: (vertical, horizontal). padding: (top, left, bottom, right).
        groups: of channels. passes: 2 where weights minus their zero points need two bytes' worth of range.
        rows, columns: R and C of the array.
    """

    samples: int
    height: int
    width: int
    channels: int
    pitch_bytes: int
    out_height: int
    out_width: int
    out_channels: int
    out_pitch_bytes: int
    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int, int, int]
    groups: int
    passes: int
    rows: int
    columns: int

    @property
    def input_blocks(self) -> int:
        """Blocks of R input channels."""
        return -(-self.channels // self.rows)

    @property
    def output_blocks(self) -> int:
        """Blocks of C output channels."""
        return -(-self.out_channels // self.columns)

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """Runs of output blocks with the same input blocks: one without groups.

        With groups a block of outputs reads the inputs of every group it touches; where it does not, weights are 0.
        """
        spans: list[Span] = []
        for block in range(self.output_blocks):
            low, high = self._inputs_of(block)
            if spans and (spans[-1].low, spans[-1].high) == (low, high):
                last = spans.pop()
                spans.append(Span(last.first, last.count + 1, low, high))
            else:
                spans.append(Span(block, 1, low, high))
        return tuple(spans)

    def _inputs_of(self, block: int) -> tuple[int, int]:
        if self.groups == 1:
            return 0, self.input_blocks
        per_group_in, per_group_out = self.channels // self.groups, self.out_channels // self.groups
        first = block * self.columns // per_group_out
        last = (min((block + 1) * self.columns, self.out_channels) - 1) // per_group_out
        return first * per_group_in // self.rows, -(-(last + 1) * per_group_in // self.rows)

    @property
    def macs(self) -> int:
        """Multiply-accumulates that the layer asks for."""
        pixels = self.samples * self.out_height * self.out_width
        return pixels * self.out_channels * self.kernel[0] * self.kernel[1] * (self.channels // self.groups)
