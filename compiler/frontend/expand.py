"""Functions and constant branches, replaced by their bodies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gatewright.compiler.errors import FrontendError, LimitError
from gatewright.compiler.frontend.draft import Body, Function, Node, Reference
from gatewright.compiler.frontend.limits import Limits
from gatewright.compiler.frontend.scope import Scope, UnsupportedError

__all__ = ["branch", "call", "check_calls", "key_of"]

Key = tuple[str, str, str]


def check_calls(nodes: Sequence[Node], functions: Mapping[Key, Function], limits: Limits) -> None:
    """Count the nodes that expanding every call makes, without expanding any.

    Raises:
        FrontendError: GW1025 when functions call each other in a circle, or nest too deep.
        LimitError: GW6003 when there would be too many nodes.
    """
    counts: dict[Key, int] = {}

    def count(inner: Sequence[Node], depth: int) -> int:
        total = 0
        for node in inner:
            if depth > limits.nesting:
                raise FrontendError(
                    "GW1025",
                    node.where(),
                    "is in a function that calls itself, or functions nest too deep",
                    "export the model again with functions inlined (onnx.inliner)",
                )
            function = functions.get(key_of(node))
            if function is not None and function.key not in counts:
                counts[function.key] = count(function.nodes, depth + 1)
            total += 1 if function is None else counts[function.key]
            bodies = [value for value in node.attributes.values() if isinstance(value, Body)]
            total += sum(count(body.nodes, depth + 1) for body in bodies)
        if total > limits.nodes:
            raise LimitError(
                "GW6003",
                inner[0].where(),
                f"expanding functions makes {total} nodes and more; {limits.nodes} are allowed",
                "split the model, or raise Limits.nodes",
            )
        return total

    count(nodes, 0)


def key_of(node: Node) -> Key:
    """The key under which a function of the model would have the node's name."""
    return node.domain, node.op, str(node.attributes.get("overload ", ""))


def call(node: Node, function: Function, scope: Scope) -> list[Node]:
    """The body of ``function`` in place of ``node``, which calls it.

    Raises:
        FrontendError: GW1024 when arguments or attributes do not match.
    """
    if len(node.inputs) > len(function.inputs) or len(node.outputs) > len(function.outputs):
        raise FrontendError(
            "GW1024",
            node.where(),
            f"has {len(node.inputs)} inputs and {len(node.outputs)} outputs; the function has "
            f"{len(function.inputs)} and {len(function.outputs)}",
            "export the model again",
        )
    names = dict.fromkeys(function.inputs, "")
    names.update(zip(function.inputs, node.inputs, strict=False))
    # An input handed straight through as an output needs a node to make it.
    through = [
        (actual, formal) for formal, actual in zip(function.outputs, node.outputs, strict=False) if formal in names
    ]
    names.update((f, a) for f, a in zip(function.outputs, node.outputs, strict=False) if a and f not in names)
    attributes = {**function.attributes, **node.attributes}
    rename = _renamer(names, f"{node.name}/", scope)
    nodes = [_renamed(inner, rename, node, attributes) for inner in function.nodes]
    return nodes + [node.make("Identity", [names[formal]], actual, 13) for actual, formal in through if actual]


def branch(node: Node, scope: Scope) -> list[Node]:
    """The branch an If with a constant condition takes.

    Raises:
        UnsupportedError: the condition depends on the model's inputs.
    """
    condition = scope.constant(node.inputs[0]) if node.inputs else None
    if condition is None or condition.size != 1:
        raise UnsupportedError(
            "its condition depends on the model's inputs",
            "fix the branch before export (torch: trace instead of script)",
        )
    body = node.attributes.get("then_branch" if bool(condition.reshape(())) else "else_branch")
    if not isinstance(body, Body) or len(body.outputs) != len(node.outputs) or body.inputs:
        raise FrontendError("GW1024", node.where(), "has no proper branches", "export the model again")
    names: dict[str, str] = {}
    inside = {*body.constants, *(name for inner in body.nodes for name in inner.outputs)}
    rename = _renamer(names, f"{node.name}/", scope, inside)
    for name, value in body.constants.items():
        scope.constants[rename(name)] = value
    nodes = [_renamed(inner, rename, node, {}) for inner in body.nodes]
    for actual, made in zip(node.outputs, body.outputs, strict=True):
        nodes.append(node.make("Identity", [rename(made)], actual, 13))
    return nodes


def _renamer(names: dict[str, str], prefix: str, scope: Scope, inside: set[str] | None = None) -> Callable[[str], str]:
    """Maps a name of a body to one of the graph; with ``inside``, all other names are the graph's own."""

    def rename(name: str) -> str:
        if not name or (inside is not None and name not in inside):
            return name
        if name not in names:
            names[name] = scope.fresh(prefix + name)
        return names[name]

    return rename


def _renamed(inner: Node, rename: Callable[[str], str], outer: Node, attributes: Mapping[str, Any]) -> Node:
    """A node of a body as a node of the graph."""
    return replace(
        inner,
        inputs=tuple(map(rename, inner.inputs)),
        outputs=tuple(map(rename, inner.outputs)),
        attributes=_bound(inner.attributes, rename, outer, attributes),
        name=f"{outer.name}/{inner.name}",
    )


def _bound(
    own: Mapping[str, Any], rename: Callable[[str], str], outer: Node, attributes: Mapping[str, Any]
) -> dict[str, Any]:
    """Attributes with references to the call's replaced; an attribute the call does not give is absent."""
    bound: dict[str, Any] = {}
    for key, value in own.items():
        if isinstance(value, Reference):
            if attributes.get(value) is not None:
                bound[key] = attributes[value]
        elif isinstance(value, Body):
            bound[key] = Body(
                tuple(_renamed(inner, rename, outer, attributes) for inner in value.nodes),
                tuple(map(rename, value.inputs)),
                tuple(map(rename, value.outputs)),
                {rename(name): array for name, array in value.constants.items()},
            )
        else:
            bound[key] = value
    return bound
