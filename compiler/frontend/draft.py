"""The model between ONNX and Relax: plain nodes that rewrites can build in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gatewright.compiler.floatgraph.graph import TensorSpec
from gatewright.compiler.frontend.tensors import Array

__all__ = ["Body", "Draft", "Function", "Node", "Reference"]

# int, float, str, tuples of them, an array, or a Body.
AttributeValue = Any


@dataclass(frozen=True)
class Node:
    """One ONNX node.

    Attributes:
        op: operator type.
        inputs: tensor names; "" is an absent optional input.
        outputs: tensor names; "" is an unwanted output.
        attributes: decoded; tensors are arrays, texts are ``str``.
        version: version of the operator set ``domain`` that defines it.
        domain: "" is ONNX's own.
        name: for messages; as in the file, or made from the first output.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    version: int = 13
    domain: str = ""
    name: str = ""

    def input(self, index: int) -> str:
        """The name of input ``index``, "" when it is absent."""
        return self.inputs[index] if index < len(self.inputs) else ""

    def make(
        self, op: str, inputs: Sequence[str], output: str, version: int | None = None, **attributes: AttributeValue
    ) -> Node:
        """A node of ONNX's own domain that stands for (part of) this one and keeps its name."""
        return Node(
            op,
            tuple(inputs),
            (output,),
            {key: value for key, value in attributes.items() if value is not None},
            self.version if version is None else version,
            "",
            self.name,
        )

    def where(self) -> str:
        """The node in the words of an error message."""
        kind = f"{self.domain}:{self.op}" if self.domain else self.op
        return f"node {self.name!r} ({kind})"

    def with_attributes(self, *, drop: Sequence[str] = (), **values: AttributeValue) -> Node:
        """A copy with attributes set and dropped."""
        kept = {key: value for key, value in self.attributes.items() if key not in drop}
        return replace(self, attributes={**kept, **values})


@dataclass(frozen=True)
class Body:
    """A subgraph attribute: nodes and constants, names as in the file, seeing the names around it."""

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, Array]


class Reference(str):
    """An attribute of a function's node that stands for an attribute of the call."""

    __slots__ = ()


@dataclass(frozen=True)
class Function:
    """A function the model brings along.

    Attributes:
        key: domain, name and overload.
        attributes: default by attribute name, None where there is none.
    """

    key: tuple[str, str, str]
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, AttributeValue]


@dataclass(frozen=True)
class Draft:
    """A whole model as read.

    Attributes:
        place: the file, for messages.
        inputs: graph inputs with static shapes, initializers left out.
        outputs: names of graph outputs.
        nodes: in executable order.
        constants: initializers.
        narrow: names of constants whose ONNX type has less than 8 bits.
        functions: by domain, name and overload.
    """

    place: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]
    nodes: Sequence[Node]
    constants: Mapping[str, Array]
    narrow: frozenset[str]
    functions: Mapping[tuple[str, str, str], Function]
