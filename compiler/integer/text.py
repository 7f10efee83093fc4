"""Text form of the integer graph: prints, parses, and is the same bytes for the same graph.

::

    gatewright.integer_graph 1
    profile scaled
    multiplier_bits 31
    %x = input() {"source_dtype": "float32"} : u8[1, 3, 32, 32] scale 0x1.0p-8 zero 0
    %conv = conv2d(%x) {"weight": "@", "bias": "@", ..., "clamp": [0, 255]} : u8[1, 16, 32, 32] scale ... zero 0
    outputs %conv

Names are JSON strings after ``%`` where they are no plain identifiers. Arrays stand beside the text, one
``<layer>.<field>`` each, and are ``"@"`` in it. Scales are hexadecimal floats, so nothing is lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.integer.graph import IntegerGraph, Profile
from gatewright.compiler.integer.layers import LAYER_TYPES, Layer
from gatewright.compiler.integer.tensor import TensorType

__all__ = ["VERSION", "attributes_of", "parse_graph", "parse_type", "print_graph", "print_type"]

VERSION = 1
_HEADER = f"gatewright.integer_graph {VERSION}"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")
_NAME = r'(?:[A-Za-z_][A-Za-z0-9_.]*|"(?:[^"\\]|\\.)*")'
_LAYER = re.compile(
    rf"%(?P<name>{_NAME}) = (?P<op>\w+)\((?P<inputs>(?:%{_NAME}(?:, )?)*)\)"
    r" (?P<attributes>\{.*\}) : (?P<type>[^{}]*)\Z"
)
_TYPE = re.compile(r"(?P<sign>[iu])(?P<bits>\d+)\[(?P<shape>[\d, ]*)\] scale (?P<scale>\S+) zero (?P<zero>-?\d+)\Z")

Arrays = dict[str, npt.NDArray[np.generic]]


def print_type(kind: TensorType) -> str:
    """``i8[1, 16] scale 0x1.8p-4 zero -3``."""
    shape = ", ".join(map(str, kind.shape))
    return f"{kind.code}[{shape}] scale {float(kind.scale).hex()} zero {kind.zero_point}"


def parse_type(text: str) -> TensorType:
    """Inverse of :func:`print_type`.

    Raises:
        ValueError: the text is no tensor type.
    """
    match = _TYPE.match(text)
    if not match:
        raise ValueError(f"{text!r} is no tensor type")
    shape = tuple(int(size) for size in match["shape"].split(",") if size.strip())
    return TensorType(
        shape, int(match["bits"]), match["sign"] == "i", float.fromhex(match["scale"]), int(match["zero"])
    )


def attributes_of(layer: Layer) -> dict[str, Any]:
    """Fields of the layer beyond name, inputs and output as JSON values; arrays as ``"@"``."""
    arrays = dict(layer.arrays())
    skip = {"name", "inputs", "output"}
    return {f.name: "@" if f.name in arrays else getattr(layer, f.name) for f in fields(layer) if f.name not in skip}


def print_graph(graph: IntegerGraph) -> tuple[str, Arrays]:
    """The text, and the arrays it refers to by ``<layer>.<field>``."""
    lines = [_HEADER, f"profile {graph.profile}", f"multiplier_bits {graph.multiplier_bits}"]
    arrays: Arrays = {}
    for layer in graph:
        arrays.update({f"{layer.name}.{field}": array for field, array in layer.arrays()})
        inputs = ", ".join("%" + _print_name(name) for name in layer.inputs)
        attributes = json.dumps(attributes_of(layer), ensure_ascii=True)
        lines.append(f"%{_print_name(layer.name)} = {layer.op}({inputs}) {attributes} : {print_type(layer.output)}")
    lines.append("outputs " + ", ".join("%" + _print_name(name) for name in graph.outputs))
    return "\n".join(lines) + "\n", arrays


def parse_graph(text: str, arrays: Mapping[str, npt.NDArray[np.generic]]) -> IntegerGraph:
    """Inverse of :func:`print_graph`.

    Raises:
        FrontendError: GW1901 naming the line that is not understood.
    """
    lines = text.splitlines()
    if len(lines) < 4 or lines[0] != _HEADER:
        raise _unreadable(1, f"the file does not start with {_HEADER!r}")
    number = 1
    try:
        number = 2
        profile = lines[1].removeprefix("profile ")
        if profile not in ("fixed", "scaled"):
            raise ValueError(f"unknown profile {profile!r}")
        number = 3
        bits = int(lines[2].removeprefix("multiplier_bits "))
        layers = []
        for line in lines[3:-1]:
            number += 1
            layers.append(_parse_layer(line, arrays))
        number = len(lines)
        if not lines[-1].startswith("outputs "):
            raise ValueError("the last line does not start with 'outputs'")
        return IntegerGraph(layers, _parse_names(lines[-1].removeprefix("outputs ")), cast(Profile, profile), bits)
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(number, str(error)) from error


def _parse_layer(line: str, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Layer:
    match = _LAYER.match(line)
    if not match:
        raise ValueError("this is no layer")
    name = _parse_name(match["name"])
    cls = LAYER_TYPES.get(match["op"])
    if cls is None:
        raise ValueError(f"unknown operator {match['op']!r}")
    values: dict[str, Any] = {
        key: arrays[f"{name}.{key}"] if value == "@" else _tuples(value)
        for key, value in json.loads(match["attributes"]).items()
    }
    return cls(name=name, inputs=_parse_names(match["inputs"]), output=parse_type(match["type"]), **values)


def _print_name(name: str) -> str:
    return name if _PLAIN.match(name) else json.dumps(name)


def _parse_name(text: str) -> str:
    return cast(str, json.loads(text)) if text.startswith('"') else text


def _parse_names(text: str) -> tuple[str, ...]:
    return tuple(_parse_name(name) for name in re.findall(rf"%({_NAME})", text))


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _unreadable(line: int, reason: str) -> FrontendError:
    return FrontendError(
        "GW1901", f"integer graph, line {line}", reason, "compile the model again; the file was changed"
    )
