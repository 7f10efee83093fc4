"""The shape of a layer, all that a closed form needs to know of it: no tensors, no graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["LayerShape"]


@dataclass(frozen=True)
class LayerShape:
    """One layer of one image (or of a batch).

    Attributes:
        name: for tables.
        kind: ``conv``; ``dense``: every input meets every output once (with a kernel as large as the image where the
            input has rows and columns); ``pool``; ``eltwise``: two tensors of the input's shape become one.
        channels, height, width: of the input, without padding.
        outputs: output channels.
        kernel, strides: (vertical, horizontal).
        padding: (top, left, bottom, right).
        groups: of channels that meet only each other; ``channels`` of them: depthwise.
        batch: images.
        pooled: (height, width) of what is stored, where a pooling follows on the way out.
        residual: a tensor of the stored output's shape is read and added on the way out.

    Raises:
        ValueError: a size below 1, groups that do not divide the channels, or a window that never fits.
    """

    name: str
    kind: Literal["conv", "dense", "pool", "eltwise"]
    channels: int
    height: int
    width: int
    outputs: int
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1
    batch: int = 1
    pooled: tuple[int, int] | None = None
    residual: bool = False

    def __post_init__(self) -> None:
        sizes = (
            self.channels, self.height, self.width, self.outputs, *self.kernel, *self.strides, self.groups, self.batch,
            *(self.pooled or ()),
        )  # fmt: skip
        if min(sizes) < 1 or min(self.padding) < 0:
            raise ValueError(f"{self.name}: sizes must be at least 1 and padding at least 0")
        if self.channels % self.groups or self.outputs % self.groups:
            raise ValueError(f"{self.name}: {self.groups} groups do not divide the channels")
        if self.out_height < 1 or self.out_width < 1:
            raise ValueError(f"{self.name}: the window is larger than the padded image")

    @property
    def out_height(self) -> int:
        """Rows of the result, before a pooling on the way out."""
        top, _, bottom, _ = self.padding
        return (self.height + top + bottom - self.kernel[0]) // self.strides[0] + 1

    @property
    def out_width(self) -> int:
        """Columns of the result, before a pooling on the way out."""
        _, left, _, right = self.padding
        return (self.width + left + right - self.kernel[1]) // self.strides[1] + 1

    @property
    def pixels(self) -> int:
        """Pixels of the results of the whole batch, before a pooling on the way out."""
        return self.batch * self.out_height * self.out_width

    @property
    def stored_pixels(self) -> int:
        """Pixels of the whole batch that are stored."""
        if self.pooled is None:
            return self.pixels
        return self.batch * self.pooled[0] * self.pooled[1]

    @property
    def depthwise(self) -> bool:
        """Every channel by itself."""
        return self.kind == "conv" and self.groups == self.channels > 1

    @property
    def depth(self) -> int:
        """Values one output sums over."""
        return self.kernel[0] * self.kernel[1] * self.channels // self.groups

    @property
    def weights(self) -> int:
        """Weights, without bias."""
        return self.depth * self.outputs if self.kind in ("conv", "dense") else 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole batch."""
        return self.weights * self.pixels
