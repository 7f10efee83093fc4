"""Which ONNX operators the compiler takes, and what to say about the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from gatewright.compiler.frontend.draft import Function, Node
from gatewright.compiler.frontend.external import ExternalData
from gatewright.compiler.frontend.infer import schema_of, to_proto
from gatewright.compiler.frontend.qonnx import qonnx_refusal
from gatewright.compiler.frontend.reader import ModelReader
from gatewright.compiler.frontend.scope import Scope, UnsupportedError
from gatewright.compiler.frontend.tensors import TensorReader

__all__ = ["SUPPORTED", "check_constants", "definition", "refusal", "supported_operators", "takes"]

# ONNX's own operators that reach TVM's importer after the rewrites: name -> restriction.
_NAMES = """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization BitwiseAnd BitwiseNot
    BitwiseOr BitwiseXor BitShift Cast Ceil Clip Concat ConstantOfShape Conv ConvTranspose Cos Cosh CumSum
    DepthToSpace DequantizeLinear Div Einsum Elu Equal Erf Exp Expand Flatten Floor Gather GatherElements GatherND
    Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish
    InstanceNormalization IsInf IsNaN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LRN MatMul Max
    MaxPool Mean Min Mish Mod Mul Neg Not  Or Pad Pow PRelu QuantizeLinear Range Reciprocal ReduceL1 ReduceL2
    ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape
    Resize Round ScatterElements ScatterND Selu Sigmoid Sign Sin Sinh Slice Softmax Softplus Softsign SpaceToDepth
    Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Where Xor
"""
SUPPORTED: Mapping[str, str] = dict.fromkeys(_NAMES.split(), "")

# Of these, outputs beyond the first are supported too.
_MANY_OUTPUTS = frozenset({"Split", "TopK"})
# Inputs that have to be constant, with the name the message uses: a static graph has no other way to know shapes.
_CONSTANT_INPUTS: Mapping[str, Mapping[int, str]] = {
    "ConstantOfShape": {0: "shape"},
    "CumSum": {1: "axis"},
    "DequantizeLinear": {1: "scale", 2: "zero point"},
    "Expand": {1: "shape"},
    "Pad": {1: "pads", 2: "value", 3: "axes"},
    "QuantizeLinear": {1: "scale", 2: "zero point"},
    "Range": {0: "start", 1: "limit", 2: "step"},
    "Reshape": {1: "shape"},
    "Resize": {1: "region", 2: "scales", 3: "sizes"},
    "Slice": {1: "starts", 2: "ends", 3: "axes", 4: "steps"},
    "Split": {1: "sizes"},
    "Squeeze": {1: "axes"},
    "Tile": {1: "repeats"},
    "TopK": {1: "k"},
    "Trilu": {1: "diagonal"},
    "Unsqueeze": {1: "axes"},
}

_STATEFUL = frozenset({"LSTM", "GRU", "RNN"})
_LOOPS = frozenset({"Loop", "Scan", "SequenceMap"})
_RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)
_DATA_DEPENDENT = frozenset({"Compress", "NonMaxSuppression", "NonZero", "Unique"})


def supported_operators() -> Mapping[str, tuple[str, ...]]:
    """Operator names by domain, everything the front end takes: as it is, rewritten, or by ONNX's own definition."""
    from gatewright.compiler.frontend.rewrites import REWRITES

    names = {"": {*SUPPORTED, "Identity", "If", "Shape", "Size"}}
    for domain, op in REWRITES:
        names.setdefault(domain, set()).add(op)
    for schema in onnx.defs.get_all_schemas():
        if not schema.domain and (schema.has_function or schema.has_context_dependent_function):
            names[""].add(schema.name)
    refused = _STATEFUL | _LOOPS | _RANDOM | _DATA_DEPENDENT
    return {domain or "ai.onnx": tuple(sorted(found - refused)) for domain, found in sorted(names.items())}


def takes(node: Node) -> bool:
    """Whether TVM's importer gets the node as it is."""
    return not node.domain and node.op in SUPPORTED and (node.op in _MANY_OUTPUTS or not any(node.outputs[1:]))


def check_constants(node: Node, scope: Scope) -> None:
    """Inputs that decide the result's shape have to be constants.

    Raises:
        UnsupportedError: one is computed from the model's inputs.
    """
    for index, what in _CONSTANT_INPUTS.get(node.op, {}).items():
        name = node.input(index)
        if name and scope.constant(name) is None:
            raise UnsupportedError(
                f"its {what} {name!r} depends on the data", "export the model with static shapes, or make it a constant"
            )


def refusal(node: Node) -> UnsupportedError:
    """Why the operator of ``node`` is not supported, and what can be done."""
    if (dialect := qonnx_refusal(node)) is not None:
        return dialect
    if node.domain:
        return UnsupportedError(
            f"operators of the domain {node.domain!r} are not known",
            "replace it by ONNX's own operators, or ship it as a function inside the model",
        )
    if node.op in _STATEFUL:
        return UnsupportedError(
            "recurrent operators are not supported",
            "unroll the recurrence over its fixed number of steps before export",
        )
    if node.op in _LOOPS:
        return UnsupportedError("loops are not supported", "unroll the loop before export (torch: trace, not script)")
    if node.op in _RANDOM:
        return UnsupportedError("random operators are not supported", "export the model in inference mode")
    if node.op in _DATA_DEPENDENT:
        return UnsupportedError(
            "the shape of its output depends on the data", "cut the model before this node and do the rest on the host"
        )
    if schema_of(node) is None:
        return UnsupportedError(
            f"opset {node.version} of ONNX defines no such operator", "check the operator's name and the model's opset"
        )
    if node.op in SUPPORTED:
        return UnsupportedError("only its first output is supported", "remove what reads the other outputs")
    return UnsupportedError("the operator is not supported", "replace it by simpler operators before export")


def definition(node: Node, scope: Scope) -> Function | None:
    """ONNX's own definition of the operator through simpler ones, where it has one."""
    schema = None if node.domain else schema_of(node)
    if schema is None:
        return None
    body: bytes | None = None
    if schema.has_context_dependent_function:
        types = [
            helper.make_tensor_type_proto(
                helper.np_dtype_to_tensor_dtype(np.dtype(scope.dtype(name))), scope.shape(name)
            ).SerializeToString()
            if name
            else b""
            for name in node.inputs
        ]
        body = schema.get_context_dependent_function(to_proto(node).SerializeToString(), types)
    elif schema.has_function:
        body = schema.function_body.SerializeToString()
    if not body:
        return None
    proto = onnx.FunctionProto.FromString(body)
    # Optional outputs that nobody wants are not made either.
    wanted = [name if i < len(node.outputs) and node.outputs[i] else "" for i, name in enumerate(proto.output)]
    del proto.output[:]
    proto.output.extend(wanted)
    version = next((o.version for o in proto.opset_import if o.domain == ""), node.version)
    # ONNX's own text: it holds no external data, so the folder is never read.
    reader = ModelReader(
        onnx.ModelProto(), TensorReader(ExternalData(Path(), scope.limits), scope.limits), {"": version}
    )
    function = reader.function(proto, ("", node.op, ""), {"": version})
    defaults = {
        key: reader.attribute(declared.default_value, node.where(), {"": version})
        for key, declared in schema.attributes.items()
        if declared.default_value.type
    }
    return replace(function, attributes={**function.attributes, **defaults})
