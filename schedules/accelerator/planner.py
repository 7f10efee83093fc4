"""Decides how a network runs on an accelerator: which tensors stay on chip, and how every layer is cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from gatewright.compiler.errors import ConstraintError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.schedules.accelerator.analysis import Analysis, Operation, analyse
from gatewright.schedules.accelerator.emission import emit_program, tensor_places
from gatewright.schedules.accelerator.jobs import convolution_job, convolution_shape, window_job
from gatewright.schedules.accelerator.lowering.convolution import lower_convolution, place_slots
from gatewright.schedules.accelerator.lowering.window import WindowTiling, lower_window, place_window_slots
from gatewright.schedules.accelerator.places import Place, dram_place
from gatewright.schedules.accelerator.program import Program
from gatewright.schedules.accelerator.residency import Residency, choose_residents
from gatewright.schedules.accelerator.search.convolution import Budget, search_convolution
from gatewright.schedules.accelerator.search.window import search_window
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.stream import Stream
from gatewright.schedules.accelerator.tile import Tiling
from gatewright.schedules.accelerator.timing.event import modelled_cycles, simulate

__all__ = ["Plan", "Schedule", "plan_network", "program_of"]

SHARES = (0.75, 0.0)
"""Shares of the activation scratchpad that resident tensors may take; the fastest wins."""
_FAR, _APART = 1 << 31, 1 << 29
"""First address of a layer's tensors, and from one to the next, where a layer is timed by itself: none overlap."""


@dataclass(frozen=True)
class Schedule:
    """All decisions; with the graph and the spec they determine every byte of the program.

    Attributes:
        share: of the activation scratchpad for resident tensors.
        tilings: by operation that has one.
        cycles: of all runs, by the event-driven model.
    """

    share: float
    tilings: Mapping[str, Tiling | WindowTiling]
    cycles: int

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "share": self.share,
            "tilings": {name: asdict(tiling) for name, tiling in self.tilings.items()},
            "cycles": self.cycles,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Schedule:
        """The inverse of :meth:`to_json`."""
        tilings = {
            name: Tiling(**fields) if "order" in fields else WindowTiling(**fields)
            for name, fields in data["tilings"].items()
        }
        return cls(data["share"], tilings, data["cycles"])


@dataclass(frozen=True)
class Plan:
    """A network planned for an accelerator: what there is to do, how it is done, and the program."""

    analysis: Analysis
    schedule: Schedule
    program: Program


class _NoConstants:
    """Addresses where nothing is: for timing a layer by itself."""

    def address(self, layer: str, role: str) -> int:
        """Far from every tensor, and from each other."""
        return {"weights": 3 << 29, "parameters": 5 << 28, "taps": 1 << 30}[role]


class _Searcher:
    """Tilings of single layers, remembered by what they depend on."""

    def __init__(self, spec: Spec, budget: Budget) -> None:
        self.spec, self.budget = spec, budget
        self._known: dict[Any, Tiling | WindowTiling | None] = {}

    def tiling(
        self, analysis: Analysis, op: Operation, places: Mapping[str, Place], limit: int
    ) -> Tiling | WindowTiling | None:
        """The best tiling of one operation, or None when none fits."""
        if op.kind == "convolution":
            return self._convolution(analysis, op, places, limit)
        return self._window(analysis, op, places, limit)

    def _convolution(self, analysis: Analysis, op: Operation, places: Mapping[str, Place], limit: int) -> Tiling | None:
        shape = convolution_shape(self.spec, analysis, op)
        job = convolution_job(self.spec, analysis, op, shape, places, _NoConstants())
        resident = job.source.resident, job.target.resident
        key = shape, resident, limit
        if key not in self._known:

            def evaluate(tiling: Tiling) -> int:
                slots = place_slots(self.spec, shape, tiling, resident, limit)
                assert slots is not None
                stream = Stream(self.spec)
                lower_convolution(stream, job, tiling, slots)
                return simulate(self.spec, stream.words()).total_cycles

            found = search_convolution(self.spec, shape, resident, limit, evaluate, self.budget)
            self._known[key] = found.tiling if found else None
        known = self._known[key]
        return known if isinstance(known, Tiling) else None

    def _window(
        self, analysis: Analysis, op: Operation, places: Mapping[str, Place], limit: int
    ) -> WindowTiling | None:
        job = window_job(self.spec, analysis, op, places, _NoConstants())

        def evaluate(tiling: WindowTiling) -> int:
            slots = place_window_slots(self.spec, job, tiling, limit)
            assert slots is not None
            stream = Stream(self.spec)
            lower_window(stream, job, tiling, slots)
            return simulate(self.spec, stream.words()).total_cycles

        shapes = tuple(p.storage for p in (job.source, job.target, *([job.second] if job.second else [])))
        stays = tuple(p.resident for p in (job.source, job.target, *([job.second] if job.second else [])))
        key = job.operation, shapes, stays, job.kernel, job.strides, job.dilation, job.padding, limit
        if key not in self._known:
            self._known[key] = search_window(self.spec, job, limit, evaluate, self.budget)
        known = self._known[key]
        return known if isinstance(known, WindowTiling) else None


def plan_network(spec: Spec, graph: IntegerGraph, budget: Budget | None = None) -> Plan:
    """The fastest plan found.

    Raises:
        ConstraintError: GW4308 when a layer fits the accelerator in no tiling.
    """
    analysis = analyse(spec, graph)
    searcher = _Searcher(spec, budget or Budget())
    best: Plan | None = None
    for share in SHARES:
        residency = choose_residents(spec, analysis, share)
        tilings = _tilings(analysis, residency, searcher)
        if isinstance(tilings, str):
            missing = tilings
            continue
        schedule = Schedule(share, tilings, 0)
        program = program_of(spec, analysis, schedule)
        cycles = modelled_cycles(spec, program)
        if best is None or cycles < best.schedule.cycles:
            best = Plan(analysis, replace(schedule, cycles=cycles), program)
        if not residency.regions:
            break
    if best is None:
        raise ConstraintError(
            "GW4308", missing, f"no tile of the layer fits the scratchpads of {spec.name}",
            "enlarge the scratchpads of the spec, or take a larger one",
        )  # fmt: skip
    return best


def _tilings(analysis: Analysis, residency: Residency, searcher: _Searcher) -> dict[str, Tiling | WindowTiling] | str:
    """Tiling of every operation, or the name of one that fits in none."""
    found: dict[str, Tiling | WindowTiling] = {}
    for step, op in enumerate(analysis.operations):
        if op.kind not in ("convolution", "window"):
            continue
        # Addresses in DRAM do not matter here, as long as the tensors of the layer are apart.
        names = dict.fromkeys((*op.reads, op.name))
        far = {name: dram_place(analysis.storages[name], _FAR + i * _APART) for i, name in enumerate(names)}
        places = tensor_places(analysis, residency, far)
        tiling = searcher.tiling(analysis, op, places, residency.limits[step])
        if tiling is None:
            return op.name
        found[op.name] = tiling
    return found


def program_of(spec: Spec, analysis: Analysis, schedule: Schedule) -> Program:
    """The program a schedule says."""
    residency = choose_residents(spec, analysis, schedule.share)
    return emit_program(spec, analysis, residency, schedule.tilings)
