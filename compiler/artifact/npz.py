"""Arrays in ``.npz`` files whose bytes depend on the arrays alone."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

__all__ = ["load_arrays", "save_arrays"]

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip entry can bear


def save_arrays(file: Path | IO[bytes], arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
    """Write ``arrays`` in their order, uncompressed: compression differs between zlib versions."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            with archive.open(entry, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)


def load_arrays(file: Path | IO[bytes]) -> dict[str, npt.NDArray[np.generic]]:
    """Read what :func:`save_arrays` wrote."""
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
