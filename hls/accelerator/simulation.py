"""An accelerator's RTL in simulation: a program and a DRAM in, the DRAM and the cycle of every event out.

Verilator makes a library of the design once; programs come at run time. The memory behind the ports answers
``dma.latency_cycles`` after a request, one word a cycle a port.
"""

from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import TargetError, ToolError
from gatewright.hls.accelerator.verilog import TOP, write_accelerator
from gatewright.hls.lattice.simulation.building import build_library
from gatewright.schedules.accelerator.isa.encoding import MNEMONICS, Words
from gatewright.schedules.accelerator.isa.fields import UNIT_OF, UNITS
from gatewright.schedules.accelerator.spec import Spec

__all__ = ["LIBRARY", "RtlRun", "RtlSimulation", "build_simulation"]

Cycles = npt.NDArray[np.int64]
LIBRARY = Path("sim") / "libgatewright_accelerator.so"
_LIMIT_CYCLES = 1 << 40
# enum Status of harness.hpp
_HALTED, _FAULT, _TOO_LONG, _ADDRESS = range(4)
_REASONS = {
    _FAULT: "an opcode is unknown",
    _TOO_LONG: "the program did not end in the cycles it was given",
    _ADDRESS: "a request leaves the DRAM",
}
_KINDS = ("hand_out", "start", "done")


@dataclass(frozen=True)
class RtlRun:
    """What a program did, cycle 0 being the first one out of reset (README.md, timing contract).

    Attributes:
        dram: (bytes,) uint8 at the end.
        cycles: the first cycle in which the accelerator says that it has halted.
        handed_out: (instructions,) cycle in which an instruction enters its queue.
        start: (instructions,) cycle in which its unit is free and its waits are met.
        end: (instructions,) first cycle in which the unit's counter shows it. Of ``halt``, which has no unit: handed
            out and start are ``cycles`` - 1, end is ``cycles``; what lies behind a halt is -1.
    """

    dram: npt.NDArray[np.uint8]
    cycles: int
    handed_out: Cycles
    start: Cycles
    end: Cycles


class _Job(ctypes.Structure):
    """struct Job of harness.hpp."""

    _fields_ = (
        ("program", ctypes.c_void_p),
        ("program_bytes", ctypes.c_int64),
        ("dram", ctypes.c_void_p),
        ("dram_bytes", ctypes.c_int64),
        ("latency_cycles", ctypes.c_int64),
        ("stall", ctypes.c_double),
        ("seed", ctypes.c_uint64),
        ("limit_cycles", ctypes.c_int64),
        ("events", ctypes.c_void_p),
        ("capacity", ctypes.c_int64),
        ("count", ctypes.c_int64),
        ("cycles", ctypes.c_int64),
    )


def build_simulation(spec: Spec, directory: Path, jobs: int = 1) -> RtlSimulation:
    """Write the Verilog of ``spec`` into ``directory`` and build its simulation (half a minute).

    Raises:
        UsageError: GW4310 when the RTL does not cover the spec.
        ToolError: as :func:`gatewright.hls.lattice.simulation.build`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    sources = write_accelerator(spec, directory)
    harness = Path(__file__).parent / "harness.hpp"
    build_library(directory / "rtl", sources, TOP, harness, directory / LIBRARY, jobs=jobs)
    return RtlSimulation(spec, directory)


class RtlSimulation:
    """A built simulation; every run starts a fresh design."""

    def __init__(self, spec: Spec, directory: Path) -> None:
        """Open it.

        Raises:
            ToolError: GW4312 when it is not built, does not load, or is that of another spec.
        """
        self._latency_cycles = spec.dma.latency_cycles
        try:
            name = json.loads((directory / "design.json").read_text("utf-8"))["name"]
            self._library = ctypes.CDLL(str((directory / LIBRARY).resolve()))
        except OSError as error:
            raise _unusable(directory, f"does not load: {error}") from None
        if name != spec.name:
            raise _unusable(directory, f"was built for {name}, not for {spec.name}")

    def run(
        self,
        program: Words,
        dram: npt.NDArray[np.uint8],
        *,
        stall: float = 0.0,
        seed: int = 0,
        limit_cycles: int = _LIMIT_CYCLES,
    ) -> RtlRun:
        """Run a program to its halt.

        Args:
            program: (instructions, 32) words.
            dram: (bytes,) at the beginning; it is not changed.
            stall: in each cycle and for each port, the probability that a request is refused and that a response is
                late. Results are those without stalls, cycles are more.
            seed: of the stalls, and of what memories and registers hold before they are written.
            limit_cycles: a longer run is an error.

        Raises:
            TargetError: GW4313 when the program does not halt, leaves the DRAM or holds an unknown opcode.
        """
        words = np.ascontiguousarray(program, "<u4")
        memory = np.array(dram, np.uint8, copy=True, order="C")
        events = np.zeros(3 * len(words), np.int64)
        job = _Job(
            words.ctypes.data, words.nbytes, memory.ctypes.data, memory.nbytes, self._latency_cycles, stall, seed,
            limit_cycles, events.ctypes.data, len(events), 0, 0,
        )  # fmt: skip
        status = self._library.gatewright_run(ctypes.byref(job))
        if status != _HALTED:
            reason = _REASONS.get(status, "the simulation stopped itself")
            raise TargetError("GW4313", f"cycle {job.cycles}", reason, "run the program on the functional machine")
        return _timed(words, memory, int(job.cycles), events[: job.count])


def _unusable(directory: Path, reason: str) -> ToolError:
    return ToolError("GW4312", str(directory), f"the simulation {reason}", "build it again")


def _timed(words: Words, dram: npt.NDArray[np.uint8], cycles: int, events: Cycles) -> RtlRun:
    """Events of a unit are in program order: the k-th of a kind belongs to the unit's k-th instruction."""
    mnemonics = [MNEMONICS.get(int(code), "halt") for code in words[:, 0] & 0xFF]
    times = {kind: np.full(len(words), -1, np.int64) for kind in _KINDS}
    for number, unit in enumerate(UNITS):
        where = np.array([i for i, name in enumerate(mnemonics) if UNIT_OF.get(name) == unit], np.int64)
        for code, kind in enumerate(_KINDS):
            seen = events[(events & 15) == code * 4 + number] >> 4
            times[kind][where[: len(seen)]] = seen
    times["done"] += times["done"] >= 0
    if "halt" in mnemonics:
        halt = mnemonics.index("halt")
        for kind, cycle in zip(_KINDS, (cycles - 1, cycles - 1, cycles), strict=True):
            times[kind][halt] = cycle
    return RtlRun(dram, cycles, times["hand_out"], times["start"], times["done"])
