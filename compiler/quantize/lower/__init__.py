"""From blocks with parameters to typed layers. One file an operator family."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Input
from gatewright.compiler.quantize.blocks import Block
from gatewright.compiler.quantize.lower.affine import lower_scale
from gatewright.compiler.quantize.lower.arithmetic import lower_add, lower_multiply
from gatewright.compiler.quantize.lower.concat import lower_concat
from gatewright.compiler.quantize.lower.context import Lowering
from gatewright.compiler.quantize.lower.convolution import lower_conv1d, lower_conv2d
from gatewright.compiler.quantize.lower.dense import lower_dense
from gatewright.compiler.quantize.lower.movement import (
    lower_pad,
    lower_permute,
    lower_reshape,
    lower_resize,
    lower_slice,
)
from gatewright.compiler.quantize.lower.pooling import lower_avg_pool2d, lower_max_pool2d
from gatewright.compiler.quantize.lower.transposed import lower_conv2d_transpose
from gatewright.compiler.quantize.lower.unary import lower_clip, lower_table
from gatewright.compiler.quantize.region import Region

__all__ = ["LOWERINGS", "Lowering", "lower"]

LOWERINGS: Mapping[str, Callable[[Block, Lowering], None]] = {
    "conv2d": lower_conv2d,
    "conv1d": lower_conv1d,
    "conv2d_transpose": lower_conv2d_transpose,
    "dense": lower_dense,
    "scale": lower_scale,
    "add": lower_add,
    "multiply": lower_multiply,
    "concat": lower_concat,
    "max_pool2d": lower_max_pool2d,
    "avg_pool2d": lower_avg_pool2d,
    "table": lower_table,
    "clip": lower_clip,
    "requantize": lower_clip,
    "reshape": lower_reshape,
    "permute": lower_permute,
    "slice": lower_slice,
    "pad": lower_pad,
    "resize": lower_resize,
}
"""How each kind of block becomes layers; every kind makes the tensor of the block's name."""


def lower(region: Region, context: Lowering) -> IntegerGraph:
    """The integer graph of a region. Model inputs that only the host could read are kept: they are part of the
    boundary."""
    for spec in context.program.source.inputs:
        dtype = np.dtype(spec.dtype)
        source = spec.dtype if np.issubdtype(dtype, np.integer) else "float32"
        if spec.name in context.parameters:
            context.emit(Input(spec.name, (), context.type_of(spec.name), source))
    for block in region.blocks:
        LOWERINGS[block.kind](block, context)
    return IntegerGraph(context.layers, region.outputs, context.options.profile, context.options.multiplier_bits)
