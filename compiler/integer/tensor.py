"""Integer tensor types: shape, bits, signedness, scale and zero point (design section 2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["IntArray", "TensorType", "storage_dtype"]

IntArray = npt.NDArray[np.int64]


def storage_dtype(bits: int, signed: bool) -> np.dtype[np.integer]:
    """The narrowest NumPy integer type that holds ``bits`` bits."""
    for width in (8, 16, 32, 64):
        if bits <= width:
            return np.dtype(f"{'int' if signed else 'uint'}{width}")
    raise ValueError(f"no storage type has {bits} bits")


@dataclass(frozen=True)
class TensorType:
    """The type of one integer tensor; its real value is ``(q - zero_point) * scale``.

    Attributes:
        shape: static shape, batch first, e.g. ``(N, C, H, W)`` or ``(N, K)``.
        bits: width of q, 1..32.
        signed: two's complement if true.
        scale: real value of one step, positive and finite; exactly a float32.
        zero_point: the q that stands for 0.0, within the range.
    """

    shape: tuple[int, ...]
    bits: int = 8
    signed: bool = True
    scale: float = 1.0
    zero_point: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 32:
            raise ValueError(f"bits must be 1..32, not {self.bits}")
        if not (self.scale > 0 and math.isfinite(self.scale)):
            raise ValueError(f"scale must be positive and finite, not {self.scale}")
        if float(np.float32(self.scale)) != self.scale:
            raise ValueError(f"scale {self.scale!r} is not a float32")
        if not self.qmin <= self.zero_point <= self.qmax:
            raise ValueError(f"zero point {self.zero_point} is outside [{self.qmin}, {self.qmax}]")

    @property
    def qmin(self) -> int:
        """Least q."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def qmax(self) -> int:
        """Greatest q."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    @property
    def dtype(self) -> np.dtype[np.integer]:
        """The NumPy type arrays of this tensor are stored in."""
        return storage_dtype(self.bits, self.signed)

    @property
    def code(self) -> str:
        """Short name of the element type: ``i8``, ``u4``, ..."""
        return f"{'i' if self.signed else 'u'}{self.bits}"
