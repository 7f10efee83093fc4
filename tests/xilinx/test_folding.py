"""The search: least interval that fits, and the right resource named when nothing does."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.schedules.fpga.choices import Choice
from gatewright.schedules.fpga.cycles import Timing
from gatewright.schedules.fpga.folding import DoesNotFit, fold
from gatewright.schedules.fpga.resources import Resources

Spec = list[list[tuple[int, int]]]
_OPTION = st.tuples(st.integers(1, 30), st.integers(1, 20))


def option(interval: int, lut: int = 0, dsp: int = 0, bram: int = 0) -> Choice:
    times = Timing(interval, interval, 1, 1)
    return Choice("resource", interval, times, Resources(lut=lut, dsp=dsp, bram_18k=bram))


@given(
    spec=st.lists(st.lists(_OPTION, min_size=1, max_size=4), min_size=1, max_size=4),
    limit=st.integers(1, 60), base=st.integers(0, 5),
)  # fmt: skip
def test_with_one_resource_it_is_optimal(spec: Spec, limit: int, base: int) -> None:
    options = {f"l{i}": [option(t, lut) for t, lut in group] for i, group in enumerate(spec)}
    fitting = [
        max(t for t, _ in combination)
        for combination in itertools.product(*spec)
        if sum(lut for _, lut in combination) + base <= limit
    ]
    if not fitting:
        with pytest.raises(DoesNotFit) as caught:
            fold(options, Resources(lut=limit), Resources(lut=base))
        assert caught.value.resource == "lut"
        assert caught.value.needed == base + sum(min(lut for _, lut in group) for group in spec)
        return
    folding = fold(options, Resources(lut=limit), Resources(lut=base))
    assert max(c.timing.interval_cycles for c in folding.chosen.values()) == min(fitting)
    assert folding.resources.lut <= limit
    assert folding.resources.lut == base + sum(c.resources.lut for c in folding.chosen.values())


def test_a_layer_that_cannot_keep_up_bounds_the_others() -> None:
    slow = [option(100, lut=1)]
    quick = [option(1, lut=50), option(90, lut=2), option(500, lut=1)]
    folding = fold({"slow": slow, "quick": quick}, Resources(lut=100), Resources())
    # nothing is gained by a layer faster than the slowest one
    assert folding.chosen["quick"].timing.interval_cycles == 90


def test_the_binding_resource_is_named() -> None:
    options = {"a": [option(10, lut=1, bram=9)], "b": [option(10, lut=1, bram=2)]}
    with pytest.raises(DoesNotFit) as caught:
        fold(options, Resources(lut=100, bram_18k=10), Resources())
    error = caught.value
    assert (error.resource, error.needed, error.available, error.layer) == ("bram_18k", 11, 10, "a")


def test_each_fits_alone_not_together() -> None:
    options = {"a": [option(5, lut=10, dsp=1), option(5, lut=1, dsp=10)]}
    with pytest.raises(DoesNotFit):
        fold(options, Resources(lut=5, dsp=5), Resources())
