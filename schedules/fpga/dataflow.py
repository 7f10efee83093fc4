"""The layers together: overlapping in time (latency of the whole design) and the depth of the streams between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Input, Layer, Reshape, Transpose
from gatewright.schedules.fpga.costs import fifo
from gatewright.schedules.fpga.cycles import IoType, Timing
from gatewright.schedules.fpga.kernels import Kernel, beats
from gatewright.schedules.fpga.resources import Resources, total

__all__ = ["fifo_depths", "latency_cycles", "overlap", "stream_resources"]

_CHAIN_SLACK = 2
_RENAMES = (Reshape, Transpose)
"""Layers that only number elements anew: their tensor is their operand's stream."""


def overlap(
    layers: Sequence[tuple[str, Sequence[str]]],
    ready: Mapping[str, int],
    timings: Mapping[str, Timing],
    io_type: IoType,
) -> dict[str, int]:
    """When every layer has made its last result, in cycles after the first input beat.

    ``io_stream``: every layer is a process. Its first result comes when it has filled; its last result comes when
    it has worked through the image, or, if the layer in front is slower, a tail after the last beat of that layer
    (longest path over both). ``io_parallel``: layers follow each other, the longest path of latencies.

    Args:
        layers: (name, names it reads), writers first.
        ready: of the inputs: when their last beat is there.
        timings: of the layers.
        io_type: how they are connected.
    """
    first = dict.fromkeys(ready, 0)
    last = dict(ready)
    for name, reads in layers:
        times = timings[name]
        begin, arrived = max(first[r] for r in reads), max(last[r] for r in reads)
        if io_type == "io_parallel":
            first[name] = last[name] = arrived + times.latency_cycles
        else:
            first[name] = begin + times.fill_cycles
            last[name] = max(arrived + times.tail_cycles, begin + times.latency_cycles)
    return last


def latency_cycles(graph: IntegerGraph, timings: Mapping[str, Timing], io_type: IoType) -> int:
    """Cycles from the first input beat to the last output beat of one image."""
    stream = io_type == "io_stream"
    ready = {layer.name: beats(layer.output.shape)[0] - 1 if stream else 0 for layer in graph.inputs}
    layers = [(layer.name, layer.inputs) for layer in graph if not isinstance(layer, Input)]
    last = overlap(layers, ready, timings, io_type)
    return max(last[name] for name in graph.outputs)


def fifo_depths(graph: IntegerGraph, kernels: Mapping[str, Kernel], io_type: IoType) -> dict[str, int]:
    """Depth in beats of the stream every layer writes, inputs included; 0 where there is no stream.

    A stream needs a row of slack at most: its writer waits, nothing else does. Where several layers read one tensor
    (a skip connection) hls4ml copies it, and keeps the whole image in every copy: then the copy to the long branch
    never waits for the short one, so a join behind them cannot deadlock, whatever the branches do in between.
    """
    if io_type == "io_parallel":
        return {layer.name: 0 for layer in graph}
    depths = {}
    for layer in graph:
        image = beats(layer.output.shape)[0]
        rows = [kernels[r.name].row_pixels for r in _readers(graph, layer.name) if r is not None]
        row = max(rows, default=1)
        depths[layer.name] = min(image, max(_CHAIN_SLACK, row))
    return depths


def _readers(graph: IntegerGraph, name: str) -> Iterator[Layer | None]:
    """Every reading of the stream of tensor ``name``, through layers that only rename; None is the design's border."""
    for user in graph.users(name):
        if isinstance(user, _RENAMES):
            yield from _readers(graph, user.name)
        else:
            yield from [user] * user.inputs.count(name)
    for _ in range(graph.outputs.count(name)):
        yield None


def stream_resources(graph: IntegerGraph, layer: Layer, depth: int) -> Resources:
    """The stream ``layer`` writes, and its whole-image copies.

    Args:
        graph: the integer graph.
        layer: the writer.
        depth: of the stream in beats; 0 where there is none (``io_parallel``).
    """
    if not depth or isinstance(layer, _RENAMES):
        return Resources()
    image, channels = beats(layer.output.shape)
    width = channels * layer.output.bits
    parts = [fifo(depth, width)]
    readers = sum(1 for _ in _readers(graph, layer.name))
    if readers > 1:
        parts += [fifo(image, width)] * readers
    return total(parts)
