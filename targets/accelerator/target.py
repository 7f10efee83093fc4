"""The sim target: check, plan, estimate, build, load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gatewright.compiler.model import QuantizedModel
from gatewright.targets.accelerator import database
from gatewright.targets.accelerator.options import AcceleratorOptions, parse
from gatewright.targets.base import (
    BuildPlan,
    Estimate,
    Finding,
    IntegerLibrary,
    ModelledTiming,
    Simulation,
    Sweep,
    Target,
    TargetName,
    Track,
    Variation,
    described_options,
)

__all__ = ["AcceleratorTarget"]


class AcceleratorTarget(Target):
    """One simulated accelerator.

    Args:
        name: ``sim:<name of a shipped spec>`` or ``sim:<path of a TOML file>``.

    Raises:
        UsageError: GW0408 on a name that is neither; GW4301, GW4302 on a file that is no possible spec.
    """

    def __init__(self, name: TargetName) -> None:
        super().__init__(name)
        self.spec = database.resolve(name.variant)

    @classmethod
    def variants(cls) -> Sequence[tuple[str, str]]:
        """The shipped specs."""
        return [(f"sim:{name}", spec.title) for name, spec in database.shipped().items()]

    @classmethod
    def supported_layers(cls) -> Mapping[str, str]:
        """Operator name -> note."""
        from gatewright.targets.accelerator.layers import SUPPORTED

        return SUPPORTED

    @classmethod
    def options(cls) -> Mapping[str, str]:
        """Option name -> what it does, for ``gatewright targets sim``."""
        return described_options(AcceleratorOptions)

    def data(self) -> str:
        """The spec as TOML."""
        return database.text_of(self.name.variant)

    def check(self, model: QuantizedModel) -> list[Finding]:
        """Layers that run on the host, each with its reason."""
        from gatewright.targets.accelerator.check import check_model  # here and below: not what a list needs

        return check_model(model, self.spec, str(self.name))

    def plan(self, model: QuantizedModel, options: Mapping[str, Any]) -> BuildPlan:
        """Residency and tiling of every layer, the fastest the search finds."""
        from gatewright.targets.accelerator.planning import make_plan

        return make_plan(str(self.name), model, self.spec, parse(options))

    def estimate(self, plan: BuildPlan) -> Estimate:
        """Cycles by the event-driven model, in total and by layer."""
        from gatewright.targets.accelerator.estimating import make_estimate

        return make_estimate(plan)

    def build(self, plan: BuildPlan, directory: Path) -> None:
        """Write the command stream, the constants and what lies where."""
        from gatewright.targets.accelerator.building import build

        build(plan, directory)

    @classmethod
    def measured(cls, directory: Path) -> Mapping[str, float]:
        """What RTL simulation, place and route and synthesis measured in a build, by the name of the total."""
        from gatewright.targets.products import read_measured

        return read_measured(directory)

    @classmethod
    def load(cls, directory: Path) -> IntegerLibrary:
        """The functional executor on a built command stream."""
        from gatewright.targets.accelerator.building import load

        return load(directory)

    @classmethod
    def modelled(cls, directory: Path) -> ModelledTiming | None:
        """Time of one inference by the event-driven model."""
        from gatewright.targets.accelerator.building import read_modelled

        return read_modelled(directory)

    @classmethod
    def simulated(cls, directory: Path) -> Simulation | None:
        """The event-driven model on a built command stream."""
        from gatewright.targets.accelerator.simulating import simulation_of

        return simulation_of(directory)

    def sweep(
        self,
        model: QuantizedModel,
        variations: Sequence[Variation],
        options: Mapping[str, Any],
        track: Track[Any],
        jobs: int = 1,
    ) -> Sweep | None:
        """The model on every spec that the variations make of this one."""
        from gatewright.targets.accelerator.sweeping import make_sweep

        return make_sweep(str(self.name), model, self.spec, variations, parse(options), track, jobs)
