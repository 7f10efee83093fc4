"""Resources of a network: exact for multipliers and block memories, estimated for LUTs and flip-flops."""

from __future__ import annotations

from dataclasses import dataclass

from gatewright.schedules.stream.hardware import Hardware
from gatewright.schedules.stream.memories import memories_of
from gatewright.schedules.stream.network import ForkNode, Network, WidthNode
from gatewright.schedules.stream.stages import Combine, Mac, Pool

__all__ = ["RESOURCES", "Resources", "network_resources", "stage_resources"]

RESOURCES = ("lut", "ff", "dsp", "ebr")


@dataclass(frozen=True)
class Resources:
    """Counts: 4-input LUTs (carry cells included), flip-flops, hard multipliers, block memories."""

    lut: int = 0
    ff: int = 0
    dsp: int = 0
    ebr: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(self.lut + other.lut, self.ff + other.ff, self.dsp + other.dsp, self.ebr + other.ebr)

    def fits(self, available: Resources) -> bool:
        """Whether nothing is more than there is."""
        return all(getattr(self, name) <= getattr(available, name) for name in RESOURCES)


def memory_blocks(made: Hardware) -> int:
    """Block memories of a stage."""
    return sum(memory.blocks for memory in memories_of(made) if memory.block)


def stage_resources(made: Hardware) -> Resources:
    """Of one stage."""
    return Resources(round(_lut(made)), round(_ff(made)), made.dsp, memory_blocks(made))


def network_resources(network: Network) -> Resources:
    """Of all stages, forks and adapters."""
    total = Resources()
    for node in network.stages:
        total += stage_resources(node.hardware)
    for node in network.nodes:
        if isinstance(node, ForkNode):
            for depth, block in zip(node.depths, node.blocks, strict=True):
                width = node.inputs[0].width
                if block:
                    total += Resources(60, 25, 0, network.fabric.blocks(width, 1 << (depth - 1).bit_length()))
                else:
                    total += Resources(20 + width * -(-depth // 16), 10 + (0 if network.fabric.distributed else width * depth))
        if isinstance(node, WidthNode):
            width = max(node.inputs[0].width, node.outputs[0].width)
            total += Resources(10 + width, 8 + (width if node.inputs[0].width < node.outputs[0].width else 0))
    return total


def _lut(made: Hardware) -> float:
    stage, total = made.stage, 60.0 + 3.0 * made.lanes * made.stage.output.bits
    if made.loops is not None:
        total += 170
    if made.scaling is not None:
        total += made.lanes * (40 + 2.5 * made.scaling.sum_bits * (1 + made.scaling.stages) + 2 * made.scaling.entry_bits)
        if made.scaling.multiplier_bits and not made.fabric.multiplier:
            total += made.lanes * made.scaling.sum_bits * made.scaling.multiplier_bits
    if isinstance(stage, Mac) and made.scaling is not None:
        soft = made.multipliers - made.hard_multipliers
        per = 12.0 if stage.ternary else 1.45 * stage.x.bits * stage.weight_bits
        total += soft * per
        total += made.fold.pe * made.scaling.acc_bits + (made.multipliers - made.fold.pe) * (stage.x.bits + stage.weight_bits + 2)
        total += made.fold.pe * made.scaling.acc_bits * (made.lanes != made.fold.pe)
    if isinstance(stage, Pool) and made.scaling is not None:
        total += 2 * made.fold.pe * made.scaling.acc_bits
    if isinstance(stage, Combine):
        total += made.lanes * len(made.terms) * 24
    return total


def _ff(made: Hardware) -> float:
    stage, total = made.stage, 50.0
    if made.loops is not None:
        total += 90
    if made.scaling is not None:
        total += made.lanes * (100 + 2 * made.scaling.sum_bits)
    if isinstance(stage, Mac) and made.scaling is not None:
        product = stage.x.bits + stage.weight_bits
        total += made.multipliers * stage.weight_bits * 2 + (made.multipliers - made.hard_multipliers) * 4 * product
        total += 2 * made.fold.pe * made.scaling.acc_bits + made.multipliers * product
    if isinstance(stage, Pool) and made.scaling is not None:
        total += 2 * made.fold.pe * made.scaling.acc_bits
    if isinstance(stage, Combine):
        total += made.lanes * len(made.terms) * 30
    return total

