"""The contract every target keeps (design section 4): check, plan, estimate, build, load."""

from __future__ import annotations

import abc
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TextIO, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from gatewright.compiler.model import QuantizedModel

__all__ = [
    "BuildPlan",
    "Estimate",
    "Figure",
    "Finding",
    "IntegerLibrary",
    "LayerEstimate",
    "ModelledTiming",
    "Simulation",
    "Sweep",
    "SweepPoint",
    "Target",
    "TargetName",
    "Track",
    "Variation",
    "described_options",
]

JsonValue = Any
_Item = TypeVar("_Item")
Track = Callable[[Iterable[_Item], str, int], Iterable[_Item]]
"""(items, title, number of items) -> the items, while somebody watches how many are done."""


@dataclass(frozen=True)
class TargetName:
    """A target as the user names it: ``family[:variant]``, e.g. ``cpu``, ``xilinx:zcu104``."""

    family: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> TargetName:
        """Split at the first colon."""
        family, _, variant = text.partition(":")
        return cls(family, variant)

    def __str__(self) -> str:
        return f"{self.family}:{self.variant}" if self.variant else self.family

    @property
    def folder(self) -> str:
        """Folder name in an artefact: ``:`` and ``/`` become ``-``."""
        return str(self).replace(":", "-").replace("/", "-")


@dataclass(frozen=True)
class Finding:
    """One thing ``check`` found.

    Attributes:
        severity: an ``error`` keeps the model off the target; a ``warning`` or ``note`` does not.
        code, place, reason, actions: as in :class:`~gatewright.compiler.errors.GatewrightError`.
    """

    severity: Literal["error", "warning", "note"]
    code: str
    place: str
    reason: str
    actions: tuple[str, ...]


@dataclass(frozen=True)
class BuildPlan:
    """Everything a build will do, as plain JSON data: deterministic, no file written, no tool run.

    Attributes:
        target: the target's name.
        graph_digest: sha256 of the graph it is for.
        options: the options after defaults were filled in.
        layers: one row of plain data a layer (what is target-specific).
        settings: design-wide plain data (part, clock, io type, ...).
        model: the model the plan was made for; handed on to build, no part of the hash.
    """

    target: str
    graph_digest: str
    options: Mapping[str, JsonValue]
    layers: tuple[Mapping[str, JsonValue], ...]
    settings: Mapping[str, JsonValue]
    model: QuantizedModel = field(repr=False, compare=False)

    def to_json(self) -> dict[str, JsonValue]:
        """Plain data, key order fixed."""
        return {
            "target": self.target,
            "graph_digest": self.graph_digest,
            "options": dict(self.options),
            "settings": dict(self.settings),
            "layers": [dict(row) for row in self.layers],
        }

    def digest(self) -> str:
        """sha256 of the plan's JSON, in hexadecimal."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Figure:
    """One estimated quantity.

    Attributes:
        value: the number.
        unit: ``cycles``, ``us``, ``LUT``, ...
        model: name and source of the formula.
        error: its error against measurement as text ("+-8 % over 40 designs"), or ``unmeasured``.
        measured: the measured value, when there is one.
    """

    value: float
    unit: str
    model: str
    error: str = "unmeasured"
    measured: float | None = None


@dataclass(frozen=True)
class LayerEstimate:
    """Figures of one layer, by name (``latency_cycles``, ``lut``, ``dsp``, ...)."""

    layer: str
    op: str
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class Estimate:
    """Figures of a whole design: totals by name, per layer, and ``models``: formula name -> source.

    Names of totals: ``latency_cycles interval_cycles clock_mhz latency_us inferences_per_second`` and resources
    (``lut ff dsp bram_18k uram``) where the target has them; a target without cycles leaves them out.
    """

    target: str
    totals: Mapping[str, Figure]
    layers: tuple[LayerEstimate, ...]
    models: Mapping[str, str]


@dataclass(frozen=True)
class ModelledTiming:
    """How long a built design takes by its model, for benchmarks that must not time a simulator.

    Attributes:
        latency_seconds: from the first input of a sample to its last output.
        interval_seconds: between the starts of two samples that follow each other without a gap.
        model: where the two come from, and what they leave out.
    """

    latency_seconds: float
    interval_seconds: float
    model: str

    @classmethod
    def from_cycles(cls, latency_cycles: float, interval_cycles: float, clock_mhz: float, model: str) -> Self:
        """The same from cycles of one clock."""
        hertz = 1e6 * clock_mhz
        return cls(latency_cycles / hertz, interval_cycles / hertz, model)


@dataclass(frozen=True)
class Simulation:
    """What a timing model says of a built design.

    Attributes:
        totals: plain data: ``cycles clock_mhz latency_us utilisation macs energy_uj energy_table``, and what coarser
            models say, ``closed_form_cycles roofline_cycles``; ``split``: kind of cycles -> cycles, which add up;
            ``bytes``: memory -> bytes through it; ``energy_pj``: part -> energy.
        layers: one row a layer that takes cycles, in order: ``layer op cycles utilisation macs split bytes energy_pj``,
            with the meanings of the totals; ``energy_pj`` is one number.
        host_layers: layer that runs on the host, in no figure -> why.
        models: where the figures come from: name -> text.
        write_trace: writes a trace for ui.perfetto.dev, given a text file and the model's name.
        roofline: the text of a roofline plot as SVG, given the model's name.
    """

    totals: Mapping[str, JsonValue]
    layers: tuple[Mapping[str, JsonValue], ...]
    host_layers: Mapping[str, str]
    models: Mapping[str, str]
    write_trace: Callable[[TextIO, str], None] = field(repr=False)
    roofline: Callable[[str], str] = field(repr=False)

    def to_json(self) -> dict[str, JsonValue]:
        """Plain data."""
        return {
            **self.totals,
            "layers": [dict(row) for row in self.layers],
            "host_layers": dict(self.host_layers),
            "models": dict(self.models),
        }


@dataclass(frozen=True)
class Variation:
    """Parameters of a target that vary together in a sweep: dotted names that all take the same value at a time."""

    names: tuple[str, ...]
    values: tuple[JsonValue, ...]


@dataclass(frozen=True)
class SweepPoint:
    """One design of a sweep.

    Attributes:
        values: of the parameters that vary.
        figures: by name as in :attr:`Sweep.units`; empty where ``reason`` says why there is no such design.
        optimal: no other point is at least as good in every figure that counts, and better in one.
    """

    values: Mapping[str, JsonValue]
    figures: Mapping[str, float]
    optimal: bool
    reason: str = ""

    def to_json(self) -> dict[str, JsonValue]:
        """Plain data."""
        return {
            "values": dict(self.values), **self.figures, "possible": not self.reason, "optimal": self.optimal,
            "reason": self.reason,
        }  # fmt: skip


@dataclass(frozen=True)
class Sweep:
    """A model on a grid of designs.

    Attributes:
        points: in the order of the grid, the last parameter fastest.
        units: figure -> unit. compared: figures that decide which points are optimal; less is better.
        models: figure -> where it comes from.
    """

    points: tuple[SweepPoint, ...]
    units: Mapping[str, str]
    compared: tuple[str, ...]
    models: Mapping[str, str]


def described_options(options: type) -> dict[str, str]:
    """Option name -> what it does, from the section ``Attributes`` of an options class."""
    section = (options.__doc__ or "").partition("Attributes:")[2]
    entries = re.findall(r"^ {8}(\w+): (.*(?:\n {12,}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()).replace("``", "") for name, text in entries}


class IntegerLibrary(Protocol):
    """A built target, loaded: computes the integer tensors that enter the tail (or, with profile ``float``, the
    model's outputs from its inputs)."""

    def run(self, inputs: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, npt.NDArray[np.generic]]:
        """One inference: arrays by input name in the graph's shapes and storage types -> arrays by output name."""
        ...


class Target(abc.ABC):
    """One target family member.

    A subclass is registered under ``[project.entry-points."gatewright.targets"]`` with its family as name and is
    constructed with a :class:`TargetName`; importing its module must not import tvm, hls4ml or any tool.
    """

    def __init__(self, name: TargetName) -> None:
        self.name = name

    @classmethod
    def named(cls, text: str) -> Self:
        """The member that the user calls ``text``, e.g. ``xilinx:zcu104``.

        Raises:
            UsageError: there is no such variant.
        """
        return cls(TargetName.parse(text))

    @classmethod
    @abc.abstractmethod
    def variants(cls) -> Sequence[tuple[str, str]]:
        """Known variants as (full target name, one-line description), for ``gatewright targets``."""

    @classmethod
    @abc.abstractmethod
    def supported_layers(cls) -> Mapping[str, str]:
        """Operator name -> note ("" when unrestricted), for the README's generated table."""

    @classmethod
    def options(cls) -> Mapping[str, str]:
        """Option name -> what it does: what ``--set`` may say to this family."""
        return {}

    def data(self) -> str:
        """The text of the data file that describes this target.

        Raises:
            UsageError: GW0037 when there is none.
        """
        from gatewright.compiler.errors import UsageError

        raise UsageError("GW0037", str(self.name), "no data file describes this target", "run 'gatewright targets'")

    @abc.abstractmethod
    def check(self, model: QuantizedModel) -> list[Finding]:
        """Every layer the target cannot place, all at once."""

    @abc.abstractmethod
    def plan(self, model: QuantizedModel, options: Mapping[str, JsonValue]) -> BuildPlan:
        """Decide everything.

        Raises:
            TargetError: a layer cannot be placed.
            ConstraintError: nothing fits; the message names the binding constraint.
            UsageError: an unknown option or value.
        """

    @abc.abstractmethod
    def estimate(self, plan: BuildPlan) -> Estimate:
        """Cycles, latency, resources, energy."""

    @abc.abstractmethod
    def build(self, plan: BuildPlan, directory: Path) -> None:
        """Write the artefact into the empty ``directory`` (the caller renames it into place)."""

    @classmethod
    @abc.abstractmethod
    def load(cls, directory: Path) -> IntegerLibrary:
        """Open a built artefact; imports neither tvm's compiler nor a tool that is not needed to run."""

    @classmethod
    def measured(cls, directory: Path) -> Mapping[str, float]:
        """What tools measured while building ``directory``, by the name of the estimate's total; empty without."""
        return {}

    @classmethod
    def modelled(cls, directory: Path) -> ModelledTiming | None:
        """Time a sample takes on what was built in ``directory``; None where running it is the thing to time."""
        return None

    @classmethod
    def simulated(cls, directory: Path) -> Simulation | None:
        """The timing model on what was built in ``directory``; None where the family has no such model."""
        return None

    def sweep(
        self,
        model: QuantizedModel,
        variations: Sequence[Variation],
        options: Mapping[str, JsonValue],
        track: Track[Any],
        jobs: int = 1,
    ) -> Sweep | None:
        """``model`` on every combination of ``variations`` of this target; None where it has nothing to vary.

        Args:
            model: to plan.
            variations: the axes of the grid.
            options: as for :meth:`plan`.
            track: hears how far it is.
            jobs: processes; the result does not depend on it.

        Raises:
            UsageError: a parameter that does not exist, or an option.
            TargetError: the model cannot be placed at all.
        """
        return None
