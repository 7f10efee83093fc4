"""The xilinx target: check, plan, estimate, build, load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gatewright.compiler.model import QuantizedModel
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
from gatewright.targets.xilinx import database
from gatewright.targets.xilinx.options import XilinxOptions, parse

__all__ = ["XilinxTarget"]


class XilinxTarget(Target):
    """One Xilinx part or board, through hls4ml.

    Args:
        name: ``xilinx:<board>``, ``xilinx:<part>`` or ``xilinx:<device>``.

    Raises:
        UsageError: GW0401 on a name that is neither.
    """

    def __init__(self, name: TargetName) -> None:
        super().__init__(name)
        self.site = database.resolve(name.variant)

    @classmethod
    def variants(cls) -> Sequence[tuple[str, str]]:
        """Boards, then devices without a board of their own."""
        described = []
        for board in database.boards().values():
            counts = database.devices()[board.device].resources
            text = f"{board.title}: {board.part}, {counts.lut} LUT, {counts.dsp} DSP, {counts.bram_18k} RAMB18"
            described.append((f"xilinx:{board.name}", text))
        placed = {board.device for board in database.boards().values()}
        for device in database.devices().values():
            if device.name not in placed:
                counts = device.resources
                text = f"{device.family} device, {counts.lut} LUT, {counts.dsp} DSP, {counts.bram_18k} RAMB18"
                described.append((f"xilinx:{device.name}", text))
        return described

    @classmethod
    def supported_layers(cls) -> Mapping[str, str]:
        """Operator name -> note."""
        from gatewright.targets.xilinx.layers import SUPPORTED

        return SUPPORTED

    @classmethod
    def options(cls) -> Mapping[str, str]:
        """Option name -> what it does, for ``gatewright targets xilinx``."""
        return described_options(XilinxOptions)

    def check(self, model: QuantizedModel) -> list[Finding]:
        """Every layer the target cannot place, all at once."""
        if model.integer is None:
            return [
                Finding(
                    "error", "GW4206", str(self.name), "a Xilinx design needs an integer graph",
                    ("compile with --profile fixed or --profile scaled",),
                )
            ]  # fmt: skip
        from gatewright.targets.xilinx import check  # here and below: not what a list of targets needs

        return check.check_graph(model.integer, self.site)

    def plan(self, model: QuantizedModel, options: Mapping[str, Any]) -> BuildPlan:
        """Strategy and reuse factor of every layer, so that the design fits (:mod:`gatewright.schedules.fpga`)."""
        from gatewright.targets.xilinx import planning

        return planning.make_plan(str(self.name), model, self.site, parse(options))

    def estimate(self, plan: BuildPlan) -> Estimate:
        """Cycles, latency and resources, in total and by layer."""
        from gatewright.targets.xilinx import estimating

        return estimating.make_estimate(plan)

    def build(self, plan: BuildPlan, directory: Path) -> None:
        """Write the project, its C simulation, and what the plan and the estimate say."""
        from gatewright.targets.xilinx.building import build

        build(plan, directory)

    @classmethod
    def measured(cls, directory: Path) -> Mapping[str, float]:
        """What synthesis measured in a build, by the name of the total."""
        from gatewright.targets.products import read_measured

        return read_measured(directory)

    @classmethod
    def modelled(cls, directory: Path) -> ModelledTiming | None:
        """The kernel's cycles at its clock: the library is a C simulation, and has none."""
        from gatewright.targets.xilinx.building import read_modelled

        return read_modelled(directory)

    @classmethod
    def load(cls, directory: Path) -> IntegerLibrary:
        """The compiled C simulation of a built artefact."""
        from gatewright.targets.xilinx.building import load

        return load(directory)
