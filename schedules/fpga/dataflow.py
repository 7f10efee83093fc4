"""The layers together: overlapping in time (latency of the whole design) and the depth of the streams between."""

from __future__ import annotations

from collections.abc import Mapping

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Input
from gatewright.schedules.fpga.cycles import IoType, Timing
from gatewright.schedules.fpga.kernels import Kernel, beats

__all__ = ["fifo_depths", "latency_cycles"]

_CHAIN_SLACK = 2


def latency_cycles(graph: IntegerGraph, timings: Mapping[str, Timing], io_type: IoType) -> int:
    """Cycles from the first input beat to the last output beat of one image.

    ``io_stream``: every layer is a process. Its first result comes when it has filled; its last result comes when
    it has worked through the image, or, if the layer in front is slower, a tail after the last beat of that layer
    (longest path over both). ``io_parallel``: layers follow each other, the longest path of latencies.
    """
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for layer in graph:
        if isinstance(layer, Input):
            first[layer.name] = 0
            last[layer.name] = beats(layer.output.shape)[0] - 1 if io_type == "io_stream" else 0
            continue
        times = timings[layer.name]
        begin = max(first[name] for name in layer.inputs)
        arrived = max(last[name] for name in layer.inputs)
        if io_type == "io_parallel":
            first[layer.name] = last[layer.name] = arrived + times.latency_cycles
        else:
            first[layer.name] = begin + times.fill_cycles
            last[layer.name] = max(arrived + times.tail_cycles, begin + times.latency_cycles)
    return max(last[name] for name in graph.outputs)


def fifo_depths(graph: IntegerGraph, kernels: Mapping[str, Kernel], io_type: IoType) -> dict[str, int]:
    """Depth in beats of the stream every layer writes, inputs included; 0 where there is no stream.

    A stream read once needs a row of slack at most: its writer waits, nothing else does. A stream read by several
    layers (a skip connection) holds the whole image: then the copy to the long branch never waits for the short
    one, so a join behind them cannot deadlock, whatever the branches do in between.
    """
    if io_type == "io_parallel":
        return {layer.name: 0 for layer in graph}
    depths = {}
    for layer in graph:
        image = beats(layer.output.shape)[0]
        readers = graph.users(layer.name)
        if len(readers) > 1 or (readers and layer.name in graph.outputs):
            depths[layer.name] = image
            continue
        row = max((kernels[r.name].row_pixels for r in readers if r.name in kernels), default=1)
        depths[layer.name] = min(image, max(_CHAIN_SLACK, row))
    return depths
