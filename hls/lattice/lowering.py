"""Integer graph -> stages: every layer becomes one stage, exactly.

Streams carry q itself, not q - z: zero points of inputs go into biases (padding holds z, so the correction
``-z * sum(w)`` is the same for every window), zero points of weights into the weights. Transposes and reshapes are
bookkeeping until a stage insists on an order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import (
    Add,
    AvgPool2d,
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
    Transpose,
)
from gatewright.compiler.integer.layers import Concat as ConcatLayer
from gatewright.compiler.integer.layers import Table as TableLayer
from gatewright.compiler.integer.semantics import Interval, prove, value_ranges
from gatewright.compiler.integer.semantics.linear import centred_weight
from gatewright.hls.layout import canonical_index, canonical_shape, physical_axis
from gatewright.schedules.stream.stages import (
    Combine,
    Concat,
    Design,
    Gather,
    IntArray,
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

__all__ = ["lower"]

_KEYWORDS = """
alias always and assert assign assume automatic before begin bind bins binsof bit break buf bufif0 bufif1 byte case
cell chandle checker class clk clocking cmos config const constraint context continue cover covergroup coverpoint
cross deassign default defparam design disable dist do edge else end endcase endchecker endclass endclocking endconfig
endfunction endgenerate endgroup endinterface endmodule endpackage endprimitive endprogram endproperty endsequence
endspecify endtable endtask enum event eventually expect export extends extern final first_match for force foreach
forever fork forkjoin function generate genvar global highz0 highz1 if iff ifnone ignore_bins illegal_bins implements
implies import incdir include initial inout input inside instance int integer interconnect interface intersect join
join_any join_none large let liblist library local localparam logic longint matches medium modport module nand negedge
nettype network new nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed parameter pmos
posedge primitive priority program property protected pull0 pull1 pulldown pullup pulsestyle_onevent pure rand randc
randcase randsequence rcmos real realtime ref reg release repeat restrict return rnmos rpmos rst rtran rtranif0
rtranif1 s_always s_eventually s_nexttime s_until scalared sequence shortint shortreal showcancelled signed small soft
solve specify specparam static strength string strong strong0 strong1 struct super supply0 supply1 sync_accept_on
table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg
type typedef union unique unique0 unsigned until untyped use uwire var vectored virtual void wait wait_order wand weak
weak0 weak1 while wildcard wire with within wor xnor xor
"""
"""Of SystemVerilog, as which Verilator reads every file, and names the modules use themselves."""

_RESERVED = frozenset(_KEYWORDS.split())
_DERIVED = re.compile(r"_(valid|ready|data|fork|fifo|width|weights|loaded|keep)$|_(to|for)_")
"""What the network appends to the names of stages: no stage's own name may look like that."""


@dataclass(frozen=True)
class _Wire:
    """A tensor on its stream: ``index[p]`` is the logical row-major position of physical element p.

    ``free``: the stream is an input whose order nobody has fixed when the wire was made; p is then the row-major
    position in the input.
    """

    stream: str
    logical: tuple[int, ...]
    index: IntArray
    free: bool = False


def lower(graph: IntegerGraph, name: str = "network") -> Design:
    """The design that computes ``graph``.

    Args:
        graph: a verified integer graph with batch 1.
        name: of the design.
    """
    return _Lowering(graph, name).design()


class _Lowering:
    def __init__(self, graph: IntegerGraph, name: str) -> None:
        self.graph = graph
        self.name = name
        self.ranges = value_ranges(graph)
        self.proofs = prove(graph)
        self.stages: list[Stage] = []
        self.streams: dict[str, Stream] = {}
        self.wires: dict[str, _Wire] = {}
        self.open_inputs: dict[str, IntArray | None] = {}  # stream of an input -> its order, None while free
        self.names: set[str] = set()

    def design(self) -> Design:
        ports = []
        for layer in self.graph:
            if isinstance(layer, Input):
                stream = self.unique(layer.name)
                self.open_inputs[stream] = None
                self.streams[stream] = self.stream(layer, layer.output.shape)
                positions = np.arange(math.prod(layer.output.shape), dtype=np.int64)
                self.wires[layer.name] = _Wire(stream, layer.output.shape, positions, free=True)
                ports.append((layer, stream))
            else:
                self.wires[layer.name] = self.place(layer)
        outputs = []
        for name in self.graph.outputs:
            layer, wire = self.graph[name], self.pinned(self.wires[name])
            outputs.append(Port(name, wire.stream, layer.output.shape, wire.index, layer.output.dtype.name))
        inputs = []
        for layer, stream in ports:
            order = self.open_inputs[stream]
            if order is None:  # nobody reads it
                order = np.arange(math.prod(layer.output.shape), dtype=np.int64)
            inputs.append(Port(layer.name, stream, layer.output.shape, order, layer.output.dtype.name))
        entering = {stream: self.streams[stream] for _, stream in ports}
        return Design(self.name, tuple(inputs), tuple(outputs), entering, tuple(self.stages))

    # -- names, types, orders ------------------------------------------------------------------------------------------

    def unique(self, wanted: str) -> str:
        """A Verilog identifier, unique in the design."""
        name = re.sub(r"_+", "_", re.sub(r"\W", "_", wanted, flags=re.ASCII)).strip("_") or "t"
        if name[0].isdigit() or name in _RESERVED or re.fullmatch(r"[smw]\d+|gw_.*|stage_.*", name):
            name = f"t_{name}"
        if _DERIVED.search(name):
            name = name.replace("_to_", "_2_").replace("_for_", "_4_") + "_t"
        found, count = name, 1
        while found in self.names:
            count += 1
            found = f"{name}_{count}"
        self.names.add(found)
        return found

    def stream(self, layer: Layer, logical: tuple[int, ...], interval: Interval | None = None) -> Stream:
        """Type of the stream of ``layer`` in canonical shape."""
        *pixels, channels = canonical_shape(logical)
        low, high = interval or self.ranges[layer.name]
        return Stream(math.prod(pixels), channels, layer.output.bits, layer.output.signed, low, high)

    def pinned(self, wire: _Wire) -> _Wire:
        """``wire`` in a fixed order: an input that is still free takes the canonical order of this view."""
        if not wire.free:
            return wire
        order = self.open_inputs[wire.stream]
        if order is None:
            # wire.index: input position -> logical position, as long as the input is free
            canonical = canonical_index(wire.logical)
            inverse = np.empty_like(wire.index)
            inverse[wire.index] = np.arange(wire.index.size)
            order = self.open_inputs[wire.stream] = inverse[canonical]
        return replace(wire, index=wire.index[order], free=False)

    def canonical(self, layer: Layer, wire: _Wire) -> _Wire:
        """``wire`` in canonical order (channels last)."""
        wire = self.pinned(wire)
        index = canonical_index(wire.logical)
        return self.gathered(layer, wire, index, wire.logical, index, "order")

    def gathered(
        self, layer: Layer, wire: _Wire, wanted: IntArray, logical: tuple[int, ...], index: IntArray, suffix: str,
        fill: int = 0,
    ) -> _Wire:  # fmt: skip
        """A stream whose element i is the logical element ``wanted[i]`` of ``wire`` (-1: ``fill``)."""
        wire = self.pinned(wire)
        inverse = np.empty_like(wire.index)
        inverse[wire.index] = np.arange(wire.index.size)
        source = np.where(wanted < 0, -1, inverse[np.maximum(wanted, 0)])
        if source.size == wire.index.size and np.array_equal(source, np.arange(source.size)):
            return _Wire(wire.stream, logical, index)
        x = self.streams[wire.stream]
        *pixels, channels = canonical_shape(logical)
        filled = bool((source < 0).any())
        low, high = (min(x.low, fill), max(x.high, fill)) if filled else (x.low, x.high)
        out = Stream(math.prod(pixels), channels, x.bits, x.signed, low, high)
        return self.put(Gather(self.unique(f"{layer.name}_{suffix}"), (wire.stream,), out, layer.name, x, source, fill),
                        logical, index)  # fmt: skip

    def put(self, stage: Stage, logical: tuple[int, ...], index: IntArray) -> _Wire:
        self.stages.append(stage)
        self.streams[stage.name] = stage.output
        return _Wire(stage.name, logical, index)

    def canonical_result(self, stage: Stage, layer: Layer) -> _Wire:
        return self.put(stage, layer.output.shape, canonical_index(layer.output.shape))

    # -- layers --------------------------------------------------------------------------------------------------------

    def place(self, layer: Layer) -> _Wire:
        wires = [self.wires[name] for name in layer.inputs]
        match layer:
            case Conv2d():
                return self.convolution(layer, self.canonical(layer, wires[0]))
            case Dense():
                return self.dense(layer, wires[0])
            case MaxPool2d() | AvgPool2d():
                return self.pool(layer, self.canonical(layer, wires[0]))
            case Add() | Multiply():
                return self.elementwise(layer)
            case Requantize():
                return self.requantize(layer, self.pinned(wires[0]))
            case TableLayer():
                return self.table(layer, self.pinned(wires[0]))
            case ConcatLayer():
                return self.concat(layer, wires)
            case Reshape():
                return replace(wires[0], logical=layer.output.shape)
            case Transpose():
                return self.transpose(layer, wires[0])
            case Pad() | Slice() | Resize():
                return self.movement(layer, wires[0])
        raise TypeError(f"{layer.name}: {layer.op}")

    def linear(self, layer: Conv2d | Dense, wire: _Wire, window: Window, weight: IntArray, groups: int) -> Stage:
        """A Mac over ``window``; ``weight`` is (O, C / groups, KH, KW)."""
        (source,) = self.graph.operands(layer)
        dead = layer.multiplier == 0  # the result is the zero point whatever is summed: nothing is
        weight = np.where(dead.reshape(-1, 1, 1, 1), 0, weight)
        zero = source.output.zero_point
        low, high = self.ranges[layer.inputs[0]].hull(zero)
        positive = np.where(weight > 0, weight, 0).sum(axis=(1, 2, 3))
        negative = np.where(weight < 0, weight, 0).sum(axis=(1, 2, 3))
        bias = np.where(dead, 0, layer.bias.astype(np.int64) - zero * (positive + negative))
        least, most = positive * low + negative * high, positive * high + negative * low
        proof = self.proofs[layer.name].accumulator.hull(0)
        rescale = Rescale(
            bias, np.where(dead, 1, layer.multiplier.astype(np.int64)), np.where(dead, 0, layer.shift.astype(np.int64)),
            layer.output.zero_point, *layer.clamp, int(least.min()), int(most.max()), *proof,
        )  # fmt: skip
        x = self.streams[wire.stream]
        out = self.stream(layer, layer.output.shape)
        return Mac(
            self.unique(layer.name), (wire.stream,), out, layer.name, replace(x, low=low, high=high), window, weight,
            groups, rescale,
        )  # fmt: skip

    def convolution(self, layer: Conv2d, wire: _Wire) -> _Wire:
        _, channels, height, width = wire.logical
        (source,) = self.graph.operands(layer)
        kernel = (layer.weight.shape[2], layer.weight.shape[3])
        window = Window(
            height, width, channels, kernel, layer.strides, layer.dilation, layer.padding, source.output.zero_point
        )
        return self.canonical_result(self.linear(layer, wire, window, centred_weight(layer), layer.groups), layer)

    def dense(self, layer: Dense, wire: _Wire) -> _Wire:
        weight = centred_weight(layer)
        features = wire.logical[-1]
        if math.prod(wire.logical) == features:
            wire = self.pinned(wire)
            weight = weight[:, wire.index]  # any order will do: the weights follow it
            pixels = 1
        else:
            wire = self.canonical(layer, self.as_rows(layer, wire))
            pixels = math.prod(wire.logical) // features
        window = Window(1, pixels, features)
        stage = self.linear(layer, wire, window, weight[:, :, None, None], 1)
        if pixels == 1:
            return self.put(stage, layer.output.shape, np.arange(weight.shape[0], dtype=np.int64))
        index = np.arange(math.prod(layer.output.shape), dtype=np.int64)
        return self.put(replace(stage, output=replace(stage.output, pixels=pixels, channels=weight.shape[0])),
                        layer.output.shape, index)  # fmt: skip

    def as_rows(self, layer: Layer, wire: _Wire) -> _Wire:
        """``wire`` seen as (1, rows, features), whose canonical order is row-major."""
        rows, features = math.prod(wire.logical[:-1]), wire.logical[-1]
        return replace(wire, logical=(1, rows, features))

    def pool(self, layer: MaxPool2d | AvgPool2d, wire: _Wire) -> _Wire:
        _, channels, height, width = wire.logical
        (source,) = self.graph.operands(layer)
        x, out = self.streams[wire.stream], self.stream(layer, layer.output.shape)
        low, high = self.ranges[layer.inputs[0]]
        if isinstance(layer, MaxPool2d):
            pad = source.output.qmin
            window = Window(height, width, channels, layer.kernel, layer.strides, layer.dilation, layer.padding, pad)
            low = min(low, pad) if any(layer.padding) else low
            zeros = np.zeros(1, np.int64)
            rescale = Rescale(zeros, zeros + 1, zeros, 0, *layer.clamp, low, high, low, high)
        else:
            zero, count = source.output.zero_point, layer.kernel[0] * layer.kernel[1]
            window = Window(height, width, channels, layer.kernel, layer.strides, (1, 1), layer.padding, zero)
            low, high = Interval(low, high).hull(zero)
            by_pixel = layer.multiplier.size > 1
            repeats = channels if by_pixel else 1
            bias = np.full(layer.multiplier.size * repeats, -count * zero, np.int64)
            rescale = Rescale(
                bias, np.repeat(layer.multiplier.ravel().astype(np.int64), repeats),
                np.repeat(layer.shift.ravel().astype(np.int64), repeats), layer.output.zero_point, *layer.clamp,
                min(0, low * count), max(0, high * count), *self.proofs[layer.name].accumulator.hull(0),
            )  # fmt: skip
        x = replace(x, low=low, high=high)
        stage = Pool(
            self.unique(layer.name), (wire.stream,), out, layer.name, x, window, isinstance(layer, MaxPool2d), rescale
        )
        return self.canonical_result(stage, layer)

    def aligned(self, layer: Layer) -> list[_Wire]:
        """The operands in one shape and one order; an order they share is kept."""
        logical = layer.output.shape
        wires = [self.pinned(self.wires[name]) for name in layer.inputs]
        first = wires[0]
        if all(w.logical == logical and np.array_equal(w.index, first.index) for w in wires):
            return wires
        index = canonical_index(logical)
        found = []
        for wire in wires:
            positions = np.arange(wire.index.size, dtype=np.int64).reshape(wire.logical)
            wanted = np.broadcast_to(positions, logical).ravel()[index]
            found.append(self.gathered(layer, wire, wanted, logical, index, "broadcast"))
        return found

    def common(self, wires: Sequence[_Wire]) -> Stream:
        """The type that holds all operands."""
        types = [self.streams[wire.stream] for wire in wires]
        signed = any(t.signed for t in types)
        bits = max(t.bits + (1 if signed and not t.signed else 0) for t in types)
        low, high = min(t.low for t in types), max(t.high for t in types)
        return Stream(types[0].pixels, types[0].channels, bits, signed, low, high)

    def elementwise(self, layer: Add | Multiply) -> _Wire:
        wires = self.aligned(layer)
        operands = self.graph.operands(layer)
        ranges = [self.ranges[name] for name in layer.inputs]
        x, out = self.common(wires), self.stream(layer, layer.output.shape)
        name, streams = self.unique(layer.name), tuple(wire.stream for wire in wires)
        value = self.proofs[layer.name].accumulator.hull(0)
        one = np.ones(1, np.int64)
        stage: Stage
        if isinstance(layer, Add):
            weights = [int(m) for m in layer.multiplier]
            bias = -sum(o.output.zero_point * m for o, m in zip(operands, weights, strict=True))
            low = sum(min(r.low * m, r.high * m) for r, m in zip(ranges, weights, strict=True))
            high = sum(max(r.low * m, r.high * m) for r, m in zip(ranges, weights, strict=True))
            shift = int(layer.shift)
            while shift > 0 and all(m % 2 == 0 for m in weights):
                weights, shift, bias, low, high = [m // 2 for m in weights], shift - 1, bias // 2, low // 2, high // 2
                value = Interval(value.low // 2, -(-value.high // 2))
            rescale = Rescale(
                one * bias, one, one * shift, layer.output.zero_point, *layer.clamp, min(low, 0), max(high, 0), *value
            )
            stage = Combine(name, streams, out, layer.name, x, tuple(weights), rescale)
        else:
            rescale = Rescale(
                one * 0, one * int(layer.multiplier), one * int(layer.shift), layer.output.zero_point, *layer.clamp,
                *value, *value,
            )  # fmt: skip
            zero_a, zero_b = (operand.output.zero_point for operand in operands)
            stage = Product(name, streams, out, layer.name, x, (zero_a, zero_b), rescale)
        return self.put(stage, layer.output.shape, wires[0].index)

    def requantize(self, layer: Requantize, wire: _Wire) -> _Wire:
        (source,) = self.graph.operands(layer)
        zero, one = source.output.zero_point, np.ones(1, np.int64)
        low, high = self.ranges[layer.inputs[0]]
        rescale = Rescale(
            one * -zero, one * int(layer.multiplier), one * int(layer.shift), layer.output.zero_point, *layer.clamp,
            low, high, *self.proofs[layer.name].accumulator.hull(0),
        )  # fmt: skip
        out = self.stream(layer, layer.output.shape)
        x = self.streams[wire.stream]
        return self.put(Map(self.unique(layer.name), (wire.stream,), out, layer.name, x, rescale),
                        layer.output.shape, wire.index)  # fmt: skip

    def table(self, layer: TableLayer, wire: _Wire) -> _Wire:
        x, out = self.streams[wire.stream], self.stream(layer, layer.output.shape)
        table = layer.table.astype(np.int64)
        return self.put(Table(self.unique(layer.name), (wire.stream,), out, layer.name, x, table),
                        layer.output.shape, wire.index)  # fmt: skip

    def concat(self, layer: ConcatLayer, wires: Sequence[_Wire]) -> _Wire:
        placed = [self.canonical(layer, wire) for wire in wires]
        axis = physical_axis(layer.output.shape, layer.axis)
        shapes = [canonical_shape(wire.logical) for wire in placed]
        blocks = tuple(math.prod(shape[axis:]) for shape in shapes)
        operands = self.graph.operands(layer)
        zeros = [operand.output.zero_point for operand in operands]
        low = min(self.ranges[name].low for name in layer.inputs)
        high = max(self.ranges[name].high for name in layer.inputs)
        rescale = Rescale(
            np.repeat(-np.array(zeros, np.int64), blocks), np.repeat(layer.multiplier.astype(np.int64), blocks),
            np.repeat(layer.shift.astype(np.int64), blocks), layer.output.zero_point, *layer.clamp, low, high,
            *self.proofs[layer.name].accumulator.hull(0),
        )  # fmt: skip
        out = self.stream(layer, layer.output.shape)
        streams = tuple(wire.stream for wire in placed)
        stage = Concat(self.unique(layer.name), streams, out, layer.name, self.common(placed), blocks, rescale)
        return self.canonical_result(stage, layer)

    def transpose(self, layer: Transpose, wire: _Wire) -> _Wire:
        moved = np.arange(math.prod(wire.logical), dtype=np.int64).reshape(wire.logical).transpose(layer.permutation)
        new_of_old = np.empty(moved.size, np.int64)
        new_of_old[moved.ravel()] = np.arange(moved.size)
        return _Wire(wire.stream, layer.output.shape, new_of_old[wire.index], wire.free)

    def movement(self, layer: Pad | Slice | Resize, wire: _Wire) -> _Wire:
        positions = np.arange(math.prod(wire.logical), dtype=np.int64).reshape(wire.logical)
        fill = 0
        if isinstance(layer, Pad):
            moved, fill = np.pad(positions, layer.pads, constant_values=-1), layer.value
        elif isinstance(layer, Slice):
            moved = positions
            for axis, (begin, step) in enumerate(zip(layer.begin, layer.step, strict=True)):
                moved = np.take(moved, begin + step * np.arange(layer.output.shape[axis]), axis)
        else:
            moved = positions[:, :, layer.rows.astype(np.int64)][:, :, :, layer.columns.astype(np.int64)]
        index = canonical_index(layer.output.shape)
        return self.gathered(layer, self.pinned(wire), moved.ravel()[index], layer.output.shape, index, layer.op, fill)
