"""The rescale of a stage."""

from __future__ import annotations

from gatewright.hls.lattice.memories import rescale_words
from gatewright.hls.lattice.verilog.constants import constants
from gatewright.hls.lattice.verilog.sources import Sources
from gatewright.hls.lattice.verilog.text import instance, quoted, signed
from gatewright.schedules.stream.devices import MULTIPLIER_CYCLES
from gatewright.schedules.stream.network import StageNode

__all__ = ["rescale"]


def rescale(node: StageNode, sources: Sources) -> list[str]:
    """The constants and the instance of gw_rescale between the wires ``sum`` and ``made``."""
    hardware = node.hardware
    scaling = hardware.scaling
    assert scaling is not None
    sources.library.add("gw_rescale")
    parameters: dict[str, int | str] = {
        "LANES": hardware.lanes, "ACC": scaling.acc_bits, "BIAS": scaling.bias_bits, "SUM": scaling.sum_bits,
        "M": scaling.multiplier_bits, "LIMB": scaling.limb, "NA": scaling.limbs_a, "NM": scaling.limbs_m,
        "LEVELS": scaling.levels, "STYLE": quoted(scaling.style), "CYCLES": MULTIPLIER_CYCLES[scaling.style],
        "AMOUNT": scaling.amount_bits,
        "STAGES": scaling.stages, "SHIFT_MIN": scaling.shift_min, "SCALED": scaling.scaled_bits,
        "MODE": quoted(scaling.mode), "ROUND": signed(scaling.round),
        "OUT": hardware.stage.output.bits, "LOW": signed(scaling.low), "HIGH": signed(scaling.high),
        "WRAP": int(scaling.wrap),
    }  # fmt: skip
    return [
        *constants(node, sources, "rescale", rescale_words(hardware), "sum_valid"),
        instance(
            "gw_rescale", "requantize", parameters,
            [
                ("clk", "clk"), ("rst", "rst"), ("in_valid", "sum_valid"), ("in", "sum"), ("constants", "rescale"),
                ("out_valid", "made_valid"), ("out", "made"),
            ],
        ),
    ]  # fmt: skip
