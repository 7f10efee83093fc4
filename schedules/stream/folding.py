"""Folding: how parallel every stage is, so that the slowest is as fast as the device allows.

The interval of a streaming design is that of its slowest stage (FINN, Umuroglu et al. 2017; Blott et al. 2018). For a
wanted interval every stage takes its cheapest folding that keeps it; a bisection over the intervals stages can have
finds the smallest one whose hardware fits. Hard multipliers go to the stages with the most products, logic multiplies
where they run out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gatewright.schedules.stream.devices import Fabric
from gatewright.schedules.stream.hardware import Fold, Hardware, hardware, legal_folds
from gatewright.schedules.stream.network import Network, assemble, with_depths
from gatewright.schedules.stream.resources import RESOURCES, Resources, network_resources, stage_resources
from gatewright.schedules.stream.stages import Design, Stage
from gatewright.schedules.stream.timing import Timing, time_network

__all__ = ["SHARES", "DoesNotFit", "Folded", "fold_design", "fold_into", "sized"]

SHARES = (0.7, 0.8, 0.9)
"""Shares of LUTs and flip-flops to try in order: routing wants the rest."""


class DoesNotFit(Exception):
    """Nothing fits: ``resource`` of the device is the first to run out.

    Attributes:
        resource: its name in :class:`Resources`.
        needed, available: how many.
        stage: the stage that takes the most of it.
    """

    def __init__(self, resource: str, needed: int, available: int, stage: str) -> None:
        super().__init__(f"{needed} {resource} of {available}")
        self.resource = resource
        self.needed = needed
        self.available = available
        self.stage = stage


@dataclass(frozen=True)
class Folded:
    """A design with its folding.

    Attributes:
        network: the network, FIFO depths found.
        timing: its exact cycle counts.
        resources: estimate of the whole.
        interval_target: the interval every stage alone keeps.
    """

    network: Network
    timing: Timing
    resources: Resources
    interval_target: int


@dataclass(frozen=True)
class _Option:
    interval: int
    hardware: Hardware
    cost: float


def fold_design(
    design: Design,
    fabric: Fabric,
    available: Resources,
    *,
    fixed: Mapping[str, Fold] | None = None,
    target_interval: int | None = None,
    outside: Mapping[str, bool] | None = None,
    least_interval: int = 1,
) -> Folded:
    """The fastest folding that fits ``available``, or the cheapest that keeps ``target_interval``.

    Args:
        design: what to fold.
        fabric: what it is made of.
        available: what the design may take.
        fixed: folds the user sets, by stage.
        target_interval: cycles a frame may take; None: as few as fit.
        outside: stages whose weights come from outside, and whether they are kept in large memories then.
        least_interval: cycles a frame takes in any case: nothing need be faster.

    Raises:
        DoesNotFit: even the least parallel design does not fit, or none that keeps ``target_interval``.
        ValueError: a fold does not divide its stage.
    """
    options = {
        stage.name: _options(stage, fabric, (fixed or {}).get(stage.name), (outside or {}).get(stage.name))
        for stage in design.stages
    }
    bounds = sorted({option.interval for found in options.values() for option in found})
    least = max((found[0].interval for found in options.values()), default=1)  # the fastest the slowest stage can be
    least = max(least, max((bound for bound in bounds if bound <= least_interval), default=1))
    bounds = [bound for bound in bounds if bound >= least] or [least]

    def attempt(interval: int) -> tuple[dict[str, Hardware], Resources]:
        chosen = {}
        for name, found in options.items():
            fast_enough = [option for option in found if option.interval <= interval] or found[:1]
            chosen[name] = min(fast_enough, key=lambda option: (option.cost, -option.interval)).hardware
        chosen = _share_multipliers(chosen, available.dsp)
        return chosen, network_resources(_network(design, chosen, fabric))

    if target_interval is not None:
        chosen, needed = attempt(target_interval)
        _must_fit(chosen, needed, available)
    else:
        low, high = 0, len(bounds) - 1
        chosen, needed = attempt(bounds[high])
        _must_fit(chosen, needed, available)
        while low < high:
            middle = (low + high) // 2
            tried, resources = attempt(bounds[middle])
            if resources.fits(available):
                high, chosen, needed = middle, tried, resources
            else:
                low = middle + 1
        target_interval = bounds[high]
    network, timing = sized(_network(design, chosen, fabric))
    return Folded(network, timing, network_resources(network), target_interval)


def fold_into(
    design: Design,
    fabric: Fabric,
    device: Resources,
    border: Resources,
    shares: Sequence[float] = SHARES,
    **options: Any,
) -> Folded:
    """:func:`fold_design` into the first share of a device's LUTs and flip-flops that something fits into.

    Args:
        design: what to fold.
        fabric: what it is made of.
        device: all the device has.
        border: what lies around the network.
        shares: in this order.
        options: of :func:`fold_design`.

    Raises:
        DoesNotFit: nothing fits the last one.
        ValueError: a fold does not divide its stage.
    """
    failure = None
    for share in shares:
        whole = replace(device, lut=int(device.lut * share), ff=int(device.ff * share))
        available = Resources(*(getattr(whole, name) - getattr(border, name) for name in RESOURCES))
        try:
            return fold_design(design, fabric, available, **options)
        except DoesNotFit as error:
            failure = error
    assert failure is not None  # there is a share
    raise failure


def sized(network: Network) -> tuple[Network, Timing]:
    """The network with every fork's FIFOs as deep as they were full in the timing model, and its timing.

    The second run is with the depths found: it would stop in a deadlock if they were too small.
    """
    if not network.forks:
        return network, time_network(network)
    free = time_network(network)
    depths = {
        fork.name: tuple(
            depth or max(2, most) for depth, most in zip(fork.depths, free.occupancy[fork.name], strict=True)
        )
        for fork in network.forks
    }
    network = with_depths(network, depths)
    return network, time_network(network)


def _network(design: Design, chosen: Mapping[str, Hardware], fabric: Fabric) -> Network:
    return assemble(design, {name: found.fold for name, found in chosen.items()}, fabric)


def _options(stage: Stage, fabric: Fabric, fixed: Fold | None, stay: bool | None) -> list[_Option]:
    """Foldings worth having, the fastest first: none is slower and dearer than another.

    ``stay``: are weights kept that come from outside; None: none do.
    """
    folds: Sequence[Fold] = [fixed] if fixed is not None else legal_folds(stage)
    if stay is not None:
        folds = [replace(fold, outside=True, kept=stay) for fold in folds]
    hardwares = [hardware(stage, fold, fabric) for fold in folds]
    fewest = min(made.spram for made in hardwares)  # a word narrower than a large memory leaves part of it empty
    found = [_Option(made.work_cycles, made, _cost(made)) for made in hardwares if made.spram == fewest]
    found.sort(key=lambda option: (option.interval, option.cost))
    kept: list[_Option] = []
    for option in sorted(found, key=lambda option: (option.cost, option.interval)):
        if not kept or option.interval < kept[-1].interval:
            kept.append(option)
    return kept[::-1]


def _cost(made: Hardware) -> float:
    """One number for all resources: products count most, then what they hang on."""
    resources = stage_resources(made)
    return 40.0 * made.multipliers + 30.0 * made.dsp + resources.lut + 0.3 * resources.ff + 60.0 * resources.ebr


def _share_multipliers(chosen: Mapping[str, Hardware], available: int) -> dict[str, Hardware]:
    """Hard multipliers to arrays in order of size; what is left over multiplies in logic."""
    result = dict(chosen)
    arrays = [name for name, made in chosen.items() if made.hard_multipliers]
    left = available - sum(made.dsp - made.array_dsp for made in chosen.values())
    for name in sorted(arrays, key=lambda n: (-chosen[n].multipliers, n)):
        made = chosen[name]
        given = max(0, min(made.array_dsp, left))
        left -= given
        if given < made.array_dsp:
            result[name] = replace(made, fold=replace(made.fold, hard=given * made.products_each))
    return result


def _must_fit(chosen: Mapping[str, Hardware], needed: Resources, available: Resources) -> None:
    for resource in RESOURCES:
        wanted, there = getattr(needed, resource), getattr(available, resource)
        if wanted > there:
            most = max(chosen.values(), key=lambda made: getattr(stage_resources(made), resource))
            raise DoesNotFit(resource, wanted, there, most.stage.name)
