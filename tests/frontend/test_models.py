"""The shared real models: every one imports, and computes what ONNX Runtime does without its optimizations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gatewright.compiler.errors import GraphError
from gatewright.compiler.floatgraph.from_relax import read
from gatewright.compiler.floatgraph.graph import TensorSpec
from gatewright.compiler.floatgraph.interpreter import execute
from gatewright.compiler.frontend import import_model
from tests.frontend.onnx_models import Array, onnxruntime_results

pytestmark = pytest.mark.models

# Range of the inputs by folder or file, from the models' README; standard normal where nothing is said.
PIXELS = ("mlperf_tiny/ic_resnet8_fp32", "mlperf_tiny/ic_resnet_large_fp32", "detect/yunet")
UNIT = ("mlperf_tiny/vww", "hls4ml/qkeras_mnist", "hls4ml/conv2d_small")

FLOAT = [
    "cifar10/resnet20_cifar10", "cifar10/resnet56_cifar10", "detect/version-RFB-320", "detect/yunet_n_320_320",
    "hls4ml/KERAS_3layer", "hls4ml/KERAS_3layer_70pruned_retrained", "hls4ml/KERAS_3layer_95pruned_retrained",
    "hls4ml/KERAS_conv1d_small", "hls4ml/conv2d_small_mp_keras", "imagenet/efficientnet_lite0",
    "mlperf_tiny/ad_toycar_ae_fp32", "mlperf_tiny/ic_resnet8_fp32", "mlperf_tiny/ic_resnet_large_fp32",
    "mlperf_tiny/kws_dscnn_fp32", "mlperf_tiny/vww_mobilenetv1_025_fp32",
]  # fmt: skip
ROUNDING = [
    "hls4ml/KERAS_3layer_ternary_small", "hls4ml/keras_bnn", "hls4ml/qkeras_3layer", "hls4ml/qkeras_mnist_cnn",
    "hls4ml/qkeras_mnist_dense",
]  # fmt: skip
# Largest difference in steps of the output, over 8 random inputs; measured with onnxruntime 1.31.
QDQ = {
    "imagenet/mobilenet_v1_0.25_128_quant": 1, "imagenet/mobilenet_v2_1.0_224_quant": 6,
    "mlperf_tiny/ad_toycar_ae_int8": 2, "mlperf_tiny/ic_resnet8_int8": 4, "mlperf_tiny/ic_resnet_large_int8": 2,
    "mlperf_tiny/kws_dscnn_int8": 2, "mlperf_tiny/micro_speech_quantized": 1, "mlperf_tiny/person_detect": 2,
    "mlperf_tiny/sww_ref_int8": 2, "mlperf_tiny/vww_mobilenetv1_025_int8": 2,
}  # fmt: skip
QONNX = [
    "qonnx/TFC_1W1A", "qonnx/TFC_1W2A", "qonnx/TFC_2W2A", "qonnx/kws_w3a3_qonnx", "qonnx/unsw_nb15-mlp-w2a2",
    "hls4ml/branched_model_ch_last", "hls4ml/tiny_unet_ch_last",
]  # fmt: skip


def inputs_for(name: str, specs: tuple[TensorSpec, ...], seed: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    made: dict[str, Array] = {}
    for spec in specs:
        if spec.dtype != "float32":
            info = np.iinfo(spec.dtype)
            made[spec.name] = rng.integers(info.min, info.max + 1, spec.shape).astype(spec.dtype)
        elif name.startswith(PIXELS):
            made[spec.name] = rng.integers(0, 256, spec.shape).astype(np.float32)
        elif name.startswith(UNIT):
            made[spec.name] = rng.random(spec.shape, np.float32)
        else:
            made[spec.name] = rng.standard_normal(spec.shape).astype(np.float32)
    return made


def both(models: Path, name: str, seed: int = 0) -> tuple[list[Array], list[Array]]:
    path = models / f"{name}.onnx"
    found = import_model(path)
    inputs = inputs_for(name, found.inputs, seed)
    results = execute(read(found), inputs)
    return [results[spec.name] for spec in found.outputs], onnxruntime_results(str(path), inputs)


def test_the_lists_are_complete(models: Path) -> None:
    listed = {*FLOAT, *ROUNDING, *QDQ, *QONNX}
    assert listed == {str(path.relative_to(models).with_suffix("")) for path in models.glob("*/*.onnx")}


@pytest.mark.parametrize("name", FLOAT)
def test_float_models_agree(name: str, models: Path) -> None:
    for got, wanted in zip(*both(models, name), strict=True):
        # The bound of the issue: sums of up to some thousand float32 terms in another order.
        assert np.abs(got - wanted).max() <= 1e-4 * np.abs(wanted).max()


@pytest.mark.parametrize("name", ROUNDING)
def test_models_with_rounding_agree(name: str, models: Path) -> None:
    """A sum that falls on the other side of a rounding moves by one of its coarse steps; the outputs still agree."""
    for got, wanted in zip(*both(models, name), strict=True):
        assert np.argmax(got) == np.argmax(wanted)
        assert np.abs(got - wanted).max() <= 0.05 * max(np.abs(wanted).max(), 1)


@pytest.mark.parametrize("name", QDQ)
def test_qdq_models_agree(name: str, models: Path) -> None:
    for seed in range(8 if "mlperf" in name else 2):
        for got, wanted in zip(*both(models, name, seed), strict=True):
            assert got.dtype == wanted.dtype
            assert np.abs(got.astype(int) - wanted.astype(int)).max() <= QDQ[name]


@pytest.mark.parametrize("name", QONNX)
def test_qonnx_models_are_refused_with_advice(name: str, models: Path) -> None:
    with pytest.raises(GraphError, match="GW2100") as caught:
        import_model(models / f"{name}.onnx")
    assert "QONNX dialect" in caught.value.render()
