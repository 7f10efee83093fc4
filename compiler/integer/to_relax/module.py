"""Integer graph -> Relax module.

Before (text of the integer graph) and after (Relax), one layer::

    %y = dense(%x, @y.weight, ...)

    @R.function(private=True)                      # attributes Composite="gatewright.dense", gatewright.layer=JSON
    def dense_0_y(x, weight, weight_zero_point, bias, weight_scale, multiplier, shift): ...
    y = dense_0_y(x, <weight>, <weight_zero_point>, ...)

The constants are arguments of the call in ``main``, so a reader finds the typed layer (name and attributes in the JSON,
arrays in the arguments) without parsing a body; see :mod:`gatewright.compiler.integer.from_relax`.
"""

from __future__ import annotations

import json
import re

from tvm import relax
from tvm.ir import IRModule

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Layer
from gatewright.compiler.integer.semantics import prove, value_ranges
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.integer.text import attributes_of, print_type
from gatewright.compiler.integer.to_relax.bodies import BODIES
from gatewright.compiler.integer.to_relax.expressions import Expressions

__all__ = ["COMPOSITE_ATTRIBUTE", "GRAPH_ATTRIBUTE", "LAYER_ATTRIBUTE", "emit"]

COMPOSITE_ATTRIBUTE = "Composite"
LAYER_ATTRIBUTE = "gatewright.layer"
GRAPH_ATTRIBUTE = "gatewright.graph"


def emit(graph: IntegerGraph) -> IRModule:
    """Write ``graph`` as a Relax module that TVM compiles as it stands.

    Args:
        graph: verified; accumulator widths follow from its proofs.

    Returns:
        A module whose ``main`` takes the graph's inputs in their storage types and returns the outputs (a tuple when
        there are several). The module attribute ``gatewright.graph`` holds profile, multiplier width, inputs and
        outputs as JSON.
    """
    builder = relax.BlockBuilder()
    proofs, ranges = prove(graph), value_ranges(graph)
    values = {layer.name: _variable(layer.name, layer.output) for layer in graph.inputs}
    functions: dict[str, relax.GlobalVar] = {}
    for index, layer in enumerate(layer for layer in graph if layer.op != "input"):
        operands = graph.operands(layer)
        name = f"{layer.op}_{index}_{_identifier(layer.name)}"
        parameters = [_variable(f"input_{i}", operand.output) for i, operand in enumerate(operands)]
        constants = {
            field: relax.Var(field, relax.TensorType(array.shape, str(array.dtype))) for field, array in layer.arrays()
        }
        attributes = {COMPOSITE_ATTRIBUTE: f"gatewright.{layer.op}", LAYER_ATTRIBUTE: layer_json(layer)}
        with builder.function(name, [*parameters, *constants.values()], attrs=attributes, private=True):
            with builder.dataflow():
                types, operand_ranges = [o.output for o in operands], [ranges[o.name] for o in operands]
                expressions = Expressions(builder, layer, types, proofs.get(layer.name), operand_ranges)
                result = builder.emit_output(BODIES[layer.op](expressions, parameters, constants))
            builder.emit_func_output(result)
        functions[layer.name] = builder.get().get_global_var(name)
    with builder.function("main", [values[layer.name] for layer in graph.inputs]):
        with builder.dataflow():
            for layer in graph:
                if layer.op != "input":
                    constants_ = [relax.const(array, str(array.dtype)) for _, array in layer.arrays()]
                    call = relax.Call(functions[layer.name], [*(values[n] for n in layer.inputs), *constants_])
                    values[layer.name] = builder.emit(call, name_hint=_identifier(layer.name))
            results = [builder.emit_output(values[name]) for name in graph.outputs]
        builder.emit_func_output(results[0] if len(results) == 1 else relax.Tuple(results))
    return builder.get().with_attr(GRAPH_ATTRIBUTE, _graph_json(graph))


def layer_json(layer: Layer) -> str:
    """Name, operator, attributes (arrays as ``"@"``) and output type of a layer, as one line of JSON."""
    return json.dumps(_layer_data(layer))


def _layer_data(layer: Layer) -> dict[str, object]:
    return {
        "name": layer.name,
        "op": layer.op,
        "attributes": attributes_of(layer),
        "output": print_type(layer.output),
    }


def _graph_json(graph: IntegerGraph) -> str:
    data = {
        "profile": graph.profile,
        "multiplier_bits": graph.multiplier_bits,
        "order": [layer.name for layer in graph],
        "inputs": [_layer_data(layer) for layer in graph.inputs],
        "outputs": graph.outputs,
    }
    return json.dumps(data)


def _variable(name: str, tensor: TensorType) -> relax.Var:
    return relax.Var(_identifier(name), relax.TensorType(tensor.shape, str(tensor.dtype)))


def _identifier(name: str) -> str:
    """``name`` as TVMScript and C accept it; uniqueness comes from elsewhere (an index, or TVM's own renaming).

    ``main`` belongs to the function: TVM renames whichever of the two comes second.
    """
    cleaned = re.sub(r"[^0-9A-Za-z_]", "_", name)
    return cleaned if re.match(r"[A-Za-z_]", cleaned) and cleaned != "main" else f"v_{cleaned}"
