"""How a tensor lies in memory: pixel after pixel, channels innermost, padded to whole blocks of the array."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gatewright.compiler.integer.tensor import TensorType, storage_dtype

__all__ = ["Storage", "storage_of"]

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Storage:
    """One tensor of up to 8 bits as bytes.

    A tensor (N, C, H, W) lies as (N, H, W, pitch); any other as (pixels, pitch), its last axis being the channels.

    Attributes:
        shape: of the tensor in the graph.
        signed: two's complement bytes.
        pitch_bytes: of a pixel: its channels, padded.
    """

    shape: tuple[int, ...]
    signed: bool
    pitch_bytes: int

    @property
    def is_image(self) -> bool:
        """Whether the shape is (N, C, H, W)."""
        return len(self.shape) == 4

    @property
    def grid(self) -> tuple[int, int, int]:
        """(samples, rows, columns) of pixels."""
        if self.is_image:
            return self.shape[0], self.shape[2], self.shape[3]
        return 1, 1, math.prod(self.shape[:-1])

    @property
    def channels(self) -> int:
        """Channels of a pixel."""
        if self.is_image:
            return self.shape[1]
        return self.shape[-1] if self.shape else 1

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole tensor."""
        return math.prod(self.grid) * self.pitch_bytes

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from element to element along every axis of ``shape``."""
        if self.is_image:
            _, _, height, width = self.shape
            return height * width * self.pitch_bytes, 1, width * self.pitch_bytes, self.pitch_bytes
        strides, step = [1], self.pitch_bytes
        for size in reversed(self.shape[:-1]):
            strides.insert(0, step)
            step *= size
        return tuple(strides[-len(self.shape) :]) if self.shape else ()

    def pack(self, values: npt.NDArray[np.integer]) -> Bytes:
        """Integers of the tensor's shape -> (size_bytes,); padding is 0."""
        pixels = values.transpose(0, 2, 3, 1) if self.is_image else values
        result = np.zeros((math.prod(self.grid), self.pitch_bytes), np.uint8)
        result[:, : self.channels] = (pixels.reshape(-1, self.channels).astype(np.int64) & 0xFF).astype(np.uint8)
        return result.reshape(-1)

    def unpack(self, data: Bytes) -> npt.NDArray[np.integer]:
        """(size_bytes,) -> integers of the tensor's shape, int8 or uint8."""
        pixels = data.reshape(-1, self.pitch_bytes)[:, : self.channels].view(storage_dtype(8, self.signed))
        if self.is_image:
            samples, channels, height, width = self.shape
            return np.ascontiguousarray(pixels.reshape(samples, height, width, channels).transpose(0, 3, 1, 2))
        return np.ascontiguousarray(pixels).reshape(self.shape)


def storage_of(kind: TensorType, alignment_bytes: int) -> Storage:
    """Storage of a tensor of up to 8 bits."""
    channels = (kind.shape[1] if len(kind.shape) == 4 else kind.shape[-1]) if kind.shape else 1
    return Storage(kind.shape, kind.signed, -(-channels // alignment_bytes) * alignment_bytes)
