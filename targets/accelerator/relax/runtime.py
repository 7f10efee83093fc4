"""What a compiled partition calls: the functional machine. Importing this module registers it with TVM.

The names of the three functions are those of this module, so that the error of a process without it says what to
import: ``Cannot find function gatewright.targets.accelerator.relax.runtime.holds``. Only ``tvm_ffi`` is loaded, not
``tvm``.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tvm_ffi

from gatewright.compiler.integer.tensor import TensorType
from gatewright.schedules.accelerator.embedding import extract
from gatewright.schedules.accelerator.timing.event import modelled_cycles
from gatewright.targets.accelerator.machine.network import Network

__all__ = ["EXECUTE", "HOLDS", "LOAD", "cycles", "execute", "holds", "load"]

HOLDS = f"{__name__}.holds"
LOAD = f"{__name__}.load"
EXECUTE = f"{__name__}.execute"

_networks: dict[str, Network] = {}


def _registered(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return tvm_ffi.register_global_func(name, override=True)


@_registered(HOLDS)
def holds(digest: str) -> int:
    """Whether the program of this digest is loaded, 0 or 1."""
    return int(digest in _networks)


@_registered(LOAD)
def load(digest: str, text: str) -> None:
    """Decode a program, once in a process.

    Args:
        digest: of the text.
        text: see :mod:`gatewright.schedules.accelerator.embedding`.

    Raises:
        TargetError: GW4309 when the text is damaged.
    """
    package = extract(text, f"program {digest[:12]}")
    _networks[digest] = Network(package)


@_registered(EXECUTE)
def execute(digest: str, *addresses: ctypes.c_void_p) -> None:
    """One inference of a loaded program.

    Args:
        digest: of the program.
        addresses: of the first bytes of the inputs and then of the outputs, in the graph's order; contiguous arrays of
            the graph's shapes and storage types in host memory.
    """
    network = _networks[digest]
    inputs, outputs = network.graph.inputs, network.graph.outputs
    kinds = [*(layer.output for layer in inputs), *(network.graph[name].output for name in outputs)]
    arrays = [_array(address, kind) for address, kind in zip(addresses, kinds, strict=True)]
    result = network.run({layer.name: array for layer, array in zip(inputs, arrays, strict=False)})
    for name, array in zip(outputs, arrays[len(inputs) :], strict=True):
        array[...] = result[name]


def cycles() -> Mapping[str, int]:
    """Cycles of one inference of every loaded program, by digest, by the event-driven model."""
    return {digest: modelled_cycles(network.spec, network.program) for digest, network in _networks.items()}


def _array(address: ctypes.c_void_p, kind: TensorType) -> npt.NDArray[np.integer]:
    """The caller's memory as an array. Addresses and not tensors: a view of a tensor that generated code describes on
    its stack has no owner, and handing it to NumPy by DLPack ends the process."""
    size = math.prod(kind.shape) * kind.dtype.itemsize
    memory = (ctypes.c_uint8 * size).from_address(address.value or 0)
    return np.ctypeslib.as_array(memory).view(kind.dtype).reshape(kind.shape)
