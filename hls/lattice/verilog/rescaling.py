"""The rescale of a stage, and the ROMs every stage may have."""

from __future__ import annotations

from collections.abc import Sequence

from gatewright.hls.lattice.memories import hex_text, rescale_words
from gatewright.hls.lattice.verilog.sources import Sources
from gatewright.hls.lattice.verilog.text import clog2, instance, quoted, signed
from gatewright.schedules.stream.memories import Memory, memory_of
from gatewright.schedules.stream.network import StageNode

__all__ = ["rescale", "rom_of"]


def rescale(node: StageNode, sources: Sources) -> str:
    """The instance of gw_rescale between the wires ``sum`` and ``made``."""
    hardware = node.hardware
    scaling = hardware.scaling
    assert scaling is not None
    sources.library.add("gw_rescale")
    memory, rom = rom_of(node, sources, "rescale", rescale_words(hardware))
    parameters: dict[str, int | str] = {
        "LANES": hardware.lanes, "ACC": scaling.acc_bits, "BIAS": scaling.bias_bits, "SUM": scaling.sum_bits,
        "M": scaling.multiplier_bits, "LIMB": scaling.limb, "NA": scaling.limbs_a, "NM": scaling.limbs_m,
        "LEVELS": scaling.levels, "STYLE": quoted(scaling.style), "AMOUNT": scaling.amount_bits,
        "STAGES": scaling.stages, "SHIFT_MIN": scaling.shift_min, "SCALED": scaling.scaled_bits,
        "MODE": quoted(scaling.mode), "ROUND": signed(scaling.round),
        "OUT": hardware.stage.output.bits, "LOW": signed(scaling.low), "HIGH": signed(scaling.high),
        "WRAP": int(scaling.wrap), "POSITIONS": memory.depth, "ADDRESS": clog2(memory.depth), **rom,
    }  # fmt: skip
    return instance(
        "gw_rescale", "rescale", parameters,
        [
            ("clk", "clk"), ("rst", "rst"), ("in_valid", "sum_valid"), ("in", "sum"), ("out_valid", "made_valid"),
            ("out", "made"),
        ],
    )  # fmt: skip


def rom_of(
    node: StageNode, sources: Sources, part: str, words: Sequence[int], block: str = "BLOCK"
) -> tuple[Memory, dict[str, int | str]]:
    """Writes the contents of a ROM; its memory, and the parameters of its shape."""
    memory = memory_of(node.hardware, part)
    file = f"{node.name}_{part}.hex"
    sources.memories[file] = hex_text(words, memory)
    row = clog2(memory.rows)
    return memory, {
        "ROWS": memory.rows, "COLUMNS": memory.columns, "ROW": row, block: int(memory.block), "FILE": quoted(file)
    }  # fmt: skip
