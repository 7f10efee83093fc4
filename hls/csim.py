"""C simulation of a written project: build with g++, run with raw integers.

Tool: g++ (C++17); the environment variable ``CXX`` names another compiler. Product: ``csim/libgatewright_csim.so`` and
``csim/compile.log``. Running imports neither hls4ml nor tvm, only ctypes and NumPy.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import ToolError
from gatewright.hls.ports import Tensors, all_physical, logical

__all__ = ["LIBRARY", "Simulation", "compile", "load"]

LIBRARY = Path("csim") / "libgatewright_csim.so"

_STACK_BYTES = 1 << 29


def compile(directory: Path, jobs: int = 1, timeout_s: float = 3600) -> Path:
    """Build the C simulation of the project in ``directory``.

    Args:
        directory: a folder :func:`gatewright.hls.project.write` made.
        jobs: compiler processes at a time; the design is one translation unit, so one is used.
        timeout_s: seconds the compiler may take.

    Returns:
        The library's path. The compiler's output stays in ``csim/compile.log``.

    Raises:
        ToolError: GW5001 when there is no compiler, GW5002 when it fails or takes too long.
    """
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise ToolError(
            "GW5001", compiler, "the C simulation needs a C++ compiler and this one is not on PATH",
            "install g++ (Debian: apt install g++)", "set CXX to the compiler's path",
        )  # fmt: skip
    log = directory / LIBRARY.parent / "compile.log"
    log.parent.mkdir(exist_ok=True)
    try:
        done = subprocess.run(
            ["sh", "./build_lib.sh"],
            cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        log.write_bytes(late.stdout or b"")
        raise ToolError(
            "GW5002", compiler, f"it took more than {timeout_s:g} s", "choose a smaller model, or build_lib.sh by hand"
        ) from None
    log.write_bytes(done.stdout)
    if done.returncode != 0:
        last = done.stdout.decode(errors="replace").strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise ToolError(
            "GW5002", compiler, f"the C simulation does not compile: {last[0]}", f"read {LIBRARY.parent / log.name}"
        )
    return directory / LIBRARY


def load(directory: Path) -> Simulation:
    """Open the C simulation :func:`compile` built in ``directory``.

    Raises:
        ToolError: GW5003 when it is not built or does not load.
    """
    return Simulation(directory)


class Simulation:
    """A built C simulation.

    Attributes:
        inputs, outputs: the ports as ``gatewright.json`` describes them.
    """

    def __init__(self, directory: Path) -> None:
        data = json.loads((directory / "gatewright.json").read_text(encoding="utf-8"))
        self.inputs: list[dict[str, Any]] = data["inputs"]
        self.outputs: list[dict[str, Any]] = data["outputs"]
        library = (directory / LIBRARY).resolve()
        try:
            self._run = ctypes.CDLL(str(library)).gatewright_run
        except OSError as error:
            raise ToolError(
                "GW5003", str(LIBRARY), f"the C simulation does not load: {error}", "build it: gatewright compile"
            ) from None
        self._run.restype = None

    def run(self, inputs: Mapping[str, npt.NDArray[np.integer[Any]]]) -> Tensors:
        """Integers in, integers out.

        Args:
            inputs: by input name, in the declared shape or with a leading axis k times the declared one: k samples.

        Returns:
            By output name, in storage dtype, leading axis k times the declared one.

        Raises:
            UsageError: GW0101 on a missing input, GW0102 on a wrong shape.
        """
        fed = all_physical(self.inputs, inputs)
        samples = fed[0].shape[0] if fed else 1
        made = [np.empty((samples, math.prod(port["shape"])), np.int32) for port in self.outputs]
        _with_deep_stack(lambda: self._run(ctypes.c_long(samples), _pointers(fed), _pointers(made)))
        return {port["name"]: logical(port, array) for port, array in zip(self.outputs, made, strict=True)}


def _with_deep_stack(call: Callable[[], object]) -> None:
    """Run ``call`` in a thread with room for hls4ml's kernels: they keep whole products and images in local arrays,
    which are registers in hardware and would overrun the 8 MiB of a usual stack here."""
    before = threading.stack_size(_STACK_BYTES)
    try:
        thread = threading.Thread(target=call)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()


def _pointers(arrays: list[npt.NDArray[np.int32]]) -> Any:
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
