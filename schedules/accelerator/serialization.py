"""A program as files: the command stream, the constants, and what lies where.

==================  =====================================================================================
``program.bin``     instructions of all runs, one behind the other, 128 bytes each (isa/README.md)
``constants.bin``   DRAM from address 0 to the end of the constants
``program.json``    the spec, the steps (runs and host layers), addresses of tensors and constants, regions
``graph.txt/.npz``  the integer graph: types of tensors, and what host layers compute
==================  =====================================================================================
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from gatewright.compiler.artifact.npz import load_arrays, save_arrays
from gatewright.compiler.errors import GatewrightError, TargetError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.text import parse_graph, print_graph
from gatewright.schedules.accelerator.isa.encoding import read_words
from gatewright.schedules.accelerator.memory import Region, Request
from gatewright.schedules.accelerator.program import HostStep, Located, Program, Run
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.storage import Storage

__all__ = ["FILES", "Package", "read_package", "write_package"]

FILES = ("program.bin", "constants.bin", "program.json", "graph.txt", "graph.npz")
_VERSION = 1


@dataclass(frozen=True)
class Package:
    """Everything an executor needs.

    Attributes:
        spec: the accelerator. program: for it.
        constants: (bytes,) DRAM from address 0.
        graph: the integer graph.
    """

    spec: Spec
    program: Program
    constants: npt.NDArray[np.uint8]
    graph: IntegerGraph


def write_package(package: Package) -> dict[str, bytes]:
    """File name -> content; the same for the same package."""
    text, arrays = print_graph(package.graph)
    stream = io.BytesIO()
    save_arrays(stream, arrays)
    words = [run.words for run in package.program.runs]
    return {
        "program.bin": b"".join(w.astype("<u4").tobytes() for w in words),
        "constants.bin": package.constants.tobytes(),
        "program.json": (json.dumps(_to_json(package), indent=1) + "\n").encode(),
        "graph.txt": text.encode(),
        "graph.npz": stream.getvalue(),
    }


def read_package(files: Mapping[str, bytes], place: str) -> Package:
    """The inverse of :func:`write_package`.

    Args:
        files: name -> content.
        place: for errors, e.g. the folder.

    Raises:
        TargetError: GW4309 when a file is missing or damaged.
    """
    try:
        data = json.loads(files["program.json"])
        if data["version"] != _VERSION:
            raise ValueError(f"version {data['version']} of program.json; this gatewright reads {_VERSION}")
        graph = parse_graph(files["graph.txt"].decode(), load_arrays(io.BytesIO(files["graph.npz"])))
        constants = np.frombuffer(files["constants.bin"], np.uint8)
        program = _program(data, files["program.bin"], place)
        end = max((address + size for address, size in program.constants.values()), default=0)
        if not end <= len(constants) <= program.dram_bytes:
            raise ValueError(f"constants.bin has {len(constants)} bytes; the program has {end} bytes of constants")
        return Package(Spec.model_validate(data["spec"]), program, constants, graph)
    except KeyError as error:
        raise _damaged(place, f"{error.args[0]} is missing") from None
    except GatewrightError:
        raise
    except (ValueError, TypeError, AttributeError, ValidationError, OSError) as error:
        raise _damaged(place, str(error).splitlines()[0]) from None
    except Exception as error:  # of zipfile, zlib, numpy, ...: damaged bytes raise whatever meets them
        raise _damaged(place, f"{type(error).__name__}: {error}") from None


def _damaged(place: str, reason: str) -> TargetError:
    return TargetError("GW4309", place, f"the program cannot be read: {reason}", "compile the model again")


def _to_json(package: Package) -> dict[str, Any]:
    program = package.program
    steps: list[dict[str, Any]] = []
    for step in program.steps:
        if isinstance(step, HostStep):
            steps.append({"host": step.layer, "reason": step.reason})
        else:
            layers = [[name, len(list(group))] for name, group in groupby(step.layers)]
            steps.append({"instructions": len(step.words), "layers": layers})
    return {
        "version": _VERSION,
        "spec": package.spec.model_dump(mode="json"),
        "steps": steps,
        "dram_bytes": program.dram_bytes,
        "constants": [[layer, role, *where] for (layer, role), where in program.constants.items()],
        "tensors": {
            name: {
                "address": located.address,
                "shape": list(located.storage.shape),
                "signed": located.storage.signed,
                "pitch_bytes": located.storage.pitch_bytes,
            }
            for name, located in program.tensors.items()
        },
        "stored": dict(program.stored),
        "boundary": dict(program.boundary),
        "dram": [{**asdict(region.request), "address": region.address} for region in program.dram],
        "scratchpad": [{**asdict(region.request), "address": region.address} for region in program.scratchpad],
    }


def _program(data: Mapping[str, Any], binary: bytes, place: str) -> Program:
    words = read_words(binary, place)
    steps: list[Run | HostStep] = []
    position = 0
    for step in data["steps"]:
        if "host" in step:
            steps.append(HostStep(step["host"], step["reason"]))
            continue
        count = int(step["instructions"])
        layers = tuple(name for name, length in step["layers"] for _ in range(length))
        if len(layers) != count or position + count > len(words):
            raise ValueError("program.bin and program.json tell different numbers of instructions")
        steps.append(Run(words[position : position + count], layers))
        position += count
    tensors = {
        name: Located(of["address"], Storage(tuple(of["shape"]), of["signed"], of["pitch_bytes"]))
        for name, of in data["tensors"].items()
    }
    return Program(
        tuple(steps), int(data["dram_bytes"]), {(a, b): (c, d) for a, b, c, d in data["constants"]}, tensors,
        data["stored"], data["boundary"], _regions(data["dram"]), _regions(data["scratchpad"]),
    )  # fmt: skip


def _regions(rows: list[dict[str, Any]]) -> tuple[Region, ...]:
    return tuple(Region(Request(row["name"], row["size"], row["first"], row["last"]), row["address"]) for row in rows)
