"""Folding: the choice for every layer that makes the slowest one fastest within the resources.

Throughput of a dataflow design is that of its slowest layer, so for a bound T on the interval every layer takes its
cheapest folding not slower than T, and the least T whose sum fits is found by bisection (as FINN's target-fps
folding does, arXiv 1809.04570 section 4.2; hls4ml leaves reuse factors to the user).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gatewright.schedules.fpga.choices import Choice
from gatewright.schedules.fpga.resources import Resources, total

__all__ = ["DoesNotFit", "Folding", "fold"]


@dataclass(frozen=True)
class Folding:
    """A choice for every layer.

    Attributes:
        chosen: by layer name.
        resources: of all layers and of what was there before (streams).
    """

    chosen: Mapping[str, Choice]
    resources: Resources


class DoesNotFit(Exception):
    """Nothing fits.

    Attributes:
        resource: the binding resource.
        needed: how much of it the design needs when everything is folded to use least of it.
        available: how much there is within the limit.
        layer: the layer that needs most of it.
    """

    def __init__(self, resource: str, needed: int, available: int, layer: str) -> None:
        super().__init__(f"{resource}: {needed} needed, {available} available")
        self.resource = resource
        self.needed = needed
        self.available = available
        self.layer = layer


class _Ladder:
    """The foldings of one layer: for a bound on the interval the cheapest one; of equally cheap ones the fastest."""

    def __init__(self, options: Sequence[Choice], limit: Resources) -> None:
        ordered = sorted(options, key=lambda c: (c.timing.interval_cycles, c.reuse_factor))
        self._intervals = [c.timing.interval_cycles for c in ordered]
        self._best: list[Choice] = []
        price = float("inf")
        for choice in ordered:
            if (share := choice.resources.share(limit)) < price:
                price = share
                self._best.append(choice)
            else:
                self._best.append(self._best[-1])

    def cheapest(self, interval: int) -> Choice:
        """The cheapest folding not slower than ``interval``, which at least one is."""
        return self._best[bisect_right(self._intervals, interval) - 1]


def _attempt(ladders: Mapping[str, _Ladder], interval: int, base: Resources) -> Folding:
    chosen = {layer: ladder.cheapest(interval) for layer, ladder in ladders.items()}
    return Folding(chosen, base + total(c.resources for c in chosen.values()))


def fold(options: Mapping[str, Sequence[Choice]], limit: Resources, base: Resources) -> Folding:
    """The folding with the least interval that fits.

    Args:
        options: foldings of every layer, none empty.
        limit: what may be used.
        base: what is used whatever the folding is (streams between the layers).

    Raises:
        DoesNotFit: even the smallest design is too large.
    """
    slowest = max(min(c.timing.interval_cycles for c in candidates) for candidates in options.values())
    intervals = sorted({c.timing.interval_cycles for group in options.values() for c in group} | {slowest})
    intervals = [t for t in intervals if t >= slowest]
    ladders = {layer: _Ladder(group, limit) for layer, group in options.items()}
    low, high = 0, len(intervals)
    best: Folding | None = None
    while low < high:
        middle = (low + high) // 2
        attempt = _attempt(ladders, intervals[middle], base)
        if not attempt.resources.exceeding(limit):
            best, high = attempt, middle
        else:
            low = middle + 1
    return best if best is not None else _least(options, ladders, limit, base)


def _least(
    options: Mapping[str, Sequence[Choice]], ladders: Mapping[str, _Ladder], limit: Resources, base: Resources
) -> Folding:
    """The smallest design by the resource that is shortest, if it fits.

    Raises:
        DoesNotFit: with the resource that overflows most.
    """
    shortest: DoesNotFit | None = None
    for resource in ("lut", "ff", "dsp", "bram_18k", "uram"):
        chosen = {
            layer: min(group, key=lambda c: (getattr(c.resources, resource), c.resources.share(limit), c.reuse_factor))
            for layer, group in options.items()
        }
        folding = Folding(chosen, base + total(c.resources for c in chosen.values()))
        if not folding.resources.exceeding(limit):
            return folding
        needed, available = getattr(folding.resources, resource), getattr(limit, resource)
        if needed > available and (shortest is None or needed * shortest.available > shortest.needed * available):
            layer = max(chosen, key=lambda name: (getattr(chosen[name].resources, resource), name))
            shortest = DoesNotFit(resource, needed, available, layer)
    if shortest is not None:
        raise shortest
    # every resource fits alone, not all together: name the one the cheapest design overflows most
    cheapest = _attempt(ladders, max(c.timing.interval_cycles for g in options.values() for c in g), base)
    over = cheapest.resources.exceeding(limit)
    resource = max(over, key=lambda name: getattr(cheapest.resources, name) / max(1, getattr(limit, name)))
    layer = max(cheapest.chosen, key=lambda name: (getattr(cheapest.chosen[name].resources, resource), name))
    raise DoesNotFit(resource, getattr(cheapest.resources, resource), getattr(limit, resource), layer)
