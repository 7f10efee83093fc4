"""The handwritten digits that ship with scikit-learn (1797 images of 8x8, UCI ML repository, CC BY 4.0), split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["CALIBRATION_SAMPLES", "TEST_SAMPLES", "load", "write_arrays"]

Array = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

TEST_SAMPLES = 500
CALIBRATION_SAMPLES = 100


def load() -> tuple[Array, Labels, Array, Labels]:
    """(x_train, y_train, x_test, y_test): images (N, 64) in 0..1, always the same split."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    x = (images[order] / 16).astype(np.float32)
    y = labels[order].astype(np.int64)
    return x[TEST_SAMPLES:], y[TEST_SAMPLES:], x[:TEST_SAMPLES], y[:TEST_SAMPLES]


def write_arrays(folder: Path, stem: str, shape: tuple[int, ...]) -> None:
    """Write ``<stem>_calib.npz`` (x) and ``<stem>_test.npz`` (x, y), one sample of shape ``shape``."""
    x_train, _, x_test, y_test = load()
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / f"{stem}_calib.npz", x=x_train[:CALIBRATION_SAMPLES].reshape(-1, *shape))
    np.savez_compressed(folder / f"{stem}_test.npz", x=x_test.reshape(-1, *shape), y=y_test)
