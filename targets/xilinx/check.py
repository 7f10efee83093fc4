"""Findings: layers the family cannot place, sizes the HLS tools refuse, devices whose resources are unknown."""

from __future__ import annotations

import math

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.hls.check import check_graph as check_lowering
from gatewright.schedules.fpga.choices import illegal
from gatewright.schedules.fpga.cycles import IoType
from gatewright.schedules.fpga.kernels import beats, kernels
from gatewright.schedules.fpga.limits import PARTITION_LIMIT, STREAM_BITS_LIMIT
from gatewright.targets.base import Finding
from gatewright.targets.xilinx.database import Site
from gatewright.targets.xilinx.sites import assumed_device

__all__ = ["check_graph", "choose_io_type"]


def choose_io_type(graph: IntegerGraph) -> IoType:
    """Arrays (``io_parallel``) where every tensor is a vector short enough to be registers, streams otherwise."""
    vectors = all(len(layer.output.shape) <= 2 and math.prod(layer.output.shape) <= PARTITION_LIMIT for layer in graph)
    return "io_parallel" if vectors else "io_stream"


def check_graph(graph: IntegerGraph, site: Site) -> list[Finding]:
    """All findings for ``graph`` on ``site``."""
    io_type = choose_io_type(graph)
    findings = _lowering(graph, io_type)
    for kernel in kernels(graph):
        reason = illegal(kernel)
        if reason is not None:
            findings.append(
                Finding(
                    "error", "GW4201", kernel.layer, reason,
                    ("split the layer, or use the cpu target for this model",),
                )
            )  # fmt: skip
    if io_type == "io_stream":
        findings += _borders(graph)
    if site.device is None:
        name = assumed_device(site).name
        findings.append(
            Finding(
                "warning", "GW4204", site.part,
                f"gatewright has no resource counts of this part; folding assumes those of {name}",
                ("compare the estimate with the part's data sheet", "set xilinx.reuse_factor yourself"),
            )
        )  # fmt: skip
    return findings


def _lowering(graph: IntegerGraph, io_type: IoType) -> list[Finding]:
    """What the HLS side says, without importing hls4ml."""
    found = check_lowering(graph, io_type)
    return [Finding("error", "GW4207", layer, reason, (suggestion,)) for layer, reason, suggestion in found]


def _borders(graph: IntegerGraph) -> list[Finding]:
    """Streams that enter or leave the design wider than an AXI4-Stream may be."""
    findings = []
    for layer in (*graph.inputs, *(graph[name] for name in graph.outputs)):
        bits = beats(layer.output.shape)[1] * layer.output.bits
        if bits > STREAM_BITS_LIMIT:
            findings.append(
                Finding(
                    "warning", "GW4205", layer.name,
                    f"one beat of the stream at the design's border is {bits} bits; Vitis HLS makes at most "
                    f"{STREAM_BITS_LIMIT}",
                    ("quantize to fewer bits", "set xilinx.io_type=io_parallel if the design is small enough"),
                )
            )  # fmt: skip
    return findings
