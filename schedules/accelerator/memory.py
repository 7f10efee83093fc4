"""Static memory plans: regions with lifetimes, and the check that no two live ones overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gatewright.compiler.errors import TargetError

__all__ = ["Region", "Request", "allocate", "check_regions"]


@dataclass(frozen=True)
class Request:
    """Memory for ``name`` from step ``first`` to step ``last``, both included."""

    name: str
    size: int
    first: int
    last: int


@dataclass(frozen=True)
class Region:
    """Where a request lies: ``[address, address + request.size)``."""

    request: Request
    address: int

    @property
    def end(self) -> int:
        """First address behind the region."""
        return self.address + self.request.size


def _alive_together(a: Request, b: Request) -> bool:
    return a.first <= b.last and b.first <= a.last


def allocate(requests: Sequence[Request], alignment: int, base: int = 0) -> list[Region]:
    """First fit, the largest first (Pisarchyk and Lee 2020 call it greedy by size); in the order of ``requests``."""
    placed: list[Region] = []
    for request in sorted(requests, key=lambda r: (-r.size, r.first, r.name)):
        address = base
        for region in sorted((r for r in placed if _alive_together(r.request, request)), key=lambda r: r.address):
            if address + request.size <= region.address:
                break
            address = max(address, -(-region.end // alignment) * alignment)
        placed.append(Region(request, address))
    by_name = {region.request.name: region for region in placed}
    return [by_name[request.name] for request in requests]


def check_regions(regions: Sequence[Region], size: int, place: str) -> None:
    """Every region lies within ``[0, size)``, and none overlaps another while both are alive.

    Raises:
        TargetError: GW4307; the plan is wrong, which is a bug of the planner or a damaged file.
    """
    report = "please report this; the plan of the memory is wrong"
    ordered = sorted(regions, key=lambda region: region.address)
    for index, region in enumerate(ordered):
        if region.address < 0 or region.end > size:
            raise TargetError("GW4307", place, f"{region.request.name} leaves the memory of {size} bytes", report)
        for other in ordered[index + 1 :]:
            if other.address >= region.end:
                break
            if _alive_together(region.request, other.request):
                names = f"{region.request.name} and {other.request.name}"
                raise TargetError("GW4307", place, f"{names} overlap while both are alive", report)
