"""From a lowered model to what hls4ml's users ask for: folder, simulation, bitstream."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from gatewright.compiler.errors import ConstraintError, TargetError, ToolError
from gatewright.hls.lattice import project, simulation
from gatewright.hls.lattice.board import border
from gatewright.hls.lattice.database import resolve
from gatewright.hls.lattice.plugin.lowering import Lowered
from gatewright.schedules.stream.devices import FABRICS
from gatewright.schedules.stream.folding import DoesNotFit, fold_into
from gatewright.schedules.stream.hardware import Fold, legal_folds
from gatewright.schedules.stream.resources import Resources
from gatewright.schedules.stream.stages import Mac

__all__ = ["build", "compile_simulation", "run", "write"]

_MADE = ("rtl", "sim", "build", "design.json")
"""What a design folder holds; anything else in the output folder is the user's."""


def write(lowered: Lowered, config: Any, directory: Path) -> None:
    """Fold for the configured part and write the design folder.

    Args:
        lowered: the model.
        config: hls4ml's ``HLSConfig``.
        directory: made if absent; an older design in it is replaced.

    Raises:
        TargetError: GW4251.
        ConstraintError: GW4252.
    """
    site = resolve(config.get_config_value("Part"))
    counts = site.device.resources
    device = Resources(counts.lut, counts.ff, counts.dsp, counts.ebr)
    interval = config.get_config_value("TargetInterval")
    try:
        folded = fold_into(
            lowered.design,
            FABRICS[site.device.fabric],
            device,
            border(),
            fixed=_fixed(lowered),
            target_interval=interval,
        )
    except DoesNotFit as reason:
        raise ConstraintError(
            "GW4252", site.name, f"the design needs {reason}; {reason.stage} takes the most",
            "use a larger part", "narrow the types", "raise TargetInterval, or leave it out",
        ) from None  # fmt: skip
    except ValueError as reason:
        raise TargetError(
            "GW4251", site.name, f"no such hardware: {reason}", "change Pe and Simd of the layer"
        ) from None
    directory.mkdir(parents=True, exist_ok=True)
    extra = {"formats": {form.name: {"fraction": form.fraction} for form in (*lowered.inputs, *lowered.outputs)}}
    with tempfile.TemporaryDirectory(prefix=".gatewright-", dir=directory) as temporary:
        part = Path(temporary)
        project.write(folded.network, part, extra)
        for name in _MADE:
            old = directory / name
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink(missing_ok=True)
        for made in sorted(part.iterdir()):
            made.rename(directory / made.name)


def compile_simulation(directory: Path) -> Path:
    """Build the RTL simulation of a written design; the library's path.

    Raises:
        ToolError: as :func:`gatewright.hls.lattice.simulation.build`.
    """
    return simulation.build(directory)


def run(directory: Path, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Integers through the RTL simulation.

    Raises:
        ToolError: GW5024 when it is not built.
    """
    if not (directory / simulation.LIBRARY).is_file():
        raise ToolError("GW5024", str(directory), "the simulation is not built", "call compile() of the model first")
    return simulation.Simulation(directory).run(inputs)


def build(directory: Path, config: Any, seeds: int, jobs: int) -> dict[str, Any]:
    """Synthesize, place, route and pack; ``build/report.json`` as a dictionary, with the bitstream's path.

    Raises:
        as :func:`gatewright.hls.lattice.toolchain.build.build_bitstream`.
    """
    from gatewright.hls.lattice.toolchain.build import build_bitstream

    site = resolve(config.get_config_value("Part"))
    clock_mhz = 1000.0 / float(config.get_config_value("ClockPeriod"))
    made = build_bitstream(directory, site, clock_mhz, tuple(range(1, seeds + 1)), jobs)
    report: dict[str, Any] = json.loads((directory / "build" / "report.json").read_text(encoding="utf-8"))
    return {**report, "bitstream": str(made.path)}


def _fixed(lowered: Lowered) -> dict[str, Fold]:
    """Folds the user set; what is left at 0 becomes 1. Stages that cannot be so parallel take what they can."""
    fixed = {}
    for name, (pe, simd) in lowered.folds.items():
        stage = lowered.design[name]
        if isinstance(stage, Mac):
            fixed[name] = Fold(max(pe, 1), max(simd, 1))
        elif pe:
            fixed[name] = Fold(max(fold.pe for fold in legal_folds(stage) if fold.pe <= pe))
    return fixed
