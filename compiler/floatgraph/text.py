"""Text form of a :class:`FloatGraph`: one JSON object a line, tensors beside it.

::

    {"float_graph": 1}
    {"input": "x", "shape": [1, 4], "dtype": "float32"}
    {"constant": "w", "shape": [4, 2], "dtype": "float32"}
    {"node": "y", "op": "matmul", "inputs": ["x", "w"], "attributes": {}, "shape": [1, 2], "dtype": "float32"}
    {"output": "y", "value": "y", "shape": [1, 2], "dtype": "float32"}

A line is what Python's ``json`` writes (a float that is not finite is ``Infinity``, ``-Infinity`` or ``NaN``). The
same graph gives the same text. The host tail and the float reference travel in an artefact this way; reading them needs
no tvm.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import GraphError
from gatewright.compiler.floatgraph.graph import Attribute, FloatGraph, Node, TensorSpec
from gatewright.compiler.floatgraph.operators import OPERATORS

__all__ = ["load", "save"]

_VERSION = 1


def save(graph: FloatGraph) -> tuple[str, dict[str, npt.NDArray[np.generic]]]:
    """Text and tensors of ``graph``; constants nobody reads are left out.

    Returns:
        The text, ending with a newline, and the constants by name in the order of their lines.
    """
    used = {name for node in graph.nodes for name in node.inputs} | set(graph.results)
    constants = {name: np.asarray(array) for name, array in graph.constants.items() if name in used}
    lines: list[dict[str, Any]] = [{"float_graph": _VERSION}]
    lines += [{"input": spec.name, "shape": spec.shape, "dtype": spec.dtype} for spec in graph.inputs]
    lines += [{"constant": name, "shape": array.shape, "dtype": array.dtype.name} for name, array in constants.items()]
    for node in graph.nodes:
        attributes = {key: node.attributes[key] for key in sorted(node.attributes)}
        line = {"node": node.name, "op": node.op, "inputs": node.inputs, "attributes": attributes}
        lines.append({**line, "shape": node.shape, "dtype": node.dtype})
    lines += [
        {"output": spec.name, "value": value, "shape": spec.shape, "dtype": spec.dtype}
        for spec, value in zip(graph.outputs, graph.results, strict=True)
    ]
    return "".join(json.dumps(line) + "\n" for line in lines), constants


def load(text: str, tensors: Mapping[str, npt.NDArray[np.generic]]) -> FloatGraph:
    """The graph of a text and its tensors.

    Raises:
        GraphError: GW2004, naming the line, when the text is not what :func:`save` writes: broken JSON, another
            version, an unknown operator, a value nobody made before, a tensor that is missing or of another type.
    """
    inputs: list[TensorSpec] = []
    outputs: list[TensorSpec] = []
    results: list[str] = []
    nodes: list[Node] = []
    constants: dict[str, npt.NDArray[np.generic]] = {}
    made: set[str] = set()

    def make(number: int, name: str) -> None:
        if name in made:
            raise _broken(number, f"{name!r} is made twice")
        made.add(name)

    for number, line in enumerate(text.splitlines(), 1):
        try:
            entry: Any = json.loads(line)
            if number == 1:
                if entry != {"float_graph": _VERSION}:
                    raise _broken(number, f"not a float graph of version {_VERSION}")
                continue
            shape, dtype = tuple(int(size) for size in entry["shape"]), np.dtype(entry["dtype"]).name
            if "input" in entry:
                make(number, entry["input"])
                inputs.append(TensorSpec(entry["input"], shape, dtype))
            elif "constant" in entry:
                make(number, entry["constant"])
                constants[entry["constant"]] = _tensor(number, entry["constant"], shape, dtype, tensors)
            elif "node" in entry:
                _require(number, made, *entry["inputs"])
                make(number, entry["node"])
                if entry["op"] not in OPERATORS:
                    raise _broken(number, f"unknown operator {entry['op']!r}")
                attributes = {key: _tuples(value) for key, value in entry["attributes"].items()}
                nodes.append(Node(entry["node"], entry["op"], tuple(entry["inputs"]), attributes, shape, dtype))
            else:
                _require(number, made, entry["value"])
                outputs.append(TensorSpec(entry["output"], shape, dtype))
                results.append(entry["value"])
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise _broken(number, f"not a line of a float graph: {error}") from error
    if not outputs:
        raise _broken(len(text.splitlines()), "the text ends before an output")
    return FloatGraph(tuple(inputs), tuple(outputs), tuple(results), tuple(nodes), constants)


def _broken(number: int, reason: str) -> GraphError:
    return GraphError("GW2004", f"line {number}", reason, "compile the model again: the artefact is damaged")


def _require(number: int, made: set[str], *names: str) -> None:
    for name in names:
        if name not in made:
            raise _broken(number, f"{name!r} is read before anything made it")


def _tensor(
    number: int, name: str, shape: tuple[int, ...], dtype: str, tensors: Mapping[str, npt.NDArray[np.generic]]
) -> npt.NDArray[np.generic]:
    found = tensors.get(name)
    if found is None or found.shape != shape or found.dtype.name != dtype:
        what = "missing" if found is None else f"{found.dtype.name}{list(found.shape)}"
        raise _broken(number, f"tensor {name!r} is {what}, not {dtype}{list(shape)}")
    copy = np.array(found)
    copy.flags.writeable = False
    return copy


def _tuples(value: Any) -> Attribute:
    """Lists back to tuples."""
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{value!r} is no attribute")
