"""Traces: what a viewer needs of them, on random networks, and one file that is read before it is believed."""

from __future__ import annotations

import io
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.schedules.accelerator.isa.encoding import decode
from gatewright.schedules.accelerator.isa.fields import UNITS
from gatewright.schedules.accelerator.isa.text import assemble
from gatewright.schedules.accelerator.memory import Region, Request
from gatewright.schedules.accelerator.planner import plan_network
from gatewright.schedules.accelerator.program import HostStep, Program, Run
from gatewright.schedules.accelerator.spec import Spec, parse_spec
from gatewright.schedules.accelerator.timing.event import Timeline, simulate
from gatewright.targets.accelerator.database import shipped
from gatewright.targets.accelerator.trace import HOST_TRACK, LAYER_TRACK, UNIT_TRACKS, Ticks, write_trace
from tests.strategies import random_graph

Event = dict[str, Any]


def _planned(spec: Spec, seed: int, layers: int) -> tuple[Program, list[Timeline]]:
    graph = random_graph(seed, layers=layers, max_bits=8)
    program = plan_network(spec, graph).program
    return program, [simulate(spec, run.words) for run in program.runs]


def _written(spec: Spec, program: Program, timelines: list[Timeline]) -> str:
    stream = io.StringIO()
    write_trace(stream, spec, program, timelines, "random")
    return stream.getvalue()


def _nanoseconds(microseconds: float) -> int:
    """A time as viewers read it: multiplied as a double, then rounded (Perfetto v52) or cut (older ones), alike."""
    product = float(microseconds) * 1000.0
    assert int(product) == math.floor(product + 0.5)
    return int(product)


def _check_fields(events: Iterable[Event]) -> None:
    """Every event has what its phase asks for."""
    wanted = {
        "M": {"name", "pid", "tid", "args"},
        "X": {"ts", "dur", "name", "cat", "pid", "tid", "args"},
        "i": {"ts", "s", "name", "cat", "pid", "tid", "args"},
        "C": {"ts", "name", "pid", "tid", "args"},
        "s": {"ts", "name", "cat", "id", "pid", "tid"},
        "f": {"ts", "name", "cat", "id", "pid", "tid", "bp"},
    }
    for event in events:
        assert set(event) == wanted[event["ph"]] | {"ph"}
        assert event.get("ts", 0) >= 0
        assert event.get("dur", 0) >= 0


def _check_tracks(slices: Iterable[Event]) -> None:
    tracks: dict[int, list[Event]] = defaultdict(list)
    for event in slices:
        tracks[event["tid"]].append(event)
    for track in tracks.values():
        for before, after in pairwise(track):
            assert before["args"]["cycles"][1] <= after["args"]["cycles"][0]
            assert _nanoseconds(before["ts"]) + _nanoseconds(before["dur"]) <= _nanoseconds(after["ts"])


def _check_arrows(events: list[Event]) -> None:
    """Arrows come in pairs, leave a slice before they enter another, and each end lies in a slice of its track."""
    starts = {event["id"]: event for event in events if event["ph"] == "s"}
    ends = {event["id"]: event for event in events if event["ph"] == "f"}
    assert starts.keys() == ends.keys()
    assert len(starts) == sum(event["ph"] == "s" for event in events)
    assert len(ends) == sum(event["ph"] == "f" for event in events)
    slices = {
        event["args"]["instruction"]: event for event in events if event["ph"] == "X" and event["tid"] > LAYER_TRACK
    }
    open_slice: dict[int, Event] = {}
    for event in events:
        if event["ph"] == "X":
            open_slice[event["tid"]] = event
        elif event["ph"] == "f":
            assert open_slice[event["tid"]] is slices[event["id"]]
            assert event["ts"] == slices[event["id"]]["ts"]
        elif event["ph"] == "s":
            source = open_slice[event["tid"]]
            assert slices[event["id"]]["args"]["started_by"] == f"end of instruction {source['args']['instruction']}"
            assert event["tid"] != ends[event["id"]]["tid"]
            assert source["ts"] <= event["ts"] < ends[event["id"]]["ts"]


def _check_contents(program: Program, timelines: list[Timeline], events: list[Event], clock_mhz: float) -> None:
    """Every instruction but the halts is there once, with its cycles and its bytes."""
    slices = {
        event["args"]["instruction"]: event for event in events if event["ph"] == "X" and event["tid"] > LAYER_TRACK
    }
    first, offset, moved = 0, 0, 0
    for run, timeline in zip(program.runs, timelines, strict=True):
        for index, instruction in enumerate(decode(run.words)):
            if instruction.mnemonic == "halt":
                assert first + index not in slices
                continue
            event = slices.pop(first + index)
            assert event["args"]["cycles"] == [offset + timeline.start[index], offset + timeline.end[index]]
            assert event["args"]["layer"] == run.layers[index]
            assert event["tid"] == UNIT_TRACKS[UNITS[timeline.unit[index]]]
            if instruction.mnemonic in ("load", "store"):
                size = instruction["planes"] * instruction["rows"] * instruction["row_bytes"]
                assert event["args"]["dram_bytes"] == size
                moved += size
        first += len(run.words)
        offset += timeline.total_cycles
    assert not slices
    hosts = [event["name"] for event in events if event["ph"] == "i" and event["tid"] == HOST_TRACK]
    assert hosts == [step.layer for step in program.steps if isinstance(step, HostStep)]
    _check_counters(program, events, moved, clock_mhz)


def _check_counters(program: Program, events: list[Event], moved: int, clock_mhz: float) -> None:
    rates = [event for event in events if event["ph"] == "C" and "load" in event["args"]]
    if rates:
        # Of every time the cycle that it was rounded down from.
        at = np.ceil(np.array([event["ts"] for event in rates]) * clock_mhz - 0.01)
        values = [event["args"]["load"] + event["args"]["store"] for event in rates]
        assert abs(float(np.dot(values[:-1], np.diff(at))) - moved) <= 0.001 * at[-1] + 1  # three decimals a bin
    counts = [event["args"] for event in events if event["ph"] == "C"]
    resident = [args["resident bytes"] for args in counts if "resident bytes" in args]
    assert resident[0] >= 0
    assert resident[-1] == 0
    assert max(resident) <= sum(region.request.size for region in program.scratchpad)
    assert (max(resident) > 0) == bool(program.scratchpad)


@pytest.mark.parametrize("name", ["systolic-8x8-ws", "vta-pynq", "nvdla-small"])
@given(seed=st.integers(0, 2**16), clock_mhz=st.sampled_from([50.0, 100.0, 700.0, 933.7]))
def test_a_viewer_can_read_it(name: str, seed: int, clock_mhz: float) -> None:
    spec = shipped()[name].model_copy(update={"clock_mhz": clock_mhz})
    program, timelines = _planned(spec, seed, 4)
    document = json.loads(_written(spec, program, timelines))
    assert document["displayTimeUnit"] == "ns"
    assert document["otherData"]["clock_mhz"] == clock_mhz
    assert document["otherData"]["total_cycles"] == sum(timeline.total_cycles for timeline in timelines)
    events = document["traceEvents"]
    _check_fields(events)
    timed = [event["args"] if event["ph"] == "M" else event["ts"] for event in events if event["ph"] != "M"]
    assert timed == sorted(timed)
    _check_tracks(event for event in events if event["ph"] == "X")
    _check_arrows(events)
    _check_contents(program, timelines, events, clock_mhz)


@given(
    clock_mhz=st.one_of(st.sampled_from([50.0, 100.0, 700.0, 1000.0]), st.floats(0.5, 5000)),
    cycles=st.lists(st.integers(0, 10**10), min_size=2),
)
def test_ticks_keep_order_and_nanoseconds(clock_mhz: float, cycles: list[int]) -> None:
    ticks = Ticks(clock_mhz)
    for before, after in pairwise(sorted(cycles)):
        start, length, end = (
            float(text) for text in (ticks.text(before), ticks.text(after, since=before), ticks.text(after))
        )
        assert _nanoseconds(start) + _nanoseconds(length) == _nanoseconds(end)
        # A nanosecond, a picosecond (see Ticks), and doubles.
        assert abs(start - before / clock_mhz) <= 1.001e-3 + 1e-15 * start


def test_ticks_are_exact_where_a_decimal_is() -> None:
    assert [Ticks(50).text(cycle) for cycle in (0, 1, 50, 123456789)] == ["0", "0.02", "1", "2469135.78"]
    assert Ticks(1000).text(1001) == "1.001001"  # 1.001 would be read as 1000 ns


def test_the_counter_of_a_long_run_has_few_samples_and_all_bytes() -> None:
    spec = shipped()["systolic-8x8-ws"]
    load = "load space=activation row_bytes={} rows=4 planes=1 dram_row_stride=512 local_row_stride=512\n"
    words = assemble("".join(load.format(8 * (1 + index % 60)) for index in range(3000)) + "halt wait_load=3000\n")
    no_program, _ = _planned(spec, 3, 1)
    program = replace(no_program, steps=(Run(words, ("long",) * 3000 + ("",)),), scratchpad=())
    timeline = simulate(spec, words)
    assert timeline.total_cycles > 10 * 4096
    events = json.loads(_written(spec, program, [timeline]))["traceEvents"]
    assert 100 < sum(event["ph"] == "C" and "load" in event["args"] for event in events) <= 4097
    _check_contents(program, [timeline], events, spec.clock_mhz)


def test_the_last_bin_is_as_long_as_it_is() -> None:
    """One load that ends within a bin moves its bytes at one rate until it ends."""
    spec, load = parse_spec(_TINY, "tiny.toml"), "load row_bytes={} rows=1000 planes=1\nhalt wait_load=1\n"
    odd = []
    for row_bytes in (40, 48, 56, 64, 72):
        words = assemble(load.format(row_bytes))
        program, _ = _planned(spec, 3, 1)
        program = replace(program, steps=(Run(words, ("long", "")),), scratchpad=())
        timeline = simulate(spec, words)
        odd.append(timeline.total_cycles > 4096 and timeline.total_cycles % 2)
        events = json.loads(_written(spec, program, [timeline]))["traceEvents"]
        rates = [event["args"]["load"] for event in events if event["ph"] == "C" and "load" in event["args"]]
        took = timeline.end[0] - timeline.start[0]
        assert rates[-2:] == [round(1000 * row_bytes / took, 3), 0.0]
    assert any(odd)


_TINY = """
name = "tiny"
title = "for this test: shipped specs change with what is learnt of hardware"
family = "systolic"
clock_mhz = 50
[matrix]
rows = 8
columns = 8
dataflow = "ws"
start_cycles = 9
[vector]
lanes = 8
start_cycles = 16
[scratchpads]
activation.bytes = 32768
weight.bytes = 8192
constant.bytes = 4096
accumulator.bytes = 8192
[dma]
bytes_per_cycle = 8
latency_cycles = 20
"""
_SMALL = """
load space=activation dram_address=4096 row_bytes=64 rows=8 planes=1 dram_row_stride=64 local_row_stride=64
load space=weight row_bytes=64 rows=2 planes=1 dram_row_stride=64 local_row_stride=64
load space=constant dram_address=128 row_bytes=72 rows=1 planes=1
matmul wait_load=2 height=8 width=8 kernel_height=1 kernel_width=1 input_blocks=1 output_blocks=2 pixel_stride=8 \
 row_stride=64 input_channels=8 output_channels=16
vector wait_load=3 wait_matrix=1 operation=rescale from_accumulator=1 per_channel=1 output_address=8192 height=8 \
 width=8 kernel_height=1 kernel_width=1 blocks=2 channels=16
vector wait_vector=1 operation=max a_address=8192 output_address=16384 height=4 width=4 kernel_height=2 \
 kernel_width=2 blocks=2 channels=16
store wait_vector=2 space=activation local_address=16384 dram_address=8192 row_bytes=64 rows=4 planes=1
halt wait_load=3 wait_store=1 wait_matrix=1 wait_vector=2
""".replace("\\\n", "")


def test_golden(golden: Callable[[str, str], None]) -> None:
    """Two layers, a host layer and a third run; the tensor between the two layers stays on chip."""
    spec = parse_spec(_TINY, "tiny.toml")
    program, _ = _planned(spec, 3, 1)
    words = assemble(_SMALL)
    first = Run(words, ("conv",) * 5 + ("pool",) * 2 + ("",))
    copy = assemble("load space=activation row_bytes=100 rows=1 planes=1\nhalt wait_load=1\n")
    program = replace(
        program,
        steps=(first, HostStep("softmax", "is a float layer"), Run(copy, ("copy", ""))),
        scratchpad=(Region(Request("conv", 1024, 0, 1), 8192),),
    )
    timelines = [simulate(spec, run.words) for run in program.runs]
    text = _written(spec, program, timelines)
    assert text == _written(spec, program, timelines)
    _check_contents(program, timelines, json.loads(text)["traceEvents"], spec.clock_mhz)
    golden("accelerator/trace.json", text)
