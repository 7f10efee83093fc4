"""Whether a program may run on several batches stacked along the leading axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gatewright.compiler.floatgraph.graph import FloatGraph, Node
from gatewright.compiler.floatgraph.operators.elementwise import ELEMENTWISE
from gatewright.compiler.floatgraph.operators.types import axes_of, integers

__all__ = ["is_batchable"]

_Operands = tuple[tuple[tuple[int, ...], bool], ...]
"""Shape of each operand and whether it depends on the inputs."""


def is_batchable(graph: FloatGraph) -> bool:
    """Whether stacking k batches along axis 0 of every input stacks the k results along axis 0 of every output.

    Operators that look across or move axis 0 (a transpose, a reduction, a product of two computed matrices) do not
    allow it.
    """
    shapes: dict[str, tuple[int, ...]] = {name: array.shape for name, array in graph.constants.items()}
    shapes.update({spec.name: spec.shape for spec in graph.inputs})
    computed = {spec.name for spec in graph.inputs}
    for node in graph.nodes:
        shapes[node.name] = node.shape
        if computed.isdisjoint(node.inputs):
            continue
        computed.add(node.name)
        operands = tuple((shapes[name], name in computed) for name in node.inputs)
        rule = _RULES.get(node.op)
        if rule is None or not node.shape or any(data and not shape for shape, data in operands):
            return False
        if not rule(node, operands):
            return False
    return all(spec.shape for spec in graph.inputs) and computed.issuperset(graph.results)


def _elementwise(node: Node, operands: _Operands) -> bool:
    """Computed operands have full rank and the result's leading size; constants do not vary along axis 0."""
    for shape, data in operands:
        if data and (len(shape) != len(node.shape) or shape[0] != node.shape[0]):
            return False
        if not data and len(shape) == len(node.shape) and shape[0] != 1:
            return False
    return True


def _always(node: Node, operands: _Operands) -> bool:
    """Row-major order keeps batches apart, or the operator works batch by batch."""
    return operands[0][1]


def _permute(node: Node, operands: _Operands) -> bool:
    axes = integers(node.attributes.get("axes"))
    return bool(axes) and axes[0] == 0


def _other_axes(*keys: str) -> Callable[[Node, _Operands], bool]:
    """The axes named by an attribute are not axis 0 (an axis that is not given means all)."""

    def rule(node: Node, operands: _Operands) -> bool:
        rank = max(len(shape) for shape, _ in operands)
        return all(0 not in axes_of(node.attributes.get(key), rank) for key in keys)

    return rule


def _matmul(node: Node, operands: _Operands) -> bool:
    (a, a_data), (b, b_data) = operands
    if a_data and b_data:
        return len(a) == len(b) >= 3
    if a_data:
        return len(a) >= 2 and (len(b) <= 2 or (len(b) < len(a) or b[0] == 1))
    return len(b) >= 3 and (len(a) < len(b) or a[0] == 1)


def _take(node: Node, operands: _Operands) -> bool:
    (_, data), (_, indices) = operands
    axis = node.attributes.get("axis")
    if axis is None or (data and indices):
        return False
    return indices or axes_of(axis, len(operands[0][0])) != (0,)


def _pad(node: Node, operands: _Operands) -> bool:
    return integers(node.attributes["pad_width"])[:2] == (0, 0)


def _broadcast(node: Node, operands: _Operands) -> bool:
    shape = operands[0][0]
    return len(shape) == len(node.shape) and shape[0] == node.shape[0]


def _tile(node: Node, operands: _Operands) -> bool:
    repeats = integers(node.attributes["repeats"])
    return len(repeats) < len(node.shape) or (
        len(repeats) == len(node.shape) == len(operands[0][0]) and repeats[0] == 1
    )


def _linear(node: Node, operands: _Operands) -> bool:
    """Convolutions and normalisations: data first, parameters constant."""
    return operands[0][1] and not any(data for _, data in operands[1:])


def _quantize(node: Node, operands: _Operands) -> bool:
    per_axis = any(shape not in ((), (1,)) for shape, _ in operands[1:])
    return _linear(node, operands) and (not per_axis or _other_axes("axis")(node, operands))


_RULES: Mapping[str, Callable[[Node, _Operands], bool]] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    "nn.prelu": _linear,
    **dict.fromkeys(("reshape", "flatten", "squeeze", "expand_dims", "nn.batch_flatten"), _always),
    **dict.fromkeys(("astype", "nn.dropout", "image.resize2d", "zeros_like", "ones_like"), _always),
    **{f"nn.{kind}_pool{rank}d": _always for kind in ("max", "avg", "adaptive_avg") for rank in (1, 2)},
    **{f"nn.conv{rank}d{suffix}": _linear for rank in (1, 2) for suffix in ("", "_transpose")},
    **dict.fromkeys(("nn.batch_norm", "nn.group_norm", "nn.instance_norm"), _linear),
    "nn.layer_norm": _other_axes("axes"),
    "nn.rms_norm": _other_axes("axes"),
    "quantize": _quantize,
    "dequantize": _quantize,
    "permute_dims": _permute,
    "matmul": _matmul,
    "take": _take,
    "nn.pad": _pad,
    "broadcast_to": _broadcast,
    "tile": _tile,
    "strided_slice": _other_axes("axes"),
    **dict.fromkeys(("sum", "mean", "max", "min", "prod", "variance", "std", "argmax", "argmin"), _other_axes("axis")),
    **dict.fromkeys(("nn.softmax", "nn.log_softmax", "cumsum", "cumprod", "sort", "argsort"), _other_axes("axis")),
    **dict.fromkeys(("concat", "stack", "flip", "repeat", "topk", "gather_elements"), _other_axes("axis")),
}
