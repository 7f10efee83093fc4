"""Bias correction: the mean of every output channel stays what it is in float.

Empirical form of M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (ICCV 2019),
section 4.2. One pass over the layers: each correction is measured with all earlier ones in place.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.graph import Node
from gatewright.compiler.floatgraph.interpreter import execute
from gatewright.compiler.floatgraph.operators.types import Array
from gatewright.compiler.quantize.calibrate.data import batches, fitting
from gatewright.compiler.quantize.dialect import Program
from gatewright.compiler.quantize.options import QuantizeOptions
from gatewright.compiler.quantize.parameters import Parameters
from gatewright.compiler.quantize.region import Region
from gatewright.compiler.quantize.simulate import CHANNEL_AXIS, with_rounded_weights

__all__ = ["corrections"]


_SAMPLES = 128
"""Samples the means are taken over."""


def corrections(
    program: Program,
    region: Region,
    parameters: Mapping[str, Parameters],
    samples: Mapping[str, Array],
    options: QuantizeOptions,
) -> dict[str, npt.NDArray[np.float64]]:
    """What to add to the bias of each convolution and matrix product, by block name: (O,) real values.

    Blocks whose weights the model itself holds as integers are left as they are.
    """
    blocks = {
        block.before_clamp: block
        for block in region.blocks
        if block.kind in CHANNEL_AXIS and block.plain and block.weight not in program.quantized
    }
    batch = next(batches(program.source.inputs, samples, fitting(program.source, _SAMPLES)))
    means: dict[str, npt.NDArray[np.float64]] = {}

    def mean_of(name: str, value: Array) -> npt.NDArray[np.float64]:
        axis = CHANNEL_AXIS[blocks[name].kind] % value.ndim
        return np.asarray(value.mean(axis=tuple(i for i in range(value.ndim) if i != axis), dtype=np.float64))

    def note(node: Node, value: Array) -> None:
        if node.name in blocks:
            means[node.name] = mean_of(node.name, value)

    execute(program.source, batch, note)
    found: dict[str, npt.NDArray[np.float64]] = {}

    def correct(node: Node, value: Array) -> Array | None:
        result = value
        if node.name in blocks:
            block = blocks[node.name]
            shift = means[node.name] - mean_of(node.name, value)
            found[block.name] = shift
            axis = CHANNEL_AXIS[block.kind] % value.ndim
            result = value + shift.astype(np.float32).reshape([-1 if i == axis else 1 for i in range(value.ndim)])
        if node.name in parameters and node.dtype == "float32":
            result = parameters[node.name].dequantize(parameters[node.name].quantize(result))
        return result

    rounded = {
        name: parameters[name].dequantize(parameters[name].quantize(array)) if array.dtype.kind == "f" else array
        for name, array in batch.items()
        if name in parameters
    }
    simulated = with_rounded_weights(program, tuple(blocks.values()), parameters, options)
    execute(simulated, {**batch, **rounded}, correct)
    return found
