"""The lattice target: check, plan, estimate, build, load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gatewright.compiler.model import QuantizedModel
from gatewright.hls.lattice import database
from gatewright.targets.base import (
    BuildPlan,
    Estimate,
    Finding,
    IntegerLibrary,
    ModelledTiming,
    Target,
    TargetName,
    described_options,
)
from gatewright.targets.lattice.options import LatticeOptions, parse

__all__ = ["LatticeTarget"]


class LatticeTarget(Target):
    """One Lattice device or board, with open tools alone.

    Args:
        name: ``lattice:<board>`` or ``lattice:<device>``, e.g. ``lattice:ulx3s-85f``, ``lattice:ice40-up5k``.

    Raises:
        UsageError: GW0404 on a name that is neither.
    """

    def __init__(self, name: TargetName) -> None:
        super().__init__(name)
        self.site = database.resolve(name.variant)

    @classmethod
    def variants(cls) -> Sequence[tuple[str, str]]:
        """Boards, then devices."""
        found = []
        for board in database.boards().values():
            found.append((f"lattice:{board.name}", f"{board.title}: {_counts(database.devices()[board.device])}"))
        for device in database.devices().values():
            note = "" if device.bitstream else "; RTL and simulation only"
            found.append((f"lattice:{device.name}", f"{_counts(device)}{note}"))
        return found

    @classmethod
    def supported_layers(cls) -> Mapping[str, str]:
        """Operator name -> note."""
        from gatewright.targets.lattice.layers import SUPPORTED

        return SUPPORTED

    @classmethod
    def options(cls) -> Mapping[str, str]:
        """Option name -> what it does, for ``gatewright targets lattice``."""
        return described_options(LatticeOptions)

    def check(self, model: QuantizedModel) -> list[Finding]:
        """Every layer the target cannot place, all at once."""
        from gatewright.targets.lattice.check import check_model  # here and below: not what a list of targets needs

        return check_model(model, self.site, str(self.name))

    def plan(self, model: QuantizedModel, options: Mapping[str, Any]) -> BuildPlan:
        """Folding of every layer, so that the slowest is as fast as the device allows."""
        from gatewright.targets.lattice.planning import make_plan

        return make_plan(str(self.name), model, self.site, parse(options))

    def estimate(self, plan: BuildPlan) -> Estimate:
        """Cycles, which are exact, and resources, in total and by layer."""
        from gatewright.targets.lattice.estimating import make_estimate

        return make_estimate(plan)

    def build(self, plan: BuildPlan, directory: Path) -> None:
        """Write the design, its simulation, and the bitstream."""
        from gatewright.targets.lattice.building import build

        build(plan, directory, self.site)

    @classmethod
    def measured(cls, directory: Path) -> Mapping[str, float]:
        """What place and route measured in a build, by the name of the total."""
        from gatewright.targets.products import read_measured

        return read_measured(directory)

    @classmethod
    def modelled(cls, directory: Path) -> ModelledTiming | None:
        """The network's cycles at its clock: the library is an RTL simulation, and as slow as one."""
        from gatewright.targets.lattice.building import read_modelled

        return read_modelled(directory)

    @classmethod
    def load(cls, directory: Path) -> IntegerLibrary:
        """The RTL simulation of a built artefact."""
        from gatewright.targets.lattice.building import load

        return load(directory)


def _counts(device: database.Device) -> str:
    counts = device.resources
    return f"{device.title}, {counts.lut} LUT, {counts.dsp} multipliers, {counts.ebr} EBR of {device.ebr_kbit} Kbit"
