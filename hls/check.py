"""What keeps an integer graph off the HLS targets: every finding at once, without importing hls4ml."""

from __future__ import annotations

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import LAYER_TYPES, Input

__all__ = ["PLACED", "check_graph"]

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

    Args:
        graph: the integer graph.
        io_type: ``io_parallel`` or ``io_stream``; both place the same layers.
        backend: hls4ml back end.

    Returns:
        (layer, reason, suggestion), in the order of the graph; empty when everything can be placed.
    """
    findings = []
    for layer in graph:
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
    if backend == "VivadoAccelerator" and (len(graph.inputs) != 1 or len(graph.outputs) != 1):
        findings.append(
            (
                graph.inputs[0].name if graph.inputs else "inputs",
                f"the board wrapper has one input and one output, not {len(graph.inputs)} and {len(graph.outputs)}",
                "choose the part instead of the board (backend Vitis or Vivado)",
            )
        )
    return findings
