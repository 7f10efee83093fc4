"""Stages that work token by token: rescales, tables, sums, products, concatenation, and another order."""

from __future__ import annotations

from gatewright.hls.lattice.memories import gather_words, hex_text, pack, table_words
from gatewright.hls.lattice.verilog.constants import constants
from gatewright.hls.lattice.verilog.rescaling import rescale
from gatewright.hls.lattice.verilog.sources import Sources
from gatewright.hls.lattice.verilog.text import clog2, extend, instance, plain, quoted
from gatewright.schedules.stream.hardware import product_style
from gatewright.schedules.stream.memories import memory_of, ring_style
from gatewright.schedules.stream.network import StageNode, concat_lanes
from gatewright.schedules.stream.rescaling import unsigned_bits
from gatewright.schedules.stream.stages import Combine, Concat, Gather, Map, Product, Table

__all__ = ["gather_body", "pipeline_body"]


def gather_body(node: StageNode, sources: Sources) -> list[str]:
    """Inside of a stage that moves tokens of a frame to other places."""
    hardware, channel = node.hardware, node.inputs[0]
    stage = hardware.stage
    assert isinstance(stage, Gather)
    sources.library.add("gw_gather")
    n_in, n_out = (stream.elements // hardware.lanes for stream in (stage.x, stage.output))
    address = clog2(n_in)
    fill = pack([stage.fill] * channel.lanes, channel.bits)
    return [
        "    wire may_start, start, made_valid;",
        f"    wire [{channel.width - 1}:0] made;",
        *constants(node, sources, "addresses", gather_words(hardware), "start"),
        instance(
            "gw_gather", "gather",
            {
                "WIDTH": channel.width, "TOKENS_IN": n_in, "TOKENS_OUT": n_out, "ADDRESS": address,
                "POSITION": clog2(n_out), "FILL": f"{channel.width}'h{fill:x}",
                "BLOCK": ring_style(hardware.fabric, channel.width, 2 << address),
            },
            [
                ("clk", "clk"), ("rst", "rst"), ("in_valid", "in0_valid"), ("in_ready", "in0_ready"),
                ("in_data", "in0_data"), ("token_ready", "may_start"), ("token_start", "start"), ("entry", "addresses"),
                ("out_valid", "made_valid"), ("out_data", "made"),
            ],
        ),
    ]  # fmt: skip


def pipeline_body(node: StageNode, sources: Sources) -> list[str]:
    """Inside of a stage that makes a token of a token of every operand."""
    hardware, out = node.hardware, node.outputs[0]
    stage = hardware.stage
    body = ["    wire may_start, made_valid;", f"    wire [{out.width - 1}:0] made;"]
    if isinstance(stage, Concat):
        body += _interleave(node, stage, sources)
    else:
        valid = " && ".join(f"in{i}_valid" for i in range(len(node.inputs)))
        body.append(f"    wire start = may_start && {valid};")
        body += [f"    assign in{i}_ready = start;" for i in range(len(node.inputs))]
    match stage:
        case Table():
            body += _table(node, stage, sources)
        case Map():
            body += [
                f"    wire [{hardware.lanes * hardware.acc_bits - 1}:0] sum;",
                extend("sum", "in0_data", node.inputs[0], hardware.acc_bits),
                "    wire sum_valid = start;",
                *rescale(node, sources),
            ]
        case Concat():
            body += rescale(node, sources)
        case Combine() | Product():
            body += _operands(node, stage, sources)
            body += rescale(node, sources)
    return body


def _operands(node: StageNode, stage: Combine | Product, sources: Sources) -> list[str]:
    hardware = node.hardware
    lanes, bits = hardware.lanes, operand_bits(stage)
    body = [f"    wire [{lanes * hardware.acc_bits - 1}:0] sum;"]
    for i, channel in enumerate(node.inputs):
        body += [f"    wire [{lanes * bits - 1}:0] x{i};", extend(f"x{i}", f"in{i}_data", channel, bits)]
    front = hardware.latency - (hardware.scaling.latency if hardware.scaling is not None else 0)
    sources.library |= {"gw_delay"}
    body += [
        "    wire sum_valid;",
        instance(
            "gw_delay", "valid", {"WIDTH": 1, "CYCLES": front},
            [("clk", "clk"), ("rst", "rst"), ("in", "start"), ("out", "sum_valid")],
        ),
    ]  # fmt: skip
    if isinstance(stage, Product):
        sources.library.add("gw_product")
        body.append(
            instance(
                "gw_product", "product",
                {
                    "LANES": lanes, "X": bits, "ZERO_A": plain(stage.zero_points[0]),
                    "ZERO_B": plain(stage.zero_points[1]), "ACC": hardware.acc_bits,
                    "STYLE": quoted(product_style(stage, hardware.fabric)),
                },
                [("clk", "clk"), ("a", "x0"), ("b", "x1"), ("out", "sum")],
            )
        )  # fmt: skip
        return body
    sources.library.add("gw_combine")
    terms = hardware.terms
    term_bits = max(bits + term.shift for term in terms) + 1
    operand = pack([term.operand for term in terms], 8)
    shift = pack([term.shift for term in terms], 8)
    negative = pack([int(term.negative) for term in terms], 1)
    body.append(
        instance(
            "gw_combine", "combine",
            {
                "OPERANDS": len(node.inputs), "LANES": lanes, "X": bits, "TERMS": len(terms),
                "LEVELS": (len(terms) - 1).bit_length(), "TERM": term_bits, "ACC": hardware.acc_bits,
                "OPERAND": f"{8 * len(terms)}'h{operand:x}", "SHIFT": f"{8 * len(terms)}'h{shift:x}",
                "NEGATIVE": f"{len(terms)}'h{negative:x}",
            },
            [
                ("clk", "clk"),
                ("in", "{" + ", ".join(f"x{i}" for i in reversed(range(len(node.inputs)))) + "}"),
                ("out", "sum"),
            ],
        )
    )  # fmt: skip
    return body


def operand_bits(stage: Combine | Product) -> int:
    """Signed width that holds every operand."""
    return stage.x.bits + (0 if stage.x.signed else 1)


def _interleave(node: StageNode, stage: Concat, sources: Sources) -> list[str]:
    hardware = node.hardware
    sources.library.add("gw_interleave")
    bits, lanes, count = hardware.acc_bits, hardware.lanes, len(node.inputs)
    bursts = concat_lanes(stage, lanes)
    body = ["    wire start, sum_valid;", f"    wire [{lanes * bits - 1}:0] sum;"]
    for i, channel in enumerate(node.inputs):
        body += [f"    wire [{lanes * bits - 1}:0] x{i};", extend(f"x{i}", f"in{i}_data", channel, bits)]
    order = list(reversed(range(count)))
    body += [
        instance(
            "gw_interleave", "interleave",
            {
                "STREAMS": count, "WIDTH": lanes * bits, "COUNT": unsigned_bits(max(bursts)),
                "INDEX": unsigned_bits(count - 1), "BURST": f"{32 * count}'h{pack(bursts, 32):x}",
            },
            [
                ("clk", "clk"), ("rst", "rst"),
                ("in_valid", "{" + ", ".join(f"in{i}_valid" for i in order) + "}"),
                ("in_ready", "{" + ", ".join(f"in{i}_ready" for i in order) + "}"),
                ("in_data", "{" + ", ".join(f"x{i}" for i in order) + "}"),
                ("out_valid", "sum_valid_offered"), ("out_ready", "may_start"), ("out_data", "sum"),
            ],
        ),
        "    assign start = sum_valid_offered && may_start;",
        "    assign sum_valid = start;",
    ]  # fmt: skip
    body.insert(0, "    wire sum_valid_offered;")
    return body


def _table(node: StageNode, stage: Table, sources: Sources) -> list[str]:
    hardware = node.hardware
    sources.library |= {"gw_table", "gw_delay"}
    memory, file = memory_of(hardware, "table"), f"{node.name}_table.hex"
    sources.memories[file] = hex_text(table_words(hardware), memory, range(memory.width))
    return [
        instance(
            "gw_delay", "valid", {"WIDTH": 1, "CYCLES": 2},
            [("clk", "clk"), ("rst", "rst"), ("in", "start"), ("out", "made_valid")],
        ),
        instance(
            "gw_table", "table_rom",
            {
                "LANES": hardware.lanes, "X": stage.x.bits, "X_SIGNED": int(stage.x.signed), "OUT": memory.width,
                "BLOCK": int(memory.block), "FILE": quoted(file),
            },
            [("clk", "clk"), ("in", "in0_data"), ("out", "made")],
        ),
    ]  # fmt: skip
