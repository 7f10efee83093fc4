"""Nodes whose inputs are all constant become constants, evaluated by ONNX's own reference.

Exporters write shapes as arithmetic (Shape, Gather, Concat, Reshape, Cast, ConstantOfShape, ...); with static shapes
all of it is constant. Quantized weights stay behind their DequantizeLinear: the quantizer reads them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from onnx.reference import ReferenceEvaluator

from gatewright.compiler.floatgraph.graph import TensorSpec
from gatewright.compiler.frontend.draft import Node
from gatewright.compiler.frontend.infer import infer, to_proto
from gatewright.compiler.frontend.scope import Scope, UnsupportedError
from gatewright.compiler.frontend.tensors import Array

__all__ = ["fold"]

# Cheap ones: work in proportion to the sizes of input and output, which the limits bound.
_CHEAP = """
    Abs Add And ArgMax ArgMin BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast Ceil Clip Compress Concat
    ConstantOfShape CumSum Div Equal Erf Exp Expand EyeLike Flatten Floor Gather GatherElements GatherND Greater
    GreaterOrEqual Less LessOrEqual Log Max Mean Min Mod Mul Neg NonZero Not OneHot Or Pad Pow Range Reciprocal
    ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Reshape Round ScatterElements ScatterND Shape Sign Size Slice
    Split Sqrt Squeeze Sub Sum Tanh Tile Transpose Trilu Unsqueeze Where Xor
"""
_FOLDABLE = frozenset(_CHEAP.split())
# Of these the output shape depends on the values but cannot outgrow the input.
_BOUNDED = frozenset({"Compress", "NonZero"})


def fold(node: Node, scope: Scope) -> dict[str, Array] | None:
    """The constants that ``node`` makes, or None when it has to stay.

    Raises:
        FrontendError: the node contradicts its operator's definition.
        LimitError: the result would be too large.
    """
    if node.domain or node.op not in _FOLDABLE:
        return None
    if node.op in ("Shape", "Size"):
        return _of_shape(node, scope)
    inputs = {name: scope.constant(name) for name in node.inputs if name}
    if any(value is None for value in inputs.values()):
        return None
    specs: Mapping[str, TensorSpec] = {}
    if node.op not in _BOUNDED:
        try:
            specs = infer(node, scope)
        except UnsupportedError:
            return None
        if any(
            np.prod(s.shape, dtype=object) * np.dtype(s.dtype).itemsize > scope.limits.folded_bytes
            for s in specs.values()
        ):
            return None
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            results = ReferenceEvaluator(to_proto(node), opsets={"": node.version}).run(None, inputs)
    except Exception:
        return None
    made = {name: np.asarray(r, order="C") for name, r in zip(node.outputs, results, strict=False) if name}
    # The evaluator follows NumPy's promotion in places where ONNX does not.
    return {name: a.astype(specs[name].dtype, copy=False) if name in specs else a for name, a in made.items()}


def _of_shape(node: Node, scope: Scope) -> dict[str, Array]:
    """Shape and Size need no data, only static shapes."""
    shape = np.array(scope.shape(node.inputs[0]), np.int64)
    if node.op == "Size":
        return {node.outputs[0]: np.array(np.prod(shape), np.int64)}
    start, end = node.attributes.get("start", 0), node.attributes.get("end")
    return {node.outputs[0]: shape[start:end]}
