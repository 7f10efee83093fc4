"""Stages under construction: names, wires, and rescales with the casts that follow them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gatewright.hls.lattice.plugin.casts import Step, Value, steps
from gatewright.hls.lattice.plugin.fixed import Fixed, Unsupported
from gatewright.schedules.stream.rescaling import bits_of
from gatewright.schedules.stream.stages import Combine, Gather, IntArray, Map, Rescale, Stage, Stream

__all__ = ["Builder", "Make", "Wire"]

Make = Callable[[str, Stream, Rescale], Stage]
"""Name, result and rescale -> stage."""

_WIDEST = 62
"""Bits of the widest value: reference and simulation compute with 64."""


@dataclass(frozen=True)
class Wire:
    """A tensor on its stream, channels last as hls4ml has it.

    Attributes:
        stream: its name.
        shape: without the batch axis.
        value: fraction and range of its raw values.
        padding: (top, left, bottom, right) zeros that a convolution may still take over; see ``Builder.padded``.
    """

    stream: str
    shape: tuple[int, ...]
    value: Value
    padding: tuple[int, int, int, int] | None = None

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.shape)


class Builder:
    """Collects stages.

    Attributes:
        stages: in topological order.
        streams: type of every stream.
        layer: name of the layer that stages are made for now.
    """

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self.streams: dict[str, Stream] = {}
        self.layer = ""
        self._names: set[str] = set()

    # -- names and types ---------------------------------------------------------------------------------------------

    def unique(self, suffix: str) -> str:
        """A Verilog identifier for the current layer; the suffix keeps it off keywords."""
        name = re.sub(r"_+", "_", re.sub(r"\W", "_", f"{self.layer}_{suffix}", flags=re.ASCII)).strip("_")
        if name[0].isdigit() or name.startswith(("gw_", "stage_")):
            name = f"t_{name}"
        found, count = name, 1
        while found in self._names:
            count += 1
            found = f"{name}_{count}"
        self._names.add(found)
        return found

    def stream(self, shape: Sequence[int], value: Value) -> Stream:
        """The narrowest stream that carries ``value``."""
        bits = bits_of(value.low, value.high)
        signed = value.low < 0
        if bits > _WIDEST:
            raise Unsupported(f"values of {bits} bits", "give narrower accum and result types")
        *pixels, channels = shape
        return Stream(
            math.prod(pixels), channels, max(1, bits - (not signed)), signed, value.low, value.high
        )  # fmt: skip

    def enter(self, shape: tuple[int, ...], value: Value) -> Wire:
        """An input of the design."""
        name = self.unique("in")
        self.streams[name] = self.stream(shape, value)
        return Wire(name, shape, value)

    def put(self, stage: Stage, shape: Sequence[int], value: Value) -> Wire:
        """Add a finished stage."""
        self.stages.append(stage)
        self.streams[stage.name] = stage.output
        return Wire(stage.name, tuple(shape), value)

    # -- rescaled stages ---------------------------------------------------------------------------------------------

    def emit(
        self,
        suffix: str,
        make: Make,
        shape: Sequence[int],
        acc: tuple[int, int],
        total: Value,
        todo: Sequence[Step],
        bias: Any = 0,
    ) -> Wire:
        """A stage whose rescale does the first step of ``todo``, and stages for the others.

        Args:
            suffix: of its name.
            make: makes it.
            shape: of the result, without the batch axis.
            acc: range of the accumulator in front of the bias.
            total: the accumulator with the bias.
            todo: what is done to it.
            bias: by position.
        """
        first, rest = (todo[0], todo[1:]) if todo and not todo[0].left else (None, todo)
        added = first.bias if first is not None else 0
        biases = np.atleast_1d(np.asarray(bias, np.int64)) + added
        self._check(total.low + added, total.high + added)
        result = first.out if first is not None else total
        rescale = Rescale(
            biases, np.ones_like(biases), np.full_like(biases, first.shift if first is not None else 0), 0,
            first.low if first is not None else total.low, first.high if first is not None else total.high,
            *acc, total.low + added, total.high + added,
            first.rounding if first is not None else "floor",
            first is None or first.wrap or first.fits,
        )  # fmt: skip
        wire = self.put(make(self.unique(suffix), self.stream(shape, result), rescale), shape, result)
        return self.apply(wire, rest)

    def apply(self, wire: Wire, todo: Sequence[Step]) -> Wire:
        """``wire`` after ``todo``: a stage a step."""
        for step in todo:
            wire = self.shifted(wire, step.left, [replace(step, left=0)]) if step.left else self._map(wire, step)
        return wire

    def cast(self, wire: Wire, *kinds: Fixed) -> Wire:
        """``wire`` cast to ``kinds`` in turn."""
        return self.apply(wire, steps(wire.value, kinds))

    def shifted(self, wire: Wire, left: int, todo: Sequence[Step] = ()) -> Wire:
        """Raw values times ``2**left``: the same numbers with a larger fraction."""
        value = wire.value
        total = Value(value.fraction + left, value.low << left, value.high << left)
        return self.combined("shift", [wire], [1 << left], total, todo)

    def aligned(self, wire: Wire, fraction: int) -> Wire:
        """``wire`` with at least ``fraction``."""
        return self.shifted(wire, fraction - wire.value.fraction) if wire.value.fraction < fraction else wire

    def combined(
        self, suffix: str, wires: Sequence[Wire], weights: Sequence[int], total: Value, todo: Sequence[Step],
        bias: int = 0,
    ) -> Wire:  # fmt: skip
        """Weighted sum of ``wires``, plus ``bias``, then ``todo``; ``total`` is the sum with the bias."""
        names, x = tuple(wire.stream for wire in wires), self.common(wires)
        return self.emit(
            suffix, lambda name, out, rescale: Combine(name, names, out, self.layer, x, tuple(weights), rescale),
            wires[0].shape, (total.low - bias, total.high - bias), total, todo, bias,
        )  # fmt: skip

    def common(self, wires: Sequence[Wire]) -> Stream:
        """A type that holds the elements of all ``wires``."""
        low, high = min(wire.value.low for wire in wires), max(wire.value.high for wire in wires)
        return self.stream(wires[0].shape, Value(0, low, high))

    def _map(self, wire: Wire, step: Step) -> Wire:
        x = self.streams[wire.stream]
        return self.emit(
            "cast", lambda name, out, rescale: Map(name, (wire.stream,), out, self.layer, x, rescale),
            wire.shape, (wire.value.low, wire.value.high), wire.value, [step],
        )  # fmt: skip

    def _check(self, low: int, high: int) -> None:
        if bits_of(low, high) > _WIDEST:
            raise Unsupported(f"sums of {bits_of(low, high)} bits", "give narrower types")

    # -- movement ----------------------------------------------------------------------------------------------------

    def gathered(self, wire: Wire, source: IntArray, shape: Sequence[int]) -> Wire:
        """Element i of the result is element ``source[i]`` of ``wire``, 0 where that is negative."""
        source = np.asarray(source, np.int64).reshape(-1)
        if source.size == wire.size and np.array_equal(source, np.arange(source.size)):
            return replace(wire, shape=tuple(shape))
        value = wire.value
        if (source < 0).any():
            value = replace(value, low=min(value.low, 0), high=max(value.high, 0))
        x = self.streams[wire.stream]
        out = replace(self.stream(shape, value), bits=x.bits, signed=x.signed)
        return self.put(Gather(self.unique("gather"), (wire.stream,), out, self.layer, x, source), shape, value)

    def padded(self, wire: Wire) -> Wire:
        """``wire`` with the zeros it still lacks."""
        if wire.padding is None:
            return wire
        top, left, bottom, right = wire.padding
        height, width, channels = wire.shape if len(wire.shape) == 3 else (1, *wire.shape)
        whole = np.full((top + height + bottom, left + width + right, channels), -1, np.int64)
        whole[top : top + height, left : left + width] = np.arange(wire.size).reshape(height, width, channels)
        shape = whole.shape if len(wire.shape) == 3 else whole.shape[1:]
        return self.gathered(replace(wire, padding=None), whole, shape)
