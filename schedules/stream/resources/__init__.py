"""Resources of a network: exact for multipliers and block memories, a fitted model for LUTs and flip-flops.

LUTs are what nextpnr counts: TRELLIS_COMB of an ECP5 (carry cells and distributed memory included), ICESTORM_LC of an
iCE40 (where a flip-flop without logic in front takes a cell of its own). All of it is of the module ``network`` alone,
without the board around it. The parts of a stage are counted in ``counting``, with what ROMs hold (``contents``);
``tests/benchmarks/lattice_resources.py`` fits the coefficients to synthesized designs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from weakref import WeakKeyDictionary

from gatewright.schedules.stream.devices import Fabric
from gatewright.schedules.stream.hardware import Fold, Hardware
from gatewright.schedules.stream.network import ForkNode, KeepNode, Network, StageNode, WidthNode
from gatewright.schedules.stream.resources.counting import fork_parts, keep_parts, stage_parts, width_parts
from gatewright.schedules.stream.resources.parts import Parts
from gatewright.schedules.stream.stages import Stage

__all__ = ["RESOURCES", "Resources", "family_of", "network_resources", "stage_resources"]

RESOURCES = ("lut", "ff", "dsp", "ebr", "spram")


@dataclass(frozen=True)
class Resources:
    """Counts: cells of 4-input LUTs as place and route counts them, flip-flops, hard multipliers, block memories, large
    memories."""

    lut: int = 0
    ff: int = 0
    dsp: int = 0
    ebr: int = 0
    spram: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(*(getattr(self, name) + getattr(other, name) for name in RESOURCES))

    def fits(self, available: Resources) -> bool:
        """Whether nothing is more than there is."""
        return all(getattr(self, name) <= getattr(available, name) for name in RESOURCES)


_Key = tuple[Fold, str]
_MADE: WeakKeyDictionary[Stage, dict[_Key, Resources]] = WeakKeyDictionary()
"""What was computed, as long as the stage lives: foldings of one stage come back hundreds of times."""


@cache
def _coefficients(family: str) -> Mapping[str, Mapping[str, float]]:
    text = files("gatewright.schedules.stream").joinpath("resources", "coefficients.toml").read_text("utf-8")
    found: Mapping[str, Mapping[str, float]] = tomllib.loads(text)[family]
    return found


def family_of(fabric: Fabric) -> str:
    """The family whose coefficients a fabric takes: that of its LUTs."""
    return "ecp5" if fabric.distributed else "ice40"


def _priced(parts: Parts, dsp: int = 0, spram: int = 0) -> Resources:
    coefficients = _coefficients(family_of(parts.fabric))
    lut = sum(quantity * coefficients["lut"].get(name, 0.0) for name, quantity in parts.logic.items())
    return Resources(round(lut), parts.ff, dsp, parts.ebr, spram)


def stage_resources(made: Hardware) -> Resources:
    """Of one stage."""
    known = _MADE.setdefault(made.stage, {})
    key = (made.fold, made.fabric.name)
    if key not in known:
        known[key] = _priced(stage_parts(made), made.dsp, made.spram)
    return known[key]


def network_resources(network: Network) -> Resources:
    """Of all stages, forks and adapters."""
    total = Resources(lut=2)  # the constants 0 and 1
    for node in network.nodes:
        match node:
            case StageNode():
                total += stage_resources(node.hardware)
            case ForkNode():
                total += _priced(fork_parts(node, network.fabric))
            case KeepNode():
                total += _priced(keep_parts(node, network.fabric))
            case WidthNode():
                total += _priced(width_parts(node, network.fabric))
    return total
