"""Stages that read windows: the writer and the reader of a ring."""

from __future__ import annotations

from collections.abc import Sequence

from gatewright.schedules.stream.network import StageNode
from gatewright.schedules.stream.timing.wires import CREDIT, Advance, Wire

__all__ = ["window"]


def window(node: StageNode, ins: Sequence[Wire], out: Wire) -> Advance:
    """A gw_window and what computes behind it."""
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

    def __init__(self, node: StageNode, source: Wire) -> None:
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

    def __init__(self, node: StageNode, out: Wire, weights: Wire | None) -> None:
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

    def _with_weights(self, weights: Wire, time: int, length: int) -> bool:
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
