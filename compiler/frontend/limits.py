"""How much one model file may ask for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Bounds checked before memory is taken.

    Attributes:
        file_bytes: size of the ``.onnx`` file; 2 GiB is protobuf's own bound.
        external_bytes: sum of all external tensor data.
        tensor_bytes: one tensor: weight, constant or activation.
        total_bytes: all weights together, after decoding.
        nodes: nodes of the model, bodies of functions and branches included.
        tensors: initializers and tensor attributes.
        fields: protobuf fields in the file, the packed ones counted by their bytes.
        nesting: depth of protobuf messages; a subgraph takes three.
        rank: dimensions of a tensor.
        name_bytes: one name.
    """

    file_bytes: int = 2**31 - 1
    external_bytes: int = 8 * 2**30
    tensor_bytes: int = 2 * 2**30
    total_bytes: int = 8 * 2**30
    nodes: int = 50_000
    tensors: int = 100_000
    fields: int = 5_000_000
    nesting: int = 40
    rank: int = 12
    name_bytes: int = 4096
