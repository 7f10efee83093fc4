"""Convolutions without numbers, and random programs of them, for tests of the timing models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gatewright.schedules.accelerator.isa.encoding import Words
from gatewright.schedules.accelerator.lowering.convolution import ConvJob, lower_convolution, place_slots
from gatewright.schedules.accelerator.places import dram_place
from gatewright.schedules.accelerator.search.convolution import Budget, Found, search_convolution
from gatewright.schedules.accelerator.search.grid import Grid, convolution_grid
from gatewright.schedules.accelerator.shapes import ConvShape
from gatewright.schedules.accelerator.spec import Scratchpad, Scratchpads, Spec
from gatewright.schedules.accelerator.storage import Storage
from gatewright.schedules.accelerator.stream import Stream
from gatewright.schedules.accelerator.tile import Tiling
from gatewright.schedules.accelerator.timing.event import simulate
from tests.accelerator.random_specs import random_spec

COMPLETE = Budget(candidates=10**6, seconds=1e9)
"""The search stops when no candidate can be better, never before."""
_SPILLED = (False, False)
"""Neither the input nor the output is resident."""


@dataclass(frozen=True)
class TimedLayer:
    """A convolution from and to DRAM on an accelerator."""

    spec: Spec
    shape: ConvShape

    @property
    def grid(self) -> Grid:
        """Everything the search looks at."""
        return convolution_grid(self.spec, self.shape, _SPILLED, self.spec.scratchpads.activation.bytes)

    @property
    def tilings(self) -> list[Tiling]:
        """The same as tilings."""
        return [self.grid.tiling(index) for index in range(len(self.grid))]

    def stream(self, tiling: Tiling) -> Stream:
        """Instructions of one tiling."""
        shape = self.shape
        source = Storage((shape.samples, shape.channels, shape.height, shape.width), True, shape.pitch_bytes)
        target = Storage(
            (shape.samples, shape.out_channels, shape.out_height, shape.out_width), True, shape.out_pitch_bytes
        )
        job = ConvJob(
            "layer", shape, dram_place(source, 1 << 31), dram_place(target, 3 << 30), 3 << 29, 5 << 28, 0, True, True,
            0, 0, (-128, 127),
        )  # fmt: skip
        slots = place_slots(self.spec, shape, tiling, _SPILLED, self.spec.scratchpads.activation.bytes)
        assert slots is not None
        stream = Stream(self.spec)
        with stream.layer("layer"):
            lower_convolution(stream, job, tiling, slots)
        stream.halt()
        return stream

    def words(self, tiling: Tiling) -> Words:
        """The program of one tiling."""
        return self.stream(tiling).words()

    def best(self, budget: Budget = COMPLETE) -> Found:
        """The fastest tiling."""

        def evaluate(tiling: Tiling) -> int:
            return simulate(self.spec, self.words(tiling)).total_cycles

        found = search_convolution(
            self.spec, self.shape, _SPILLED, self.spec.scratchpads.activation.bytes, evaluate, budget
        )
        assert found is not None
        return found


def random_accelerator(rng: np.random.Generator) -> Spec:
    """One whose array is not so narrow that programs become long."""
    while True:
        spec = random_spec(int(rng.integers(1 << 30)))
        if spec.matrix.rows * spec.matrix.columns > 8:
            names = ("first_cycles", "issue_cycles", "refill_cycles", "halt_cycles")
            around = {name: int(rng.choice([0, 0, 1, 5])) for name in names}
            return changed(changed(spec, "dma", granularity_bytes=1), "control", **around)


def random_shape(rng: np.random.Generator, spec: Spec, most: int = 12) -> ConvShape:
    """Padded, strided, dilated, grouped, of one or two passes."""
    while True:
        kernel = int(rng.choice([1, 1, 2, 3])), int(rng.choice([1, 1, 3]))
        strides = int(rng.choice([1, 1, 2])), int(rng.choice([1, 1, 2]))
        dilation = int(rng.choice([1, 1, 2])), 1
        padding = tuple(int(v) for v in rng.choice([0, 0, 1], 4))
        height, width = (int(v) for v in rng.integers(1, most, 2))
        out_height = (height + padding[0] + padding[2] - (kernel[0] - 1) * dilation[0] - 1) // strides[0] + 1
        out_width = (width + padding[1] + padding[3] - (kernel[1] - 1) * dilation[1] - 1) // strides[1] + 1
        if min(out_height, out_width) >= 1:
            break
    groups = int(rng.choice([1, 1, 1, 2]))
    channels, outputs = (groups * int(v) for v in rng.integers(1, 3 * most, 2))
    align = spec.alignment_bytes

    def pitch(count: int) -> int:
        return -(-count // align) * align

    return ConvShape(
        int(rng.choice([1, 1, 2])), height, width, channels, pitch(channels), out_height, out_width, outputs,
        pitch(outputs), kernel, strides, dilation, padding, groups, int(rng.choice([1, 1, 2])), spec.matrix.rows,
        spec.matrix.columns,
    )  # fmt: skip


def changed(spec: Spec, part: str, **values: Any) -> Spec:
    """A spec with ``dma``, ``control`` ... changed."""
    return Spec.model_validate(spec.model_dump() | {part: getattr(spec, part).model_dump() | values})


def in_the_limit(spec: Spec) -> Spec:
    """As much bandwidth as there is, no latency, instructions for nothing, no bank in the way."""
    pads = {name: Scratchpad(**pad.model_dump() | {"ports": "multi"}) for name, pad in dict(spec.scratchpads).items()}
    spec = spec.model_copy(update={"scratchpads": Scratchpads(**pads)})
    around = dict.fromkeys(("fetch_cycles", "first_cycles", "issue_cycles", "refill_cycles", "halt_cycles"), 0)
    spec = changed(spec, "control", **around)
    return changed(spec, "dma", bytes_per_cycle=65536.0, latency_cycles=0, start_cycles=0, burst_gap_cycles=0)
