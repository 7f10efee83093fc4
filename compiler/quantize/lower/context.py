"""What every lowering reads and writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from gatewright.compiler.integer.layers import Layer, Requantize
from gatewright.compiler.integer.requantization import multiplier_of
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.quantize.blocks import Block
from gatewright.compiler.quantize.dialect import Program
from gatewright.compiler.quantize.options import QuantizeOptions
from gatewright.compiler.quantize.parameters import Parameters

__all__ = ["Lowering"]


@dataclass
class Lowering:
    """The state of one lowering.

    Attributes:
        program: where constants and shapes come from.
        options: widths and profile.
        parameters: of every tensor of the region.
        corrections: what bias correction adds to the bias of a block, by block name: (O,) real values.
        layers: the result so far.
    """

    program: Program
    options: QuantizeOptions
    parameters: Mapping[str, Parameters]
    corrections: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)

    def emit(self, layer: Layer) -> str:
        """Append a layer; its name."""
        self.layers.append(layer)
        return layer.name

    def type_of(self, tensor: str, shape: tuple[int, ...] | None = None) -> TensorType:
        """Type of a tensor, or of a reshaped view of it."""
        return self.parameters[tensor].of_shape(self.program.shapes[tensor] if shape is None else shape)

    def rounding(self, block: Block) -> Parameters:
        """Parameters the block's accumulator is rounded and bounded with: the result's before the block's gain."""
        parameters = self.parameters[block.name]
        return replace(parameters, scale=parameters.scale / block.gain)

    def multiplier(self, real: float, place: str) -> tuple[int, int]:
        """(M, n) of the graph's multiplier width."""
        return multiplier_of(real, self.options.multiplier_bits, place)

    def requantized(self, source: str, source_type: TensorType, name: str, target: Parameters,
                    clamp: tuple[int, int] | None = None, gain: float = 1.0) -> str:  # fmt: skip
        """Emit a change of type from ``source`` to ``target``, times ``gain``; the layer is called ``name``."""
        m, n = self.multiplier(source_type.scale * gain / target.scale, name)
        output = target.of_shape(source_type.shape)
        return self.emit(Requantize(name, (source,), output, m, n, clamp or target.limits))
