"""The accelerator itself, where that is asked for: RTL and its simulation, a bitstream, standard cells.

Products in the target's folder: ``rtl/`` (Verilog, its simulation and logs), ``board/`` (the bitstream's), ``cells/``
(the netlist in cells of a liberty file), ``measured.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.compiler.errors import MismatchError, UsageError
from gatewright.schedules.accelerator.serialization import Package
from gatewright.schedules.accelerator.timing.event import simulate
from gatewright.targets.accelerator.machine.board import memory_needed
from gatewright.targets.accelerator.machine.network import Network
from gatewright.targets.products import MEASURED, say, write_json

__all__ = ["build_hardware"]

_MEMORY_STEP_BYTES = 1 << 14
"""A board's main memory holds the network's data and programs; a multiple of this maps to whole blocks."""


def build_hardware(package: Package, options: Mapping[str, Any], digest: str, directory: Path) -> None:
    """Build what ``options`` ask for and write down what was measured.

    Raises:
        UsageError: GW4310 when there is no RTL of the spec, GW4311 on a bad liberty file, GW0404 on an unknown board,
            GW4316 on one without an ECP5, GW4318 when the accelerator has nothing to do.
        MismatchError: GW7020 when the RTL computes other bytes than the functional machine.
        ToolError, ConstraintError: of Verilator, Yosys and nextpnr.
    """
    measured: dict[str, float] = {}
    if options["rtl"]:
        measured |= _simulated(package, digest, directory / "rtl")
    if options["board"]:
        measured |= _placed(package, options, directory / "board")
    if options["liberty"]:
        measured |= _mapped(package, options, directory / "cells")
    if measured:
        say("measured: " + ", ".join(f"{name} {value:g}" for name, value in measured.items()))
        write_json(directory / MEASURED, measured)


def _simulated(package: Package, digest: str, folder: Path) -> dict[str, float]:
    """One inference in the RTL: its bytes must be the machine's, its cycles are measured."""
    from gatewright.hls.accelerator.simulation import build_simulation
    from gatewright.targets.accelerator.machine.rtl import RtlExecutor

    executor = RtlExecutor(build_simulation(package.spec, folder))
    network = Network(package)
    generator = np.random.default_rng(int(digest[:8], 16))
    inputs = {
        layer.name: generator.integers(layer.output.qmin, layer.output.qmax, layer.output.shape, endpoint=True)
        for layer in package.graph.inputs
    }
    want, got = network.run(inputs), network.run(inputs, executor)
    for name, array in want.items():
        if not np.array_equal(array, got[name]):
            raise MismatchError(
                "GW7020", name, f"the RTL computes {int((array != got[name]).sum())} other values than the machine",
                "report this as a bug, with the spec and the model",
            )  # fmt: skip
    cycles = sum(run.cycles for run in executor.runs)
    apart = 0
    for run, seen in zip(package.program.runs, executor.runs, strict=True):
        model = simulate(package.spec, run.words)
        apart += int(((seen.end - seen.start) != (model.end - model.start)).sum())
    clock_mhz = package.spec.clock_mhz
    return {
        "latency_cycles": cycles,
        "interval_cycles": cycles,
        "latency_us": round(cycles / clock_mhz, 4),
        "inferences_per_second": round(1e6 * clock_mhz / cycles, 2) if cycles else 0.0,
        "instructions_timed_otherwise": apart,
    }


def _placed(package: Package, options: Mapping[str, Any], folder: Path) -> dict[str, float]:
    from gatewright.hls.accelerator.bitstream import build_accelerator_bitstream
    from gatewright.hls.lattice.database import resolve
    from gatewright.schedules.stream.resources import RESOURCES

    site = resolve(options["board"])
    if not package.program.runs:
        raise UsageError(
            "GW4318", package.spec.name, "no layer of this model runs on the accelerator", "leave sim.board out"
        )  # fmt: skip
    folder.mkdir()
    needed = memory_needed(package)
    made = build_accelerator_bitstream(
        package.spec, folder, site, package.spec.clock_mhz, range(1, int(options["seeds"]) + 1),
        memory_bytes=-(-needed // _MEMORY_STEP_BYTES) * _MEMORY_STEP_BYTES, timeout_s=float(options["timeout_s"]),
    )  # fmt: skip
    used = {name: value for name, value in made.best.used.items() if name in RESOURCES}
    return {"clock_mhz": round(made.best.fmax_mhz, 2), **used}


def _mapped(package: Package, options: Mapping[str, Any], folder: Path) -> dict[str, float]:
    from gatewright.hls.accelerator.standard_cells import map_array
    from gatewright.hls.accelerator.verilog import check_covered

    check_covered(package.spec)
    folder.mkdir()
    cells = map_array(package.spec, Path(options["liberty"]), folder, timeout_s=float(options["timeout_s"]))
    return {"array_cells": cells.cell_count, "array_area": round(cells.area, 3)}
