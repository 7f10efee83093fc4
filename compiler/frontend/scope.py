"""What is known while a draft is swept from its inputs to its outputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from gatewright.compiler.floatgraph.graph import TensorSpec
from gatewright.compiler.frontend.draft import Function, Node
from gatewright.compiler.frontend.limits import Limits
from gatewright.compiler.frontend.tensors import Array

__all__ = ["Scope", "UnsupportedError"]


class UnsupportedError(Exception):
    """A node cannot be imported; collected, so that all such nodes are reported together.

    Args:
        reason: why, in one sentence without a full stop.
        actions: what the user can do, at least one.
    """

    def __init__(self, reason: str, *actions: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.actions = actions


class Scope:
    """Constants and types of the tensors made so far.

    Attributes:
        constants: arrays by name.
        specs: type and shape of everything that is no constant.
        aliases: names that stand for another name.
        narrow: names of constants whose ONNX type has less than 8 bits.
        functions: the model's own.
        nodes: what has been swept, normalised, in order.
        readers: operators that read a tensor of the file, "" for a graph output.
        makers: the normalised node that makes a tensor.
        integral: float tensors that hold the values of an integer tensor, by its name.
    """

    def __init__(
        self,
        inputs: tuple[TensorSpec, ...],
        constants: Mapping[str, Array],
        functions: Mapping[tuple[str, str, str], Function],
        limits: Limits,
        narrow: frozenset[str],
    ) -> None:
        self.constants = dict(constants)
        self.specs = {spec.name: spec for spec in inputs}
        self.aliases: dict[str, str] = {}
        self.functions = functions
        self.limits = limits
        self.narrow = narrow
        self.nodes: list[Node] = []
        self.readers: dict[str, set[str]] = {}
        self.makers: dict[str, Node] = {}
        self.integral: dict[str, str] = {}
        self.taken: set[str] = {*self.specs, *self.constants}

    def resolve(self, name: str) -> str:
        """The name behind an alias."""
        while name in self.aliases:
            name = self.aliases[name]
        return name

    def constant(self, name: str) -> Array | None:
        """The constant of that name, None when it is none (or absent)."""
        return self.constants.get(self.resolve(name))

    def spec(self, name: str) -> TensorSpec:
        """Type and shape of a known tensor."""
        name = self.resolve(name)
        if (value := self.constants.get(name)) is not None:
            return TensorSpec(name, value.shape, str(value.dtype))
        return self.specs[name]

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a known tensor."""
        return self.spec(name).shape

    def dtype(self, name: str) -> str:
        """Element type of a known tensor."""
        return self.spec(name).dtype

    def fresh(self, hint: str) -> str:
        """A tensor name nobody has."""
        name = hint
        number = 0
        while name in self.taken:
            number += 1
            name = f"{hint}_{number}"
        self.taken.add(name)
        return name

    def add(self, hint: str, value: npt.ArrayLike, dtype: str | None = None) -> str:
        """Make a constant and return its name; without ``dtype`` Python floats become float32, integers int64."""
        array = np.asarray(value, dtype=dtype)
        if dtype is None and not isinstance(value, np.ndarray | np.generic):
            array = array.astype(np.float32 if array.dtype.kind == "f" and array.size else np.int64)
        name = self.fresh(hint)
        self.constants[name] = array
        return name
