"""What a program does, counted in its instructions: operations and bytes by layer and memory.

Counts do not depend on time or on a table of energy, so any table can be applied to them later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from gatewright.schedules.accelerator.isa.encoding import Words, columns
from gatewright.schedules.accelerator.isa.fields import SPACES, VECTOR_OPS
from gatewright.schedules.accelerator.spec import Spec

__all__ = ["Counts", "by_layer", "instruction_counts", "layer_numbers", "total_counts"]

Column = npt.NDArray[np.int64]
_DEPTHWISE, _TABLE = VECTOR_OPS["depthwise"], VECTOR_OPS["table"]
_UNSCALED = (VECTOR_OPS["max"], _TABLE)
_TWO_OPERANDS = (VECTOR_OPS["add"], VECTOR_OPS["multiply"])


@dataclass(frozen=True)
class Counts:
    """Work of a layer or network.

    Attributes:
        matrix_macs, vector_macs: multiply-accumulates of channels that are no padding, by unit (depthwise convolution
            runs on the vector unit); where groups are spread over whole blocks, absent connections count.
        array_macs: multiply-accumulates of the matrix unit with those of padded blocks: every cell in every fold.
        vector_operations: bytes or accumulators the vector unit takes in: a result of a window is as many
            as it has positions, one of two operands is two.
        rescales: results the vector unit multiplies, shifts and clamps: not those of a maximum or a table.
        dram_weight_read, dram_constant_read, dram_activation_read, dram_activation_written: bytes through DMA.
        activation_read, activation_written, weight_read, weight_written, constant_read, constant_written,
            accumulator_read, accumulator_written: bytes through the ports of the scratchpads, from either side.
        instructions: without ``halt``.
    """

    matrix_macs: int = 0
    vector_macs: int = 0
    array_macs: int = 0
    vector_operations: int = 0
    rescales: int = 0
    dram_weight_read: int = 0
    dram_constant_read: int = 0
    dram_activation_read: int = 0
    dram_activation_written: int = 0
    activation_read: int = 0
    activation_written: int = 0
    weight_read: int = 0
    weight_written: int = 0
    constant_read: int = 0
    constant_written: int = 0
    accumulator_read: int = 0
    accumulator_written: int = 0
    instructions: int = 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates of both units."""
        return self.matrix_macs + self.vector_macs

    @property
    def dram_read(self) -> int:
        """Bytes from DRAM."""
        return self.dram_weight_read + self.dram_constant_read + self.dram_activation_read

    @property
    def dram_written(self) -> int:
        """Bytes to DRAM."""
        return self.dram_activation_written

    def __add__(self, other: Self) -> Self:
        return type(self)(**{name: value + getattr(other, name) for name, value in asdict(self).items()})

    def to_json(self) -> dict[str, int]:
        """Plain data; ``Counts(**data)`` reads it."""
        return asdict(self)


_NAMES = tuple(field.name for field in fields(Counts))
_LOADED = {"activation": "dram_activation_read", "weight": "dram_weight_read", "constant": "dram_constant_read"}


def instruction_counts(spec: Spec, words: Words) -> dict[str, Column]:
    """Every count of :class:`Counts` for every instruction of a program, (n,) each."""
    found = {name: np.zeros(len(words), np.int64) for name in _NAMES}
    count = {"matmul": _matmul, "vector": _vector, "load": _load, "store": _store, "fill": _fill}
    for mnemonic, where, of in columns(words):
        found["instructions"][where] = 1
        for name, values in count[mnemonic](spec, of).items():
            found[name][where] = values
    return found


def _matmul(spec: Spec, of: Mapping[str, Column]) -> dict[str, Column]:
    """Ports of the array, a cycle at a time, in the order each dataflow works in.

    ``ws``, ``dot``: weights of a fold once, a block of inputs a pixel, partial sums of every fold. ``gemm``: weights
    again for every pixel (VTA's core reads a whole block a cycle). ``is``: R inputs of C pixels once, weights streamed
    past them. ``os``: R pixels by C outputs stay until their sum is complete; only channels that are no padding pass.
    """
    matrix = spec.matrix
    rows, columns = matrix.rows, matrix.columns
    pixels, window = of["height"] * of["width"], of["kernel_height"] * of["kernel_width"]
    blocks, outputs = window * of["input_blocks"], of["output_blocks"]
    folds = blocks * outputs
    passes = blocks
    if matrix.dataflow == "os":
        tiles, depth = -(-pixels // rows), window * of["input_channels"]
        inputs, weights = pixels * depth * outputs, tiles * outputs * depth * columns
        passes = np.ones_like(blocks)
    elif matrix.dataflow == "is":
        inputs, weights = pixels * blocks * rows, -(-pixels // columns) * folds * rows * columns
    else:
        inputs = pixels * folds * rows
        weights = folds * rows * columns * (pixels if matrix.dataflow == "gemm" else 1)
    row = 4 * columns
    return {
        "matrix_macs": pixels * window * of["input_channels"] * of["output_channels"],
        "array_macs": pixels * folds * rows * columns,
        "activation_read": inputs,
        "weight_read": weights,
        "accumulator_written": pixels * outputs * passes * row,
        "accumulator_read": pixels * outputs * (passes - 1 + of["accumulate"]) * row,
    }


def _vector(spec: Spec, of: Mapping[str, Column]) -> dict[str, Column]:
    columns, operation = spec.matrix.columns, of["operation"]
    window = of["kernel_height"] * of["kernel_width"]
    results = of["height"] * of["width"] * of["blocks"] * columns
    taken = results * window
    two = np.isin(operation, _TWO_OPERANDS)
    accumulators = of["from_accumulator"]
    depthwise = operation == _DEPTHWISE
    return {
        "vector_macs": depthwise * of["height"] * of["width"] * window * of["channels"],
        "vector_operations": taken * (1 + two),
        "rescales": results * ~np.isin(operation, _UNSCALED),
        "activation_read": taken * (1 - accumulators) + results * two,
        "accumulator_read": 4 * taken * accumulators,
        "activation_written": results,
        # Records once a block; weights again for every pixel; a table is asked once a value.
        "constant_read": of["per_channel"] * of["blocks"] * spec.parameter_bytes
        + taken * depthwise
        + results * (operation == _TABLE),
    }


def _moved(of: Mapping[str, Column]) -> Column:
    return of["rows"] * of["planes"] * of["row_bytes"]


def _load(spec: Spec, of: Mapping[str, Column]) -> dict[str, Column]:
    size = _moved(of)
    found: dict[str, Column] = {}
    for space, dram in _LOADED.items():
        here = size * (of["space"] == SPACES[space])
        found |= {dram: here, f"{space}_written": here}
    return found


def _store(spec: Spec, of: Mapping[str, Column]) -> dict[str, Column]:
    size = _moved(of)
    return {"dram_activation_written": size, "activation_read": size}


def _fill(spec: Spec, of: Mapping[str, Column]) -> dict[str, Column]:
    return {"activation_written": _moved(of)}


def layer_numbers(layers: Sequence[str]) -> tuple[list[str], Column]:
    """(distinct names in the order they first occur, (n,) number of each instruction's)."""
    numbers: dict[str, int] = {}
    which = np.fromiter((numbers.setdefault(name, len(numbers)) for name in layers), np.int64, len(layers))
    return list(numbers), which


def by_layer(spec: Spec, words: Words, layers: Sequence[str]) -> dict[str, Counts]:
    """Counts of every layer of a program.

    Args:
        spec: the accelerator.
        words: (n, 32).
        layers: name of the layer of each instruction; "" (the final halt) is left out.
    """
    names, which = layer_numbers(layers)
    # Counts stay below 2**63; weights of bincount would be float64, exact to 2**53 only.
    sums = {}
    for key, values in instruction_counts(spec, words).items():
        total = np.zeros(len(names), np.int64)
        np.add.at(total, which, values)
        sums[key] = total
    return {
        name: Counts(**{key: int(values[index]) for key, values in sums.items()})
        for index, name in enumerate(names)
        if name
    }


def total_counts(counts: Mapping[str, Counts]) -> Counts:
    """Of all layers together."""
    return Counts(**{name: sum(getattr(one, name) for one in counts.values()) for name in _NAMES})
