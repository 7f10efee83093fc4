"""Relax module -> integer graph: the typed layers read back from the composite functions alone.

Inverse of :func:`gatewright.compiler.integer.to_relax.emit`. Bodies are never parsed: name and attributes stand in the
function's ``gatewright.layer`` attribute, constants are arguments of its call.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
from tvm import relax
from tvm.ir import IRModule

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import LAYER_TYPES, Layer
from gatewright.compiler.integer.text import parse_type
from gatewright.compiler.integer.to_relax import GRAPH_ATTRIBUTE, LAYER_ATTRIBUTE

__all__ = ["layer_of", "view"]


def view(module: IRModule) -> IntegerGraph:
    """The integer graph ``module`` holds.

    Args:
        module: as :func:`~gatewright.compiler.integer.to_relax.emit` writes it.

    Returns:
        A graph equal to the emitted one: same text, same tensors.
    """
    facts = json.loads(str(module.attrs[GRAPH_ATTRIBUTE]))
    main = module["main"]
    layers: dict[str, Layer] = {}
    tensor_of: dict[relax.Var, str] = {}
    for variable, data in zip(main.params, facts["inputs"], strict=True):
        layers[data["name"]] = layer_of(data, (), {})
        tensor_of[variable] = data["name"]
    for block in main.body.blocks:
        for binding in block.bindings:
            if isinstance(binding.value, relax.Var):  # an output under another name
                tensor_of[binding.var] = tensor_of[binding.value]
                continue
            call = binding.value
            function = module[call.op]
            data = json.loads(str(function.attrs[LAYER_ATTRIBUTE]))
            inputs = tuple(tensor_of[argument] for argument in call.args if isinstance(argument, relax.Var))
            fields = [parameter.name for parameter in function.params[len(inputs) :]]
            arrays = [np.array(constant.value.numpy()) for constant in call.args[len(inputs) :]]
            layers[data["name"]] = layer_of(data, inputs, dict(zip(fields, arrays, strict=True)))
            tensor_of[binding.var] = data["name"]
    order = [layers[name] for name in facts["order"]]
    return IntegerGraph(order, facts["outputs"], facts["profile"], facts["multiplier_bits"])


def layer_of(data: dict[str, Any], inputs: tuple[str, ...], arrays: dict[str, npt.NDArray[np.generic]]) -> Layer:
    """A typed layer.

    Args:
        data: the JSON of its ``gatewright.layer`` attribute.
        inputs: names of the tensors it reads.
        arrays: its constants by field.
    """
    attributes = {name: _tuples(value) for name, value in data["attributes"].items()} | arrays
    return LAYER_TYPES[data["op"]](name=data["name"], inputs=inputs, output=parse_type(data["output"]), **attributes)


def _tuples(value: Any) -> Any:
    """JSON has lists where layers have tuples."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
