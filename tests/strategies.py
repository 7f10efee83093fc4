"""Random integer graphs of every layer type: what the golden reference, the CPU and the HLS side are fuzzed with.

``random_graph(seed)`` makes one verified graph, the same for the same arguments; ``integer_graphs()`` is the Hypothesis
strategy over seeds. ``random_inputs(graph, seed)`` makes inputs that reach the ends of every type.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from gatewright.compiler.integer.graph import IntegerGraph, Profile
from gatewright.compiler.integer.layers import (
    Add,
    AvgPool2d,
    Concat,
    Conv2d,
    Dense,
    Input,
    Layer,
    MaxPool2d,
    Multiply,
    Pad,
    Requantize,
    Reshape,
    Resize,
    Slice,
    Table,
    Transpose,
)
from gatewright.compiler.integer.requantization import common_multipliers, multiplier_of, multipliers_of
from gatewright.compiler.integer.semantics import SEMANTICS, Interval
from gatewright.compiler.integer.tensor import TensorType, storage_dtype
from gatewright.compiler.integer.verifier import verify
from gatewright.compiler.numeric.windows import output_size

__all__ = ["OPERATORS", "integer_graphs", "random_graph", "random_inputs"]

Inputs = dict[str, npt.NDArray[np.integer]]


def random_inputs(graph: IntegerGraph, seed: int = 0, samples: int = 1) -> Inputs:
    """``samples`` times the declared batch for every input; a third of the values at the ends of the type."""
    rng = np.random.default_rng(seed)
    arrays: Inputs = {}
    for layer in graph.inputs:
        kind = layer.output
        shape = (kind.shape[0] * samples, *kind.shape[1:])
        values = rng.integers(kind.qmin, kind.qmax, shape, np.int64, endpoint=True)
        ends = rng.choice([kind.qmin, kind.qmax, kind.zero_point], shape)
        arrays[layer.name] = np.where(rng.random(shape) < 0.33, ends, values).astype(kind.dtype)
    return arrays


def random_graph(
    seed: int,
    layers: int = 6,
    operators: Sequence[str] | None = None,
    profile: Profile | None = None,
    max_bits: int = 16,
    batch: int | None = None,
) -> IntegerGraph:
    """A verified graph of ``layers`` random layers.

    Args:
        seed: same seed, same graph.
        layers: how many, inputs not counted.
        operators: names to draw from, by default all of :data:`OPERATORS`.
        profile: ``fixed``, ``scaled`` or None for either.
        max_bits: width of the widest activation and weight.
        batch: leading axis, by default 1, now and then 2.

    Returns:
        A graph whose outputs are all tensors nobody reads, and a few others.
    """
    rng = np.random.default_rng(seed)
    maker = _Maker(
        rng,
        profile or str(rng.choice(["scaled", "scaled", "fixed"])),  # type: ignore[arg-type]
        int(rng.choice([8, 16, 31, 31])),
        max_bits,
        batch or int(rng.choice([1, 1, 1, 2])),
    )
    names = list(operators or OPERATORS)
    for index in range(layers):
        op = str(names[(index + seed) % len(names)] if rng.random() < 0.5 else rng.choice(names))
        maker.extend(op, f"{op}_{index}")
    return maker.graph()


def integer_graphs(**arguments: Any) -> st.SearchStrategy[IntegerGraph]:
    """Graphs of :func:`random_graph`, whose arguments may be given."""
    return st.integers(0, 2**32 - 1).map(lambda seed: random_graph(seed, **arguments))


@dataclass
class _Maker:
    """The graph so far, and random choices about it."""

    rng: np.random.Generator
    profile: Profile
    multiplier_bits: int
    max_bits: int
    batch: int

    def __post_init__(self) -> None:
        self.layers: dict[str, Layer] = {}

    def graph(self) -> IntegerGraph:
        """Verified; reads every dead end."""
        read = {name for layer in self.layers.values() for name in layer.inputs}
        made = [name for name, layer in self.layers.items() if layer.op != "input"]
        outputs = [name for name in made if name not in read or self.rng.random() < 0.3]
        return verify(IntegerGraph(list(self.layers.values()), outputs, self.profile, self.multiplier_bits))

    def extend(self, op: str, name: str) -> None:
        """A layer of type ``op``, or none where every attempt would overflow 64 bits (the verifier refuses that)."""
        for _ in range(20):
            before = dict(self.layers)
            OPERATORS[op](self, name)
            types = [self.layers[source].output for source in self.layers[name].inputs]
            ranges = [Interval(kind.qmin, kind.qmax) for kind in types]
            proof = SEMANTICS[op].proof(self.layers[name], types, ranges)
            if proof is None or proof.magnitude < 1 << 63:
                return
            self.layers = before

    def choose(self, *values: Any) -> Any:
        """One of ``values``."""
        return values[self.rng.integers(len(values))]

    def between(self, low: int, high: int) -> int:
        """An integer of [low, high]."""
        return int(self.rng.integers(low, high, endpoint=True))

    def bits(self, limit: int | None = None) -> int:
        """A width, mostly 8."""
        return min(self.choose(8, 8, 8, 8, 4, 2, 1, 5, 12, 16, self.max_bits), limit or self.max_bits)

    def kind(self, shape: tuple[int, ...], limit: int | None = None) -> TensorType:
        """A random element type; zero point 0 and a power of two in profile ``fixed``."""
        bits, signed = self.bits(limit), bool(self.rng.random() < 0.6)
        plain = TensorType(shape, bits, signed)
        if self.profile == "fixed":
            return TensorType(shape, bits, signed, 2.0 ** self.between(-8, 2))
        zero = self.choose(0, plain.qmin, plain.qmax, self.between(plain.qmin, plain.qmax))
        return TensorType(shape, bits, signed, float(np.float32(self.rng.uniform(1e-3, 2))), zero)

    def clamp(self, kind: TensorType) -> tuple[int, int]:
        """The type's range, a ReLU's, or any."""
        low, high = sorted((self.between(kind.qmin, kind.qmax), self.between(kind.qmin, kind.qmax)))
        return self.choose((kind.qmin, kind.qmax), (kind.qmin, kind.qmax), (kind.zero_point, kind.qmax), (low, high))

    def operand(self, accept: Callable[[TensorType], bool], shape: Callable[[], tuple[int, ...]]) -> Layer:
        """A tensor of the graph that ``accept`` likes, or a new input."""
        liked = [layer for layer in self.layers.values() if accept(layer.output)]
        if liked and self.rng.random() < 0.8:
            return liked[self.rng.integers(len(liked))]
        return self.input(shape())

    def input(self, shape: tuple[int, ...], limit: int | None = None) -> Layer:
        """A new graph input."""
        return self.put(Input(f"input_{len(self.layers)}", (), self.kind(shape, limit)))

    def put(self, layer: Layer) -> Layer:
        """Append ``layer``."""
        self.layers[layer.name] = layer
        return layer

    def image_shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W), small and odd."""
        return self.batch, self.choose(1, 2, 3, 4, 6, 8), self.between(1, 9), self.between(1, 9)

    def image(self) -> Layer:
        """An operand of four axes."""
        return self.operand(lambda t: len(t.shape) == 4 and math.prod(t.shape) <= 4096, self.image_shape)

    def any(self) -> Layer:
        """An operand of any shape."""
        vector = (self.batch, self.between(1, 20))
        return self.operand(lambda t: len(t.shape) >= 2 and math.prod(t.shape) <= 4096,
                            lambda: self.choose(self.image_shape(), vector))  # fmt: skip

    def moved(self, source: TensorType, shape: tuple[int, ...]) -> TensorType:
        """The type of ``source`` in another shape."""
        return TensorType(shape, source.bits, source.signed, source.scale, source.zero_point)

    def factor(self, real: float) -> tuple[int, int]:
        """(M, n) near ``real``, a power of two in profile ``fixed``."""
        largest = 2.0 ** (self.multiplier_bits - 2)
        real = min(max(real, 2.0**-40), largest)
        if self.profile == "fixed":
            real = 2.0 ** round(math.log2(real))
        return multiplier_of(real, self.multiplier_bits, "random")

    def factors(self, reals: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """:meth:`factor` of every element; a few are 0."""
        reals = np.where(
            self.rng.random(reals.shape) < 0.05, 0.0, np.clip(reals, 2.0**-40, 2.0**self.multiplier_bits / 4)
        )
        if self.profile == "fixed":
            reals = np.where(reals > 0, 2.0 ** np.round(np.log2(np.where(reals > 0, reals, 1))), 0.0)
        return multipliers_of(reals, self.multiplier_bits, "random")

    def gain(self, magnitude: float, kind: TensorType) -> float:
        """A factor that fills the output's range: sometimes too small, sometimes saturating."""
        return (kind.qmax - kind.qmin) / max(magnitude, 1.0) * float(self.rng.choice([0.3, 1.0, 1.7, 8.0]))


def _centred_magnitude(kind: TensorType) -> int:
    return max(kind.qmax - kind.zero_point, kind.zero_point - kind.qmin)


def _weights(maker: _Maker, shape: tuple[int, ...], x: TensorType, out: TensorType) -> dict[str, Any]:
    """Everything Conv2d and Dense have in common, for weights of ``shape`` (O, ...)."""
    rng, channels = maker.rng, shape[0]
    bits, signed = maker.bits(), bool(rng.random() < 0.8)
    low = -(1 << (bits - 1)) if signed else 0
    high = low + (1 << bits) - 1
    weight = rng.integers(low, high, shape, np.int64, endpoint=True)
    zero = np.zeros(channels, np.int64)
    if maker.profile == "scaled" and rng.random() < 0.4:
        zero = rng.integers(low, high, channels, np.int64, endpoint=True)
    if rng.random() < 0.2:  # a dead channel with a live bias
        weight[0] = zero[0]
    magnitude = np.abs(weight - zero.reshape(-1, *(1,) * (len(shape) - 1))).reshape(channels, -1).sum(1)
    reach = magnitude * _centred_magnitude(x)
    limit = max(1, int(reach.max()))
    if rng.random() < 0.1 and maker.multiplier_bits < 28:
        limit = max(limit, 1 << 34)  # a wide accumulator
    bias = rng.integers(-limit, limit, channels, np.int64, endpoint=True)
    typical = np.sqrt(np.maximum(reach.astype(float), 1)) * math.sqrt(_centred_magnitude(x)) + np.abs(bias)
    gains = np.array([maker.gain(value, out) for value in typical])
    multiplier, shift = maker.factors(gains)
    scale = 2.0 ** rng.integers(-8, 2, channels) if maker.profile == "fixed" else rng.uniform(1e-3, 1, channels)
    return {
        "weight": weight.astype(storage_dtype(bits, signed)),
        "weight_zero_point": zero,
        "bias": bias,
        "weight_scale": scale.astype(np.float32),
        "multiplier": multiplier,
        "shift": shift,
        "clamp": maker.clamp(out),
        "weight_bits": bits,
        "weight_signed": signed,
    }


def _window(
    maker: _Maker, shape: tuple[int, ...], dilate: bool
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int, int, int], tuple[int, int], tuple[int, int]]:
    """(kernel, strides, padding, dilation, output size) of a window that fits."""
    while True:
        kernel = (maker.between(1, 4), maker.between(1, 4))
        strides = (maker.between(1, 3), maker.between(1, 3))
        dilation = (maker.choose(1, 1, 2, 3), maker.choose(1, 1, 2)) if dilate else (1, 1)
        top, left, bottom, right = maker.choose(
            (0, 0, 0, 0), (1, 1, 1, 1), tuple(maker.between(0, 2) for _ in range(4))
        )
        height = output_size(shape[2], kernel[0], strides[0], top + bottom, dilation[0])
        width = output_size(shape[3], kernel[1], strides[1], left + right, dilation[1])
        if min(height, width) >= 1:
            return kernel, strides, (top, left, bottom, right), dilation, (height, width)


def _conv2d(maker: _Maker, name: str) -> None:
    x = maker.image()
    channels = x.output.shape[1]
    groups = maker.choose(1, 1, channels, *(g for g in range(2, channels) if channels % g == 0))
    out_channels = groups * maker.between(1, 3)
    kernel, strides, padding, dilation, size = _window(maker, x.output.shape, dilate=True)
    kind = maker.kind((maker.batch, out_channels, *size))
    common = _weights(maker, (out_channels, channels // groups, *kernel), x.output, kind)
    maker.put(
        Conv2d(name, (x.name,), kind, **common, strides=strides, padding=padding, dilation=dilation, groups=groups)
    )


def _dense(maker: _Maker, name: str) -> None:
    x = maker.any()
    features = maker.between(1, 12)
    kind = maker.kind((*x.output.shape[:-1], features))
    maker.put(Dense(name, (x.name,), kind, **_weights(maker, (features, x.output.shape[-1]), x.output, kind)))


def _companion(maker: _Maker, x: Layer) -> Layer:
    """A second operand that broadcasts against ``x``: of its shape, or with some axes 1."""
    shape = x.output.shape
    if maker.rng.random() < 0.3:
        shape = (shape[0], *(maker.choose(1, size) for size in shape[1:]))
    return maker.operand(lambda t: t.shape == shape, lambda: shape)


def _add(maker: _Maker, name: str) -> None:
    operands = [maker.any()]
    operands += [_companion(maker, operands[0]) for _ in range(maker.choose(1, 1, 2))]
    kind = maker.kind(operands[0].output.shape)
    magnitude = sum(_centred_magnitude(operand.output) for operand in operands)
    top = 2.0 ** (maker.multiplier_bits - 2)
    reals = [min(maker.gain(magnitude, kind), top) * maker.choose(1, 1, -1, 0.25) for _ in operands]
    if maker.profile == "fixed":
        reals = [math.copysign(2.0 ** round(math.log2(abs(real))), real) for real in reals]
    multiplier, shift = common_multipliers(reals, maker.multiplier_bits, name)
    if maker.profile == "fixed":  # the smallest may have been rounded to the shift of the largest
        multiplier = np.where(np.abs(multiplier) & (np.abs(multiplier) - 1), 0, multiplier)
    maker.put(Add(name, tuple(o.name for o in operands), kind, multiplier, shift, maker.clamp(kind)))


def _multiply(maker: _Maker, name: str) -> None:
    x = maker.any()
    y = _companion(maker, x)
    kind = maker.kind(x.output.shape)
    magnitude = _centred_magnitude(x.output) * _centred_magnitude(y.output)
    maker.put(Multiply(name, (x.name, y.name), kind, *maker.factor(maker.gain(magnitude, kind)), maker.clamp(kind)))


def _concat(maker: _Maker, name: str) -> None:
    x = maker.any()
    shape = x.output.shape
    axis = maker.between(1, len(shape) - 1)
    operands = [x]
    for _ in range(maker.between(1, 2)):
        other = (*shape[:axis], maker.between(1, 4), *shape[axis + 1 :])
        operands.append(maker.operand(lambda t, like=other: t.shape == like, lambda like=other: like))  # type: ignore[misc]
    size = sum(operand.output.shape[axis] for operand in operands)
    kind = maker.kind((*shape[:axis], size, *shape[axis + 1 :]))
    if maker.rng.random() < 0.4:  # the first operand's type, which then passes unchanged
        kind = maker.moved(x.output, kind.shape)
    pairs = [maker.factor(maker.gain(_centred_magnitude(o.output), kind)) for o in operands]
    if (kind.scale, kind.zero_point) == (x.output.scale, x.output.zero_point):
        pairs[0] = (1 << (maker.multiplier_bits - 1), maker.multiplier_bits - 1)
    multiplier, shift = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    names = tuple(operand.name for operand in operands)
    maker.put(Concat(name, names, kind, axis, multiplier, shift, maker.clamp(kind)))


def _max_pool2d(maker: _Maker, name: str) -> None:
    x = maker.image()
    kernel, strides, padding, dilation, size = _window(maker, x.output.shape, dilate=True)
    kind = maker.moved(x.output, (*x.output.shape[:2], *size))
    maker.put(MaxPool2d(name, (x.name,), kind, kernel, maker.clamp(kind), strides, padding, dilation))


def _avg_pool2d(maker: _Maker, name: str) -> None:
    x = maker.image()
    kernel, strides, padding, _, size = _window(maker, x.output.shape, dilate=False)
    if maker.rng.random() < 0.3:  # global
        kernel, strides, padding, size = (x.output.shape[2], x.output.shape[3]), (1, 1), (0, 0, 0, 0), (1, 1)
    kind = maker.kind((*x.output.shape[:2], *size))
    table = size if maker.rng.random() < 0.4 else (1, 1)
    shift = maker.between(0, maker.multiplier_bits - 1)
    counts = maker.rng.integers(1, kernel[0] * kernel[1], table, np.int64, endpoint=True)
    multiplier = np.minimum(np.round(2.0**shift / counts), 2.0**maker.multiplier_bits - 1).astype(np.int64)
    maker.put(AvgPool2d(name, (x.name,), kind, kernel, multiplier, np.full(table, shift, np.int64),
                        maker.clamp(kind), strides, padding))  # fmt: skip


def _table(maker: _Maker, name: str) -> None:
    narrow = [layer for layer in maker.layers.values() if layer.output.bits <= 8 and len(layer.output.shape) >= 2]
    x = maker.choose(*narrow) if narrow else maker.input(maker.image_shape(), limit=8)
    kind = maker.kind(x.output.shape)
    table = maker.rng.integers(kind.qmin, kind.qmax, 1 << x.output.bits, np.int64, endpoint=True)
    maker.put(Table(name, (x.name,), kind, table, maker.choose("sigmoid", "tanh", "gelu")))


def _requantize(maker: _Maker, name: str) -> None:
    x = maker.any()
    kind = maker.kind(x.output.shape)
    factor = maker.factor(maker.gain(_centred_magnitude(x.output), kind))
    maker.put(Requantize(name, (x.name,), kind, *factor, maker.clamp(kind)))


def _reshape(maker: _Maker, name: str) -> None:
    x = maker.any()
    batch, *rest = x.output.shape
    size = math.prod(rest)
    divisors = [d for d in range(1, size + 1) if size % d == 0]
    first = maker.choose(*divisors)
    shape = maker.choose((batch, size), (batch, first, size // first), (batch, 1, first, size // first))
    maker.put(Reshape(name, (x.name,), maker.moved(x.output, shape)))


def _transpose(maker: _Maker, name: str) -> None:
    x = maker.any()
    permutation = (0, *(int(axis) + 1 for axis in maker.rng.permutation(len(x.output.shape) - 1)))
    shape = tuple(x.output.shape[axis] for axis in permutation)
    maker.put(Transpose(name, (x.name,), maker.moved(x.output, shape), permutation))


def _pad(maker: _Maker, name: str) -> None:
    x = maker.any()
    pads = ((0, 0), *((maker.between(0, 2), maker.between(0, 2)) for _ in x.output.shape[1:]))
    shape = tuple(b + size + a for size, (b, a) in zip(x.output.shape, pads, strict=True))
    value = maker.between(x.output.qmin, x.output.qmax)
    maker.put(Pad(name, (x.name,), maker.moved(x.output, shape), pads, value))


def _slice(maker: _Maker, name: str) -> None:
    x = maker.any()
    begin, step, shape = [0], [1], [x.output.shape[0]]
    for size in x.output.shape[1:]:
        first, stride = maker.between(0, size - 1), maker.choose(1, 1, 2, 3, -1, -2)
        room = (size - 1 - first) // stride if stride > 0 else first // -stride
        begin.append(first)
        step.append(stride)
        shape.append(maker.between(1, room + 1))
    maker.put(Slice(name, (x.name,), maker.moved(x.output, tuple(shape)), tuple(begin), tuple(step)))


def _resize(maker: _Maker, name: str) -> None:
    x = maker.image()
    n, channels, height, width = x.output.shape
    rows, columns = (np.sort(maker.rng.integers(0, size, maker.between(1, 2 * size))) for size in (height, width))
    kind = maker.moved(x.output, (n, channels, len(rows), len(columns)))
    maker.put(Resize(name, (x.name,), kind, rows, columns))


OPERATORS: Mapping[str, Callable[[_Maker, str], None]] = {
    "conv2d": _conv2d,
    "dense": _dense,
    "add": _add,
    "multiply": _multiply,
    "concat": _concat,
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "table": _table,
    "requantize": _requantize,
    "reshape": _reshape,
    "transpose": _transpose,
    "pad": _pad,
    "slice": _slice,
    "resize": _resize,
}
"""Every operator but ``input``: makes one layer of that name."""

assert {*OPERATORS, "input"} == {*SEMANTICS}, "a new layer type needs a random generator"
