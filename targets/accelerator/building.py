"""Building: the files of :mod:`gatewright.schedules.accelerator.serialization`, ``program.asm`` to read, ``plan.json``,
and what :mod:`gatewright.targets.accelerator.hardware` makes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gatewright.schedules.accelerator.isa.text import disassemble
from gatewright.schedules.accelerator.serialization import FILES, Package, read_package, write_package
from gatewright.schedules.accelerator.timing.event import modelled_cycles
from gatewright.targets.accelerator.hardware import build_hardware
from gatewright.targets.accelerator.machine.network import Network
from gatewright.targets.accelerator.planning import package_of
from gatewright.targets.base import BuildPlan, IntegerLibrary, ModelledTiming
from gatewright.targets.products import write_json

__all__ = ["build", "load", "load_package", "read_modelled"]


def build(plan: BuildPlan, directory: Path) -> None:
    """Write the program into ``directory``."""
    package = package_of(plan)
    for name, content in write_package(package).items():
        (directory / name).write_bytes(content)
    listing = []
    for number, run in enumerate(package.program.runs):
        listing.append(f"# run {number}: {len(run.words)} instructions\n")
        current = ""
        for line, layer in zip(disassemble(run.words).splitlines(), run.layers, strict=True):
            if layer != current:
                listing.append(f"# {layer or 'end'}\n")
                current = layer
            listing.append(line + "\n")
    (directory / "program.asm").write_text("".join(listing), encoding="utf-8")
    write_json(directory / "plan.json", plan.to_json())
    build_hardware(package, plan.options, plan.digest(), directory)


def load_package(directory: Path) -> Package:
    """The program in ``directory``.

    Raises:
        TargetError: GW4309 when a file is missing or damaged.
    """
    there = {name: (directory / name).read_bytes() for name in FILES if (directory / name).is_file()}
    return read_package(there, str(directory))


class _Library:
    def __init__(self, network: Network) -> None:
        self._network = network

    def run(self, inputs: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, npt.NDArray[np.generic]]:
        """One inference on the functional machine."""
        return dict(self._network.run(inputs))


def load(directory: Path) -> IntegerLibrary:
    """The functional executor on the program in ``directory``."""
    package = load_package(directory)
    return _Library(Network(package))


def read_modelled(directory: Path) -> ModelledTiming | None:
    """Time of one inference by the event-driven model; None where everything runs on the host."""
    package = load_package(directory)
    cycles = modelled_cycles(package.spec, package.program)
    if not cycles:
        return None
    clock_mhz = package.spec.clock_mhz
    hosted = len(package.program.steps) - len(package.program.runs)
    without = f", without {hosted} host layers and the host tail" if hosted else ", without the host tail"
    return ModelledTiming.from_cycles(
        cycles, cycles, clock_mhz, f"event-driven model of {package.spec.name} at {clock_mhz:g} MHz{without}"
    )
