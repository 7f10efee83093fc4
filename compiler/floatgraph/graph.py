"""A float program in neutral form: what calibration, pass validation and the host tail execute with NumPy.

Operators bear the names of Relax without the ``relax.`` prefix (``nn.conv2d``, ``add``, ``strided_slice``, ...) and
take Relax's attributes, so reading a Relax function is mechanical. One node makes one tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["Attribute", "FloatGraph", "Node", "TensorSpec"]


Attribute = int | float | bool | str | tuple["Attribute", ...] | None


@dataclass(frozen=True)
class TensorSpec:
    """Name, static shape and NumPy dtype name of a graph input or output, as the ONNX model declares them."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        name: unique name of the node and of the tensor it makes.
        op: Relax operator without ``relax.``.
        inputs: names of nodes, graph inputs or constants.
        attributes: the operator's attributes as plain Python values.
        shape, dtype: of the result.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class FloatGraph:
    """A program: nodes in topological order.

    Attributes:
        inputs: the program's inputs, in order.
        outputs: the model's output specs, in order; ``results[i]`` is the value (node, input or constant name) of
            ``outputs[i]``.
        constants: read-only arrays by name.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    results: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, npt.NDArray[np.generic]] = field(default_factory=dict)
