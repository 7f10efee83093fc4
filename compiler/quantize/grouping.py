"""Grouping the nodes of a program into blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.quantize.blocks import Block
from gatewright.compiler.quantize.clamps import bounds_of
from gatewright.compiler.quantize.dialect import Program
from gatewright.compiler.quantize.functions import FUNCTIONS, is_scalar
from gatewright.compiler.quantize.quantizers import recognize

__all__ = ["group"]

_ANCHORS = {
    "nn.conv2d": "conv2d",
    "nn.conv1d": "conv1d",
    "nn.conv2d_transpose": "conv2d_transpose",
    "nn.max_pool2d": "max_pool2d",
    "nn.avg_pool2d": "avg_pool2d",
    "nn.adaptive_avg_pool2d": "avg_pool2d",
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
_ABSORBING = {"conv2d", "conv1d", "conv2d_transpose", "dense", "scale", "add", "multiply", "concat", "max_pool2d",
              "avg_pool2d"}  # fmt: skip
_BIASED = {"conv2d": 1, "conv1d": 1, "conv2d_transpose": 1, "dense": -1}
"""Kinds that take a bias and a factor a channel, and the channel axis."""


def group(program: Program, powers_of_two: bool = False) -> tuple[Block, ...]:
    """Blocks in topological order; together they hold every node of the program.

    Args:
        program: what to group.
        powers_of_two: take a quantizer that the model spells out as the tensor's grid only if its step is a power of
            two.
    """
    return _Grouping(program, powers_of_two).run()


@dataclass
class _Grouping:
    program: Program
    powers_of_two: bool
    users: Mapping[str, list[Node]] = field(init=False)
    results: frozenset[str] = field(init=False)
    by_name: Mapping[str, Node] = field(init=False)
    blocks: dict[str, Block] = field(default_factory=dict)
    # A node that is a function of one tensor, not yet a block: its root and the nodes from the root to it.
    functions: dict[str, tuple[str, tuple[Node, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.users = self.program.users()
        self.results = frozenset(self.program.results)
        self.by_name = {node.name: node for node in self.program.nodes}

    def run(self) -> tuple[Block, ...]:
        for node in self.program.nodes:
            self._visit(node)
        return tuple(self.blocks.values())

    def _visit(self, node: Node) -> None:
        if self._clamp(node) or self._affine(node) or self._function(node):
            return
        constants = [name for name in node.inputs if name in self.program.constants]
        tensors = tuple(name for name in node.inputs if name not in self.program.constants)
        block = Block(node.name, "float", tensors, node, (node,), node.shape)
        build: Callable[[Block, list[str]], Block] = self._other
        if node.op in _ANCHORS:
            build = self._anchor
        elif node.op == "matmul":
            build = self._matmul
        elif node.op in ("add", "subtract", "multiply", "divide"):
            build = self._arithmetic
        self.blocks[node.name] = build(block, constants)

    # What is absorbed into an earlier block.

    def _sole_user(self, tensor: str) -> bool:
        """Nobody but one node reads the tensor, and the model does not fix its parameters."""
        return (
            len(self.users.get(tensor, ())) == 1
            and tensor not in self.results
            and tensor not in self.program.parameters
        )

    def _extend(self, tensor: str, node: Node, **changes: object) -> None:
        old = self.blocks.pop(tensor)
        self.blocks[node.name] = replace(old, name=node.name, nodes=(*old.nodes, node), **changes)  # type: ignore[arg-type]

    def _clamp(self, node: Node) -> bool:
        bounds = bounds_of(node, self.program.constants)
        if bounds is None:
            return False
        tensor, low, high = bounds
        block = self.blocks.get(tensor)
        if block is None or block.kind not in _ABSORBING or block.parameters or not self._sole_user(tensor):
            return False
        if block.shape != node.shape:
            return False
        low, high = np.clip([block.low, block.high], low, high)
        clamps = int(block.attributes.get("clamps", 0)) + 1  # type: ignore[call-overload]
        attributes = {**block.attributes, "clamps": clamps}
        self._extend(tensor, node, low=float(low), high=float(high), attributes=attributes)
        return True

    def _affine(self, node: Node) -> bool:
        """Absorb a constant a channel: added, subtracted, or a positive factor."""
        if node.op not in ("add", "subtract", "multiply", "divide"):
            return False
        constants = [name for name in node.inputs if name in self.program.constants]
        tensors = [name for name in node.inputs if name not in self.program.constants]
        if len(constants) != 1 or (node.op in ("subtract", "divide") and node.inputs[0] != tensors[0]):
            return False
        block = self.blocks.get(tensors[0])
        if block is None or block.kind not in _BIASED or block.parameters or "clamps" in block.attributes:
            return False
        if not self._sole_user(tensors[0]) or block.shape != node.shape:
            return False
        value = self.program.constants[constants[0]]
        if not _along_axis(value.shape, block.shape, _BIASED[block.kind]):
            return False
        if node.op in ("multiply", "divide") and not (np.asarray(value, np.float64) > 0).all():
            return False
        self._extend(tensors[0], node, affine=(*block.affine, node))
        return True

    # Functions of one tensor.

    def _function(self, node: Node) -> bool:
        if node.op not in FUNCTIONS or node.dtype != "float32":
            return False
        tensors = list(dict.fromkeys(name for name in node.inputs if name not in self.program.constants))
        if not all(is_scalar(self.program.constants[n]) for n in node.inputs if n in self.program.constants):
            return False
        if not tensors or (node.op == "nn.prelu" and node.inputs[0] not in tensors):
            return False
        roots = {self.functions[name][0] if name in self.functions else name for name in tensors}
        if len(roots) != 1:
            return False
        root = roots.pop()
        if self.program.shapes[root] != node.shape:
            return False
        inner = {n.name for name in tensors if name in self.functions for n in self.functions[name][1]}
        nodes = (*(n for n in self.program.nodes if n.name in inner), node)
        if node.name in self.program.parameters or not self._goes_on(node, root):
            self._materialise(root, nodes)
        if node.name not in self.program.parameters:
            self.functions[node.name] = (root, nodes)
        return True

    def _materialise(self, root: str, nodes: tuple[Node, ...]) -> None:
        if self._quantizer(root, nodes):
            return
        block = self._as_clip(root, nodes) or Block(nodes[-1].name, "table", (root,), nodes[-1], nodes, nodes[-1].shape)
        self.blocks[block.name] = block

    def _goes_on(self, node: Node, root: str) -> bool:
        """Whether every reader is itself a function of ``root``, so that the value need not be an integer tensor."""
        if node.name in self.results:
            return False
        return all(self._will_join(user, root) for user in self.users.get(node.name, ()))

    def _will_join(self, user: Node, root: str) -> bool:
        if user.op not in FUNCTIONS or user.shape != self.program.shapes[root]:
            return False
        for name in user.inputs:
            if name in self.program.constants:
                if not is_scalar(self.program.constants[name]):
                    return False
            elif not self._derives(name, root):
                return False
        return True

    def _derives(self, name: str, root: str) -> bool:
        """Whether ``name`` will be a function of ``root`` (it may not have been visited yet)."""
        if name == root:
            return True
        if name in self.program.parameters:
            return False
        if name in self.functions:
            return self.functions[name][0] == root
        node = self.by_name.get(name)
        return node is not None and name not in self.blocks and self._will_join(node, root)

    def _quantizer(self, root: str, nodes: tuple[Node, ...]) -> bool:
        """Take ``clip(round(x / s) * s)`` as the grid of its result; fused into the block in front where possible."""
        block = self.blocks.get(root)
        bounds = (block.low, block.high) if block is not None and block.gain == 1.0 else (-math.inf, math.inf)
        found = recognize(nodes, root, self.program.constants, *bounds)
        name, shape = nodes[-1].name, nodes[-1].shape
        if found is None or name in self.program.parameters:
            return False
        parameters, low, high, gain = found.parameters, found.low, found.high, found.gain
        if self.powers_of_two and math.frexp(parameters.scale)[0] != 0.5:
            return False
        inner = {node.name for node in nodes}
        free = root not in self.results and root not in self.program.parameters
        if (
            block is not None
            and block.kind in _ABSORBING - {"max_pool2d"}
            and block.parameters is None
            and free
            and all(user.name in inner for user in self.users[root])
        ):
            low, high = (float(v) for v in np.clip([block.low, block.high], low, high))
            clamps = int(block.attributes.get("clamps", 0)) + len(nodes)  # type: ignore[call-overload]
            self.blocks.pop(root)
            self.blocks[name] = replace(
                block, name=name, nodes=(*block.nodes, *nodes), low=low, high=high, parameters=parameters,
                gain=gain,
                attributes={**block.attributes, "clamps": clamps},
            )  # fmt: skip
        else:
            self.blocks[name] = Block(
                name, "clip", (root,), nodes[-1], nodes, shape, low, high, parameters=parameters, gain=gain
            )
        return True

    def _as_clip(self, root: str, nodes: tuple[Node, ...]) -> Block | None:
        low, high, source = -math.inf, math.inf, root
        for node in nodes:
            bounds = bounds_of(node, self.program.constants)
            if bounds is None or bounds[0] != source:
                return None
            low, high = (float(v) for v in np.clip([low, high], bounds[1], bounds[2]))
            source = node.name
        return Block(nodes[-1].name, "clip", (root,), nodes[-1], nodes, nodes[-1].shape, low, high)

    # Anchors.

    def _anchor(self, block: Block, constants: list[str]) -> Block:
        node = block.anchor
        kind = _ANCHORS[node.op]
        if kind in _BIASED:
            if len(block.inputs) != 1 or node.inputs[0] != block.inputs[0]:
                return replace(block, reason="its weights are computed at run time")
            return replace(block, kind=kind, weight=node.inputs[1])
        if kind == "concat":
            if constants:
                return replace(block, reason="a constant is concatenated")
            return replace(block, kind=kind)
        if len(block.inputs) != 1:
            return replace(block, reason="an operand is computed at run time")
        reason = _refusal(node, self.program.shapes[block.inputs[0]])
        return replace(block, reason=reason) if reason else replace(block, kind=kind)

    def _matmul(self, block: Block, constants: list[str]) -> Block:
        node = block.anchor
        if len(block.inputs) == 1 and node.inputs[0] == block.inputs[0]:
            if self.program.constants[constants[0]].ndim == 2:
                return replace(block, kind="dense", weight=constants[0])
            return replace(block, reason="its weights are no matrix")
        return replace(block, reason="a product of two computed tensors or with a constant on the left")

    def _arithmetic(self, block: Block, constants: list[str]) -> Block:
        node = block.anchor
        if not constants:
            if node.op == "divide":
                return replace(block, reason="a quotient of two computed tensors")
            return replace(block, kind="multiply" if node.op == "multiply" else "add", inputs=node.inputs)
        if node.op == "divide" and node.inputs[0] in self.program.constants:
            return replace(block, reason="the divisor is computed")
        if node.shape != self.program.shapes[block.inputs[0]]:
            return replace(block, reason="the constant operand broadcasts the tensor to a larger shape")
        return replace(block, kind="scale", weight=constants[0])

    def _other(self, block: Block, constants: list[str]) -> Block:
        return replace(block, reason=f"operator {block.anchor.op!r} has no integer semantics")


def _along_axis(constant: tuple[int, ...], shape: tuple[int, ...], axis: int) -> bool:
    """Whether a constant that broadcasts to ``shape`` varies along ``axis`` at most."""
    padded = (1,) * (len(shape) - len(constant)) + constant
    return len(padded) == len(shape) and all(size == 1 for i, size in enumerate(padded) if i != axis % len(shape))


def _refusal(node: Node, shape: tuple[int, ...]) -> str:
    """Why a node of an integer operator has no integer form all the same ("" when it has)."""
    attributes = node.attributes
    if node.op == "mean":
        axes = attributes.get("axis")
        named = tuple(sorted(int(a) % len(shape) for a in axes)) if isinstance(axes, tuple) else None  # type: ignore[arg-type]
        if len(shape) != 4 or named != (2, 3):
            return "a mean over other axes than height and width"
    if node.op == "nn.adaptive_avg_pool2d" and tuple(node.shape[2:]) != (1, 1):
        return "adaptive pooling to more than one position"
    if node.op == "nn.pad" and attributes.get("pad_mode", "constant") != "constant":
        return f"padding mode {attributes['pad_mode']!r}"
    if node.op == "image.resize2d" and attributes.get("method") != "nearest_neighbor":
        return f"resize method {attributes.get('method')!r}; only nearest neighbour has integer semantics"
    if node.op in ("nn.max_pool2d", "nn.avg_pool2d") and attributes.get("layout", "NCHW") != "NCHW":
        return f"layout {attributes['layout']!r}"
    return ""
