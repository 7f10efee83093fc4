"""ModelProto to :class:`Draft`: every tensor decoded and every attribute typed, with its place in the message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import onnx
from onnx import AttributeProto

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.frontend.draft import Body, Function, Node, Reference
from gatewright.compiler.frontend.header import opset_versions
from gatewright.compiler.frontend.structure import captured, in_order
from gatewright.compiler.frontend.tensors import Array, TensorReader

__all__ = ["ModelReader"]

# Element types this compiler keeps in a wider array.
_NARROW = frozenset(getattr(onnx.TensorProto, n, -1) for n in ("INT4", "UINT4", "INT2", "UINT2")) - {-1}


class ModelReader:
    """Reads the parts of one model.

    Attributes:
        opsets: version by domain, of the main graph.
        narrow: names of tensors whose type has less than 8 bits.
    """

    def __init__(self, model: onnx.ModelProto, tensors: TensorReader, opsets: Mapping[str, int]) -> None:
        self._model = model
        self._tensors = tensors
        self.narrow: set[str] = set()
        self.opsets = opsets

    def graph(self) -> tuple[list[Node], dict[str, Array]]:
        """Nodes and initializers of the main graph."""
        graph = self._model.graph
        return self._nodes(graph.node, self.opsets, ""), self._constants(graph)

    def functions(self) -> Mapping[tuple[str, str, str], Function]:
        """The model's own functions.

        Raises:
            FrontendError: GW1020 two with the same name.
        """
        found: dict[tuple[str, str, str], Function] = {}
        for proto in self._model.functions:
            domain = "" if proto.domain == "ai.onnx" else proto.domain
            key = (domain, proto.name, getattr(proto, "overload", ""))
            place = f"function {proto.domain}:{proto.name}"
            if key in found:
                raise FrontendError("GW1020", place, "is defined twice", "export the model again")
            opsets = opset_versions(proto.opset_import, place) if proto.opset_import else self.opsets
            found[key] = self.function(proto, key, opsets)
        return found

    def function(self, proto: onnx.FunctionProto, key: tuple[str, str, str], opsets: Mapping[str, int]) -> Function:
        """One function, from the model or from ONNX's own definition of an operator."""
        place = f"in function {proto.name!r}: "
        defaults: dict[str, Any] = dict.fromkeys(proto.attribute)
        for attribute in proto.attribute_proto:
            defaults[attribute.name] = self.attribute(attribute, place, opsets)
        nodes = in_order(self._nodes(proto.node, opsets, place), proto.input, proto.output, f"function {proto.name!r}")
        return Function(key, tuple(nodes), tuple(proto.input), tuple(proto.output), defaults)

    def _nodes(self, protos: Iterable[onnx.NodeProto], opsets: Mapping[str, int], place: str) -> list[Node]:
        nodes = []
        for i, proto in enumerate(protos):
            name = proto.name or next((o for o in proto.output if o), "") or f"#{i}"
            where = f"{place}node {name!r} ({proto.op_type})"
            if not proto.op_type:
                raise _malformed(f"{place}node {name!r}", "has no operator type")
            attributes: dict[str, Any] = {}
            for attribute in proto.attribute:
                if attribute.name in attributes:
                    raise _malformed(where, f"states attribute {attribute.name!r} twice")
                attributes[attribute.name] = self.attribute(attribute, where, opsets)
            domain = "" if proto.domain == "ai.onnx" else proto.domain
            if getattr(proto, "overload", ""):
                attributes["overload "] = proto.overload
            nodes.append(
                Node(
                    proto.op_type,
                    tuple(proto.input),
                    tuple(proto.output),
                    attributes,
                    opsets.get(domain, 0 if domain else opsets.get("", 0)),
                    domain,
                    name,
                )
            )
        return nodes

    def _constants(self, graph: onnx.GraphProto) -> dict[str, Array]:
        if graph.sparse_initializer:
            name = graph.sparse_initializer[0].values.name
            raise FrontendError(
                "GW1026",
                f"sparse initializer {name!r}",
                "sparse tensors are not supported",
                "store it as a dense tensor",
            )
        constants: dict[str, Array] = {}
        for tensor in graph.initializer:
            if not tensor.name:
                raise _malformed("an initializer", "has no name")
            place = f"initializer {tensor.name!r}"
            if tensor.name in constants:
                raise FrontendError("GW1020", place, "is defined twice", "export the model again")
            constants[tensor.name] = self._tensors.read(tensor, place)
            if tensor.data_type in _NARROW:
                self.narrow.add(tensor.name)
        return constants

    def attribute(self, proto: AttributeProto, where: str, opsets: Mapping[str, int]) -> Any:
        """One attribute, decoded; a reference to an attribute of the enclosing function stays a :class:`Reference`."""
        place = f"{where}, attribute {proto.name!r}"
        if proto.ref_attr_name:
            return Reference(proto.ref_attr_name)
        kind = proto.type or _guess_type(proto)
        if kind == AttributeProto.INT:
            return int(proto.i)
        if kind == AttributeProto.FLOAT:
            return float(proto.f)
        if kind == AttributeProto.STRING:
            return _text(proto.s, place)
        if kind == AttributeProto.INTS:
            return tuple(int(i) for i in proto.ints)
        if kind == AttributeProto.FLOATS:
            return tuple(float(f) for f in proto.floats)
        if kind == AttributeProto.STRINGS:
            return tuple(_text(s, place) for s in proto.strings)
        if kind == AttributeProto.TENSOR:
            return self._tensors.read(proto.t, place)
        if kind == AttributeProto.GRAPH:
            return self._body(proto.g, place, opsets)
        known = kind in AttributeProto.AttributeType.values()
        text = AttributeProto.AttributeType.Name(kind) if known else f"number {kind}"
        raise _malformed(place, f"has type {text}, which no supported operator takes")

    def _body(self, graph: onnx.GraphProto, place: str, opsets: Mapping[str, int]) -> Body:
        body = Body(
            tuple(self._nodes(graph.node, opsets, f"{place}: ")),
            tuple(value.name for value in graph.input),
            tuple(value.name for value in graph.output),
            self._constants(graph),
        )
        known = {*body.inputs, *body.constants, *captured(body)}
        return replace(body, nodes=tuple(in_order(body.nodes, known, body.outputs, place)))


def _guess_type(proto: AttributeProto) -> int:
    """The type of an attribute that does not state it, as files of IR version 1 and some exporters do."""
    for field, kind in (
        ("f", AttributeProto.FLOAT),
        ("i", AttributeProto.INT),
        ("s", AttributeProto.STRING),
        ("t", AttributeProto.TENSOR),
        ("g", AttributeProto.GRAPH),
    ):
        if proto.HasField(field):
            return int(kind)
    for field, kind in (
        ("floats", AttributeProto.FLOATS),
        ("ints", AttributeProto.INTS),
        ("strings", AttributeProto.STRINGS),
    ):
        if getattr(proto, field):
            return int(kind)
    return int(AttributeProto.UNDEFINED)


def _text(value: bytes, place: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise _malformed(place, "is not UTF-8 text") from None


def _malformed(place: str, reason: str) -> FrontendError:
    return FrontendError("GW1024", place, reason, "export the model again; onnx.checker.check_model may say more")
