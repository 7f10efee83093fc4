"""FIFOs in block memory, forks, width adapters, kept weights: what lies between stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gatewright.schedules.stream.network import Channel
from gatewright.schedules.stream.timing.wires import Advance, Wire

__all__ = ["behind_block_fifo", "fork", "keep", "width"]


class BlockFifo:
    """A gw_fifo_block in front of a wire.

    Attributes:
        stored: for every token, the first cycle in which it can be fetched: one after it was pushed.
        fetched: when it came to the memory's port and left room.
    """

    def __init__(self, wire: Wire) -> None:
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


def behind_block_fifo(make: Callable[[Wire], Advance], out: Wire) -> Advance:
    """The process of a stage whose FIFO is a gw_fifo_block: it pushes into the FIFO, credits come from the wire."""
    fifo, inner = BlockFifo(out), Wire()
    inner.available, inner.moved = fifo.stored, out.moved
    stage = make(inner)

    def advance() -> bool:
        progress, more = False, True
        while more:
            more = stage() | fifo.advance()
            progress |= more
        return progress

    return advance


def keep(source: Wire, out: Wire, words: int, total: int) -> Advance:
    """A gw_keep: the first words pass, then they are fetched as from a gw_fifo_block that always has some."""
    again = Wire()
    memory = BlockFifo(again)

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


def fork(source: Wire, readers: Sequence[Wire], depths: Sequence[int], blocks: Sequence[bool]) -> Advance:
    """A gw_fork and the FIFOs behind it."""
    behind = [BlockFifo(wire) if block else None for wire, block in zip(readers, blocks, strict=True)]

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


def width(source: Wire, out: Wire, narrow: Channel, wide: Channel) -> Advance:
    """A gw_width."""
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
