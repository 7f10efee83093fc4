"""Names and order of a graph: every tensor made once, every tensor read made before, no cycles."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.frontend.draft import Body, Node

__all__ = ["captured", "in_order", "reads"]

_MANY = 5


def captured(body: Body) -> Iterator[str]:
    """Names a subgraph reads from the graph around it."""
    made = {*body.inputs, *body.constants, *(name for node in body.nodes for name in node.outputs)}
    for node in body.nodes:
        yield from (name for name in reads(node) if name not in made)
    yield from (name for name in body.outputs if name not in made)


def reads(node: Node) -> Iterator[str]:
    """Names ``node`` reads, those of its subgraphs included."""
    yield from (name for name in node.inputs if name)
    for value in node.attributes.values():
        if isinstance(value, Body):
            yield from captured(value)


def in_order(nodes: Sequence[Node], known: Iterable[str], outputs: Sequence[str], place: str) -> list[Node]:
    """``nodes`` in an order that can be executed, the file's own wherever it can.

    Args:
        nodes: of one graph or function body.
        known: names of inputs and constants.
        outputs: names the graph returns.
        place: the graph in words.

    Raises:
        FrontendError: GW1020 a tensor made twice, GW1021 a tensor nobody makes, GW1022 a cycle, GW1023 an output
            nobody makes.
    """
    known = set(known)
    maker: dict[str, int] = {}
    for i, node in enumerate(nodes):
        for name in node.outputs:
            if not name:
                continue
            if name in known or name in maker:
                raise FrontendError(
                    "GW1020", node.where(), f"makes tensor {name!r}, which exists already", "export the model again"
                )
            maker[name] = i
    _check_defined(nodes, known | maker.keys(), outputs, place)

    readers: list[set[int]] = [set() for _ in nodes]
    waiting = [0] * len(nodes)
    for i, node in enumerate(nodes):
        for j in {maker[name] for name in reads(node) if name in maker}:
            readers[j].add(i)
            waiting[i] += 1
    ready = [i for i, count in enumerate(waiting) if count == 0]
    order: list[Node] = []
    while ready:
        i = heapq.heappop(ready)
        order.append(nodes[i])
        for j in readers[i]:
            waiting[j] -= 1
            if waiting[j] == 0:
                heapq.heappush(ready, j)
    if len(order) < len(nodes):
        stuck = [nodes[i].name for i, count in enumerate(waiting) if count > 0]
        raise FrontendError(
            "GW1022",
            f"node {stuck[0]!r}",
            f"is on, or reads from, a cycle: {_list(stuck)} wait for each other",
            "export the model again; loops over time belong into a Loop or Scan operator",
        )
    return order


def _check_defined(nodes: Sequence[Node], names: set[str], outputs: Sequence[str], place: str) -> None:
    for node in nodes:
        missing = sorted({name for name in reads(node) if name not in names})
        if missing:
            raise FrontendError(
                "GW1021",
                node.where(),
                f"reads {_list(missing)}, which nothing makes",
                "export the model again; a cut-out part of a model needs its inputs declared",
            )
    missing = sorted({name for name in outputs if name and name not in names})
    if missing:
        raise FrontendError(
            "GW1023", place, f"declares output {_list(missing)}, which nothing makes", "export it again"
        )


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
    return ", ".join(repr(name) for name in names[:_MANY]) + more
