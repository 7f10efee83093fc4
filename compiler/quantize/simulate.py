"""The quantized model in float arithmetic: weights and tensors rounded, accumulators real.

Used where per-channel means in front of a requantization are wanted; the truth is the golden reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.graph import FloatGraph
from gatewright.compiler.quantize.blocks import Block
from gatewright.compiler.quantize.dialect import Program
from gatewright.compiler.quantize.lower.context import Lowering
from gatewright.compiler.quantize.lower.linear import weights_and_bias
from gatewright.compiler.quantize.options import QuantizeOptions
from gatewright.compiler.quantize.parameters import Parameters

__all__ = ["CHANNEL_AXIS", "with_rounded_weights"]

CHANNEL_AXIS: Mapping[str, int] = {"conv2d": 1, "conv1d": 1, "dense": -1}
"""Kinds whose weights are rounded here, and the output channel axis of their result."""


def with_rounded_weights(
    program: Program, blocks: tuple[Block, ...], parameters: Mapping[str, Parameters], options: QuantizeOptions
) -> FloatGraph:
    """The source graph with the weight constants of ``blocks`` replaced by what their integers stand for."""
    context = Lowering(program, options, parameters)
    constants: dict[str, npt.NDArray[Any]] = dict(program.source.constants)
    for block in blocks:
        if block.kind not in CHANNEL_AXIS or block.weight not in constants:
            continue
        turn = np.transpose if block.kind == "dense" else np.asarray
        weights, _ = weights_and_bias(block, context, turn)
        constants[block.weight] = turn(weights.values()).astype(np.float32)
    source = program.source
    return FloatGraph(source.inputs, source.outputs, source.results, source.nodes, constants)
