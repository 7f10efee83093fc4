"""Stages that read windows: convolutions, matrix products, pools."""

from __future__ import annotations

from collections.abc import Sequence

from gatewright.hls.lattice.memories import pack, weight_words
from gatewright.hls.lattice.verilog.constants import constants
from gatewright.hls.lattice.verilog.rescaling import rescale
from gatewright.hls.lattice.verilog.sources import Sources
from gatewright.hls.lattice.verilog.text import Parameters, instance, quoted
from gatewright.schedules.stream.devices import MULTIPLIER_CYCLES
from gatewright.schedules.stream.hardware import READ_TO_WORD, Hardware, Loops, array_style
from gatewright.schedules.stream.memories import ring_style
from gatewright.schedules.stream.network import Channel, StageNode
from gatewright.schedules.stream.rescaling import unsigned_bits
from gatewright.schedules.stream.stages import Mac, Pool

__all__ = ["window_body", "window_parameters"]


def window_body(node: StageNode, sources: Sources) -> list[str]:
    """Inside of a stage that reads windows: ring and reader, arithmetic, rescale."""
    hardware, channel = node.hardware, node.inputs[0]
    stage, loops, scaling = hardware.stage, hardware.loops, hardware.scaling
    assert isinstance(stage, Mac | Pool) and loops is not None and scaling is not None
    sources.library.add("gw_window")
    return [
        "    wire may_start, start, reading;",
        "    wire read_valid, word_valid, word_first, word_last;",
        f"    wire [{channel.width - 1}:0] word;",
        "    wire sum_valid, made_valid;",
        f"    wire [{hardware.lanes * scaling.acc_bits - 1}:0] sum;",
        f"    wire [{node.outputs[0].width - 1}:0] made;",
        instance(
            "gw_window", "window", window_parameters(stage, loops, hardware, channel),
            [
                ("clk", "clk"), ("rst", "rst"), ("in_valid", "in0_valid"), ("in_ready", "in0_ready"),
                ("in_data", "in0_data"), ("turn_ready", "may_start"), ("turn_start", "start"),
                ("read_ready", "in1_valid" if hardware.fold.outside else "1'b1"), ("reading", "reading"),
                ("read_valid", "read_valid"), ("word_valid", "word_valid"), ("word_first", "word_first"),
                ("word_last", "word_last"), ("word", "word"),
            ],
        ),
        *(_mac(node, stage, sources) if isinstance(stage, Mac) else [_pool(node, stage, sources)]),
        *rescale(node, sources),
    ]  # fmt: skip


def window_parameters(stage: Mac | Pool, loops: Loops, hardware: Hardware, channel: Channel) -> Parameters:
    """Parameters of gw_window."""
    window = stage.window
    rows, columns = window.padded
    address = loops.ring.bit_length() - 1
    mask = loops.ring - 1
    parameters: dict[str, int | str] = {
        "WORD": channel.width,
        "ADDRESS": address,
        "BLOCK": ring_style(hardware.fabric, channel.width, loops.ring),
        "PAD": f"{channel.width}'h{pack([window.pad] * channel.lanes, channel.bits):x}",
        "CW": loops.words,
        "TOP": window.padding[0],
        "LEFT": window.padding[1],
        "HEIGHT": window.height,
        "WIDTH": window.width,
        "PADDED_HEIGHT": rows,
        "PADDED_WIDTH": columns,
        "SPAN_Y": window.span[0],
        "SPAN_X": window.span[1],
        "STRIDE_Y": window.strides[0],
        "STRIDE_X": window.strides[1],
    }
    parameters |= {f"N{i}": count for i, count in enumerate(loops.counts)}
    parameters |= {f"STEP{i}": f"{address}'d{step & mask}" for i, step in enumerate(loops.steps)}
    parameters |= {
        "RELEASE_X": loops.release[0],
        "RELEASE_Y": loops.release[1],
        "RELEASE_FRAME": loops.release[2],
        "SPACE": unsigned_bits(loops.ring + max(loops.release)),
        "WINDOWS": unsigned_bits(loops.ring // loops.words + 1),
    }
    return parameters


def _mac(node: StageNode, stage: Mac, sources: Sources) -> list[str]:
    hardware, scaling = node.hardware, node.hardware.scaling
    assert scaling is not None
    sources.library.add("gw_mac")
    other = "ternary" if stage.ternary else hardware.fabric.soft
    if other == "ccu2c" and hardware.weight_words == 1 and not hardware.fold.outside:
        other = "adds"  # weights are constants
    parameters: dict[str, int | str] = {
        "PE": hardware.fold.pe, "SIMD": hardware.fold.simd, "DEPTHWISE": int(stage.depthwise), "LANES": hardware.lanes,
        "X": stage.x.bits, "X_SIGNED": int(stage.x.signed), "W": stage.weight_bits, "ACC": scaling.acc_bits,
        "LEVELS": (hardware.fold.simd - 1).bit_length(), "DIRECT": hardware.hard_multipliers,
        "PAIRED": int(hardware.products_each == 2),
        "STYLE": quoted(hardware.fabric.style), "OTHER": quoted(other),
        "CYCLES": MULTIPLIER_CYCLES[array_style(stage, hardware.fabric)], "COUNT": unsigned_bits(hardware.burst),
    }  # fmt: skip
    names = ("word_valid", "word_first", "word_last", "word")
    late = [f"late_{name}" for name in names] if hardware.weights_late else list(names)
    return [
        *_weights(node, sources),
        *(_wait_for_weights(node.inputs[0].width, names, late) if hardware.weights_late else []),
        instance(
            "gw_mac", "mac", parameters,
            [
                ("clk", "clk"), ("rst", "rst"), *zip(names, late, strict=True), ("weights", "weights"),
                ("out_valid", "sum_valid"), ("out", "sum"),
            ],
        ),
    ]  # fmt: skip


def _wait_for_weights(width: int, names: Sequence[str], late: Sequence[str]) -> list[str]:
    """What comes with a word, a cycle later."""
    return [
        f"    wire {', '.join(late[:3])};",
        f"    wire [{width - 1}:0] {late[3]};",
        instance(
            "gw_delay", "wait_for_weights", {"WIDTH": width + 3, "CYCLES": 1},
            [
                ("clk", "clk"), ("rst", "rst"), ("in", f"{{{', '.join(names)}}}"), ("out", f"{{{', '.join(late)}}}"),
            ],
        ),
    ]  # fmt: skip


def _weights(node: StageNode, sources: Sources) -> list[str]:
    """The wire ``weights``: from a ROM, or what came with a read three cycles ago."""
    hardware = node.hardware
    if not hardware.fold.outside:
        return constants(node, sources, "weights", weight_words(hardware), "read_valid", hardware.weights_late)
    sources.library.add("gw_delay")
    width = node.inputs[1].width
    return [
        f"    wire [{width - 1}:0] weights;",
        "    assign in1_ready = reading;",
        instance(
            "gw_delay", "wait_for_word", {"WIDTH": width, "CYCLES": READ_TO_WORD},
            [("clk", "clk"), ("rst", "1'b0"), ("in", "in1_data"), ("out", "weights")],
        ),
    ]  # fmt: skip


def _pool(node: StageNode, stage: Pool, sources: Sources) -> str:
    hardware, scaling = node.hardware, node.hardware.scaling
    assert scaling is not None
    sources.library.add("gw_pool")
    return instance(
        "gw_pool", "pool",
        {
            "MAXIMUM": int(stage.maximum), "CHANNELS": hardware.fold.pe, "LANES": hardware.lanes, "X": stage.x.bits,
            "X_SIGNED": int(stage.x.signed), "ACC": scaling.acc_bits, "COUNT": unsigned_bits(hardware.burst),
        },
        [
            ("clk", "clk"), ("rst", "rst"), ("word_valid", "word_valid"), ("word_first", "word_first"),
            ("word_last", "word_last"), ("word", "word"), ("out_valid", "sum_valid"), ("out", "sum"),
        ],
    )  # fmt: skip
