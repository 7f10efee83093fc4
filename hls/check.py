"""What keeps an integer graph off the HLS targets: every finding at once, without importing hls4ml."""

from __future__ import annotations

from collections import Counter

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import LAYER_TYPES, Add, Input

__all__ = ["MAX_READERS", "PLACED", "check_graph"]

MAX_READERS = 7
"""hls4ml clones a stream at most this often (``vivado:clone_output``)."""

PLACED: dict[str, str] = {
    "conv2d": "groups other than depthwise become a block-diagonal kernel, dilation a kernel with zeros",
    "dense": "",
    "add": "",
    "multiply": "",
    "concat": "",
    "max_pool2d": "",
    "avg_pool2d": "",
    "table": "",
    "requantize": "",
    "reshape": "",
    "transpose": "free where the reader can take the order, else the tensor is stored once",
    "pad": "",
    "slice": "",
    "resize": "nearest neighbour",
    "input": "",
}
"""Operators the lowering places, with a note."""


def check_graph(graph: IntegerGraph, io_type: str = "io_stream", backend: str = "Vitis") -> list[tuple[str, str, str]]:
    """Every layer that cannot be placed.

    Returns:
        (layer, reason, suggestion), in the order of the graph; empty when everything can be placed.
    """
    findings = []
    readers = Counter(name for layer in graph for name in layer.inputs)
    for name in graph.outputs:
        readers[name] += 1
    for layer in graph:
        if isinstance(layer, Add) and len(layer.inputs) == 1:
            readers[layer.inputs[0]] += 1
        if layer.op not in PLACED or layer.op not in LAYER_TYPES:
            findings.append((layer.name, f"no HLS form of the operator {layer.op}", "keep it in the float tail"))
        if isinstance(layer, Input) and len(layer.output.shape) > 1 and layer.output.shape[0] != 1:
            findings.append(
                (
                    layer.name,
                    f"the batch is {layer.output.shape[0]}; a design computes one sample at a time",
                    f"give --input-shape {layer.name}:[1,...]",
                )
            )
        if io_type == "io_stream" and readers[layer.name] > MAX_READERS:
            findings.append(
                (
                    layer.name,
                    f"{readers[layer.name]} layers read it; hls4ml copies a stream at most {MAX_READERS} times",
                    "insert an identity between groups of readers, or choose io_parallel",
                )
            )
    if backend == "VivadoAccelerator" and (len(graph.inputs) != 1 or len(graph.outputs) != 1):
        findings.append(
            (
                graph.inputs[0].name if graph.inputs else "inputs",
                f"the board wrapper has one input and one output, the graph {len(graph.inputs)} and {len(graph.outputs)}",
                "choose the part instead of the board (backend Vitis or Vivado)",
            )
        )
    return findings
