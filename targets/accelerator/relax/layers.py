"""Typed layers in a Relax function, marked ones in particular.

A *marked* composite function is one the accelerator shall run. It differs from what
:func:`~gatewright.compiler.integer.to_relax.emit` writes:

* its constants are bound into its body and no longer arguments of the call, so a partition holds them;
* ``Composite`` is ``gatewright_sim.<operator>``, and ``Primitive`` is set: TVM then merges it as a whole;
* ``gatewright.arrays`` holds the constants by field, ``gatewright.operands`` (JSON) the operands' names and types and
  the graph's profile: a partition is read without the module around it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import ir, relax

from gatewright.compiler.integer.from_relax import layer_of
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Input, Layer
from gatewright.compiler.integer.text import parse_type, print_type
from gatewright.compiler.integer.to_relax import COMPOSITE_ATTRIBUTE, GRAPH_ATTRIBUTE, LAYER_ATTRIBUTE

__all__ = [
    "CODEGEN",
    "PlacedLayers",
    "graph_of_partition",
    "is_composite",
    "is_marked",
    "mark",
    "partitions",
    "placed_layers",
]

CODEGEN = "gatewright_sim"
_ARRAYS, _OPERANDS = "gatewright.arrays", "gatewright.operands"


@dataclass(frozen=True)
class PlacedLayers:
    """The integer layers of a function.

    Attributes:
        graph: all whose operands' types are known, and their neighbours as inputs.
        composites: layer -> its composite function.
    """

    graph: IntegerGraph
    composites: Mapping[str, relax.GlobalVar]


def placed_layers(module: ir.IRModule, function: str) -> PlacedLayers:
    """Read the integer layers of ``function``; what other operators make is left out.

    Raises:
        ValueError: the module holds no integer graph, or ``function`` does not take its inputs.
    """
    if module.attrs is None or GRAPH_ATTRIBUTE not in module.attrs:
        raise ValueError(f"the module has no attribute {GRAPH_ATTRIBUTE}: it is none that gatewright's emit wrote")
    facts = json.loads(str(module.attrs[GRAPH_ATTRIBUTE]))
    body = module[function]
    if len(body.params) != len(facts["inputs"]):
        raise ValueError(f"{function} takes {len(body.params)} tensors, the integer graph {len(facts['inputs'])}")
    layers: dict[str, Layer] = {}
    composites: dict[str, relax.GlobalVar] = {}
    tensor_of: dict[relax.Var, str] = {}
    for variable, data in zip(body.params, facts["inputs"], strict=True):
        layers[data["name"]] = layer_of(data, (), {})
        tensor_of[variable] = data["name"]
    for binding in (binding for block in body.body.blocks for binding in block.bindings):
        value = binding.value
        if isinstance(value, relax.Var) and value in tensor_of:
            tensor_of[binding.var] = tensor_of[value]
        function_of = _composite(module, value)
        if function_of is None:
            continue
        layer = _called_layer(function_of, value, tensor_of)
        layers[layer.name] = layer
        tensor_of[binding.var] = layer.name
        if not isinstance(layer, Input):
            composites[layer.name] = value.op
    outputs = [name for name in facts["outputs"] if name in layers] or list(layers)
    graph = IntegerGraph(list(layers.values()), outputs, facts["profile"], facts["multiplier_bits"])
    return PlacedLayers(graph, composites)


def partitions(module: ir.IRModule) -> Mapping[ir.GlobalVar, relax.Function]:
    """The functions of a module that await this code generator."""
    return {
        variable: body
        for variable, body in module.functions.items()
        if isinstance(body, relax.Function) and body.attrs and body.attrs.get("Codegen") == CODEGEN
    }


def is_composite(function: ir.BaseFunc) -> bool:
    """Whether it is one layer, marked or not."""
    return isinstance(function, relax.Function) and bool(function.attrs) and LAYER_ATTRIBUTE in function.attrs


def is_marked(function: ir.BaseFunc) -> bool:
    """Whether it is a layer the accelerator shall run."""
    return is_composite(function) and _OPERANDS in function.attrs


def _composite(module: ir.IRModule, value: relax.Expr) -> relax.Function | None:
    """The composite function that ``value`` calls, if it does."""
    if not isinstance(value, relax.Call) or not isinstance(value.op, ir.GlobalVar):
        return None
    function = module[value.op]
    return function if is_composite(function) else None


def _called_layer(function: relax.Function, call: relax.Call, tensor_of: Mapping[relax.Var, str]) -> Layer:
    """The layer; an input of the graph where it reads something that has no integer type."""
    data = json.loads(str(function.attrs[LAYER_ATTRIBUTE]))
    fields = _fields(data)
    operands = call.args[: len(call.args) - len(fields)]
    constants = call.args[len(operands) :]
    if not all(isinstance(o, relax.Var) and o in tensor_of for o in operands):
        return Input(data["name"], (), parse_type(data["output"]))
    if not all(isinstance(c, ir.GenericConst) for c in constants):
        return Input(data["name"], (), parse_type(data["output"]))
    arrays = {field: np.array(c.value.numpy()) for field, c in zip(fields, constants, strict=True)}
    return layer_of(data, tuple(tensor_of[o] for o in operands), arrays)


def _fields(data: Mapping[str, Any]) -> list[str]:
    """Fields of a layer that are arrays, in the order of the composite's parameters."""
    return [name for name, value in data["attributes"].items() if value == "@"]


def mark(function: relax.Function, call: relax.Call, graph: IntegerGraph, layer: Layer) -> relax.Function:
    """The composite ``function`` of ``layer``, marked.

    Args:
        function: the composite.
        call: of it, with the constants.
        graph: that ``layer`` is one of.
        layer: that the composite is.
    """
    first = len(layer.inputs)
    arrays = {parameter.name: c for parameter, c in zip(function.params[first:], call.args[first:], strict=True)}
    operands = {
        "profile": graph.profile,
        "multiplier_bits": graph.multiplier_bits,
        "operands": [{"name": o.name, "type": print_type(o.output)} for o in graph.operands(layer)],
    }
    bound = function.bind_params(dict(zip(function.params[first:], call.args[first:], strict=True)))
    attributes = {
        COMPOSITE_ATTRIBUTE: f"{CODEGEN}.{layer.op}",
        "Primitive": 1,
        _ARRAYS: arrays,
        _OPERANDS: json.dumps(operands),
    }
    return bound.with_attrs(attributes)


def graph_of_partition(function: relax.Function) -> IntegerGraph:
    """The integer graph of a partition: its inputs in the order of its parameters, its outputs as it returns them.

    Raises:
        ValueError: the function is no partition of marked composites.
    """
    names: dict[relax.Var, str] = {}
    kinds: dict[str, str] = {}
    layers: list[Layer] = []
    composites: dict[relax.Var, relax.Function] = {}
    facts: dict[str, Any] = {}
    for binding in (binding for block in function.body.blocks for binding in block.bindings):
        value = binding.value
        if isinstance(value, relax.Function):
            composites[binding.var] = value
        elif isinstance(value, relax.Call) and value.op in composites:
            composite = composites[value.op]
            if _OPERANDS not in composite.attrs:
                raise ValueError("a composite of the partition was not marked by gatewright's partition()")
            facts = json.loads(str(composite.attrs[_OPERANDS]))
            for argument, operand in zip(value.args, facts["operands"], strict=True):
                names[argument] = operand["name"]
                kinds[operand["name"]] = operand["type"]
            data = json.loads(str(composite.attrs[LAYER_ATTRIBUTE]))
            arrays = {str(field): np.array(c.value.numpy()) for field, c in composite.attrs[_ARRAYS].items()}
            layers.append(layer_of(data, tuple(names[argument] for argument in value.args), arrays))
            names[binding.var] = data["name"]
        elif isinstance(value, relax.Var):
            names[binding.var] = names[value]
        elif not isinstance(value, ir.Tuple):
            raise ValueError(f"a partition holds {type(value).__name__}, which is no call of a composite")
    if not layers:
        raise ValueError("the partition calls no composite function")
    inputs = [Input(names[v], (), parse_type(kinds[names[v]])) for v in function.params if v in names]
    return IntegerGraph([*inputs, *layers], _returned(function, names), facts["profile"], facts["multiplier_bits"])


def _returned(function: relax.Function, names: Mapping[relax.Var, str]) -> Sequence[str]:
    result = function.body.body
    for binding in (binding for block in function.body.blocks for binding in block.bindings):
        if isinstance(binding.value, ir.Tuple) and binding.var == result:
            result = binding.value
    return [names[v] for v in result.fields] if isinstance(result, ir.Tuple) else [names[result]]
