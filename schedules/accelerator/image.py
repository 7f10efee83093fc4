"""The bytes of a program's constants, where the program expects them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from gatewright.schedules.accelerator.analysis import Analysis
from gatewright.schedules.accelerator.jobs import convolution_constants, convolution_shape, window_constants
from gatewright.schedules.accelerator.lowering.window import WindowTiling
from gatewright.schedules.accelerator.planner import Plan
from gatewright.schedules.accelerator.program import Program
from gatewright.schedules.accelerator.serialization import Package
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.tile import Tiling

__all__ = ["constant_image", "packaged"]


def constant_image(
    spec: Spec, analysis: Analysis, program: Program, tilings: Mapping[str, Tiling | WindowTiling]
) -> npt.NDArray[np.uint8]:
    """DRAM from address 0 to the end of the constants."""
    end = max((address + size for address, size in program.constants.values()), default=0)
    image = np.zeros(end, np.uint8)
    for op in analysis.operations:
        tiling = tilings.get(op.name)
        if isinstance(tiling, Tiling):
            shape = convolution_shape(spec, analysis, op)
            parts = convolution_constants(spec, analysis, op, shape, tiling)
        elif op.kind == "window":
            parts = window_constants(spec, analysis, op)
        else:
            continue
        for role, data in parts.items():
            address, size = program.constants[op.name, role]
            assert data.size == size, f"{op.name}.{role}: {data.size} bytes, {size} planned"
            image[address : address + size] = data
    return image


def packaged(spec: Spec, plan: Plan) -> Package:
    """A planned network with its constants: all that executors need."""
    constants = constant_image(spec, plan.analysis, plan.program, plan.schedule.tilings)
    return Package(spec, plan.program, constants, plan.analysis.graph)
