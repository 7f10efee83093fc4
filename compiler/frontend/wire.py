"""A walk over the protobuf wire format before anything is parsed.

``ModelProto.FromString`` takes memory for every field it meets, recurses into whatever nests, and its error messages
name no place. This walk takes no memory that grows with the file, does not recurse, and after it the parser holds no
surprises: nesting, field, node and tensor counts are within the limits, lengths fit, texts are UTF-8.

Wire format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import onnx

from gatewright.compiler.errors import FrontendError, LimitError
from gatewright.compiler.frontend.limits import Limits

__all__ = ["walk"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# google.protobuf.descriptor.FieldDescriptor.TYPE_STRING and TYPE_MESSAGE
_TYPE_STRING, _TYPE_MESSAGE = 9, 11
# Free text may be as long as the file allows.
_LONG_TEXTS = frozenset({"doc_string", "value"})


@dataclass(frozen=True)
class _Message:
    """What the walk must know of a message type: submessages and texts by field number, and both together."""

    name: str
    messages: dict[int, tuple[str, Any]]
    texts: dict[int, str]
    numbered: frozenset[int]


@cache
def _message(descriptor: Any) -> _Message:
    fields = descriptor.fields
    return _Message(
        descriptor.name,
        {f.number: (f.name, f.message_type) for f in fields if f.type == _TYPE_MESSAGE},
        {f.number: f.name for f in fields if f.type == _TYPE_STRING},
        frozenset(f.number for f in fields if f.type in (_TYPE_STRING, _TYPE_MESSAGE)),
    )


class _Walk:
    def __init__(self, data: bytes, place: str, limits: Limits) -> None:
        self.data = data
        self.place = place
        self.limits = limits
        self.position = 0
        # (message, its end, name of the field that holds it)
        self.stack: list[tuple[_Message, int, str]] = [(_message(onnx.ModelProto.DESCRIPTOR), len(data), "model")]
        self.counts = {"NodeProto": 0, "TensorProto": 0}

    def where(self) -> str:
        return f"{self.place}: byte {self.position} in {'.'.join(name for _, _, name in self.stack)}"

    def malformed(self, reason: str) -> FrontendError:
        return FrontendError(
            "GW1010",
            self.where(),
            f"is no ONNX model, or a damaged one: {reason}",
            "check that the file is an ONNX model and export or download it again",
        )

    def limit(self, code: str, reason: str, action: str) -> LimitError:
        return LimitError(code, self.where(), reason, action)

    def varint(self, end: int) -> int:
        """The base-128 number at the position, which moves behind it."""
        value = 0
        for shift in range(0, 70, 7):
            if self.position >= end:
                raise self.malformed("it ends in the middle of a number (truncated?)")
            byte = self.data[self.position]
            self.position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise self.malformed("a number has more than 10 bytes")

    def run(self) -> None:
        fields = 0
        while self.stack:
            message, end, _ = self.stack[-1]
            if self.position == end:
                self.stack.pop()
                continue
            fields += 1 + self.small_numbers(message, end)
            if fields > self.limits.fields:
                raise self.limit(
                    "GW6008",
                    f"the file has more than {self.limits.fields} fields",
                    "store numbers as raw_data (onnx.numpy_helper does) or raise Limits.fields",
                )
            if self.position < end:
                self.field(message, end)

    def small_numbers(self, message: _Message, end: int) -> int:
        """Step over short fields, small numbers and float32, and count them: long attributes consist of them."""
        data, position, count = self.data, self.position, 0
        last = end - 5
        while position <= last and count <= self.limits.fields:
            tag = data[position]
            if not 8 <= tag < 0x80 or tag >> 3 in message.numbered:
                break
            if tag & 7 == _VARINT and data[position + 1] < 0x80:
                position += 2
            elif tag & 7 == _FIXED32:
                position += 5
            else:
                break
            count += 1
        self.position = position
        return count

    def field(self, message: _Message, end: int) -> None:
        tag = self.varint(end)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise self.malformed("field number 0")
        if wire == _BYTES:
            self.length_delimited(message, number, end)
            return
        if wire == _VARINT:
            self.varint(end)
        elif wire in (_FIXED64, _FIXED32):
            self.position += 8 if wire == _FIXED64 else 4
        else:
            raise self.malformed(f"wire type {wire}, which ONNX never uses")
        if self.position > end:
            raise self.malformed("a value reaches past the end of its message (truncated?)")
        if number in message.numbered:
            raise self.malformed(f"field {number} of {message.name} has the wrong wire type")

    def length_delimited(self, message: _Message, number: int, end: int) -> None:
        size = self.varint(end)
        if size > end - self.position:
            missing = size - (end - self.position)
            name = message.messages.get(number, (None,))[0] or message.texts.get(number) or f"field {number}"
            raise self.malformed(f"its {name} of {size} bytes reaches {missing} bytes past the end (truncated?)")
        if (child := message.messages.get(number)) is not None:
            name, descriptor = child
            inner = _message(descriptor)
            self.stack.append((inner, self.position + size, name))
            if len(self.stack) > self.limits.nesting:
                raise self.limit(
                    "GW6002",
                    f"messages nest more than {self.limits.nesting} deep",
                    "unroll or flatten the nested If, Loop or Scan bodies before export",
                )
            if inner.name in self.counts:
                self.count(inner.name)
            return
        if (text := message.texts.get(number)) is not None:
            self.text(text, size)
        self.position += size

    def count(self, name: str) -> None:
        self.counts[name] += 1
        if self.counts["NodeProto"] > self.limits.nodes:
            raise self.limit("GW6003", f"the model has more than {self.limits.nodes} nodes", "split the model")
        if self.counts["TensorProto"] > self.limits.tensors:
            raise self.limit("GW6004", f"the model has more than {self.limits.tensors} tensors", "split the model")

    def text(self, name: str, size: int) -> None:
        if size > self.limits.name_bytes and name not in _LONG_TEXTS:
            raise self.limit(
                "GW6009", f"a {name} of {size} bytes; {self.limits.name_bytes} are allowed", "shorten the names"
            )
        try:
            self.data[self.position : self.position + size].decode()
        except UnicodeDecodeError:
            raise self.malformed(f"its {name} is not UTF-8") from None


def walk(data: bytes, place: str, limits: Limits) -> None:
    """Check the serialized model ``data`` of the file ``place``.

    Raises:
        FrontendError: GW1010 when it is not the wire format of an ONNX model; names the byte and the message.
        LimitError: GW6002 nesting, GW6003 nodes, GW6004 tensors, GW6008 fields, GW6009 length of a name.
    """
    _Walk(data, place, limits).run()
