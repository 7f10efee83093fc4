"""Runs a built simulation: integers in, integers out, and the cycles they take.

Imports neither hls4ml nor tvm nor a hardware tool, only ctypes and NumPy.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import GatewrightError, MismatchError, ToolError, UsageError
from gatewright.hls.lattice.simulation.building import LIBRARY, TRACING_LIBRARY
from gatewright.hls.ports import Tensors, all_physical, from_bytes, logical

__all__ = ["Cycles", "Simulation"]

# enum Status of harness.hpp
_RUNNING, _FINISHED, _FAILED, _DEADLOCK, _FELL, _CHANGED, _WAITS, _SURPLUS = range(8)

_BROKEN = {
    _FELL: "valid fell before the token was taken",
    _CHANGED: "the data changed while valid waited for ready",
    _WAITS: "what it offers depends on ready in the same cycle",
}

# Cycles between two looks at the keyboard: some tenths of a second.
_SLICE_CYCLES = 200_000


@dataclass(frozen=True)
class Cycles:
    """When frames entered and left; cycle 0 ends with the first clock edge after reset.

    Attributes:
        entered: for every frame, the cycle in which its first token was accepted.
        finished: for every frame, the cycle in which its last token left.
    """

    entered: tuple[int, ...]
    finished: tuple[int, ...]

    @property
    def latency_cycles(self) -> int:
        """From the first frame's first token accepted to its last token leaving, both cycles counted."""
        return self.finished[0] - self.entered[0] + 1

    @property
    def interval_cycles(self) -> int:
        """Between the last tokens of the last two frames: what one more frame costs in steady state."""
        return self.finished[-1] - self.finished[-2]


class _Job(ctypes.Structure):
    """struct Job of harness.hpp."""

    _fields_ = (
        ("memories", ctypes.c_char_p),
        ("trace", ctypes.c_char_p),
        ("inputs", ctypes.c_void_p),
        ("outputs", ctypes.c_void_p),
        ("entered", ctypes.c_void_p),
        ("finished", ctypes.c_void_p),
        ("frames", ctypes.c_int64),
        ("idle_cycles", ctypes.c_int64),
        ("source_probability", ctypes.c_double),
        ("sink_probability", ctypes.c_double),
        ("seed", ctypes.c_uint64),
    )


class Simulation:
    """A simulation that :func:`gatewright.hls.lattice.simulation.build` made.

    Every run starts a fresh design, so runs do not see each other and may go on in several threads.

    Attributes:
        inputs, outputs: the ports as ``design.json`` describes them.
    """

    def __init__(self, directory: Path, trace: bool = False) -> None:
        """Open it.

        Args:
            directory: the design folder.
            trace: open the library built with ``trace``, which can write waveforms.

        Raises:
            ToolError: GW5024 when it is not built or does not load.
        """
        data = json.loads((directory / "design.json").read_text(encoding="utf-8"))
        self.inputs: list[dict[str, Any]] = data["inputs"]
        self.outputs: list[dict[str, Any]] = data["outputs"]
        self._weight_ports: list[dict[str, Any]] = data.get("weights", [])
        self._weights = _weights(directory, self._weight_ports)
        self._memories = f"{(directory / 'rtl').resolve()}/"
        self._tracing = trace
        library = TRACING_LIBRARY if trace else LIBRARY
        try:
            self._library = ctypes.CDLL(str((directory / library).resolve()))
        except OSError as error:
            raise ToolError(
                "GW5024", str(library), f"the simulation does not load: {error}", "build it: gatewright compile"
            ) from None
        self._library.gatewright_open.restype = ctypes.c_void_p
        self._library.gatewright_state.restype = ctypes.c_char_p

    def run(
        self,
        inputs: Mapping[str, npt.NDArray[np.integer[Any]]],
        back_pressure: tuple[float, float] = (1.0, 1.0),
        seed: int = 0,
        idle_cycles: int = 1_000_000,
        trace: Path | None = None,
    ) -> Tensors:
        """Integers in, integers out.

        Args:
            inputs: by input name, in the declared shape or with a leading axis k times the declared one: k samples.
            back_pressure: in each cycle, the probability that a source has a token and that a sink is ready.
            seed: of the back-pressure, and, unless 0, of what registers that reset leaves alone hold at the start.
            idle_cycles: a deadlock is when no token moves for so long.
            trace: a file for the waveforms (VCD); the simulation must have been opened with ``trace``.

        Returns:
            By output name, in storage dtype, leading axis k times the declared one.

        Raises:
            UsageError: GW0101 on a missing input, GW0102 on a wrong shape, GW0103 on a value its port cannot carry.
            ToolError: GW5025 when the simulation stops itself, e.g. for want of a memory's file.
            MismatchError: GW7010 when an output stream breaks the protocol, GW7011 on a deadlock, GW7012 when more
                leaves the design than belongs to the frames.
        """
        return self._run(inputs, back_pressure, seed, idle_cycles, trace)[0]

    def measure(
        self,
        inputs: Mapping[str, npt.NDArray[np.integer[Any]]] | None = None,
        frames: int = 4,
        idle_cycles: int = 1_000_000,
    ) -> Cycles:
        """Count cycles: frames back to back, sources always valid, sinks always ready.

        Args:
            inputs: as for :meth:`run`, repeated as often as needed; zeros by default.
            frames: how many frames, at least 2.
            idle_cycles: likewise.

        Raises:
            as :meth:`run`.
        """
        if inputs is None:
            inputs = {port["name"]: np.zeros(port["shape"], np.dtype(port["dtype"])) for port in self.inputs}
        fed = all_physical(self.inputs, inputs)
        fed = [array[np.arange(frames) % len(array)] for array in fed]
        return self._simulate(fed, frames, (1.0, 1.0), 0, idle_cycles, None)[1]

    def run_and_measure(
        self,
        inputs: Mapping[str, npt.NDArray[np.integer[Any]]],
        back_pressure: tuple[float, float] = (1.0, 1.0),
        seed: int = 0,
        idle_cycles: int = 1_000_000,
    ) -> tuple[Tensors, Cycles]:
        """Both at once: what :meth:`run` returns, and when its frames entered and left."""
        return self._run(inputs, back_pressure, seed, idle_cycles, None)

    def _run(
        self,
        inputs: Mapping[str, npt.NDArray[np.integer[Any]]],
        back_pressure: tuple[float, float],
        seed: int,
        idle_cycles: int,
        trace: Path | None,
    ) -> tuple[Tensors, Cycles]:
        fed = all_physical(self.inputs, inputs)
        for port, array in zip(self.inputs, fed, strict=True):
            _check_range(port, array)
        frames = len(fed[0]) if fed else 1
        made, cycles = self._simulate(fed, frames, back_pressure, seed, idle_cycles, trace)
        return {port["name"]: logical(port, array) for port, array in zip(self.outputs, made, strict=True)}, cycles

    def _simulate(
        self,
        fed: list[npt.NDArray[np.int32]],
        frames: int,
        back_pressure: tuple[float, float],
        seed: int,
        idle_cycles: int,
        trace: Path | None,
    ) -> tuple[list[npt.NDArray[np.int32]], Cycles]:
        """Frames (samples, elements) in physical order, in and out."""
        if trace is not None and not self._tracing:
            raise ValueError("open the simulation with trace=True")
        made = [np.zeros((frames, port["tokens"] * port["lanes"]), np.int32) for port in self.outputs]
        stamps = np.zeros((2, frames), np.int64)
        sources, sinks = _pointers([*fed, *self._weights]), _pointers(made)
        job = _Job(
            self._memories.encode(),
            str(trace).encode() if trace is not None else None,
            ctypes.addressof(sources),
            ctypes.addressof(sinks),
            stamps[0].ctypes.data,
            stamps[1].ctypes.data,
            frames,
            idle_cycles,
            *back_pressure,
            seed,
        )
        message = ctypes.create_string_buffer(1024)
        handle = self._library.gatewright_open(ctypes.byref(job), message, ctypes.c_int64(len(message)))
        if not handle:
            raise _stopped(message.value)
        try:
            status = _RUNNING
            while status == _RUNNING:
                status = self._library.gatewright_advance(ctypes.c_void_p(handle), ctypes.c_int64(_SLICE_CYCLES))
            if status != _FINISHED:
                raise self._fault(handle, status, frames)
        finally:
            self._library.gatewright_close(ctypes.c_void_p(handle))
        entered, finished = stamps.tolist()
        return made, Cycles(tuple(entered), tuple(finished))

    def _fault(self, handle: int, status: int, frames: int) -> GatewrightError:
        fed = [*self.inputs, *self._weight_ports]
        state = np.zeros(3 + len(fed) + len(self.outputs), np.int64)
        message = self._library.gatewright_state(ctypes.c_void_p(handle), ctypes.c_void_p(state.ctypes.data))
        cycle, idle, at_fault, *moved = state.tolist()
        if status == _FAILED:
            return _stopped(message)
        if status == _DEADLOCK:
            waiting = [
                f"{'input' if is_input else 'output'} {port['port']} ({port.get('name') or port['stage']}) "
                f"{'is not accepted after' if is_input else 'waits after'} {done} of {port['tokens'] * frames} tokens"
                for (is_input, port), done in zip(
                    [(True, port) for port in fed] + [(False, port) for port in self.outputs],
                    moved,
                    strict=True,
                )
                if done < port["tokens"] * frames
            ]
            return MismatchError(
                "GW7011", "simulation", f"no token moved for {idle} cycles, up to cycle {cycle}: {'; '.join(waiting)}",
                "report this as a bug: a design never waits for ever",
                "simulate with a larger idle_cycles if the design is folded that far",
            )  # fmt: skip
        port = self.outputs[at_fault]
        place, done = f"output {port['port']} ({port['name']})", moved[len(fed) + at_fault]
        if status == _SURPLUS:
            return MismatchError(
                "GW7012", place, f"cycle {cycle}: a token comes after all {done} of {frames} frames",
                "report this as a bug",
            )  # fmt: skip
        return MismatchError("GW7010", place, f"cycle {cycle}, token {done}: {_BROKEN[status]}", "report this as a bug")


def _weights(directory: Path, ports: Sequence[Mapping[str, Any]]) -> list[npt.NDArray[np.int32]]:
    """(words, lanes) of every port that weights come through."""
    found = []
    for port in ports:
        data = (directory / port["file"]).read_bytes()[port["offset"] : port["offset"] + port["bytes"]]
        found.append(from_bytes(port, data, port["words"]))
    return found


def _pointers(arrays: list[npt.NDArray[np.int32]]) -> Any:
    return (ctypes.c_void_p * max(1, len(arrays)))(*(array.ctypes.data for array in arrays))


def _check_range(port: Mapping[str, Any], array: npt.NDArray[np.int32]) -> None:
    bits = port["bits"]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if port["signed"] else (0, (1 << bits) - 1)
    if array.size and (array.min() < low or array.max() > high):
        raise UsageError("GW0103", port["name"], f"values outside {low} to {high}", f"give integers of {bits} bits")


def _stopped(message: bytes) -> ToolError:
    reason = f"it stopped itself: {message.decode(errors='replace')}"
    return ToolError("GW5025", "simulation", reason, "see that the folder is whole, or compile again")
