"""Designs whose resources are measured: stages of every kind side by side, and small networks, from a seed.

``measured_design(recipe)`` makes the same network for the same recipe:

    blocks:FABRIC:SEED     some stages side by side, each between ports of its own
    chain:FABRIC:SEED      a small network: stages in a row, some around a fork
    graph:FABRIC:SEED      random integer graphs of tests/strategies.py, side by side, with random folds
    digits_mlp:FABRIC:PROFILE-CYCLES[-soft]   an example, folded to CYCLES a frame; digits_cnn likewise
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.compiler.driver import Request, Silent, prepare
from gatewright.compiler.quantize.options import QuantizeOptions
from gatewright.hls.lattice.lowering import lower
from gatewright.schedules.stream.devices import FABRICS, Fabric
from gatewright.schedules.stream.folding import sized
from gatewright.schedules.stream.hardware import Fold, hardware, legal_folds
from gatewright.schedules.stream.network import Network, assemble
from gatewright.schedules.stream.stages import (
    Combine,
    Concat,
    Design,
    Gather,
    Mac,
    Map,
    Pool,
    Port,
    Product,
    Rescale,
    Stage,
    Stream,
    Table,
    Window,
)
from tests.lattice.random_designs import _side_by_side, random_case

__all__ = ["measured_design"]

ROOT = Path(__file__).resolve().parent.parent.parent

_LARGEST = {"ecp5": 40, "ice40-up": 12, "ice40": 8}
"""Products a stage may make at once."""


@cache
def measured_design(recipe: str) -> Network:
    """The network of a recipe."""
    kind, fabric, seed = recipe.split(":")
    if kind.startswith("digits"):
        profile, cycles, *soft = seed.split("-")
        design = _digits(kind, profile)
        folds = {
            stage.name: _fold(stage, int(cycles), FABRICS[fabric], -1 if not soft else 0) for stage in design.stages
        }
    elif kind == "graph":
        cases = [random_case(int(seed) * 10 + i, max_bits=8) for i in range(2)]
        folds = {
            f"c{i}_{name}": replace(fold, outside=False, kept=False)
            for i, case in enumerate(cases)
            for name, fold in case.folds.items()
        }
        design = _side_by_side([case.design for case in cases])
    else:
        maker = _Maker(np.random.default_rng(int(seed)), fabric)
        getattr(maker, kind)()
        design, folds = maker.design(recipe.replace(":", "_").replace("-", "_")), maker.folds
    return sized(assemble(design, folds, FABRICS[fabric]))[0]


@cache
def _digits(model: str, profile: str) -> Design:
    """An example of the repository, quantized."""
    folder = ROOT / "examples" / "digits"
    options = QuantizeOptions(profile=profile, multiplier_bits=16)
    request = Request(folder / f"{model}.onnx", options=options, calibration=folder / f"{model}_calib.npz")
    graph = prepare(request, Silent()).model.integer
    assert graph is not None
    return lower(graph, model)


def _fold(stage: Stage, cycles: int, fabric: Fabric, hard: int) -> Fold:
    """The least parallel folding that takes at most ``cycles`` a frame."""
    by_size = sorted(legal_folds(stage), key=lambda fold: (fold.pe * fold.simd, fold.pe))
    fast = [fold for fold in by_size if hardware(stage, fold, fabric).work_cycles <= cycles]
    return replace((fast or by_size[-1:])[0], hard=hard)


@dataclass
class _Maker:
    rng: np.random.Generator
    fabric: str
    inputs: dict[str, Stream] = field(default_factory=dict)
    stages: list[Stage] = field(default_factory=list)
    folds: dict[str, Fold] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.profile = self.pick("fixed", "scaled")
        self.multiplier_bits = int(self.pick(16, 16, 16, 31))
        self.weights = int(self.pick(8, 8, 8, 4, 6, 2))
        self.bits = int(self.pick(8, 8, 8, 4, 6))

    def pick(self, *values: Any) -> Any:
        return values[self.rng.integers(len(values))]

    def number(self, *values: int) -> int:
        return int(values[self.rng.integers(len(values))])

    def design(self, name: str) -> Design:
        """All stages; what nobody reads leaves."""
        read = {source for stage in self.stages for source in stage.inputs}

        def port(name: str, stream: Stream) -> Port:
            return Port(name, name, (1, stream.elements), np.arange(stream.elements), "int16")

        return Design(
            name,
            tuple(port(name, stream) for name, stream in self.inputs.items()),
            tuple(port(stage.name, stage.output) for stage in self.stages if stage.name not in read),
            self.inputs,
            tuple(self.stages),
        )

    # -- parts ---------------------------------------------------------------------------------------------------------

    def stream(self, pixels: int, channels: int, signed: bool | None = None) -> Stream:
        bits = self.bits
        signed = bool(self.rng.random() < 0.7) if signed is None else signed
        low = -(1 << bits - 1) if signed else 0
        return Stream(pixels, channels, bits, signed, low, low + (1 << bits) - 1)

    def entering(self, pixels: int, channels: int, like: Stream | None = None) -> str:
        name = f"x{len(self.inputs)}"
        self.inputs[name] = like or self.stream(pixels, channels)
        return name

    def type(self, name: str) -> Stream:
        return self.inputs.get(name) or next(stage.output for stage in self.stages if stage.name == name)

    def rescale(self, low: int, high: int, out: Stream, positions: int, biased: bool = True) -> Rescale:
        """From accumulators of [low, high] to ``out``."""
        rng, magnitude = self.rng, max(-low, high, 1)
        typical = max(2, int(math.sqrt(magnitude * 128)))
        bias = rng.integers(-typical, typical + 1, positions) if biased else np.zeros(positions, np.int64)
        gain = (1 << out.bits) / typical / 2
        zero = 0
        ones = np.ones(positions, np.int64)
        if self.profile == "fixed":
            shift = np.maximum(0, np.round(-np.log2(gain)) + rng.integers(-1, 2, positions)).astype(np.int64)
            multiplier = ones
            if rng.random() < 0.4:
                shift = ones * int(shift.max())
        else:
            real = gain * rng.uniform(0.5, 1.5, positions)
            exponent = np.floor(np.log2(real)).astype(np.int64)
            multiplier = (real * 2.0 ** (self.multiplier_bits - 1 - exponent)).astype(np.int64)
            shift = self.multiplier_bits - 1 - exponent
            zero = int(rng.integers(out.low, out.high + 1)) if rng.random() < 0.5 else 0
        clamp = (out.low, out.high) if rng.random() < 0.6 else (max(zero, out.low), out.high)
        value = (low + int(bias.min()), high + int(bias.max()))
        return Rescale(bias, multiplier, shift, zero, *clamp, low, high, *value)

    def put(self, stage: Stage, prefer: Callable[[Fold], bool] = lambda _: True) -> str:
        """Add ``stage`` with a random fold."""
        limit = self.number(1, 2, 4, 8, 16, 40)
        legal = legal_folds(stage)
        small = [f for f in legal if f.pe * f.simd <= min(limit, _LARGEST[self.fabric])] or legal[:1]
        largest = max(f.pe * f.simd for f in small)
        near = [f for f in small if f.pe * f.simd * 2 >= largest]
        chosen = near[self.rng.integers(len(near))]
        if isinstance(stage, Mac):
            products = chosen.pe * chosen.simd
            hard = self.number(-1, -1, 0, 0, int(self.rng.integers(0, products + 1)))
            chosen = replace(chosen, hard=hard)
        self.stages.append(stage)
        self.folds[stage.name] = chosen
        return stage.name

    def name(self, kind: str) -> str:
        return f"{kind}{len(self.stages)}"

    def mac(self, source: str, window: Window, outputs: int, groups: int) -> str:
        x, bits = self.type(source), self.weights
        top = 1 if bits == 2 else (1 << bits - 1) - 1
        shape = (outputs, window.channels // groups, *window.kernel)
        weight = np.clip(np.round(self.rng.normal(0, top / 3, shape)), -top, top).astype(np.int64)
        reach = np.abs(weight).sum(axis=(1, 2, 3)).max() * max(-x.low, x.high)
        rows, columns = window.output
        out = self.stream(rows * columns, outputs)
        low = -int(reach)
        rescale = self.rescale(low, int(reach), out, outputs)
        return self.put(Mac(self.name("mac"), (source,), out, "layer", x, window, weight, groups, rescale))

    def image(self, source: str, side: tuple[int, int], kernel: int, stride: int, pad: bool) -> Window:
        edge = (kernel // 2,) * 4 if pad else (0,) * 4
        channels = self.type(source).channels
        return Window(*side, channels, (kernel, kernel), (stride, stride), padding=edge)  # type: ignore[arg-type]

    # -- blocks --------------------------------------------------------------------------------------------------------

    def blocks(self) -> None:
        """Some stages side by side."""
        kinds = list(_KINDS)
        start = int(self.rng.integers(len(kinds)))
        for i in range(5 if self.fabric == "ecp5" else 4):
            self.profile = self.pick("fixed", "scaled")
            self.weights = self.number(8, 8, 8, 4, 6, 2)
            self.bits = self.number(8, 8, 8, 8, 4, 6, 7)
            kind = self.number(*range(6)) if i % 2 else (start + i) % len(kinds)
            getattr(self, f"_{kinds[kind]}")()

    def _dense(self) -> None:
        features, outputs = self.number(12, 16, 32, 40, 64, 128), self.number(4, 10, 12, 16, 32, 64)
        source = self.entering(1, features)
        self.mac(source, Window(1, 1, features), outputs, 1)

    def _side(self) -> tuple[int, int]:
        side = self.number(5, 8, 10, 16, 25, 32)
        return side, self.number(side, side, 7)

    def _convolution(self) -> None:
        side, channels = self._side(), self.number(1, 2, 3, 4, 8, 16)
        source = self.entering(math.prod(side), channels)
        window = self.image(source, side, self.number(3, 3, 3, 5, 2), self.number(1, 1, 2), self.rng.random() < 0.7)
        self.mac(source, window, self.number(4, 8, 12, 16), 1)

    def _pointwise(self) -> None:
        side, channels = self._side(), self.number(8, 16, 24, 32)
        source = self.entering(math.prod(side), channels)
        self.mac(source, self.image(source, side, 1, 1, False), self.number(8, 16, 24), 1)

    def _depthwise(self) -> None:
        side, channels = self._side(), self.number(4, 8, 12, 16, 32)
        source = self.entering(math.prod(side), channels)
        self.mac(source, self.image(source, side, 3, self.number(1, 1, 2), True), channels, channels)

    def _grouped(self) -> None:
        side, groups = self._side(), self.number(2, 4)
        source = self.entering(math.prod(side), groups * self.number(2, 4))
        self.mac(source, self.image(source, side, 3, 1, True), groups * self.number(2, 4), groups)

    def _pool(self) -> None:
        side, channels = self._side(), self.number(4, 8, 16)
        source = self.entering(math.prod(side), channels)
        self.pool(source, side, 2, 2)

    def pool(self, source: str, side: tuple[int, int], kernel: int, stride: int) -> str:
        x = self.type(source)
        maximum = bool(self.rng.random() < 0.5)
        window = Window(*side, x.channels, (kernel, kernel), (stride, stride))
        out = replace(x, pixels=math.prod(window.output))
        if maximum:
            zeros = np.zeros(1, np.int64)
            rescale = Rescale(zeros, zeros + 1, zeros, 0, x.low, x.high, x.low, x.high, x.low, x.high)
        else:
            count = kernel * kernel
            rescale = self.rescale(min(0, x.low * count), x.high * count, out, 1, biased=False)
        return self.put(Pool(self.name("pool"), (source,), out, "layer", x, window, maximum, rescale))

    def _global_pool(self) -> None:
        side, channels = self._side(), self.number(8, 16, 24)
        source = self.entering(math.prod(side), channels)
        x = self.type(source)
        out = replace(x, pixels=1)
        count = math.prod(side)
        rescale = self.rescale(min(0, x.low * count), x.high * count, out, 1, biased=False)
        window = Window(*side, channels, side)
        self.put(Pool(self.name("pool"), (source,), out, "layer", x, window, False, rescale))

    def _map(self) -> None:
        channels = self.number(4, 8, 16, 32)
        source = self.entering(self.number(16, 64), channels)
        x, out = self.type(source), self.stream(self.type(source).pixels, channels)
        positions = self.number(1, 1, channels)
        rescale = self.rescale(x.low, x.high, out, positions)
        self.put(Map(self.name("map"), (source,), out, "layer", x, rescale))

    def _table(self) -> None:
        channels = self.number(4, 8, 16)
        source = self.entering(self.number(16, 64), channels)
        x, out = self.type(source), self.stream(self.type(source).pixels, channels)
        angle = np.linspace(-4, 4, 1 << x.bits)
        table = np.round((np.tanh(angle) + 1) / 2 * (out.high - out.low) + out.low).astype(np.int64)
        if self.rng.random() < 0.4:
            table = self.rng.integers(out.low, out.high + 1, 1 << x.bits)
        self.put(Table(self.name("table"), (source,), out, "layer", x, table))

    def _combine(self) -> None:
        channels = self.number(4, 8, 16)
        source = self.entering(16, channels)
        other = self.entering(16, channels, self.type(source))
        self.combine(source, other)

    def combine(self, source: str, other: str) -> str:
        x, y = self.type(source), self.type(other)
        signed = x.signed or y.signed
        x = replace(x, bits=x.bits + (signed and not (x.signed and y.signed)), signed=signed,
                    low=min(x.low, y.low), high=max(x.high, y.high))  # fmt: skip
        wide = 10 if self.profile == "scaled" else 2
        weights = tuple(int(self.rng.integers(1, 1 << wide)) for _ in range(2))
        if self.profile == "fixed":
            weights = (self.number(1, 2), self.number(1, 4))
        low, high = min(0, x.low * sum(weights)), x.high * sum(weights)
        out = self.stream(x.pixels, x.channels)
        profile, self.profile = self.profile, "fixed"
        rescale = self.rescale(low, high, out, 1)
        self.profile = profile
        return self.put(Combine(self.name("combine"), (source, other), out, "layer", x, weights, rescale))

    def _product(self) -> None:
        channels = self.number(4, 8, 16)
        source = self.entering(16, channels)
        x = self.type(source)
        other = self.entering(16, channels, x)
        most = (x.high - x.low) ** 2
        out = self.stream(16, channels)
        rescale = self.rescale(-most, most, out, 1, biased=False)
        zeros = (self.number(0, 3), self.number(0, x.high))
        self.put(Product(self.name("product"), (source, other), out, "layer", x, zeros, rescale))

    def _concat(self) -> None:
        blocks = tuple(self.number(4, 8, 12, 16) for _ in range(self.number(2, 2, 3)))
        source = self.entering(16, blocks[0])
        x = self.type(source)
        names = [source, *(self.entering(16, block, replace(x, channels=block)) for block in blocks[1:])]
        out = self.stream(16, sum(blocks))
        rescale = self.rescale(x.low, x.high, out, self.number(1, sum(blocks)), biased=False)
        if rescale.bias.size > 1:
            rescale = replace(rescale, shift=np.repeat(rescale.shift[:1], rescale.bias.size))
        self.put(Concat(self.name("concat"), tuple(names), out, "layer", x, blocks, rescale))

    def _gather(self) -> None:
        pixels, channels = self.number(16, 64, 100), self.number(2, 4, 8)
        source = self.entering(pixels, channels)
        x = self.type(source)
        if self.rng.random() < 0.5:
            order = self.rng.permutation(pixels)
            moved = (order[:, None] * channels + np.arange(channels)).ravel()
        else:
            moved = np.arange(pixels * channels).reshape(pixels, channels).T.ravel()
            channels, pixels = pixels, channels
        out = replace(x, pixels=pixels, channels=channels)
        self.put(Gather(self.name("gather"), (source,), out, "layer", x, moved.astype(np.int64)))

    # -- chains --------------------------------------------------------------------------------------------------------

    def chain(self) -> None:
        """A small network."""
        self.bits = self.number(8, 8, 8, 6)
        if self.rng.random() < 0.35:
            sizes = [self.number(16, 32, 64), *(self.number(8, 16, 32, 64) for _ in range(3)), self.number(5, 10)]
            at = self.entering(1, sizes[0])
            for inputs, outputs in pairwise(sizes):
                at = self.mac(at, Window(1, 1, inputs), outputs, 1)
            return
        side = (self.number(8, 12, 16, 20),) * 2
        at = self.entering(math.prod(side), self.number(1, 3, 4))
        width = self.number(4, 8, 16)
        at = self.mac(at, self.image(at, side, 3, 1, True), width, 1)
        if self.rng.random() < 0.6:
            body = self.mac(at, self.image(at, side, 3, 1, True), width, self.number(1, width))
            at = self.combine(body, at) if self.rng.random() < 0.8 else body
        at = self.pool(at, side, 2, 2)
        side = (side[0] // 2, side[1] // 2)
        at = self.mac(at, self.image(at, side, self.number(1, 3), 1, True), 2 * width, 1)
        x = self.type(at)
        count = math.prod(side)
        out = replace(x, pixels=1)
        rescale = self.rescale(min(0, x.low * count), x.high * count, out, 1, biased=False)
        at = self.put(Pool(self.name("pool"), (at,), out, "layer", x, Window(*side, x.channels, side), False, rescale))
        self.mac(at, Window(1, 1, 2 * width), 10, 1)


_KINDS = (
    "dense", "convolution", "pointwise", "depthwise", "convolution", "grouped", "pool", "global_pool", "map", "table",
    "combine", "product", "concat", "gather",
)  # fmt: skip
