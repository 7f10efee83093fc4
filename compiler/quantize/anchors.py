"""The node that does the work of a block: which kind it is, or why it has no integer form."""

from __future__ import annotations

from dataclasses import replace

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.floatgraph.operators.types import axes_of, integers
from gatewright.compiler.quantize.blocks import BIASED, MOVEMENT, Block
from gatewright.compiler.quantize.dialect import Program

__all__ = ["anchor_block"]

_KINDS = {
    "nn.conv2d": "conv2d",
    "nn.conv1d": "conv1d",
    "nn.conv2d_transpose": "conv2d_transpose",
    "nn.max_pool2d": "max_pool2d",
    "nn.max_pool1d": "max_pool2d",
    "nn.avg_pool2d": "avg_pool2d",
    "nn.avg_pool1d": "avg_pool2d",
    "nn.adaptive_avg_pool2d": "avg_pool2d",
    "nn.adaptive_avg_pool1d": "avg_pool2d",
    "mean": "avg_pool2d",
    "reshape": "reshape",
    "squeeze": "reshape",
    "expand_dims": "reshape",
    "flatten": "reshape",
    "nn.batch_flatten": "reshape",
    "permute_dims": "permute",
    "strided_slice": "slice",
    "nn.pad": "pad",
    "image.resize2d": "resize",
    "requantize": "requantize",
    "concat": "concat",
}


# What the user's file calls them.
_ONNX_MODES = {"replicate": "edge", "circular": "wrap"}


def anchor_block(node: Node, program: Program) -> Block:
    """A block of one node; of kind ``float``, with the reason, where the node has no integer semantics."""
    tensors = tuple(name for name in node.inputs if name not in program.constants)
    block = Block(node.name, "float", tensors, node, (node,), node.shape)
    kind = _KINDS.get(node.op)
    if not node.dtype.startswith("float") and kind not in MOVEMENT | {"requantize", "concat"}:
        return replace(block, reason=f"{node.op!r} computes {node.dtype} numbers")
    if kind is not None:
        return _by_operator(block, program)
    if node.op == "matmul":
        return _matmul(block, program)
    if node.op in ("add", "subtract", "multiply", "divide"):
        return _arithmetic(block, program)
    return replace(block, reason=f"operator {node.op!r} has no integer semantics")


def _by_operator(block: Block, program: Program) -> Block:
    node = block.anchor
    constants = [name for name in node.inputs if name in program.constants]
    kind = _KINDS[node.op]
    if kind in BIASED:
        if len(block.inputs) != 1 or node.inputs[0] != block.inputs[0]:
            return replace(block, reason="its weights are computed at run time")
        return replace(block, kind=kind, weight=node.inputs[1])
    if kind == "concat":
        if constants:
            return replace(block, reason="a constant is concatenated")
        return replace(block, kind=kind)
    if len(block.inputs) != 1:
        return replace(block, reason="an operand is computed at run time")
    reason = _refusal(node, program.shapes[block.inputs[0]])
    return replace(block, reason=reason) if reason else replace(block, kind=kind)


def _matmul(block: Block, program: Program) -> Block:
    node = block.anchor
    constants = [name for name in node.inputs if name in program.constants]
    if len(block.inputs) == 1 and node.inputs[0] == block.inputs[0]:
        if program.constants[constants[0]].ndim == 2:
            return replace(block, kind="dense", weight=constants[0])
        return replace(block, reason="its weights are no matrix")
    return replace(block, reason="a product of two computed tensors or with a constant on the left")


def _arithmetic(block: Block, program: Program) -> Block:
    node = block.anchor
    constants = [name for name in node.inputs if name in program.constants]
    if not constants:
        if node.op == "divide":
            return replace(block, reason="a quotient of two computed tensors")
        return replace(block, kind="multiply" if node.op == "multiply" else "add", inputs=node.inputs)
    if node.op == "divide" and node.inputs[0] in program.constants:
        return replace(block, reason="the divisor is computed")
    if node.shape != program.shapes[block.inputs[0]]:
        return replace(block, reason="the constant operand broadcasts the tensor to a larger shape")
    return replace(block, kind="scale", weight=constants[0])


def _refusal(node: Node, shape: tuple[int, ...]) -> str:
    """Why a node of an integer operator has no integer form all the same ("" when it has)."""
    attributes = node.attributes
    if node.op == "mean":
        axes = attributes.get("axis")
        if not isinstance(axes, tuple) or not axes or 0 in axes_of(axes, len(shape)):
            return "a mean over the batch"
    if node.op.startswith("nn.adaptive_avg_pool") and any(size != 1 for size in node.shape[2:]):
        return "adaptive pooling to more than one position"
    if node.op == "nn.avg_pool2d" and any(d != 1 for d in integers(attributes.get("dilation"), (1,))):
        return "average pooling with dilation"
    if node.op == "nn.pad" and min(integers(attributes["pad_width"])) < 0:
        return "negative padding"
    if node.op == "nn.pad" and attributes.get("pad_mode", "constant") != "constant":
        mode = str(attributes["pad_mode"])
        return f"padding mode {_ONNX_MODES.get(mode, mode)!r}"
    if node.op == "image.resize2d" and attributes.get("method") != "nearest_neighbor":
        return f"resize method {attributes.get('method')!r}; only nearest neighbour has integer semantics"
    if "_pool" in node.op and attributes.get("layout", "NCHW") not in ("NCHW", "NCW"):
        return f"layout {attributes['layout']!r}"
    return ""
