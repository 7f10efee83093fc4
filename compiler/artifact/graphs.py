"""The graphs of an artefact: text for reading and for diffs, arrays beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from gatewright.compiler.artifact.npz import load_arrays, save_arrays
from gatewright.compiler.artifact.schema import GRAPH_FOLDER
from gatewright.compiler.errors import FrontendError
from gatewright.compiler.floatgraph.graph import FloatGraph
from gatewright.compiler.floatgraph.text import load, save
from gatewright.compiler.integer.text import parse_graph, print_graph
from gatewright.compiler.model import QuantizedModel

__all__ = ["read_graphs", "write_graphs"]


def write_graphs(directory: Path, model: QuantizedModel) -> None:
    """Write ``graph/{float,integer,tail}.{txt,npz}``, those that exist."""
    folder = directory / GRAPH_FOLDER
    folder.mkdir()
    texts = {}
    if model.float_graph is not None:
        texts["float"] = save(model.float_graph)
    if model.integer is not None:
        texts["integer"] = print_graph(model.integer)
    if model.tail is not None:
        texts["tail"] = save(model.tail)
    for name, (text, arrays) in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
        save_arrays(folder / f"{name}.npz", arrays)


def read_graphs(directory: Path, name: str) -> QuantizedModel:
    """The model of an artefact, without its Relax module.

    Args:
        directory: the artefact.
        name: the model's name, of the manifest.

    Raises:
        FrontendError: GW1901 a file that gatewright did not write.
    """
    folder = directory / GRAPH_FOLDER
    integer = None
    if (folder / "integer.txt").exists():
        text = (folder / "integer.txt").read_text(encoding="utf-8")
        integer = parse_graph(text, _arrays(folder / "integer.npz"))
    return QuantizedModel(name, None, _float(folder, "float"), integer, _float(folder, "tail"))


def _float(folder: Path, name: str) -> FloatGraph | None:
    if not (folder / f"{name}.txt").exists():
        return None
    return load((folder / f"{name}.txt").read_text(encoding="utf-8"), _arrays(folder / f"{name}.npz"))


def _arrays(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    try:
        return load_arrays(path)
    except Exception as error:  # of zipfile, zlib, numpy, ...: damaged bytes raise whatever meets them
        raise FrontendError("GW1901", str(path), f"cannot be read: {error}", "compile the model again") from None
