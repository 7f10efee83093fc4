"""Exact cycle counts of a network, without simulating it.

Every node is a deterministic process of tokens, so the cycle in which a token moves follows from the cycles of
earlier moves by maxima and sums: a max-plus system (Baccelli et al., Synchronization and Linearity, 1992) of which a
cycle-true simulation would yield the same numbers. ``available[k]`` is the first cycle in which the maker of a
channel offers token k; ``moved[k]`` the cycle in which the token moves. Cycle 0 is the first after reset; the source
always offers, the sink always takes.

A Kahn network with bounded channels gives the same tokens in whatever order its processes run, so a network that does
not stop here does not stop under any back-pressure: freedom from deadlock is checked, not assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gatewright.schedules.stream.network import (
    Channel,
    ForkNode,
    KeepNode,
    Network,
    Node,
    PortNode,
    StageNode,
    WeightsNode,
    WidthNode,
)
from gatewright.schedules.stream.stages import Concat, Gather

__all__ = ["Deadlock", "Timing", "time_network"]


CREDIT = 2
"""Cycles from a token's leaving a FIFO to the start its credit allows, see gw_credit.v."""


class Deadlock(Exception):
    """The network stops: ``waiting`` names the nodes that hold tokens back."""

    def __init__(self, waiting: Sequence[str]) -> None:
        super().__init__(", ".join(waiting))
        self.waiting = tuple(waiting)


@dataclass(frozen=True)
class Timing:
    """Cycle counts of a network.

    Attributes:
        latency_cycles: from the first token of a frame entering the idle design to its last leaving, both counted.
        interval_cycles: between the ends of two frames in the steady state.
        frames: cycle in which every frame's last token left.
        occupancy: the most tokens every FIFO of a fork held, by fork.
    """

    latency_cycles: int
    interval_cycles: int
    frames: tuple[int, ...]
    occupancy: dict[str, tuple[int, ...]]


class _Wire:
    """Times of one channel."""

    def __init__(self) -> None:
        self.available: list[int] = []
        self.moved: list[int] = []


Advance = Callable[[], bool]


def time_network(network: Network, frames: int = 4) -> Timing:
    """Time ``frames`` frames back to back.

    Raises:
        Deadlock: a channel never moves.
    """
    wires = {channel.name: _Wire() for channel in network.channels}
    processes = [(node, _process(node, wires, frames)) for node in network.nodes]
    progress = True
    while progress:
        progress = False
        for _, advance in reversed(processes):
            progress = advance() or progress
        for _, advance in processes:
            progress = advance() or progress
    ends = [node for node in network.nodes if isinstance(node, PortNode) and node.inputs]
    waiting = [
        n.name
        for n in network.nodes
        if not isinstance(n, KeepNode) and any(len(wires[c.name].moved) < frames * c.tokens for c in n.inputs)
    ]
    if waiting:
        raise Deadlock(waiting)
    finished = tuple(
        max(wires[node.inputs[0].name].moved[(frame + 1) * node.inputs[0].tokens - 1] for node in ends)
        for frame in range(frames)
    )
    starts = [wires[n.outputs[0].name].moved[0] for n in network.nodes if isinstance(n, PortNode) and n.outputs]
    occupancy = {node.name: _occupancy(node, wires) for node in network.forks}
    return Timing(finished[0] - min(starts) + 1, finished[-1] - finished[-2], finished, occupancy)


def _occupancy(node: ForkNode, wires: dict[str, _Wire]) -> tuple[int, ...]:
    found = []
    pushes = wires[node.inputs[0].name].moved
    for channel in node.outputs:
        pops, most, k = wires[channel.name].moved, 0, 0
        for pushed, time in enumerate(pushes):
            while k < len(pops) and pops[k] < time:
                k += 1
            most = max(most, pushed + 1 - k)
        found.append(most)
    return tuple(found)


def _process(node: Node, wires: dict[str, _Wire], frames: int) -> Advance:
    ins, outs = [wires[c.name] for c in node.inputs], [wires[c.name] for c in node.outputs]
    match node:
        case PortNode() if node.outputs:
            return _source(outs[0], frames * node.outputs[0].tokens)
        case WeightsNode():
            return _source(outs[0], node.words if node.once else frames * node.outputs[0].tokens)
        case KeepNode():
            return _keep(ins[0], outs[0], node.words, frames * node.outputs[0].tokens)
        case PortNode():
            return _sink(ins[0])
        case ForkNode():
            return _fork(ins[0], outs, node.depths, node.blocks)
        case WidthNode():
            return _width(ins[0], outs[0], node.inputs[0], node.outputs[0])
        case StageNode() if node.hardware.fifo_block:
            return _behind_block_fifo(lambda out: _stage(node, ins, out), outs[0])
        case StageNode():
            return _stage(node, ins, outs[0])
    raise TypeError(type(node).__name__)


def _stage(node: StageNode, ins: Sequence[_Wire], out: _Wire) -> Advance:
    if node.hardware.loops is not None:
        return _window(node, ins, out)
    if isinstance(node.hardware.stage, Gather):
        return _gather(node, ins[0], out)
    return _pipeline(node, ins, out)


def _source(out: _Wire, tokens: int) -> Advance:
    out.available = [0] * tokens
    return lambda: False


def _sink(wire: _Wire) -> Advance:
    def advance() -> bool:
        available, moved = wire.available, wire.moved
        before = len(moved)
        last = moved[-1] if moved else -1
        for k in range(before, len(available)):
            last = max(available[k], last + 1)
            moved.append(last)
        return len(moved) > before

    return advance


class _BlockFifo:
    """A gw_fifo_block in front of a wire.

    Attributes:
        stored: for every token, the first cycle in which it can be fetched: one after it was pushed.
        fetched: when it came to the memory's port and left room.
    """

    def __init__(self, wire: _Wire) -> None:
        self.wire = wire
        self.stored: list[int] = []
        self.fetched: list[int] = []
        self.kept: list[int] = []  # when it moved into the output register

    def advance(self) -> bool:
        """Bring tokens to the port and into the register; whether any moved."""
        wire, stored, fetched, kept = self.wire, self.stored, self.fetched, self.kept
        progress, more = False, True
        while more:
            more = False
            k = len(fetched)
            if k < len(stored) and len(kept) >= k:
                fetched.append(max(stored[k], kept[k - 1] if k else 0))
                more = True
            k = len(kept)
            if k < len(fetched) and len(wire.moved) >= k:
                kept.append(max(fetched[k] + 1, wire.moved[k - 1] if k else 0))
                wire.available.append(kept[k] + 1)
                more = True
            progress = progress or more
        return progress


def _behind_block_fifo(make: Callable[[_Wire], Advance], out: _Wire) -> Advance:
    """The process of a stage whose FIFO is a gw_fifo_block: it pushes into the FIFO, credits come from the wire."""
    fifo, inner = _BlockFifo(out), _Wire()
    inner.available, inner.moved = fifo.stored, out.moved
    stage = make(inner)

    def advance() -> bool:
        progress, more = False, True
        while more:
            more = stage() | fifo.advance()
            progress |= more
        return progress

    return advance


def _keep(source: _Wire, out: _Wire, words: int, total: int) -> Advance:
    """A gw_keep: the first words pass, then they are fetched as from a gw_fifo_block that always has some."""
    again = _Wire()
    memory = _BlockFifo(again)

    def advance() -> bool:
        before = len(out.available)
        if before < words:
            out.available.extend(source.available[before:words])
        source.moved.extend(out.moved[len(source.moved) : words])
        if len(out.moved) >= words:
            if not memory.stored:
                memory.stored.extend([out.moved[words - 1] + 1] * (total - words))
            again.moved.extend(out.moved[words + len(again.moved) :])
            memory.advance()
            out.available.extend(again.available[len(out.available) - words :])
        return len(out.available) > before

    return advance


def _fork(source: _Wire, readers: Sequence[_Wire], depths: Sequence[int], blocks: Sequence[bool]) -> Advance:
    behind = [_BlockFifo(wire) if block else None for wire, block in zip(readers, blocks, strict=True)]

    def fetch() -> bool:
        advanced = [fifo.advance() for fifo in behind if fifo is not None]
        return any(advanced)

    def room(k: int) -> int | None:
        """First cycle in which every FIFO has room for token k, None if not known yet."""
        first = 0
        for wire, fifo, depth in zip(readers, behind, depths, strict=True):
            if depth and k >= depth:
                left = wire.moved if fifo is None else fifo.fetched
                if len(left) <= k - depth:
                    return None
                first = max(first, left[k - depth] + 1)
        return first

    def advance() -> bool:
        before = len(source.moved)
        progress = fetch()
        while len(source.moved) < len(source.available):
            k = len(source.moved)
            first = room(k)
            if first is None:
                break
            time = max(source.available[k], source.moved[-1] + 1 if k else 0, first)
            source.moved.append(time)
            for wire, fifo in zip(readers, behind, strict=True):
                (wire.available if fifo is None else fifo.stored).append(time + 1)
            progress = fetch() or progress
        return progress or len(source.moved) > before

    return advance


def _width(source: _Wire, out: _Wire, narrow: Channel, wide: Channel) -> Advance:
    if narrow.lanes < wide.lanes:
        ratio = wide.lanes // narrow.lanes

        def widen() -> bool:
            before = len(source.moved)
            while len(source.moved) < len(source.available):
                k = len(source.moved)
                time = max(source.available[k], source.moved[-1] + 1 if k else 0)
                word, part = divmod(k, ratio)
                if part == 0 and word:
                    if len(out.moved) < word:
                        break
                    time = max(time, out.moved[word - 1])
                source.moved.append(time)
                if part == ratio - 1:
                    out.available.append(time + 1)
            return len(source.moved) > before

        return widen
    ratio = narrow.lanes // wide.lanes

    def split() -> bool:
        # The adapter passes the offer on; that the parts of a word leave one after another is the reader's rule.
        offered, taken = len(out.available), len(source.moved)
        for word in range(offered // ratio, len(source.available)):
            out.available.extend([source.available[word]] * ratio)
        source.moved.extend(out.moved[(taken + 1) * ratio - 1 :: ratio])
        return len(out.available) > offered or len(source.moved) > taken

    return split


def _pipeline(node: StageNode, ins: Sequence[_Wire], out: _Wire) -> Advance:
    latency, credits = node.hardware.latency + 1, node.hardware.fifo
    order = _concat_order(node) if isinstance(node.hardware.stage, Concat) else None
    starts: list[int] = []

    def advance() -> bool:
        before = len(starts)
        while True:
            k = len(starts)
            if order is None:
                if any(len(wire.available) <= k for wire in ins):
                    break
                time = max(wire.available[k] for wire in ins)
            else:
                source, index = order(k)
                if len(ins[source].available) <= index:
                    break
                time = ins[source].available[index]
            time = max(time, starts[-1] + 1 if k else 0)
            if k >= credits:
                if len(out.moved) <= k - credits:
                    break
                time = max(time, out.moved[k - credits] + CREDIT)
            starts.append(time)
            for wire in ins if order is None else (ins[source],):
                wire.moved.append(time)
            out.available.append(time + latency)
        return len(starts) > before

    return advance


def _concat_order(node: StageNode) -> Callable[[int], tuple[int, int]]:
    """Output token -> (operand, its token)."""
    stage, lanes = node.hardware.stage, node.hardware.lanes
    assert isinstance(stage, Concat)
    blocks = [block // lanes for block in stage.blocks]
    period = sum(blocks)
    places = [(operand, i) for operand, block in enumerate(blocks) for i in range(block)]

    def order(k: int) -> tuple[int, int]:
        turn, place = divmod(k, period)
        operand, i = places[place]
        return operand, turn * blocks[operand] + i

    return order


def _gather(node: StageNode, source: _Wire, out: _Wire) -> Advance:
    stage, lanes = node.hardware.stage, node.hardware.lanes
    assert isinstance(stage, Gather)
    n_in, n_out = stage.x.elements // lanes, stage.output.elements // lanes
    latency, credits = node.hardware.latency + 1, node.hardware.fifo
    reads: list[int] = []

    def advance() -> bool:
        progress = False
        while len(source.moved) < len(source.available):
            k = len(source.moved)
            time = max(source.available[k], source.moved[-1] + 1 if k else 0)
            frame = k // n_in
            if frame >= 2 and k % n_in == 0:
                if len(reads) < (frame - 1) * n_out:
                    break
                time = max(time, reads[(frame - 1) * n_out - 1] + 3)
            source.moved.append(time)
            progress = True
        while True:
            k = len(reads)
            frame = k // n_out
            if len(source.moved) < (frame + 1) * n_in:
                break
            time = max(source.moved[(frame + 1) * n_in - 1] + 1, reads[-1] + 1 if k else 0)
            if k >= credits:
                if len(out.moved) <= k - credits:
                    break
                time = max(time, out.moved[k - credits] + CREDIT)
            reads.append(time)
            out.available.append(time + latency)
            progress = True
        return progress

    return advance


def _window(node: StageNode, ins: Sequence[_Wire], out: _Wire) -> Advance:
    writer = _Writer(node, ins[0])
    reader = _Reader(node, out, ins[1] if node.hardware.fold.outside else None)

    def advance() -> bool:
        progress, more = False, True
        while more:
            more = writer.advance(reader) | reader.advance(writer)
            progress |= more
        return progress

    return advance


class _Writer:
    """Writes the padded image into the ring, a word a cycle."""

    def __init__(self, node: StageNode, source: _Wire) -> None:
        loops = node.hardware.loops
        assert loops is not None
        window = node.hardware.stage.window  # type: ignore[attr-defined]
        self.source = source
        self.ring = loops.ring
        rows, columns = window.padded
        top, left = window.padding[:2]
        span, strides, out = window.span, window.strides, window.output
        hits_y = {span[0] - 1 + i * strides[0] for i in range(out[0])}
        hits_x = {span[1] - 1 + i * strides[1] for i in range(out[1])}
        # One frame of words: does it come from the stream, and does it complete a window?
        self.reads, self.completes = [], []
        # Where a window ends before the first pixel, the padding waits for that.
        self.early = span[0] <= top or (span[0] == top + 1 and span[1] <= left)
        for y in range(rows):
            inside_y = top <= y < top + window.height
            for x in range(columns):
                inside = inside_y and left <= x < left + window.width
                complete = y in hits_y and x in hits_x
                self.reads += [inside] * loops.words
                self.completes += [False] * (loops.words - 1) + [complete]
        self.frame = len(self.reads)
        self.written = 0
        self.last = -1
        self.position = 0
        self.taken = 0
        self.windows: list[int] = []  # cycle in which every window's last word was written

    def advance(self, reader: _Reader) -> bool:
        source, ring, frame = self.source, self.ring, self.frame
        before, written, last, position, taken = self.written, self.written, self.last, self.position, self.taken
        available, moved = source.available, source.moved
        while True:
            time = last + 1
            if self.reads[position] or (self.early and not position):
                if len(available) <= taken:
                    break
                time = max(time, available[taken])
            if written >= ring:
                room = reader.room(written - ring)
                if room is None:
                    break
                time = max(time, room)
            if self.reads[position]:
                moved.append(time)
                taken += 1
            if self.completes[position]:
                self.windows.append(time)
            written, last = written + 1, time
            position = position + 1 if position + 1 < frame else 0
        self.written, self.last, self.position, self.taken = written, last, position, taken
        return written > before


class _Reader:
    """Reads the windows turn by turn; with ``weights``, every read waits for a word of them."""

    def __init__(self, node: StageNode, out: _Wire, weights: _Wire | None) -> None:
        hardware = node.hardware
        assert hardware.loops is not None
        self.loops = hardware.loops
        self.out = out
        self.weights = weights
        self.read = 0  # reads of the turn that have been made
        self.latency = hardware.latency + 1
        self.burst = hardware.burst
        self.credits = hardware.fifo
        self.free = 0  # first cycle in which the reader may begin a turn
        self.window = 0
        self.turn = 0
        self.turns = 0
        self.released = 0
        self.releases: list[tuple[int, int]] = []  # (words given back so far, cycle from which they count)
        self.cursor = 0

    def room(self, word: int) -> int | None:
        """First cycle in which more than ``word`` words have been given back."""
        while self.cursor < len(self.releases) and self.releases[self.cursor][0] <= word:
            self.cursor += 1
        return self.releases[self.cursor][1] if self.cursor < len(self.releases) else None

    def _with_weights(self, weights: _Wire, time: int, length: int) -> bool:
        """Read on from cycle ``time``; whether all of the turn's words were there."""
        available, moved = weights.available, weights.moved
        while self.read < length:
            if len(available) <= len(moved):
                return False
            time = max(time, available[len(moved)])
            moved.append(time)
            time += 1
            self.free = time
            self.read += 1
        self.read = 0
        return True

    def advance(self, writer: _Writer) -> bool:
        loops, out, burst, credits = self.loops, self.out, self.burst, self.credits
        columns, rows, length, per_window = loops.counts[5], loops.counts[6], loops.turn, loops.turns
        before = self.turns
        while True:
            time = self.free
            if self.turn == 0 and not self.read:
                if len(writer.windows) <= self.window:
                    break
                time = max(time, writer.windows[self.window] + 1)
            owed = (self.turns + 1) * burst - credits  # tokens that must have left before this turn
            if owed > 0 and not self.read:
                if len(out.moved) < owed:
                    break
                time = max(time, out.moved[owed - 1] + CREDIT)
            end = time + length - 1
            if self.weights is not None:
                if not self._with_weights(self.weights, time, length):
                    break
                end = self.free - 1
            first = end + self.latency
            out.available.extend(range(first, first + burst))
            self.free = end + 1
            self.turns += 1
            self.turn += 1
            if self.turn == per_window:
                self.turn = 0
                self.window += 1
                row, column = divmod(self.window - 1, columns)
                if column < columns - 1:
                    amount = loops.release[0]
                else:
                    amount = loops.release[1] if row % rows < rows - 1 else loops.release[2]
                self.released += amount
                self.releases.append((self.released, end + 2))
        return self.turns > before
