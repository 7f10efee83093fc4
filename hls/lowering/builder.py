"""The list of hls4ml layers under construction."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Layer
from gatewright.compiler.integer.semantics import Interval, prove, value_ranges
from gatewright.compiler.integer.tensor import IntArray
from gatewright.hls.exact import exact_type
from gatewright.hls.layout import Positions, Wire, canonical_index, canonical_shape

__all__ = ["MAX_READERS", "Builder", "Tables", "binary_point", "product_type", "requantization"]

_RESERVED = frozenset(
    re.findall(
        r"\w+",
        """
        alignas alignof and asm auto bool break case catch char class const constexpr continue decltype default delete
        do double else enum explicit export extern false float for friend goto if inline input int long mutable
        namespace new not nullptr operator or private protected public register return short signed sizeof static
        struct switch template this throw true try typedef typeid typename union unsigned using virtual void volatile
        while xor
        """,
    )
)
"""C++ keywords, and ``input``, which hls4ml reserves."""

_SUFFIXES = "weight|bias|accum|multiplier|shift|source|entries|index|out|result|t"
"""What types and variables of a layer add to its name: no layer name may end so."""

MAX_READERS = 7
"""hls4ml clones a stream at most this often (``vivado:clone_output``)."""


def binary_point(scale: float) -> int:
    """The fraction f of a power-of-two scale 2**-f."""
    mantissa, exponent = math.frexp(scale)
    if mantissa != 0.5:
        raise ValueError(f"{scale} is no power of two")
    return 1 - exponent


def _reduced(multiplier: IntArray, shift: IntArray) -> tuple[IntArray, IntArray]:
    """M and n without their common power of two: ``(acc * M + half) >> n`` is the same integer, in fewer bits.

    Exact also at n = 0: ``(acc * 2^n + 2^(n-1)) >> n == acc``. Power-of-two multipliers (profile ``fixed``, average
    pools of 2^k elements) become 1, a plain shift.
    """
    zeros = np.where(multiplier == 0, shift, np.log2(np.maximum(multiplier & -multiplier, 1)).astype(np.int64))
    common = np.minimum(zeros, shift)
    return multiplier >> common, shift - common


def product_type(magnitude: int, shift: int, clamp: Interval) -> str:
    """Type of ``acc * M + half`` with |...| <= magnitude; the bounds of the clamp and 2 * half (the kernel makes half
    from 1 << shift) fit too."""
    return exact_type(Interval(-magnitude - 1, max(magnitude, 1 << shift)).hull(*clamp))


Tables = dict[str, tuple[IntArray, int, bool]]


def requantization(
    acc: Interval, clamp: Interval, multiplier: IntArray, shift: IntArray, magnitude: int
) -> tuple[dict[str, int | bool | str], dict[str, str], Tables]:
    """Constants, typedefs and tables of a kernel that requantizes, with parameters by channel or pixel.

    Args:
        acc: range of the accumulator.
        clamp: bounds relative to the zero point of the result.
        multiplier: M.
        shift: n.
        magnitude: proven bound of ``|acc * M| + half``.
    """
    m_all, n_all = _reduced(multiplier.ravel().astype(np.int64), shift.ravel().astype(np.int64))
    greatest, shifts = int(m_all.max()), int(n_all.max())
    bound = min(magnitude, acc.magnitude * greatest + ((1 << shifts) >> 1))
    return (
        {"low": clamp.low, "high": clamp.high, "offset": 0},
        {"product_t": product_type(bound, shifts, clamp)},
        {
            "multiplier": (m_all, max(1, greatest.bit_length()), False),
            "shift": (n_all, max(1, shifts.bit_length()), False),
        },
    )


def _formula(zero_point: int, multiplier: int, shift: int, clamp: Interval, offset: int) -> str:
    """What a rescale computes, without the parts that do nothing."""
    text = f"(x - {zero_point})" if zero_point else "x"
    text = f"({text} * {multiplier} + half) >> {shift}" if shift else f"{text} * {multiplier}"
    text = text.removesuffix(" * 1")
    return f"clamp({text}, {clamp.low}, {clamp.high})" + (f" + {offset}" if offset else "")


class Builder:
    """Collects hls4ml layers, their configuration and the wire of every tensor of the integer graph.

    Args:
        graph: the integer graph.
        rows: the plan's rows by layer name (``strategy``, ``reuse_factor``).
        io_type: ``io_parallel`` or ``io_stream``.
    """

    def __init__(self, graph: IntegerGraph, rows: Mapping[str, Mapping[str, Any]], io_type: str) -> None:
        self.graph = graph
        self.rows = rows
        self.stream = io_type == "io_stream"
        self.ranges = value_ranges(graph)
        self.proofs = prove(graph)
        self.wires: dict[str, Wire] = {}
        self.layers: list[dict[str, Any]] = []
        self.config: dict[str, dict[str, Any]] = {}
        self.origin: dict[str, str] = {}
        self.comments: dict[str, str] = {}
        self.shallow: set[str] = set()
        self._names: set[str] = set()
        self._readers: Counter[str] = Counter()
        self._copies: dict[str, Wire] = {}
        self._reshaped: dict[str, tuple[int, ...]] = {}

    # -- names and types ---------------------------------------------------------------------------------------------

    def name(self, wanted: str) -> str:
        """A C identifier, unique without regard to case (hls4ml looks layers up in lower case)."""
        name = re.sub(r"_+", "_", re.sub(r"\W", "_", wanted, flags=re.ASCII)).strip("_") or "t"
        if name[0].isdigit() or name.lower() in _RESERVED:
            name = f"t_{name}"
        if re.search(rf"_({_SUFFIXES})$", name, re.IGNORECASE):
            name += "_layer"
        unique, count = name, 1
        while unique.lower() in self._names:
            count += 1
            unique = f"{name}_{count}"
        self._names.add(unique.lower())
        return unique

    def fraction(self, layer: Layer) -> int | None:
        """Binary point of the tensor ``layer`` makes; None in profile ``scaled``."""
        return binary_point(layer.output.scale) if self.graph.profile == "fixed" else None

    def interval(self, layer: Layer) -> Interval:
        """Range of the centred integers of the tensor ``layer`` makes."""
        return self.ranges[layer.name].shifted(-layer.output.zero_point)

    def reuse(self, layer: str, limit: int) -> int:
        """Reuse factor of an element-wise kernel: no more than there are elements in a beat."""
        return max(1, min(int(self.rows.get(layer, {}).get("reuse_factor", 1)), limit))

    # -- emission ----------------------------------------------------------------------------------------------------

    def add(
        self,
        layer: Layer,
        suffix: str,
        class_name: str,
        inputs: Sequence[Wire],
        out: Wire,
        precision: Mapping[str, str],
        attributes: Mapping[str, Any],
        comment: str,
        strategy: str = "Latency",
        reuse_factor: int = 1,
    ) -> Wire:
        """Append one hls4ml layer; ``out.name`` is ignored and chosen here."""
        inputs = [self.tap(layer, wire) for wire in inputs]
        name = self.name(layer.name + suffix)
        self.layers.append(
            {
                "class_name": class_name,
                "name": name,
                **({"inputs": [wire.name for wire in inputs]} if inputs else {}),
                **attributes,
            }
        )
        self.config[name] = {
            "Precision": {"result": exact_type(out.interval, out.fraction), **precision},
            "ReuseFactor": reuse_factor,
            "Strategy": strategy,
        }
        self.origin[name] = layer.name
        self.comments[name] = comment
        return replace(out, name=name)

    def tap(self, layer: Layer, wire: Wire) -> Wire:
        """``wire`` for one more reader: the last copy hls4ml can make of a stream feeds all further readers."""
        if not self.stream:
            return wire
        while wire.name in self._copies:
            wire = replace(wire, name=self._copies[wire.name].name)
        self._readers[wire.name] += 1
        if self._readers[wire.name] == MAX_READERS:
            # This reader is not the copy's maker: its slot goes to the copy, and it reads the copy.
            self._readers[wire.name] = MAX_READERS + 1
            copy = self.recast(layer, "_copy", wire, wire.interval)
            self._copies[wire.name] = copy
            return self.tap(layer, replace(wire, name=copy.name))
        return wire

    def custom(
        self,
        layer: Layer,
        suffix: str,
        class_name: str,
        inputs: Sequence[Wire],
        out: Wire,
        comment: str,
        constants: Mapping[str, int | bool | str],
        typedefs: Mapping[str, str] | None = None,
        tables: Tables | None = None,
        reuse_factor: int = 1,
    ) -> Wire:
        """Append one of our layers."""
        return self.add(
            layer, suffix, class_name, inputs, out, {},
            {
                "out_shape": list(out.shape),
                "constants": dict(constants),
                "typedefs": dict(typedefs or {}),
                "tables": dict(tables or {}),
            },
            comment,
            reuse_factor=reuse_factor,
        )  # fmt: skip

    # -- requantization ----------------------------------------------------------------------------------------------

    def requantize(
        self, layer: Layer, suffix: str, x: Wire, clamp: Interval, multiplier: IntArray, shift: IntArray, index: str,
        magnitude: int,
    ) -> Wire:  # fmt: skip
        """``clamp((x * M + half) >> n)``: the result of ``layer``.

        Args:
            layer: the layer whose result it is.
            suffix: of the name.
            x: the accumulator.
            clamp: bounds relative to the zero point of the result.
            multiplier: M, flat, one a channel or pixel; a single one becomes a constant.
            shift: n, likewise.
            index: ``channel`` or ``pixel``.
            magnitude: proven bound of ``|acc * M| + half``.
        """
        out = replace(x, fraction=self.fraction(layer), logical=layer.output.shape)
        if multiplier.size == 1:
            m, n = int(multiplier.flat[0]), int(shift.flat[0])
            return self.rescale(layer, suffix, x, out, clamp, m, n, magnitude)
        constants, typedefs, tables = requantization(x.interval, clamp, multiplier, shift, magnitude)
        return self.custom(
            layer, suffix, "GatewrightRequantize", [x], replace(out, interval=clamp),
            f"clamp((x * M + half) >> n, {clamp.low}, {clamp.high})",
            {
                "n_pixels": x.beats, "n_chan": x.channels, "n_parameters": multiplier.size, "index": f"Index::{index}",
                **constants,
            },
            typedefs, tables, reuse_factor=self.reuse(layer.name, x.channels),
        )  # fmt: skip

    def rescale(
        self, layer: Layer, suffix: str, x: Wire, out: Wire, clamp: Interval, multiplier: int, shift: int,
        magnitude: int, zero_point: int = 0, offset: int = 0,
    ) -> Wire:  # fmt: skip
        """``clamp(((x - zero_point) * M + half) >> n) + offset``, M and n constants.

        ``offset`` is the zero point of the result where it leaves the design as q.
        """
        reduced = _reduced(np.array([multiplier]), np.array([shift]))
        m, n = int(reduced[0][0]), int(reduced[1][0])
        centred = x.interval.shifted(-zero_point)
        bound = min(magnitude, centred.magnitude * m + ((1 << n) >> 1))
        return self.custom(
            layer, suffix, "GatewrightRescale", [x], replace(out, interval=clamp.shifted(offset)),
            _formula(zero_point, m, n, clamp, offset),
            {
                "n_pixels": x.beats, "n_chan": x.channels, "multiplier": m, "shift": n, "zero_point": zero_point,
                "low": clamp.low, "high": clamp.high, "offset": offset,
            },
            {
                "centred_t": exact_type(centred.hull(-1)),
                "multiplier_t": exact_type(Interval(0, m)),
                "product_t": product_type(bound, n, clamp),
            },
            reuse_factor=self.reuse(layer.name, x.channels),
        )  # fmt: skip

    def recast(self, layer: Layer, suffix: str, x: Wire, clamp: Interval, zero_point: int = 0, offset: int = 0) -> Wire:
        """``clamp(x - zero_point) + offset`` without scaling."""
        return self.rescale(
            layer, suffix, x, x, clamp, 1, 0, x.interval.shifted(-zero_point).magnitude, zero_point, offset
        )

    def _maker(self, name: str) -> dict[str, Any]:
        return next(layer for layer in self.layers if layer["name"] == name)

    def leaves_as_q(self, wire: Wire, zero_point: int) -> bool:
        """Have the kernel that makes ``wire`` add the zero point itself, if it can and nothing else reads it."""
        maker = self._maker(wire.name)
        constants = maker.get("constants", {})
        if "offset" not in constants or any(wire.name in layer.get("inputs", ()) for layer in self.layers):
            return False
        constants["offset"] = zero_point
        self.config[wire.name]["Precision"]["result"] = exact_type(wire.interval.shifted(zero_point), wire.fraction)
        self.comments[wire.name] += f" + {zero_point}"
        return True

    # -- layout ------------------------------------------------------------------------------------------------------

    def gather(
        self,
        layer: Layer,
        suffix: str,
        x: Wire,
        shape: tuple[int, ...],
        wanted: Positions,
        index: Positions,
        logical: tuple[int, ...],
        fill: int = 0,
    ) -> Wire:
        """A tensor whose physical element i is the logical element ``wanted[i]`` of ``x`` (-1: ``fill``).

        Nothing is emitted where the elements already lie so.
        """
        inverse = np.empty_like(x.index)
        inverse[x.index] = np.arange(x.index.size)
        source = np.where(wanted < 0, -1, inverse[np.maximum(wanted, 0)])
        interval = x.interval.hull(fill) if (source < 0).any() else x.interval
        out = Wire(x.name, shape, index, logical, interval, x.fraction)
        if source.size == x.index.size and np.array_equal(source, np.arange(source.size)):
            return out if shape == x.shape else self._repack(layer, suffix, x, out)
        access, table = self._access(x, out, source)
        width = int(table.max(initial=0)).bit_length() + 1
        return self.custom(
            layer, suffix, "GatewrightGather", [x], out,
            f"{x.shape} -> {shape}, {access}",
            {
                "in_beats": x.beats, "in_chan": x.channels, "out_beats": out.beats, "out_chan": out.channels,
                "n_source": table.size, "access": f"Access::{access}", "fill": fill,
            },
            tables={"source": (table, width, True)},
        )  # fmt: skip

    def _access(self, x: Wire, out: Wire, source: Positions) -> tuple[str, Positions]:
        """How the kernel reads: beat by beat in order, beat by beat, or element by element."""
        if self.stream and x.channels == out.channels:
            beats = source.reshape(-1, x.channels)
            first = beats[:, 0]
            whole = np.where(first[:, None] < 0, -1, first[:, None] + np.arange(x.channels))
            if np.array_equal(beats, whole) and not (first[first >= 0] % x.channels).any():
                table = np.where(first < 0, -1, first // x.channels)
                seen = table[table >= 0]
                return ("in_order" if (np.diff(seen) >= 0).all() else "beats"), table
        return "elements", source

    def _repack(self, layer: Layer, suffix: str, x: Wire, out: Wire) -> Wire:
        maker = self._maker(x.name)
        same_beats = not self.stream or (x.channels == out.channels and x.beats == out.beats)
        if same_beats and "out_shape" in maker and self._reshaped.setdefault(x.name, out.shape) == out.shape:
            # Only hls4ml's bookkeeping differs, and one of our kernels makes the tensor: declare it so. Once: a second
            # reader may want another shape.
            maker["out_shape"] = list(out.shape)
            return out
        return self.custom(
            layer, suffix, "GatewrightRepack", [x], out, f"{x.shape} -> {out.shape}", {"n_elements": x.index.size}
        )

    def canonical(self, layer: Layer, x: Wire) -> Wire:
        """``x`` in canonical order (channels last) for ``layer``."""
        shape, index = canonical_shape(x.logical), canonical_index(x.logical)
        return self.gather(layer, "_order", x, shape, index, index, x.logical)

    def broadcast(self, layer: Layer, x: Wire, logical: tuple[int, ...]) -> Wire:
        """``x`` repeated to ``logical`` (NumPy rules), in canonical order."""
        positions = np.arange(x.index.size, dtype=np.int64).reshape(x.logical)
        index = canonical_index(logical)
        wanted = np.broadcast_to(positions, logical).ravel()[index]
        return self.gather(layer, "_broadcast", x, canonical_shape(logical), wanted, index, logical)

    def aligned(self, layer: Layer) -> list[Wire]:
        """The operands of ``layer`` in one shape and one order; the order they share is kept."""
        logical = layer.output.shape
        wires = [self.wires[name] for name in layer.inputs]
        first = wires[0]
        if all(w.logical == logical and w.shape == first.shape and np.array_equal(w.index, first.index) for w in wires):
            return wires
        return [self.broadcast(layer, wire, logical) for wire in wires]
