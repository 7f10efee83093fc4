"""Cross-layer equalization: weight ranges of neighbouring layers are evened out channel by channel.

M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (ICCV 2019), section 4.1:
between two layers joined by a ReLU (or nothing), channel i is divided by ``s_i = sqrt(r1_i / r2_i)`` on the way out of
the first and multiplied by it on the way into the second. The function of the model does not change.

    before: y = W2 relu(W1 x + b1)        after: y = (W2 S) relu(S^-1 W1 x + S^-1 b1)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.graph import FloatGraph
from gatewright.compiler.floatgraph.operators.types import integer
from gatewright.compiler.quantize.blocks import Block
from gatewright.compiler.quantize.dialect import Program, read_dialect
from gatewright.compiler.quantize.grouping import group

__all__ = ["equalize"]

_ROUNDS = 8
_LIMIT = 2.0**10
"""Bound of one round's s_i, so that a dead channel does not blow up its neighbour."""


def equalize(graph: FloatGraph) -> FloatGraph:
    """The same program with equalized weights; pairs whose weights others share are left alone."""
    program = read_dialect(graph)
    blocks = group(program)
    constants: dict[str, npt.NDArray[Any]] = dict(graph.constants)
    pairs = _pairs(program, blocks, constants)
    for _ in range(_ROUNDS):
        for first, second in pairs:
            _even_out(first, second, constants)
    return replace(graph, constants=constants)


def _pairs(
    program: Program, blocks: tuple[Block, ...], constants: dict[str, npt.NDArray[Any]]
) -> list[tuple[Block, Block]]:
    readers: dict[str, list[Block]] = {}
    uses: dict[str, int] = {}
    for block in blocks:
        for name in dict.fromkeys(block.inputs):
            readers.setdefault(name, []).append(block)
        for name in (block.weight, *_biases(block)):
            uses[name] = uses.get(name, 0) + 1

    def free(block: Block) -> bool:
        names = (block.weight, *_biases(block))
        return (
            block.kind in ("conv2d", "dense")
            and block.plain
            and all(name in constants and uses[name] == 1 and name not in program.quantized for name in names)
        )

    found = []
    for block in blocks:
        users = readers.get(block.name, [])
        if not free(block) or len(users) != 1 or block.name in program.results or not free(users[0]):
            continue
        positive_homogeneous = block.low in (0.0, -np.inf) and block.high == np.inf
        dense_after_dense = block.kind == users[0].kind
        if positive_homogeneous and dense_after_dense and _separable(block) and _separable(users[0], reading=True):
            found.append((block, users[0]))
    return found


def _biases(block: Block) -> list[str]:
    """Names of the constants the affine nodes add."""
    made = {block.anchor.name, *(node.name for node in block.affine)}
    return [name for node in block.affine for name in node.inputs if name not in made]


def _groups(block: Block) -> int:
    return integer(block.anchor.attributes["groups"]) if block.kind == "conv2d" else 1


def _separable(block: Block, reading: bool = False) -> bool:
    """Ordinary and depthwise convolutions and products; of the reader, one weight slice an input channel."""
    groups = _groups(block)
    return groups == 1 or not reading or groups == block.shape[1]


def _even_out(first: Block, second: Block, constants: dict[str, npt.NDArray[Any]]) -> None:
    w1 = np.asarray(constants[first.weight], np.float64)
    w2 = np.asarray(constants[second.weight], np.float64)
    out_axis = 0 if first.kind == "conv2d" else 1
    in_axis = 0 if second.kind == "dense" or _groups(second) > 1 else 1
    r1 = np.abs(w1).max(axis=tuple(i for i in range(w1.ndim) if i != out_axis))
    r2 = np.abs(w2).max(axis=tuple(i for i in range(w2.ndim) if i != in_axis))
    if r1.shape != r2.shape:
        return
    live = (r1 > 0) & (r2 > 0)
    s = np.where(live, np.sqrt(np.where(live, r1, 1.0) / np.where(live, r2, 1.0)), 1.0)
    s = np.clip(s, 1 / _LIMIT, _LIMIT)
    constants[first.weight] = _scaled(w1, 1 / s, out_axis)
    constants[second.weight] = _scaled(w2, s, in_axis)
    for name in _biases(first):
        bias = np.asarray(constants[name])
        flat = np.broadcast_to(bias.reshape(-1), s.shape).astype(np.float64) / s
        shape = (-1, 1, 1) if first.kind == "conv2d" else (-1,)
        constants[name] = flat.astype(np.float32).reshape(shape if bias.size == 1 else bias.shape)


def _scaled(w: npt.NDArray[np.float64], s: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.float32]:
    return (w * s.reshape([-1 if i == axis else 1 for i in range(w.ndim)])).astype(np.float32)
