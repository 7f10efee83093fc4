"""Real models, where the shared folder is at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gatewright.compiler.frontend import import_model
from gatewright.compiler.passes.pipeline import simplify
from gatewright.compiler.quantize import QuantizeOptions, quantize
from tests.quantize.graphs import normal
from tests.quantize.run import floats, outputs, sound

pytestmark = pytest.mark.models

FLOAT = {
    "mlperf_tiny/ic_resnet8_fp32": {"conv2d", "add", "avg_pool2d", "dense"},
    "mlperf_tiny/kws_dscnn_fp32": {"conv2d", "avg_pool2d", "dense"},
    "mlperf_tiny/ad_toycar_ae_fp32": {"dense"},
    "cifar10/resnet20_cifar10": {"conv2d", "add", "avg_pool2d", "dense", "pad", "slice"},
    "hls4ml/KERAS_conv1d_small": {"conv2d", "dense", "reshape"},
    "hls4ml/conv2d_small_mp_keras": {"conv2d", "dense", "table", "max_pool2d"},
}
QUANTIZED = ("ad_toycar_ae_int8", "ic_resnet8_int8", "kws_dscnn_int8", "micro_speech_quantized", "sww_ref_int8")


@pytest.mark.parametrize(("name", "profile"), [(name, "fixed" if i % 2 else "scaled") for i, name in enumerate(FLOAT)])
def test_float_models_become_integer(models: Path, name: str, profile: str) -> None:
    imported, _ = simplify(import_model(models / f"{name}.onnx"))
    data = {s.name: np.abs(normal(0, 3, *s.shape[1:], scale=10.0)) for s in imported.inputs}
    options = QuantizeOptions(profile=profile, measure_samples=0)  # type: ignore[arg-type]
    model = sound(quantize(imported, data, options))
    assert model.integer is not None and model.tail is not None and model.float_graph is not None
    assert FLOAT[name] <= {layer.op for layer in model.integer}
    assert not {node.op for node in model.tail.nodes} & {"nn.conv2d", "matmul", "add"}
    ours, real = outputs(model, data), floats(model.float_graph, data)
    for output, array in real.items():
        assert ours[output].shape == array.shape
        assert np.sqrt(np.mean((ours[output] - array) ** 2)) < 0.3 * np.sqrt(np.mean(array**2)) + 0.05


@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized_models_need_no_calibration(models: Path, name: str) -> None:
    """Against their own float graph with its Q and DQ nodes: the same integers but for float32's rounding of ties."""
    imported, _ = simplify(import_model(models / "mlperf_tiny" / f"{name}.onnx"))
    (spec,) = imported.inputs
    model = sound(quantize(imported, None, QuantizeOptions()))
    assert model.integer is not None and model.float_graph is not None
    data = {spec.name: np.clip(normal(0, 4, *spec.shape[1:], scale=50), -128, 127).astype(spec.dtype)}
    (ours,), (real,) = outputs(model, data).values(), floats(model.float_graph, data).values()
    assert ours.dtype == real.dtype
    assert np.array_equal(ours.reshape(4, -1).argmax(1), real.reshape(4, -1).argmax(1))
    assert np.abs(ours.astype(int) - real.astype(int)).mean() < 1
