"""A compiled program as text: the form in which it lies in a library as a constant string.

The files of :mod:`gatewright.schedules.accelerator.serialization` in one ``.npz``, compressed, in base 64: a string
constant of generated code ends at its first zero byte. Nothing that is read back is executed by Python.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from dataclasses import replace

import numpy as np

from gatewright.compiler.artifact.npz import load_arrays, save_arrays
from gatewright.compiler.errors import TargetError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Layer
from gatewright.schedules.accelerator.program import HostStep
from gatewright.schedules.accelerator.serialization import Package, read_package, write_package

__all__ = ["digest", "embed", "extract"]

_LEVEL = 6


def embed(package: Package) -> str:
    """The text of ``package``.

    Constants that the accelerator alone reads stand in it as the accelerator reads them; in the graph they are zeros.
    """
    hosted = {step.layer for step in package.program.steps if isinstance(step, HostStep)}
    graph = package.graph
    layers = [layer if layer.name in hosted else _without_constants(layer) for layer in graph]
    short = IntegerGraph(layers, graph.outputs, graph.profile, graph.multiplier_bits)
    stream = io.BytesIO()
    files = {
        name: np.frombuffer(content, np.uint8) for name, content in write_package(replace(package, graph=short)).items()
    }
    save_arrays(stream, files)
    return base64.b64encode(zlib.compress(stream.getvalue(), _LEVEL)).decode("ascii")


def extract(text: str, place: str) -> Package:
    """The inverse of :func:`embed`, but for the constants it left out.

    Args:
        text: that it made.
        place: of the text, for errors.

    Raises:
        TargetError: GW4309 when the text is damaged.
    """
    try:
        arrays = load_arrays(io.BytesIO(zlib.decompress(base64.b64decode(text, validate=True))))
    except Exception as error:  # of base64, zlib, zipfile, numpy: damaged bytes raise whatever meets them
        reason = f"the embedded program cannot be read: {error}"
        raise TargetError("GW4309", place, reason, "compile the module again") from None
    return read_package({name: array.tobytes() for name, array in arrays.items()}, place)


def digest(text: str) -> str:
    """Name of an embedded program: sha256 of its text, in hexadecimal."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _without_constants(layer: Layer) -> Layer:
    return replace(layer, **{field: np.zeros_like(array) for field, array in layer.arrays()})  # type: ignore[arg-type]
