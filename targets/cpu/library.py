"""Running a built library without tvm's compiler.

Only ``tvm_ffi`` (a small binding) and ``libtvm_runtime.so`` (the Relax virtual machine, 3 MB) are loaded; the ``tvm``
package is located but never imported.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import TargetError, ToolError, UsageError
from gatewright.targets.cpu.features import absent

__all__ = ["CpuLibrary"]

Array = npt.NDArray[np.generic]

_CPU = 1  # DLPack's kDLCPU
_POOLED = 2  # the VM's allocator that keeps memory between calls
_ALIGNMENT = 64  # bytes TVM's kernels may assume


class CpuLibrary:
    """A built folder, loaded.

    Args:
        directory: as :meth:`CpuTarget.build` left it.

    Raises:
        TargetError: GW4102 when this machine lacks instructions the library was built with.
        ToolError: GW5203 when the run time is not installed or the library cannot be loaded.
    """

    def __init__(self, directory: Path) -> None:
        try:
            metadata = json.loads((directory / "cpu.json").read_text(encoding="utf-8"))
            lacking = absent(metadata["features"])
            library, inputs, outputs = metadata["library"], metadata["inputs"], metadata["outputs"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ToolError(
                "GW5203", "cpu.json", f"is not what gatewright writes: {type(error).__name__} {error}",
                "compile the model again",
            ) from None  # fmt: skip
        if lacking:  # the first such instruction would kill the process
            raise TargetError(
                "GW4102", directory.name, f"built for {metadata['mcpu']}, but this machine lacks {', '.join(lacking)}",
                "compile for 'cpu', which runs on any machine of this architecture",
            )  # fmt: skip
        self._main = _open(directory / library)
        self._inputs = [_Buffer(**entry) for entry in inputs]
        self._outputs = [str(entry["name"]) for entry in outputs]

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """One inference. Results are views of fresh memory of the virtual machine: mostly no copy, and safe to keep.

        Raises:
            UsageError: GW0101 on a missing input, GW0102 on a wrong shape, GW0104 on a wrong type.
        """
        for buffer in self._inputs:
            buffer.fill(inputs)
        result = self._main(*(buffer.handle for buffer in self._inputs))
        tensors = [result] if len(self._outputs) == 1 else list(result)
        arrays = (self._kept(np.from_dlpack(tensor)) for tensor in tensors)
        return dict(zip(self._outputs, arrays, strict=True))

    def _kept(self, array: Array) -> Array:
        """``array``, copied where it is a view of an input that was only reshaped: the next call fills it."""
        shared = any(np.may_share_memory(array, buffer.array) for buffer in self._inputs)
        return array.copy() if shared else array


class _Buffer:
    """Aligned memory of one input, shared with the virtual machine."""

    def __init__(self, name: str, shape: list[int], dtype: str) -> None:
        import tvm_ffi

        self.name = name
        memory = np.empty(int(np.prod(shape)) * np.dtype(dtype).itemsize + _ALIGNMENT, np.uint8)
        start = -memory.ctypes.data % _ALIGNMENT
        stop = len(memory) - _ALIGNMENT + start
        self.array = memory[start:stop].view(dtype).reshape(shape)
        self.handle = tvm_ffi.from_dlpack(self.array)

    def fill(self, inputs: Mapping[str, Array]) -> None:
        """Copy the caller's array."""
        array = inputs.get(self.name)
        if array is None:
            raise UsageError("GW0101", f"input {self.name!r}", "no array of this name was given",
                             f"give an array named {self.name!r}")  # fmt: skip
        if array.shape != self.array.shape:
            raise UsageError("GW0102", f"input {self.name!r}", f"the shape is {array.shape}, not {self.array.shape}",
                             "give one sample a call")  # fmt: skip
        if array.dtype != self.array.dtype:
            raise UsageError("GW0104", f"input {self.name!r}", f"the array is {array.dtype}, not {self.array.dtype}",
                             f"convert it to {self.array.dtype}")  # fmt: skip
        np.copyto(self.array, array)


@cache
def _load_runtime() -> ctypes.CDLL:
    """Load ``libtvm_runtime.so``, whose loading registers the virtual machine with ``tvm_ffi``."""
    try:
        import tvm_ffi  # noqa: F401  its library must be in the process first
    except ImportError as error:
        raise _missing(str(error)) from error
    spec = importlib.util.find_spec("tvm")
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    for folder in folders:
        path = Path(folder) / "lib" / "libtvm_runtime.so"
        if path.is_file():
            return ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL)
    raise _missing("libtvm_runtime.so is not beside the tvm package")


def _open(path: Path) -> Any:
    """The function ``main`` of the library's virtual machine."""
    _load_runtime()
    import tvm_ffi

    try:
        with _own_name(path) as name:
            machine = tvm_ffi.load_module(str(name))["vm_load_executable"]()
        machine["vm_initialization"](_CPU, 0, _POOLED)
        return machine["main"]
    except Exception as error:  # tvm_ffi raises whatever the library registered
        raise ToolError(
            "GW5203", path.name, f"the library cannot be loaded: {str(error).splitlines()[0]}",
            "compile the model again on this machine",
        ) from error  # fmt: skip


_loaded: dict[Path, tuple[int, int]] = {}  # file names this process gave the dynamic loader -> (device, inode)


@contextmanager
def _own_name(path: Path) -> Iterator[Path]:
    """A name under which the dynamic loader opens this file.

    It answers a name it has seen with the library it then loaded, although another file bears that name by now: an
    artefact that was compiled again would run its old code. Such a file is opened through a link of another name.
    """
    path = path.resolve()
    status = path.stat()
    identity = (status.st_dev, status.st_ino)
    if _loaded.setdefault(path, identity) == identity:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="gatewright-") as folder:
        link = Path(folder) / path.name
        link.symlink_to(path)
        yield link


def _missing(reason: str) -> ToolError:
    return ToolError("GW5203", "TVM run time", reason, "install the packages apache-tvm and apache-tvm-ffi")
