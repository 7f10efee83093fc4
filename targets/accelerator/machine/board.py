"""An accelerator on a board as an executor of programs: its main memory is DRAM, at the other end of a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import TargetError, UsageError
from gatewright.schedules.accelerator.isa.encoding import Instruction, Words, columns
from gatewright.schedules.accelerator.program import HostStep
from gatewright.schedules.accelerator.serialization import Package
from gatewright.schedules.accelerator.spec import Spec
from gatewright.targets.accelerator.machine.memories import Memories

if TYPE_CHECKING:
    from gatewright.hls.accelerator.link import AcceleratorLink

__all__ = ["BoardExecutor", "memory_needed"]

_Span = tuple[int, int]
_LIMITS = np.minimum, np.maximum


def memory_needed(package: Package) -> int:
    """Bytes of main memory: the network's data, and behind them the programs of all its runs."""
    return _program_addresses(package)[-1]


def _program_addresses(package: Package) -> list[int]:
    """Where the programs of the runs begin, and where the last one ends."""
    word = package.spec.matrix.columns
    addresses = [-(-package.program.dram_bytes // word) * word]
    for run in package.program.runs:
        addresses.append(addresses[-1] + run.words.nbytes)
    return addresses


class BoardExecutor:
    """An executor for :class:`~gatewright.targets.accelerator.machine.network.Network`.

    Over the line go constants and programs once, tensors that the host has made before a run where they differ from
    what is there, and back those of the run that it reads.

    Args:
        link: to the accelerator.
        package: the network that will be run.

    Attributes:
        cycles: that every run took, as the board counted them.

    Raises:
        UsageError: GW4314 when the network is too large for the board's memory.
    """

    def __init__(self, link: AcceleratorLink, package: Package) -> None:
        needed = memory_needed(package)
        if needed > link.memory_bytes:
            raise UsageError(
                "GW4314", package.spec.name, f"the network needs {needed} bytes of main memory, the board has "
                f"{link.memory_bytes}", "build the board for this network (--set sim.board=...)",
            )  # fmt: skip
        self.cycles: list[int] = []
        self._link = link
        self._addresses = _program_addresses(package)
        self._data_bytes = self._addresses[0]
        self._programs = [run.words.astype("<u4").tobytes() for run in package.program.runs]
        self._uploaded: set[int] = set()
        self._stored = [self._mask(_stores(run.words)) for run in package.program.runs]
        read = _spans(package, _read_by_host(package))
        self._fetched = [[(low, high) for low, high in read if stored[low:high].any()] for stored in self._stored]
        self._sent = [self._mask(_spans(package, names)) for names in _made_before_runs(package)]
        if self._sent:
            self._sent[0] |= self._mask([(0, len(package.constants))])
        # What the memory holds, where that is known: a program writes more than the host reads.
        self._there = np.zeros(self._data_bytes, np.uint8)
        self._known = np.zeros(self._data_bytes, bool)
        # The inference that goes on: its DRAM, and the number of its next run.
        self._dram: npt.NDArray[np.uint8] | None = None
        self._run = 0

    def __call__(self, spec: Spec, memories: Memories, instructions: list[Instruction]) -> None:
        """Run the next program of the package; of DRAM only what the host reads is changed.

        Raises:
            TargetError: GW4315 when the accelerator met an instruction that it does not know.
        """
        if memories.dram is not self._dram:
            self._dram, self._run = memories.dram, 0
        run, self._run = self._run, self._run + 1
        self._send(run, memories.dram)
        if run not in self._uploaded:
            self._link.write(self._addresses[run], self._programs[run])
            self._uploaded.add(run)
        self._known &= ~self._stored[run]
        cycles, fault = self._link.run(self._addresses[run])
        if fault:
            raise TargetError(
                "GW4315", spec.name, "the accelerator met an instruction that it does not know",
                "check that this bitstream is on the board", "check the line",
            )  # fmt: skip
        self.cycles.append(cycles)
        for first, end in self._fetched[run]:
            self._there[first:end] = self._link.read(first, end - first)
            self._known[first:end] = True
            memories.dram[first:end] = self._there[first : min(end, len(memories.dram))]

    def _send(self, run: int, data: npt.NDArray[np.uint8]) -> None:
        dram = np.zeros(self._data_bytes, np.uint8)
        dram[: len(data)] = data
        for first, end in self._words(self._sent[run] & ~(self._known & (self._there == dram))):
            # Unknown until all of it is there: a line may break.
            self._known[first:end] = False
            self._link.write(first, dram[first:end].tobytes())
            self._there[first:end], self._known[first:end] = dram[first:end], True

    def _mask(self, spans: Iterable[_Span]) -> npt.NDArray[np.bool_]:
        mask = np.zeros(self._data_bytes, bool)
        for first, end in spans:
            mask[first:end] = True
        return mask

    def _words(self, wanted: npt.NDArray[np.bool_]) -> list[_Span]:
        """Runs of whole words that hold a wanted byte."""
        word = self._link.word_bytes
        some = np.concatenate([[False], wanted.reshape(-1, word).any(axis=1), [False]])
        edges = np.flatnonzero(some[1:] != some[:-1]) * word
        return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _stores(words: Words) -> list[_Span]:
    """Hulls of what the stores of a program write to DRAM."""
    for mnemonic, _, of in columns(words):
        if mnemonic == "store":
            reaches = (of["rows"] - 1) * of["dram_row_stride"], (of["planes"] - 1) * of["dram_plane_stride"]
            low, high = (of["dram_address"] + sum(limit(reach, 0) for reach in reaches) for limit in _LIMITS)
            return list(zip(low.tolist(), (high + of["row_bytes"]).tolist(), strict=True))
    return []


def _made_before_runs(package: Package) -> list[set[str]]:
    """By run, the tensors that the host has made since the run before."""
    entering = {name for name, side in package.program.boundary.items() if side == "entry"}
    made = [entering | {layer.name for layer in package.graph.inputs}]
    for step in package.program.steps:
        if isinstance(step, HostStep):
            made[-1].add(step.layer)
        else:
            made.append(set())
    return made[:-1]


def _read_by_host(package: Package) -> set[str]:
    """Outputs, and what host layers take; of tensors that are not in DRAM what they are computed from."""
    graph, program = package.graph, package.program
    steps = {step.layer for step in program.steps if isinstance(step, HostStep)}
    left = [*graph.outputs, *(name for layer in {*steps, *program.boundary} for name in graph[layer].inputs)]
    found: set[str] = set()
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [] if name in program.tensors else graph[name].inputs
    return found


def _spans(package: Package, names: Iterable[str]) -> list[_Span]:
    """Where tensors lie in DRAM, whole words each."""
    word = package.spec.matrix.columns
    spans = set()
    for name in names:
        if (there := package.program.tensors.get(name)) is not None:
            end = -(-(there.address + there.storage.size_bytes) // word) * word
            spans.add((there.address // word * word, end))
    return sorted(spans)
