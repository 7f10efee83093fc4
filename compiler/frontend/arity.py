"""A node against the declaration of its operator: how many inputs and outputs, which attributes of which type.

ONNX's inference checks this too, but only for nodes that reach it; rewrites and folding read nodes before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.frontend.draft import Body, Node

__all__ = ["check_declaration"]


def check_declaration(node: Node, schema: Any) -> None:
    """Hold ``node`` against its operator's ``schema``.

    Raises:
        FrontendError: GW1024 naming the node and what is wrong.
    """
    for what, names, least, most in (
        ("inputs", node.inputs, schema.min_input, schema.max_input),
        ("outputs", node.outputs, schema.min_output, schema.max_output),
    ):
        if not least <= len(names) <= most:
            raise _wrong(node, f"has {len(names)} {what}; the operator takes {_range(least, most)}")
    for i in range(min(schema.min_input, len(schema.inputs))):
        if not node.inputs[i] and schema.inputs[i].option.name == "Single":
            raise _wrong(node, f"lacks its input {schema.inputs[i].name!r}")
    for key, value in node.attributes.items():
        declared = schema.attributes.get(key)
        if declared is None:
            raise _wrong(node, f"has an attribute {key!r}, which version {node.version} of the operator does not know")
        if declared.type.name not in _kinds(value):
            raise _wrong(node, f"attribute {key!r} is {_text(value)}, but has to be of type {declared.type.name}")
    missing = sorted(k for k, a in schema.attributes.items() if a.required and k not in node.attributes)
    if missing:
        raise _wrong(node, f"lacks the attribute {missing[0]!r}")


def _kinds(value: Any) -> tuple[str, ...]:
    """Names of the attribute types a decoded value can be."""
    if isinstance(value, tuple):
        if not value:
            return "INTS", "FLOATS", "STRINGS"
        return (f"{_kinds(value[0])[0]}S",)
    for kind, name in ((int, "INT"), (float, "FLOAT"), (str, "STRING"), (np.ndarray, "TENSOR"), (Body, "GRAPH")):
        if isinstance(value, kind):
            return (name,)
    return ("",)


def _text(value: Any) -> str:
    return repr(value)[:40] if isinstance(value, int | float | str | tuple) else f"a {type(value).__name__}"


def _range(least: int, most: int) -> str:
    if least == most:
        return str(least)
    return f"{least} to {most}" if most < 1 << 20 else f"{least} or more"


def _wrong(node: Node, reason: str) -> FrontendError:
    return FrontendError(
        "GW1024", node.where(), reason, "export the model again; onnx.checker.check_model may say more"
    )
