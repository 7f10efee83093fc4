"""A stage as a module of its own: its pipeline, the credits that start it, the FIFO behind it."""

from __future__ import annotations

from gatewright.hls.lattice.verilog.pipelines import gather_body, pipeline_body
from gatewright.hls.lattice.verilog.sources import Sources
from gatewright.hls.lattice.verilog.text import Parameters, clog2, instance
from gatewright.hls.lattice.verilog.windows import window_body
from gatewright.schedules.stream.devices import Fabric
from gatewright.schedules.stream.hardware import Hardware
from gatewright.schedules.stream.network import StageNode
from gatewright.schedules.stream.rescaling import unsigned_bits
from gatewright.schedules.stream.stages import Gather, Mac, Pool

__all__ = ["fifo_parameters", "stage_module"]


def stage_module(node: StageNode, sources: Sources) -> str:
    """The module of one stage."""
    hardware = node.hardware
    body: list[str] = []
    stage = hardware.stage
    title = _title(hardware)
    match stage:
        case Mac() | Pool():
            body += window_body(node, sources)
        case Gather():
            body += gather_body(node, sources)
        case _:
            body += pipeline_body(node, sources)
    body += _tail(node, sources)
    ports = ["    input  wire clk,", "    input  wire rst,"]
    for i, channel in enumerate(node.inputs):
        ports += [
            f"    input  wire in{i}_valid,",
            f"    output wire in{i}_ready,",
            f"    input  wire [{channel.width - 1}:0] in{i}_data,",
        ]
    out = node.outputs[0]
    ports += [
        "    output wire out_valid,",
        "    input  wire out_ready,",
        f"    output wire [{out.width - 1}:0] out_data",
    ]
    return "\n".join([f"// {title}", f"module stage_{node.name} (", *ports, ");", *body, "endmodule", ""])


def _title(hardware: Hardware) -> str:
    stage = hardware.stage
    out = stage.output
    text = f"{stage.name} (layer {stage.layer}): "
    match stage:
        case Mac():
            o, per_group, kh, kw = stage.weight.shape
            text += f"{o} filters of {per_group} x {kh} x {kw}, {stage.groups} groups; PE {hardware.fold.pe}"
            text += f", SIMD {hardware.fold.simd}"
        case Pool():
            kh, kw = stage.window.kernel
            text += f"{'maximum' if stage.maximum else 'sum'} over {kh} x {kw}; {hardware.fold.pe} channels at once"
        case _:
            text += f"{type(stage).__name__.lower()}, {hardware.lanes} at once"
    kind = f"{'i' if out.signed else 'u'}{out.bits}"
    text += f"; {out.pixels} pixels of {out.channels} {kind}, {hardware.lanes} a token"
    if hardware.loops is not None:
        loops = hardware.loops
        text += f"\n// {loops.turn} reads a turn, {loops.turns} turns a window, {loops.windows} windows a frame"
    return text


def _tail(node: StageNode, sources: Sources) -> list[str]:
    """Credits and the FIFO behind the pipeline."""
    hardware, out = node.hardware, node.outputs[0]
    module = "gw_fifo_block" if hardware.fifo_block else "gw_fifo"
    sources.library |= {"gw_credit", module}
    return [
        "    // A start takes the credits of its tokens; a token that leaves returns one.",
        instance(
            "gw_credit", "credit",
            {"CREDITS": hardware.fifo, "TAKE": hardware.burst, "COUNT": unsigned_bits(hardware.fifo)},
            [
                ("clk", "clk"), ("rst", "rst"), ("start", "start"), ("give", "out_valid && out_ready"),
                ("ready", "may_start"),
            ],
        ),
        instance(
            module, "fifo",
            fifo_parameters(out.width, hardware.fifo, hardware.fifo_block, hardware.fabric),
            [
                ("clk", "clk"), ("rst", "rst"), ("push_valid", "made_valid"), ("push_ready", ""),
                ("push_data", "made"), ("pop_valid", "out_valid"), ("pop_ready", "out_ready"), ("pop_data", "out_data"),
            ],
        ),
    ]  # fmt: skip


def fifo_parameters(width: int, depth: int, block: bool, fabric: Fabric) -> Parameters:
    """Of a gw_fifo_block or gw_fifo."""
    parameters = {"WIDTH": width, "DEPTH": depth, "ADDRESS": clog2(depth)}
    return parameters if block else {**parameters, "REGISTERS": int(not fabric.distributed)}
