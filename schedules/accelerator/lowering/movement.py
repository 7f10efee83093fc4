"""Layers that only move values: a strided copy through the activation scratchpad."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gatewright.schedules.accelerator.stream import Stream
from gatewright.schedules.accelerator.transfers import transfer

__all__ = ["Copy", "common_axes", "lower_copies"]


@dataclass(frozen=True)
class Copy:
    """``target[i] = source[i]`` over a box.

    Attributes:
        source, target: DRAM addresses of the first element.
        axes: (count, source stride, target stride) in bytes, outermost first; an element is a byte.
    """

    source: int
    target: int
    axes: tuple[tuple[int, int, int], ...]

    def granules(self) -> tuple[tuple[tuple[int, int, int], ...], int]:
        """(outer axes, contiguous bytes of a row)."""
        axes, row = [axis for axis in self.axes if axis[0] != 1], 1
        merged = True
        while merged:
            merged = False
            for axis in axes:
                if axis[1] == axis[2] == row:
                    row *= axis[0]
                    axes.remove(axis)
                    merged = True
                    break
        return tuple(axes), row


def lower_copies(stream: Stream, copies: Sequence[Copy], limit: int) -> None:
    """Emit copies in pieces of at most half of ``limit`` bytes of the activation scratchpad, in two places in turn."""
    word = stream.spec.dma.granularity_bytes
    half = limit // 2 // word * word
    turn = 0
    for copy in copies:
        axes, row = copy.granules()
        pieces = [(copy.source, copy.target, axes, row)]
        while pieces:
            source, target, loops, size = pieces.pop()
            total = size * math.prod(axis[0] for axis in loops)
            if not total:
                continue
            if total > half:
                pieces += reversed(_split(source, target, loops, size, half))
                continue
            local = turn * half
            turn = 1 - turn
            # The tile is dense, in the order of the axes.
            steps: list[int] = []
            step = size
            for count, _, _ in reversed(loops):
                steps.insert(0, step)
                step *= count
            pairs = list(zip(loops, steps, strict=True))
            transfer(stream, "load", "activation", source, local, [(n, s, d) for (n, s, _), d in pairs], size)
            transfer(stream, "store", "activation", target, local, [(n, t, d) for (n, _, t), d in pairs], size)


_Piece = tuple[int, int, tuple[tuple[int, int, int], ...], int]


def _split(source: int, target: int, loops: tuple[tuple[int, int, int], ...], row: int, half: int) -> list[_Piece]:
    if not loops:
        return [(source + at, target + at, (), min(half, row - at)) for at in range(0, row, half)]
    (count, from_stride, to_stride), *rest = loops
    inner = row * math.prod(axis[0] for axis in rest)
    step = max(1, half // inner)
    pieces: list[_Piece] = []
    for at in range(0, count, step):
        size = min(step, count - at)
        # An axis of one is none: what is left to split lies further in.
        outer = ((size, from_stride, to_stride),) if size > 1 else ()
        pieces.append((source + at * from_stride, target + at * to_stride, (*outer, *rest), row))
    return pieces


def common_axes(
    source: Sequence[int], source_strides: Sequence[int], target: Sequence[int], target_strides: Sequence[int]
) -> tuple[tuple[int, int, int], ...] | None:
    """Axes over which two row-major views of the same elements are both strided.

    Args:
        source: shape of one view.
        source_strides: bytes by axis.
        target: shape of the other, with the same number of elements.
        target_strides: bytes by axis.

    Returns:
        (count, source stride, target stride) outermost first, or None where the shapes have no common refinement.
    """
    axes: list[tuple[int, int, int]] = []
    left = [(n, s) for n, s in zip(source, source_strides, strict=True) if n != 1]
    right = [(n, s) for n, s in zip(target, target_strides, strict=True) if n != 1]
    while left and right:
        (a, sa), (b, sb) = left.pop(), right.pop()
        small = min(a, b)
        if a % small or b % small:
            return None
        axes.insert(0, (small, sa, sb))
        if a > small:
            left.append((a // small, sa * small))
        if b > small:
            right.append((b // small, sb * small))
    return tuple(axes)
