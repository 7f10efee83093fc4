"""Static shapes for the graph's inputs: what the file fixes, the batch, and what the user gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from gatewright.compiler.errors import FrontendError
from gatewright.compiler.floatgraph.graph import TensorSpec
from gatewright.compiler.frontend.limits import Limits
from gatewright.compiler.frontend.tensors import DTYPES

__all__ = ["input_specs"]

Shape = tuple[int, ...]


@dataclass(frozen=True)
class _Dimension:
    """One declared dimension: a size, or the text of what the file says instead."""

    size: int | None
    text: str = ""


def input_specs(
    graph: onnx.GraphProto, initializers: Collection[str], given: Mapping[str, Shape], limits: Limits
) -> tuple[TensorSpec, ...]:
    """The graph's inputs with static shapes.

    Initializers that are listed as inputs too (IR version 3 demanded it) are none. An unknown first dimension is the
    batch and becomes 1.

    Raises:
        FrontendError: GW1050 dimensions that only the user can know (all of them in one message), GW1051 a given shape
            that contradicts the file, GW1052 a given name that is no input, GW1053 an input that is no tensor of a
            supported type, GW1020 a duplicate name.
        LimitError: an input larger than the limits.
    """
    values = [value for value in graph.input if value.name not in initializers]
    names = [value.name for value in values]
    for name, count in Counter(names).items():
        if not name or count > 1:
            raise FrontendError("GW1020", f"input {name!r}", "has no name of its own", "export the model again")
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise FrontendError(
            "GW1052",
            f"--input-shape {unknown[0]}",
            f"the model has no input of that name; its inputs are {', '.join(map(repr, names[:8]))}",
            "use the name as the model has it",
        )
    specs: list[TensorSpec] = []
    problems: list[str] = []
    examples: list[str] = []
    for value in values:
        dtype = _dtype(value)
        declared = _declared(value)
        if value.name in given:
            shape = _given(value.name, given[value.name], declared)
        elif declared is None:
            problems.append(f"input {value.name!r} has no shape at all")
            examples.append(f"--input-shape '{value.name}:[1,3,224,224]' (with the shape you mean)")
            continue
        else:
            missing = [i for i, d in enumerate(declared) if d.size is None and i > 0]
            problems += [f"input {value.name!r} dimension {i} is {declared[i].text}" for i in missing]
            if missing:
                text = ",".join(str(d.size) if d.size else ("1" if i == 0 else "?") for i, d in enumerate(declared))
                examples.append(f"--input-shape '{value.name}:[{text}]' with a number for each ?")
                continue
            shape = tuple(1 if d.size is None else d.size for d in declared)
        limits.check_tensor(f"input {value.name!r}", shape, np.dtype(dtype).itemsize)
        specs.append(TensorSpec(value.name, shape, dtype))
    if problems:
        raise FrontendError(
            "GW1050", problems[0].split(" dimension")[0].split(" has")[0], "; ".join(problems), *examples
        )
    return tuple(specs)


def _dtype(value: onnx.ValueInfoProto) -> str:
    place = f"input {value.name!r}"
    kind = value.type.WhichOneof("value")
    if kind is None:
        raise FrontendError("GW1053", place, "has no type", "export the model again")
    if kind != "tensor_type":
        raise FrontendError(
            "GW1053",
            place,
            f"is a {kind.removesuffix('_type')}, not a tensor",
            "export the model with tensor inputs only",
        )
    element_type = value.type.tensor_type.elem_type
    if element_type not in DTYPES:
        known = element_type in onnx.TensorProto.DataType.values()
        text = onnx.TensorProto.DataType.Name(element_type) if known else f"number {element_type}"
        raise FrontendError(
            "GW1053", place, f"has element type {text}, which is not supported", "cast the input to float32 or integers"
        )
    return DTYPES[element_type]


def _declared(value: onnx.ValueInfoProto) -> list[_Dimension] | None:
    """The declared dimensions, or None when not even their number is known."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    dimensions = []
    for i, dim in enumerate(tensor.shape.dim):
        if dim.HasField("dim_param"):
            dimensions.append(_Dimension(None, f"symbolic ({dim.dim_param!r})"))
        elif not dim.HasField("dim_value") or dim.dim_value == -1:
            dimensions.append(_Dimension(None, "not stated"))
        elif dim.dim_value <= 0:
            raise FrontendError(
                "GW1050",
                f"input {value.name!r} dimension {i}",
                f"is {dim.dim_value}; a tensor without elements cannot be compiled",
                "export the model with the shape you mean",
            )
        else:
            dimensions.append(_Dimension(int(dim.dim_value)))
    return dimensions


def _given(name: str, shape: Shape, declared: list[_Dimension] | None) -> Shape:
    place = f"--input-shape {name}"
    if any(d <= 0 for d in shape):
        raise FrontendError("GW1051", place, f"{list(shape)} has a dimension below 1", "give sizes of 1 or more")
    if declared is None:
        return tuple(shape)
    text = ",".join("?" if d.size is None else str(d.size) for d in declared)
    if len(shape) != len(declared):
        raise FrontendError(
            "GW1051",
            place,
            f"{list(shape)} has {len(shape)} dimensions, the model's input has {len(declared)} ([{text}])",
            "give one number for each dimension",
        )
    for i, (size, dim) in enumerate(zip(shape, declared, strict=True)):
        if dim.size is not None and size != dim.size:
            raise FrontendError(
                "GW1051",
                place,
                f"dimension {i} is {size}, but the model fixes it to {dim.size} ([{text}])",
                "give the model's own size, or export the model with a symbolic dimension",
            )
    return tuple(shape)
