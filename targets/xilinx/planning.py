"""The plan: a folding for every layer of the integer graph, as plain data."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from gatewright.compiler.errors import ConstraintError, TargetError, UsageError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Input
from gatewright.compiler.model import QuantizedModel
from gatewright.hls.check import check_graph as check_lowering
from gatewright.schedules.fpga.choices import Choice, choices, legal_reuse_factors, meant
from gatewright.schedules.fpga.costs import Dsp
from gatewright.schedules.fpga.cycles import IoType, Strategy, cycle_model
from gatewright.schedules.fpga.dataflow import fifo_depths, latency_cycles, stream_resources
from gatewright.schedules.fpga.folding import DoesNotFit, Folding, fold
from gatewright.schedules.fpga.kernels import Kernel, kernels
from gatewright.schedules.fpga.limits import PARTITION_LIMIT
from gatewright.schedules.fpga.resources import Resources, total
from gatewright.targets.base import BuildPlan
from gatewright.targets.xilinx.check import choose_io_type
from gatewright.targets.xilinx.database import Site, boards
from gatewright.targets.xilinx.options import XilinxOptions
from gatewright.targets.xilinx.sites import assumed_device

__all__ = ["make_plan"]

_STRATEGIES: tuple[Strategy, ...] = ("latency", "resource", "serial")
_BACKENDS = {"vitis": "Vitis", "vivado": "Vivado", "vivado_accelerator": "VivadoAccelerator"}
_SHARES = (0.8, 0.85, 0.9, 0.95, 1.0)
"""Share of the device a design may take: the first one something fits into; routing wants the rest."""
_RESOURCES = {
    "lut": "LUT",
    "ff": "flip-flops",
    "dsp": "DSP slices",
    "bram_18k": "18 Kbit block RAMs",
    "uram": "UltraRAMs",
}


def make_plan(target: str, model: QuantizedModel, site: Site, options: XilinxOptions) -> BuildPlan:
    """Choose everything.

    Raises:
        TargetError: GW4201, GW4202: a layer has no folding the tools accept; GW4206: there is no integer graph;
            GW4207: the lowering cannot place a layer with these options.
        ConstraintError: GW4203: nothing fits; the message names the binding resource.
        UsageError: GW0402: an option names a layer or a value that is not possible.
    """
    graph = model.integer
    if graph is None:
        raise TargetError(
            "GW4206", target, "a Xilinx design needs an integer graph, and the model was not quantized",
            "compile with --profile fixed or --profile scaled",
        )  # fmt: skip
    io_type: IoType = choose_io_type(graph) if options.io_type == "auto" else options.io_type
    if io_type == "io_parallel":
        _registers_are_few(graph)
    for layer, reason, suggestion in check_lowering(graph, io_type, _BACKENDS[options.backend]):
        raise TargetError("GW4207", layer, reason, suggestion)
    described = {kernel.layer: kernel for kernel in kernels(graph)}
    _known_layers(options, described)
    wide, narrow = site.dsp.operand_bits
    dsp = Dsp(wide, narrow)
    possible = {name: _choices(kernel, io_type, dsp, options) for name, kernel in described.items()}
    depths = fifo_depths(graph, described, io_type)
    streams = {layer.name: stream_resources(graph, layer, depths[layer.name]) for layer in graph}
    device = assumed_device(site)
    available = Resources(**device.resources.model_dump())
    shares = _shares(options)
    try:
        share, folding = _first_that_fits(possible, available, total(streams.values()), shares)
    except DoesNotFit as error:
        raise _too_large(error, described[error.layer], site, device.name, shares[-1], options) from None
    clock_mhz = options.clock_mhz or site.clock_mhz
    settings = {
        "part": site.part,
        "board": site.board.name if site.board else "",
        "hls4ml_board": site.board.hls4ml_board if site.board else "",
        "family": site.family,
        "backend": _BACKENDS[options.backend],
        "io_type": io_type,
        "clock_mhz": clock_mhz,
        "clock_period_ns": round(1000 / clock_mhz, 4),
        "project_name": options.project_name,
        "interval_cycles": max(c.timing.interval_cycles for c in folding.chosen.values()),
        "latency_cycles": latency_cycles(graph, {n: c.timing for n, c in folding.chosen.items()}, io_type),
        "resources": _counts(folding.resources),
        "available": device.resources.model_dump(),
        "resources_of": device.name,
        "utilisation": share,
        "warnings": _warnings(site, device.name, share, shares),
        "fifo_depths": {name: depth for name, depth in depths.items() if depth},
    }
    _backend_knows(options, settings)
    rows = tuple(
        _row(described[layer.name], folding, depths[layer.name], streams[layer.name], io_type)
        for layer in graph
        if not isinstance(layer, Input)
    )
    filled = {**options.model_dump(mode="json"), "io_type": io_type, "clock_mhz": clock_mhz}
    return BuildPlan(target, graph.digest(), filled, rows, settings, model)


def _shares(options: XilinxOptions) -> tuple[float, ...]:
    """Shares of the device to try, in order."""
    return _SHARES if options.utilisation == "auto" else (options.utilisation,)


def _first_that_fits(
    possible: Mapping[str, Sequence[Choice]], available: Resources, base: Resources, shares: Sequence[float]
) -> tuple[float, Folding]:
    """The first share of the device something fits into, and the folding.

    Raises:
        DoesNotFit: nothing fits the last one.
    """
    failure: DoesNotFit | None = None
    for share in shares:
        try:
            return share, fold(possible, available.scaled(share), base)
        except DoesNotFit as error:
            failure = error
    assert failure is not None  # there is a share
    raise failure


def _warnings(site: Site, device: str, share: float, shares: tuple[float, ...]) -> list[str]:
    """What the user should know about the numbers."""
    found = []
    if site.device is None:
        found.append(f"gatewright has no resource counts of {site.part}; the folding assumes those of {device}")
    if share != shares[0]:
        found.append(
            f"nothing fits in {shares[0]:.0%} of {device}; the folding found takes up to {share:.0%} by the estimate, "
            "and may fail to place and route"
        )
    return found


def _counts(resources: Resources) -> dict[str, int]:
    return asdict(resources)


def _row(kernel: Kernel, folding: Folding, depth: int, stream: Resources, io_type: IoType) -> Mapping[str, Any]:
    choice = folding.chosen[kernel.layer]
    return {
        "layer": kernel.layer,
        "op": kernel.op,
        "kernel": kernel.kind,
        "strategy": choice.strategy,
        "reuse_factor": choice.reuse_factor,
        "interval_cycles": choice.timing.interval_cycles,
        "latency_cycles": choice.timing.latency_cycles,
        "cycle_model": cycle_model(kernel, choice.strategy, io_type),
        "fifo_depth": depth,
        **_counts(choice.resources + stream),
    }


def _registers_are_few(graph: IntegerGraph) -> None:
    """In ``io_parallel`` every tensor is a completely partitioned array.

    Raises:
        UsageError: GW0402 when one is larger than the tools partition.
    """
    for layer in graph:
        elements = math.prod(layer.output.shape)
        if elements > PARTITION_LIMIT:
            raise UsageError(
                "GW0402", "xilinx.io_type",
                f"io_parallel makes every element a register; {layer.name!r} has {elements} and the tools partition at "
                f"most {PARTITION_LIMIT}",
                "set xilinx.io_type=io_stream, or leave it unset",
            )  # fmt: skip


def _known_layers(options: XilinxOptions, described: Mapping[str, Kernel]) -> None:
    for name, value in (("strategy", options.strategy), ("reuse_factor", options.reuse_factor)):
        unknown = sorted(set(value) - set(described)) if isinstance(value, dict) else []
        if unknown:
            raise UsageError(
                "GW0402", f"xilinx.{name}", f"the model has no layer {unknown[0]!r}",
                "its layers are " + ", ".join(n for n, k in described.items() if k.foldable),
            )  # fmt: skip


def _choices(kernel: Kernel, io_type: IoType, dsp: Dsp, options: XilinxOptions) -> tuple[Choice, ...]:
    """The foldings the options leave for one layer."""
    strategy = options.strategy_of(kernel.layer)
    strategy = strategy and meant(kernel, strategy, io_type)
    exact = options.reuse_factor_of(kernel.layer)
    wanted = options.reuse_factor if isinstance(options.reuse_factor, int) and kernel.foldable else None
    if wanted is not None:
        # as hls4ml does, a factor for the whole model becomes the closest one each layer accepts
        kinds = (strategy,) if strategy else (_STRATEGIES if wanted == 1 else _STRATEGIES[1:])
        legal = [rf for kind in kinds for rf in legal_reuse_factors(kernel, kind, io_type)]
        legal = legal or [
            *legal_reuse_factors(kernel, "resource", io_type),
            *legal_reuse_factors(kernel, "latency", io_type),
        ]
        exact = min(legal, key=lambda rf: (abs(rf - wanted), rf)) if legal else None
    found = choices(kernel, io_type, dsp, strategy, exact)
    if found:
        return found
    every = choices(kernel, io_type, dsp)
    if exact is not None and options.reuse_factor_of(kernel.layer) is not None and every:
        allowed = _STRATEGIES if strategy is None else (strategy,)
        accepted = sorted({rf for kind in allowed for rf in legal_reuse_factors(kernel, kind, io_type)})
        near = sorted(sorted(accepted, key=lambda rf: abs(rf - exact))[:6])
        raise UsageError(
            "GW0402", f"xilinx.reuse_factor: {kernel.layer}",
            f"{exact} is not accepted for a {kernel.n_in} x {kernel.n_out} product"
            + (f" in strategy {strategy}" if strategy else ""),
            "accepted near it: " + (", ".join(map(str, near)) or "none; choose another strategy"),
        )  # fmt: skip
    products = kernel.n_in * kernel.n_out
    raise TargetError(
        "GW4202", kernel.layer,
        f"strategy {strategy or 'latency'} unrolls {products} multiplications, the tools stop at 4096",
        "use strategy resource for this layer", "prune or split the layer",
    )  # fmt: skip


def _too_large(
    error: DoesNotFit, kernel: Kernel, site: Site, device: str, share: float, options: XilinxOptions
) -> ConstraintError:
    what = _RESOURCES[error.resource]
    place = site.board.title if site.board else site.part
    fixed = options.reuse_factor is not None or options.strategy is not None
    folded = "with the reuse factors set" if fixed else "folded as far as it goes"
    actions = []
    if fixed:
        actions.append("leave xilinx.reuse_factor and xilinx.strategy unset: the folding is then chosen to fit")
    actions += [
        "take a larger part ('gatewright targets xilinx' lists boards)",
        "quantize to fewer bits (--bits) or a narrower multiplier, or use --profile fixed",
    ]
    if share < 1:
        actions.append("raise xilinx.utilisation: the estimate is not exact")
    whole = int(getattr(assumed_device(site).resources, error.resource))
    allowed = f", of which {error.available} may be used" if share < 1 else ""
    return ConstraintError(
        "GW4203", place,
        f"{folded}, the design needs {error.needed} {what}; {device} has {whole}{allowed}; most of them are "
        f"in layer {error.layer!r} ({kernel.op})",
        *actions,
    )  # fmt: skip


def _backend_knows(options: XilinxOptions, settings: Mapping[str, Any]) -> None:
    if options.backend == "vivado_accelerator" and not settings["hls4ml_board"]:
        raise UsageError(
            "GW0402", "xilinx.backend",
            f"hls4ml's VivadoAccelerator does not know {settings['board'] or re.sub(r'-.*', '', settings['part'])}",
            "use backend=vitis or backend=vivado",
            "it knows " + ", ".join(board.name for board in boards().values() if board.hls4ml_board),
        )  # fmt: skip
