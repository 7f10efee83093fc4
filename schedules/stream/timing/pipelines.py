"""Stages that make a token of a token of every operand, and those that move tokens to other places."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gatewright.schedules.stream.network import StageNode
from gatewright.schedules.stream.stages import Concat, Gather
from gatewright.schedules.stream.timing.wires import CREDIT, Advance, Wire

__all__ = ["gather", "pipeline"]


def pipeline(node: StageNode, ins: Sequence[Wire], out: Wire) -> Advance:
    """A stage that starts a token when every operand offers one and there is room for it."""
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


def gather(node: StageNode, source: Wire, out: Wire) -> Advance:
    """A gw_gather."""
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
