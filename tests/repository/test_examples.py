"""The trained example networks are what their scripts make, and good at what they do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.repository.modules import ROOT

DIGITS = ROOT / "examples" / "digits"


def _accuracy(model: Path, test: Path) -> float:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    with np.load(test) as arrays:
        (scores,) = session.run(None, {"x": arrays["x"]})
        return float(np.mean(np.asarray(scores).argmax(axis=1) == arrays["y"]))


@pytest.mark.parametrize("name", ["digits_mlp", "digits_cnn"])
def test_committed_networks_recognise_digits(name: str) -> None:
    assert _accuracy(DIGITS / f"{name}.onnx", DIGITS / f"{name}_test.npz") >= 0.95


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scripts_make_them_again(tmp_path: Path) -> None:
    """Weights depend on the processor's rounding; the arrays do not."""
    from examples import train_digits_cnn, train_digits_mlp

    for name, train in (("digits_mlp", train_digits_mlp.main), ("digits_cnn", train_digits_cnn.main)):
        assert train(tmp_path) >= 0.95
        assert _accuracy(tmp_path / f"{name}.onnx", tmp_path / f"{name}_test.npz") >= 0.95
        for kind in ("calib", "test"):
            file = f"{name}_{kind}.npz"
            with np.load(tmp_path / file) as made, np.load(DIGITS / file) as kept:
                assert made.files == kept.files
                assert all(np.array_equal(made[key], kept[key]) for key in made.files)


def test_calibration_and_test_samples_are_apart() -> None:
    with np.load(DIGITS / "digits_mlp_calib.npz") as calib, np.load(DIGITS / "digits_mlp_test.npz") as test:
        seen = {row.tobytes() for row in calib["x"]}
        assert not [i for i, row in enumerate(test["x"]) if row.tobytes() in seen]
