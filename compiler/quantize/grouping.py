"""Grouping the nodes of a program into blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.quantize.anchors import anchor_block
from gatewright.compiler.quantize.blocks import BIASED, Block
from gatewright.compiler.quantize.clamps import bounds_of
from gatewright.compiler.quantize.dialect import Program
from gatewright.compiler.quantize.functions import FUNCTIONS, is_scalar
from gatewright.compiler.quantize.quantizers import recognize

__all__ = ["group"]

_ABSORBING = {"conv2d", "conv1d", "conv2d_transpose", "dense", "scale", "add", "multiply", "concat", "max_pool2d",
              "avg_pool2d"}  # fmt: skip


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
        self.blocks[node.name] = anchor_block(node, self.program)

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
        if block is None or block.kind not in BIASED or block.parameters or "clamps" in block.attributes:
            return False
        if not self._sole_user(tensors[0]) or block.shape != node.shape:
            return False
        value = self.program.constants[constants[0]]
        if not _along_axis(value.shape, block.shape, BIASED[block.kind]):
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


def _along_axis(constant: tuple[int, ...], shape: tuple[int, ...], axis: int) -> bool:
    """Whether a constant that broadcasts to ``shape`` varies along ``axis`` at most."""
    padded = (1,) * (len(shape) - len(constant)) + constant
    return len(padded) == len(shape) and all(size == 1 for i, size in enumerate(padded) if i != axis % len(shape))
