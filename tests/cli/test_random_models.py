"""Random models down the whole road, with the commands a user types: compile, verify, run.

Each ends with equal bytes and an error that its bits explain, or with one user error that names a node.
"""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.cli.conftest import Gatewright
from tests.cli.random_models import Array, random_model, random_samples
from tests.frontend.onnx_models import onnxruntime_results, reference

# Profile, bits, and the largest mean error as part of the mean deviation of the output. Eight bits lose about a
# hundredth a layer, and a narrow output of a deep random net magnifies it; every bit less doubles it.
FORMS = (
    ("scaled", "8,8", 0.15),
    ("fixed", "8,8", 0.3),
    ("scaled", "4,8", 1.0),
    ("scaled", "8,4", 1.5),
    ("scaled", "2,2", np.inf),
    ("float", "8,8", 1e-4),
)
SEEDS = range(24)
QUANTIZED_SEEDS = range(10)


def _saved(model: onnx.ModelProto, folder: Path, seed: int) -> tuple[Path, Path, dict[str, Array]]:
    samples = random_samples(model, seed)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    np.savez(folder / "samples.npz", **samples)  # type: ignore[arg-type]
    return folder / "model.onnx", folder / "samples.npz", samples


def _one_by_one(samples: dict[str, Array], count: int) -> list[dict[str, Array]]:
    return [{name: array[i] for name, array in samples.items()} for i in range(count)]


def _outputs(gatewright: Gatewright, artefact: Path, samples: Path) -> dict[str, Array]:
    """Of every sample, once ``verify`` has found the same bytes."""
    verified = gatewright("verify", artefact, "--inputs", samples, "--json")
    assert verified.code == 0, verified.err + verified.out
    assert not verified.results[0]["mismatching_bytes"]
    ran = gatewright("run", artefact, "--inputs", samples, "-o", artefact.with_suffix(".npz"), "--json")
    assert ran.code == 0, ran.err
    with np.load(artefact.with_suffix(".npz")) as archive:
        return {name: archive[name] for name in archive.files}


def _relative(got: Array, wanted: Array) -> float:
    """Mean error as part of the mean deviation of what is wanted."""
    assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype)
    return float(np.abs(got - wanted).mean() / (np.abs(wanted - wanted.mean()).mean() + 1e-3))


def _justified(ended: Any, model: onnx.ModelProto) -> None:
    """A refusal is one error about integers, and its place is a node of the file."""
    assert ended.code == 3, ended.err
    error = ended.document["error"]
    assert error["code"] == "GW3302", ended.err
    places = [finding["place"] for finding in error.get("findings", [error])]
    assert set(places) <= {node.name for node in model.graph.node}


@pytest.mark.parametrize("seed", SEEDS)
def test_float_models(seed: int, gatewright: Gatewright, tmp_path: Path) -> None:
    profile, bits, bound = FORMS[seed % len(FORMS)]
    model = random_model(seed)
    path, data, samples = _saved(model, tmp_path, seed)
    options: list[object] = ["--profile", profile, "--bits", bits]
    options += [] if profile == "float" else ["--calib", data]
    ended = gatewright("compile", path, "-t", "cpu", "-o", tmp_path / "out", *options, "--json")
    if ended.code != 0:
        _justified(ended, model)
        return
    outputs = _outputs(gatewright, tmp_path / "out", data)
    try:
        wanted = [reference(model, sample) for sample in _one_by_one(samples, 3)]
    except Exception as error:  # ONNX Runtime computes negative padding for SAME where the stride exceeds the kernel
        assert "padding values must be non-negative" in str(error)
        return
    for i, value in enumerate(model.graph.output):
        expected = np.concatenate([results[i] for results in wanted])
        assert _relative(outputs[value.name][: len(expected)], expected) < bound


def test_most_random_models_compile(gatewright: Gatewright, tmp_path: Path) -> None:
    """What the tests above let pass as a refusal is the exception."""
    codes = []
    for seed in SEEDS:
        path = tmp_path / f"{seed}.onnx"
        path.write_bytes(random_model(seed).SerializeToString())
        codes.append(gatewright("check", path, "-t", "cpu", "--quiet").code)
    assert codes.count(0) >= 0.9 * len(codes)


@pytest.mark.parametrize("seed", QUANTIZED_SEEDS)
def test_models_that_onnxruntime_quantized(seed: int, gatewright: Gatewright, tmp_path: Path) -> None:
    quantization = importlib.import_module("onnxruntime.quantization")
    logging.getLogger().setLevel(logging.ERROR)
    model = random_model(seed)
    assert model.opset_import[0].version >= 13, "older than per-channel QDQ: choose another seed"
    path, data, samples = _saved(model, tmp_path, seed)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
        rest = iter(_one_by_one(samples, 24))

        def get_next(self) -> dict[str, Array] | None:
            return next(self.rest, None)

    quantized = tmp_path / "quantized.onnx"
    kind = quantization.QuantType.QUInt8 if seed % 2 else quantization.QuantType.QInt8
    quantization.quantize_static(
        str(path),
        str(quantized),
        Reader(),
        activation_type=kind,
        weight_type=quantization.QuantType.QInt8,
        per_channel=bool(seed % 3),
    )
    # Calibration is for what ONNX Runtime leaves in float: functions in front of the first quantize node.
    ended = gatewright("compile", quantized, "-t", "cpu", "-o", tmp_path / "out", "--calib", data, "--json")
    if ended.code != 0:
        _justified(ended, onnx.load(quantized))
        return
    outputs = _outputs(gatewright, tmp_path / "out", data)
    content = quantized.read_bytes()
    wanted = [onnxruntime_results(content, sample) for sample in _one_by_one(samples, 3)]
    real = [onnxruntime_results(path.read_bytes(), sample) for sample in _one_by_one(samples, 3)]
    for i, value in enumerate(model.graph.output):
        theirs = np.concatenate([results[i] for results in wanted])
        exact = np.concatenate([results[i] for results in real])
        # Nearer to ONNX Runtime than that is to its float model, or as near as a step here and there.
        assert _relative(outputs[value.name][: len(theirs)], theirs) < max(0.05, 0.8 * _relative(theirs, exact))
