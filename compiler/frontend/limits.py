"""How much one model file may ask for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gatewright.compiler.errors import LimitError

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Bounds, each checked before the memory it guards is taken.

    Attributes:
        file_bytes: size of the ``.onnx`` file; 2 GiB is protobuf's own bound.
        external_bytes: sum of all external tensor data.
        tensor_bytes: one tensor: weight, constant or activation.
        total_bytes: all weights and constants together, decoded.
        folded_bytes: one constant that folding makes out of smaller ones.
        nodes: nodes of the model, once functions and branches are expanded.
        tensors: initializers and tensor attributes.
        fields: protobuf fields in the file; a parsed field costs about 100 bytes.
        nesting: depth of protobuf messages; a subgraph takes three levels.
        rank: dimensions of a tensor.
        name_bytes: one name or other short text.
    """

    file_bytes: int = 2**31 - 1
    external_bytes: int = 8 * 2**30
    tensor_bytes: int = 2 * 2**30
    total_bytes: int = 8 * 2**30
    folded_bytes: int = 64 * 2**20
    nodes: int = 50_000
    tensors: int = 100_000
    fields: int = 1_000_000
    nesting: int = 40
    rank: int = 8
    name_bytes: int = 32_768

    def check_tensor(self, place: str, shape: Sequence[int], item_bytes: int) -> int:
        """The size in bytes of a tensor at ``place``, in Python integers that cannot overflow.

        Raises:
            LimitError: GW6005 when it is larger than ``tensor_bytes``, GW6007 when it has too many dimensions.
        """
        if len(shape) > self.rank:
            raise LimitError(
                "GW6007",
                place,
                f"has {len(shape)} dimensions, more than the {self.rank} allowed",
                "reshape the tensor to fewer dimensions before export",
            )
        size = math.prod(shape) * item_bytes
        if size > self.tensor_bytes:
            raise LimitError(
                "GW6005",
                place,
                f"its shape {list(shape)} asks for {size} bytes, more than the {self.tensor_bytes} allowed",
                "check the dimensions; a damaged or hostile file often shows here",
                "raise Limits.tensor_bytes when the tensor is real",
            )
        return size
