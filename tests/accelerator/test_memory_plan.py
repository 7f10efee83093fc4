"""Static memory plans never let two live regions overlap, and the check sees it when they do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.compiler.errors import TargetError
from gatewright.schedules.accelerator.memory import Region, Request, allocate, check_regions


@st.composite
def requests(draw: st.DrawFn) -> list[Request]:
    count = draw(st.integers(0, 25))
    found = []
    for index in range(count):
        first = draw(st.integers(0, 12))
        found.append(Request(str(index), draw(st.integers(1, 300)), first, first + draw(st.integers(0, 6))))
    return found


@given(requests(), st.sampled_from([1, 16, 64]), st.sampled_from([0, 64, 640]))
def test_plans_pass_the_independent_check(wanted: list[Request], alignment: int, base: int) -> None:
    regions = allocate(wanted, alignment, base)
    assert [region.request for region in regions] == wanted
    end = max((region.end for region in regions), default=base)
    check_regions(regions, end, "test")
    assert all(region.address >= base and region.address % alignment == base % alignment for region in regions)
    # Step by step, without the interval logic of either: every byte has one owner.
    for step in range(20):
        owners: dict[int, str] = {}
        for region in regions:
            if region.request.first <= step <= region.request.last:
                for byte in range(region.address, region.end):
                    assert owners.setdefault(byte, region.request.name) == region.request.name
    assert end - base <= sum(-(-request.size // alignment) * alignment for request in wanted)


def test_memory_is_used_again() -> None:
    regions = allocate([Request("a", 100, 0, 1), Request("b", 100, 2, 3), Request("c", 100, 1, 2)], 1)
    assert max(region.end for region in regions) == 200


@pytest.mark.parametrize(
    ("regions", "size"),
    [
        ([Region(Request("a", 10, 0, 2), 0), Region(Request("b", 10, 2, 3), 9)], 100),
        ([Region(Request("a", 10, 0, 2), 95)], 100),
        ([Region(Request("a", 10, 0, 2), -1)], 100),
        (
            [Region(Request("a", 50, 0, 9), 0), Region(Request("b", 1, 0, 0), 60), Region(Request("c", 1, 5, 5), 49)],
            100,
        ),
    ],
)
def test_wrong_plans_are_seen(regions: list[Region], size: int) -> None:
    with pytest.raises(TargetError) as caught:
        check_regions(regions, size, "DRAM")
    assert caught.value.code == "GW4307"


def test_the_dead_may_share() -> None:
    check_regions([Region(Request("a", 10, 0, 1), 0), Region(Request("b", 10, 2, 3), 5)], 20, "DRAM")
