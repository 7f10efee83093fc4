"""Traces to look at: a run as Chrome trace events, which ui.perfetto.dev and chrome://tracing open.

The file is the JSON object of the Trace Event Format (Chromium project, "Trace Event Format"). One track a unit, one
slice an instruction, an arrow to an instruction from that of another unit whose end it waited for, a track of layers,
and two counters. Times of the format are microseconds; a cycle is ``1 / clock_mhz`` of them, written at whole
nanoseconds. Every slice names its cycles, too: they are exact whatever the clock. Above 1 GHz two cycles share a
nanosecond: there an arrow may point to the slice beside its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from heapq import merge
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from gatewright.schedules.accelerator.isa.encoding import Instruction, Words, column, decode
from gatewright.schedules.accelerator.isa.fields import FIELDS, OPCODES, SPACES, UNITS, VECTOR_OPS
from gatewright.schedules.accelerator.memory import Region
from gatewright.schedules.accelerator.program import HostStep, Program, Run
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.timing.event import Timeline

__all__ = ["HOST_TRACK", "LAYER_TRACK", "UNIT_TRACKS", "Ticks", "trace_document", "write_trace"]

_PROCESS = 1
HOST_TRACK, LAYER_TRACK = 1, 2
UNIT_TRACKS: Mapping[str, int] = {unit: 3 + index for index, unit in enumerate(UNITS)}
"""Unit -> ``tid`` of its track."""

_BINS = 4096
"""Most samples of the counter of DMA traffic."""
_BLOCK = 1024
"""Instructions decoded at a time."""
_SPACE = {number: name for name, number in SPACES.items()}
_OPERATION = {number: name for name, number in VECTOR_OPS.items()}
_NAMED: Mapping[str, Mapping[int, str]] = {"space": _SPACE, "operation": _OPERATION}

Event = dict[str, Any]
_Stamped = tuple[int, int, Event]
"""(cycle, rank among events of that cycle, event without its time)."""
_COUNTER, _SLICE, _ARROW_END, _ARROW_START = range(4)


class Ticks:
    """Cycles as microseconds in decimal, at whole nanoseconds, rounded down.

    Viewers keep whole nanoseconds, of a time and of a duration each by itself: Perfetto (v52) rounds to the nearest,
    older ones cut, both after a multiplication of doubles. With a fraction two slices that touch would overlap in one
    or the other, and Perfetto drops the second. 1.001 us, which would be cut to 1000 ns, is written a picosecond later.

    Args:
        clock_mhz: the clock.
    """

    def __init__(self, clock_mhz: float) -> None:
        self._nanoseconds = Fraction(1000) / Fraction(str(clock_mhz))

    def text(self, cycles: int, since: int = 0) -> str:
        """Microseconds from one cycle to another, a JSON number."""
        whole = self._at(cycles) - self._at(since)
        text = _decimal(1000 * whole)
        return text if int(float(text) * 1000.0) == whole else _decimal(1000 * whole + 1)

    def _at(self, cycles: int) -> int:
        return cycles * self._nanoseconds.numerator // self._nanoseconds.denominator


def _decimal(picoseconds: int) -> str:
    whole, rest = divmod(picoseconds, 1_000_000)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class _Span:
    """A layer at work: (first start, last end) in cycles, in all its runs."""

    start: int
    end: int


@dataclass(frozen=True)
class _Part:
    """One run with its times in cycles since the first run began."""

    run: Run
    timeline: Timeline
    start: int
    first: int


def trace_document(spec: Spec, program: Program, timelines: Sequence[Timeline], title: str = "") -> dict[str, Any]:
    """The whole trace as plain data; see :func:`write_trace`, which holds one event at a time."""
    ticks = Ticks(spec.clock_mhz)
    events = [json.loads(_line(event, ticks)) for event in _events(spec, program, timelines, title)]
    return {**_head(spec, timelines), "traceEvents": events}


def write_trace(stream: TextIO, spec: Spec, program: Program, timelines: Sequence[Timeline], title: str = "") -> None:
    """Write the trace, one event a line, sorted by time.

    Runs follow each other without a gap: what the host does between them takes no cycles of the accelerator and is an
    instant on the host's track.

    Args:
        stream: text file.
        spec: the accelerator.
        program: what ran.
        timelines: of its runs, in order.
        title: name of the model, for the viewer.
    """
    ticks = Ticks(spec.clock_mhz)
    head = json.dumps(_head(spec, timelines), separators=(",", ":"))
    stream.write(head[:-1] + ',"traceEvents":[')
    for index, event in enumerate(_events(spec, program, timelines, title)):
        stream.write((",\n" if index else "\n") + _line(event, ticks))
    stream.write("\n]}\n")


def _head(spec: Spec, timelines: Sequence[Timeline]) -> dict[str, Any]:
    return {
        "displayTimeUnit": "ns",
        "otherData": {
            "accelerator": spec.name,
            "clock_mhz": spec.clock_mhz,
            "total_cycles": sum(timeline.total_cycles for timeline in timelines),
            "time": "modelled: cycles of the event-driven model at the clock of the spec; the host takes none",
        },
    }


def _line(stamped: _Stamped, ticks: Ticks) -> str:
    """JSON of one event; times as text of the decimal, which no double rounds."""
    cycle, _, event = stamped
    if event["ph"] == "M":
        return json.dumps(event, separators=(",", ":"))
    times = f'"ts":{ticks.text(cycle)}'
    if "dur" in event:
        times += f',"dur":{ticks.text(cycle + event["dur"], since=cycle)}'
    rest = json.dumps({key: value for key, value in event.items() if key != "dur"}, separators=(",", ":"))
    return f"{{{times},{rest[1:]}"


def _events(spec: Spec, program: Program, timelines: Sequence[Timeline], title: str) -> Iterator[_Stamped]:
    yield from _names(spec, title)
    parts = _parts(program, timelines)
    spans = _spans(parts)
    total = sum(timeline.total_cycles for timeline in timelines)
    sources: list[Iterable[_Stamped]] = [
        _layers(spans, _residents(program, spans)),
        _occupancy(program, spans, total),
        _traffic(parts, total),
        _host(program, timelines),
        *(_instructions(part) for part in parts),
    ]
    # Every source is sorted, so no more than one event of each is held here.
    yield from merge(*sources, key=lambda stamped: stamped[:2])


def _names(spec: Spec, title: str) -> Iterator[_Stamped]:
    def metadata(kind: str, tid: int, args: Event) -> _Stamped:
        return 0, 0, {"ph": "M", "name": kind, "pid": _PROCESS, "tid": tid, "args": args}

    yield metadata("process_name", 0, {"name": f"{title} on {spec.name}" if title else spec.name})
    for name, tid in {"host": HOST_TRACK, "layers": LAYER_TRACK, **UNIT_TRACKS}.items():
        yield metadata("thread_name", tid, {"name": name})
        yield metadata("thread_sort_index", tid, {"sort_index": tid})


def _parts(program: Program, timelines: Sequence[Timeline]) -> list[_Part]:
    parts, start, first = [], 0, 0
    for run, timeline in zip(program.runs, timelines, strict=True):
        parts.append(_Part(run, timeline, start, first))
        start += timeline.total_cycles
        first += len(run.words)
    return parts


def _spans(parts: Sequence[_Part]) -> dict[str, _Span]:
    """Layer -> when it is at work, in the order of the program."""
    spans: dict[str, _Span] = {}
    for part in parts:
        starts, ends = part.timeline.start.tolist(), part.timeline.end.tolist()
        for name, start, end in zip(part.run.layers, starts, ends, strict=True):
            if name:
                known = spans.get(name, _Span(part.start + start, part.start + end))
                spans[name] = _Span(min(known.start, part.start + start), max(known.end, part.start + end))
    return spans


def _layers(spans: Mapping[str, _Span], residents: Mapping[str, dict[str, int]]) -> Iterator[_Stamped]:
    """A slice a layer: from when the one before is done, as its first loads may be under way by then."""
    done = 0
    for name, span in spans.items():
        start, end = max(done, span.start), max(done, span.end)
        args: Event = {"cycles": [start, end], "first_start": span.start}
        if name in residents:
            args["resident_bytes"] = residents[name]
        yield start, _SLICE, {
            "dur": end - start, "ph": "X", "name": name, "cat": "layer", "pid": _PROCESS, "tid": LAYER_TRACK,
            "args": args,
        }  # fmt: skip
        done = end


def _host(program: Program, timelines: Sequence[Timeline]) -> Iterator[_Stamped]:
    cycle, remaining = 0, iter(timelines)
    for step in program.steps:
        if isinstance(step, HostStep):
            yield cycle, _SLICE, {
                "ph": "i", "s": "t", "name": step.layer, "cat": "host", "pid": _PROCESS, "tid": HOST_TRACK,
                "args": {"reason": step.reason},
            }  # fmt: skip
        else:
            cycle += next(remaining).total_cycles


def _instructions(part: _Part) -> Iterator[_Stamped]:
    """Slices of the units and the arrows between them, sorted."""
    timeline = part.timeline
    arrows = _arrows(timeline)
    starts = timeline.start.tolist()
    # An arrow leaves in the last cycle of its slice: at the end another slice may begin.
    leaving = [(max(starts[source], int(timeline.end[source]) - 1), source, target) for target, source in arrows]
    moments = [(cycle, _ARROW_START, target, source) for cycle, source, target in leaving]
    moments += [(start, _SLICE, index, -1) for index, start in enumerate(starts) if timeline.unit[index] >= 0]
    moments += [(starts[target], _ARROW_END, target, source) for target, source in arrows]
    decoded = _Decoded(part.run.words)
    for cycle, rank, index, source in sorted(moments):
        if rank == _SLICE:
            event = _slice(part, index, decoded[index])
        else:
            at = source if rank == _ARROW_START else index
            event = {
                "ph": "s" if rank == _ARROW_START else "f", "name": "wait", "cat": "wait", "id": part.first + index,
                "pid": _PROCESS, "tid": UNIT_TRACKS[UNITS[int(timeline.unit[at])]],
            }  # fmt: skip
            if rank == _ARROW_END:
                event["bp"] = "e"
        yield part.start + cycle, rank, event


class _Decoded:
    """Instructions of a program as they are asked for, nearly in order: a few blocks are held."""

    def __init__(self, words: Words) -> None:
        self._block = lru_cache(maxsize=8)(lambda number: decode(words[number * _BLOCK : (number + 1) * _BLOCK]))

    def __getitem__(self, index: int) -> Instruction:
        block, place = divmod(index, _BLOCK)
        return self._block(block)[place]


def _arrows(timeline: Timeline) -> list[tuple[int, int]]:
    """(instruction, instruction of another unit whose end its start waited for)."""
    cause = timeline.cause
    (targets,) = np.nonzero((cause >= 0) & (timeline.unit >= 0))
    sources = cause[targets]
    across = timeline.unit[targets] != timeline.unit[sources]
    return list(zip(targets[across].tolist(), sources[across].tolist(), strict=True))


def _slice(part: _Part, index: int, instruction: Instruction) -> Event:
    timeline, layer = part.timeline, part.run.layers[index]
    start, end = int(timeline.start[index]), int(timeline.end[index])
    args: Event = {
        "layer": layer,
        "instruction": part.first + index,
        "cycles": [part.start + start, part.start + end],
        "handed": part.start + int(timeline.handed[index]),
    }
    cause = int(timeline.cause[index])
    args["started_by"] = "hand-out" if cause < 0 else f"end of instruction {part.first + cause}"
    if instruction.mnemonic in ("load", "store"):
        args["dram_bytes"] = instruction["planes"] * instruction["rows"] * instruction["row_bytes"]
    for name, value in instruction.items():
        if value and name != "opcode":
            args[name] = _NAMED[name].get(value, value) if name in _NAMED else value
    return {
        "dur": end - start, "ph": "X", "name": f"{_what(instruction)} {layer}".strip(), "cat": instruction.mnemonic,
        "pid": _PROCESS, "tid": UNIT_TRACKS[UNITS[int(timeline.unit[index])]], "args": args,
    }  # fmt: skip


def _what(instruction: Instruction) -> str:
    if instruction.mnemonic == "vector":
        return _OPERATION[instruction["operation"]]
    if instruction.mnemonic == "load":
        return f"load {_SPACE[instruction['space']]}"
    return instruction.mnemonic


def _traffic(parts: Sequence[_Part], total: int) -> Iterator[_Stamped]:
    """Bytes a cycle between DRAM and scratchpads, as means over bins of a power of two of cycles."""
    width = 1
    while width * _BINS < total:
        width *= 2
    edges = np.minimum(np.arange(0, total + width, width), total)
    rates: dict[str, list[float]] = {}
    for mnemonic in ("load", "store"):
        moved = np.interp(edges, *_cumulated(parts, mnemonic))
        lengths = np.diff(edges)
        rates[mnemonic] = np.round(np.diff(moved) / np.maximum(lengths, 1), 3).tolist()
    before: Event = {}
    for position, load, store in zip(edges.tolist(), rates["load"] + [0.0], rates["store"] + [0.0], strict=True):
        now: Event = {"load": load, "store": store}
        if now != before:
            yield position, _COUNTER, _counter("DMA bytes per cycle", now)
        before = now


def _cumulated(parts: Sequence[_Part], mnemonic: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(cycle, bytes moved until then): a transfer moves its bytes evenly from its start to its end."""
    cycles, amounts = [np.zeros(1, np.int64)], [np.zeros(1, np.int64)]
    moved = 0
    for part in parts:
        (where,) = np.nonzero((part.run.words[:, 0] & 0xFF) == OPCODES[mnemonic])
        words, layout = part.run.words[where], FIELDS[mnemonic]
        sizes = column(words, layout["planes"]) * column(words, layout["rows"]) * column(words, layout["row_bytes"])
        until = moved + np.cumsum(sizes)
        cycles.append(part.start + np.stack([part.timeline.start[where], part.timeline.end[where]], 1).reshape(-1))
        amounts.append(np.stack([until - sizes, until], 1).reshape(-1))
        moved += int(sizes.sum())
    return np.concatenate(cycles).astype(np.float64), np.concatenate(amounts).astype(np.float64)


def _counter(name: str, values: Event) -> Event:
    return {"ph": "C", "name": name, "pid": _PROCESS, "tid": 0, "args": values}


def _lifetime(region: Region, steps: Sequence[str], spans: Mapping[str, _Span]) -> _Span:
    """From the first instruction that writes a resident tensor to the last that reads it."""
    users = [spans[name] for name in steps[region.request.first : region.request.last + 1] if name in spans]
    return _Span(users[0].start, max(span.end for span in users))


def _steps(program: Program) -> list[str]:
    """Layers in order: the steps that lifetimes of regions count in."""
    names: dict[str, None] = {}
    for step in program.steps:
        names.update(dict.fromkeys([step.layer] if isinstance(step, HostStep) else [n for n in step.layers if n]))
    return list(names)


def _residents(program: Program, spans: Mapping[str, _Span]) -> dict[str, dict[str, int]]:
    """Layer -> bytes of the tensors that stay in the scratchpad while it works."""
    found: dict[str, dict[str, int]] = {}
    for step, name in enumerate(_steps(program)):
        alive = {
            region.request.name: region.request.size
            for region in program.scratchpad
            if region.request.first <= step <= region.request.last
        }
        if name in spans and alive:
            found[name] = alive
    return found


def _occupancy(program: Program, spans: Mapping[str, _Span], total: int) -> Iterator[_Stamped]:
    """Bytes of the activation scratchpad that resident tensors take."""
    changes: dict[int, int] = {0: 0}
    steps = _steps(program)
    for region in program.scratchpad:
        span = _lifetime(region, steps, spans)
        changes[span.start] = changes.get(span.start, 0) + region.request.size
        changes[span.end] = changes.get(span.end, 0) - region.request.size
    now = 0
    for cycle in sorted({*changes, total}):
        now += changes.get(cycle, 0)
        yield cycle, _COUNTER, _counter("activation scratchpad", {"resident bytes": now})
