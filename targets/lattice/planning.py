"""The plan: a folding for every stage, FIFO depths and exact cycle counts, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from gatewright.compiler.errors import ConstraintError, TargetError, UsageError
from gatewright.compiler.model import QuantizedModel
from gatewright.hls.lattice.board import border
from gatewright.hls.lattice.database import Device, Site
from gatewright.hls.lattice.flash import flash_cycles, weights_offset
from gatewright.hls.lattice.lowering import lower
from gatewright.hls.ports import element_bytes
from gatewright.schedules.stream.devices import FABRICS, Fabric
from gatewright.schedules.stream.folding import SHARES, DoesNotFit, fold_into
from gatewright.schedules.stream.hardware import Fold, hardware, legal_folds
from gatewright.schedules.stream.network import Network, StageNode, assemble, with_depths
from gatewright.schedules.stream.resources import RESOURCES, Resources, stage_resources
from gatewright.schedules.stream.stages import Design, Mac, Stage
from gatewright.targets.base import BuildPlan
from gatewright.targets.lattice.options import LatticeOptions

__all__ = ["make_plan", "network_of"]

_NAMES = {
    "lut": "LUTs", "ff": "flip-flops", "dsp": "multipliers", "ebr": "block memories (EBR)",
    "spram": "large memories (SPRAM)",
}  # fmt: skip
_FOLD = tuple(part.name for part in fields(Fold))


def make_plan(target: str, model: QuantizedModel, site: Site, options: LatticeOptions) -> BuildPlan:
    """Choose everything.

    Raises:
        TargetError: GW4213: there is no integer graph.
        ConstraintError: GW4217: nothing fits; the message names the binding resource. GW4218: ``target_fps`` is beyond
            what the stages can do.
        UsageError: GW0407: an option names a layer or a value that is not possible.
    """
    graph = model.integer
    if graph is None:
        raise TargetError(
            "GW4213", target, "hardware needs an integer graph", "compile with --profile fixed or --profile scaled"
        )
    design, fabric, device = lower(graph), FABRICS[site.device.fabric], site.device
    clock_mhz = options.clock_mhz or site.clock_mhz
    fixed = _fixed(design, fabric, options)
    wanted = None if options.target_fps is None else int(clock_mhz * 1e6 / options.target_fps)
    shares = SHARES if options.utilisation == "auto" else (options.utilisation,)
    outside = _asked_outside(design, options)
    while True:
        _must_fit_the_flash(design, outside, site)
        flash = _flash_cycles(design, outside, clock_mhz)
        try:
            folded = fold_into(
                design, fabric, _resources(device), border(len(outside)), shares, fixed=fixed,
                target_interval=wanted, outside=outside, least_interval=flash,
            )  # fmt: skip
            break
        except DoesNotFit as error:
            more: dict[str, bool] = {}
            if options.flash == "auto" and error.resource == "ebr":
                more = _next_outside(design, fabric, device.resources.spram, outside)
            elif error.resource == "spram":  # words of this stage leave too much of it empty
                more = {next(name for name, kept in reversed(outside.items()) if kept): False}
            if not more:
                raise _too_large(error, design, site, shares[-1], options) from None
            outside |= more
    interval = max(folded.timing.interval_cycles, flash)
    if wanted is not None and interval > wanted:
        slowest = max(folded.network.stages, key=lambda node: node.hardware.work_cycles)
        bound = repr(slowest.hardware.stage.layer) if flash < interval else "the flash chip that holds weights"
        raise ConstraintError(
            "GW4218", target,
            f"{options.target_fps:g} inferences per second leave {wanted} cycles each at {clock_mhz:g} MHz; the design "
            f"takes {interval}, bound by {bound}",
            "ask for fewer, or for a higher clock",
        )  # fmt: skip
    settings = {
        "site": site.name,
        "device": device.name,
        "package": site.package,
        "fabric": fabric.name,
        "clock_mhz": clock_mhz,
        "interval_cycles": folded.timing.interval_cycles,
        "latency_cycles": folded.timing.latency_cycles,
        "flash_cycles": flash,
        "resources": asdict(folded.resources + border(len(outside))),
        "available": {name: getattr(device.resources, name) for name in _NAMES},
        "profile": graph.profile,
        "fifo_depths": {fork.name: list(fork.depths) for fork in folded.network.forks},
        "bitstream": device.bitstream if options.bitstream == "auto" else options.bitstream,
    }
    rows = tuple(_row(node) for node in folded.network.stages)
    return BuildPlan(target, graph.digest(), options.model_dump(mode="json"), rows, settings, model)


def _resources(device: Device) -> Resources:
    counts = device.resources
    return Resources(*(getattr(counts, name) for name in RESOURCES))


def _asked_outside(design: Design, options: LatticeOptions) -> dict[str, bool]:
    """Stages of the layers whose weights the user wants in the flash; none of them is kept."""
    if not isinstance(options.flash, tuple):
        return {}
    by_layer = {stage.layer: stage.name for stage in design.stages if isinstance(stage, Mac)}
    unknown = [layer for layer in options.flash if layer not in by_layer]
    if unknown:
        raise UsageError(
            "GW0407", "lattice.flash", f"the design has no layer {unknown[0]!r} with weights",
            "its layers with weights are " + ", ".join(by_layer),
        )  # fmt: skip
    return {by_layer[layer]: False for layer in options.flash}


def _next_outside(design: Design, fabric: Fabric, sprams: int, outside: Mapping[str, bool]) -> dict[str, bool]:
    """The next stage to take its weights from the flash, and whether it keeps them in the device's large memories.

    The largest that those hold; then one that reads its weights least often, of those the largest. Nothing where no
    weights are left that take more block memory than the FIFO in front of the flash.
    """
    width, depth = fabric.block_shapes[0]
    left = [
        stage
        for stage in design.stages
        if isinstance(stage, Mac)
        and stage.name not in outside
        and stage.weight.size * stage.weight_bits > 2 * width * depth
    ]
    free = sprams - sum(_sprams(design[name], fabric) for name, kept in outside.items() if kept)
    fitting = [stage for stage in left if sprams and _sprams(stage, fabric) <= free]
    if fitting:
        return {max(fitting, key=lambda stage: stage.weight.size).name: True}
    found = min(left, key=lambda stage: (_windows(stage), -stage.weight.size), default=None)
    return {} if found is None else {found.name: False}


def _sprams(stage: Stage, fabric: Fabric) -> int:
    """Large memories a stage takes that multiplies as much at once as their width allows."""
    assert isinstance(stage, Mac) and fabric.spram is not None
    width, depth = fabric.spram
    return -(-stage.weight.size // (depth * max(1, width // stage.weight_bits)))


def _windows(stage: Mac) -> int:
    rows, columns = stage.window.output
    return rows * columns


def _flash_cycles(design: Design, outside: Mapping[str, bool], clock_mhz: float) -> int:
    """Cycles the flash takes for a frame's weights."""
    regions = []
    for name, kept in outside.items():
        stage = design[name]
        assert isinstance(stage, Mac)
        regions.append({"tokens": _windows(stage), "words": 1, "bytes": _weight_bytes(stage), "once": kept})
    return flash_cycles(regions, clock_mhz)


def _weight_bytes(stage: Stage) -> int:
    """Bytes the weights of a stage take in the flash."""
    assert isinstance(stage, Mac)
    return int(stage.weight.size) * element_bytes(stage.weight_bits)


def _must_fit_the_flash(design: Design, outside: Mapping[str, bool], site: Site) -> None:
    """Commands to the flash chip carry addresses of 24 bits."""
    offset = weights_offset(site)
    needed, left = sum(_weight_bytes(design[name]) for name in outside), (1 << 24) - offset
    if needed > left:
        raise ConstraintError(
            "GW4217", site.name,
            f"{needed} bytes of weights do not lie in the flash chip: its 24-bit addresses leave {left} bytes",
            "quantize to fewer bits, or prune", "choose a larger device",
        )  # fmt: skip


def network_of(plan: BuildPlan) -> Network:
    """The network a plan describes."""
    graph = plan.model.integer
    assert graph is not None  # the plan was made for it
    folds = {row["stage"]: Fold(*(row[name] for name in _FOLD)) for row in plan.layers}
    network = assemble(lower(graph), folds, FABRICS[plan.settings["fabric"]])
    return with_depths(network, {name: tuple(depths) for name, depths in plan.settings["fifo_depths"].items()})


def _row(node: StageNode) -> Mapping[str, Any]:
    made = node.hardware
    return {
        "layer": made.stage.layer,
        "op": type(made.stage).__name__.lower(),
        "stage": node.name,
        **{name: getattr(made.fold, name) for name in _FOLD},
        "multiplications_per_cycle": made.multipliers,
        "lanes": made.lanes,
        "fifo": made.fifo,
        "work_cycles": made.work_cycles,
        **asdict(stage_resources(made)),
    }


def _fixed(design: Design, fabric: Fabric, options: LatticeOptions) -> dict[str, Fold]:
    """Folds the user set, by stage."""
    by_layer: dict[str, list[str]] = {}
    for stage in design.stages:
        by_layer.setdefault(stage.layer, []).append(stage.name)
    for key, given in (("pe", options.pe), ("simd", options.simd)):
        unknown = sorted(set(given) - set(by_layer))
        if unknown:
            raise UsageError(
                "GW0407", f"lattice.{key}", f"the design has no layer {unknown[0]!r}",
                "its layers are " + ", ".join(by_layer),
            )  # fmt: skip
    fixed = {}
    for layer in sorted(set(options.pe) | set(options.simd)):
        stage = design[by_layer[layer][-1]]
        fold = Fold(options.pe.get(layer, 1), options.simd.get(layer, 1))
        try:
            hardware(stage, fold, fabric)
        except ValueError:
            legal = legal_folds(stage)
            raise UsageError(
                "GW0407", f"lattice.pe: {layer}", f"pe {fold.pe} and simd {fold.simd} do not divide the layer",
                "pe may be " + ", ".join(map(str, sorted({f.pe for f in legal})))
                + "; simd " + ", ".join(map(str, sorted({f.simd for f in legal}))),
            ) from None  # fmt: skip
        fixed[stage.name] = fold
    return fixed


def _too_large(error: DoesNotFit, design: Design, site: Site, share: float, options: LatticeOptions) -> ConstraintError:
    layer = design[error.stage].layer
    asked = options.target_fps is not None or bool(options.pe) or bool(options.simd)
    folded = "with the folding asked for" if asked else "folded as far as it goes"
    limit = f"{share:.0%} of its" if error.resource in ("lut", "ff") else "its"
    return ConstraintError(
        "GW4217", site.name,
        f"{folded} the design needs {error.needed} {_NAMES[error.resource]}, {site.device.title} leaves "
        f"{error.available} ({limit} {getattr(site.device.resources, error.resource)}); {layer!r} takes the most",
        "choose a larger device", "quantize to fewer bits, or prune the layer",
        *(("set lattice.utilisation=0.95",) if error.resource in ("lut", "ff") else ()),
    )  # fmt: skip
