"""The data preparation script, on small stand-ins of the shared data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from examples import prepare_data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        np.savez(tmp_path / f"mnist_{part}.npz", x=rng.integers(0, 256, (3, 28, 28), np.uint8), y=np.arange(3))
    for name in ("train1000", "test2000"):
        images = rng.integers(0, 256, (4, 32, 32, 3), np.uint8)
        np.savez(tmp_path / f"cifar10_jpeg_{name}.npz", x_uint8_nhwc=images, y=np.arange(4))
    clips = rng.integers(-128, 128, (104, 490), np.int64).astype(np.int8)
    np.savez(tmp_path / "kws_w3a3_eval1000.npz", x_int8=clips, y=np.arange(104))
    return tmp_path


def written(data: Path, model: str, out: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    assert prepare_data.main([model, "--data", str(data), "--out", str(out)]) == 0
    with np.load(out / f"{model}_calib.npz") as calib, np.load(out / f"{model}_eval.npz") as evaluation:
        return dict(calib), dict(evaluation)


def test_images_are_normalised_as_the_model_was_trained(data: Path, tmp_path: Path) -> None:
    calib, evaluation = written(data, "resnet20_cifar10", tmp_path / "out")
    assert calib["x"].shape == evaluation["x"].shape == (4, 3, 32, 32)
    assert calib["x"].dtype == np.float32
    with np.load(data / "cifar10_jpeg_test2000.npz") as raw:
        pixel, labels = raw["x_uint8_nhwc"][1, 2, 3, 2] / 255, raw["y"]
    assert evaluation["x"][1, 2, 2, 3] == pytest.approx((pixel - 0.406) / 0.225, abs=1e-5)  # blue, channel 2
    assert np.array_equal(evaluation["y"], labels)


def test_keywords_calibrate_on_the_first_hundred_clips(data: Path, tmp_path: Path) -> None:
    calib, evaluation = written(data, "kws_dscnn_fp32", tmp_path / "out")
    assert calib["x"].shape == (100, 49, 10, 1) and evaluation["x"].shape == (4, 49, 10, 1)
    with np.load(data / "kws_w3a3_eval1000.npz") as raw:
        assert calib["x"][5, 7, 3, 0] == pytest.approx(raw["x_int8"][5, 3 * 49 + 7] * 0.33674, rel=1e-6)
    assert evaluation["y"].tolist() == [100, 101, 102, 103]


@pytest.mark.parametrize(
    ("model", "shape", "dtype"),
    [
        ("qkeras_mnist_dense", (784,), "float32"), ("ic_resnet8_int8", (32, 32, 3), "int8"),
        ("vww_mobilenetv1_025_fp32", (96, 96, 3), "float32"), ("ad_toycar_ae_fp32", (640,), "float32"),
        ("person_detect", (96, 96, 1), "int8"), ("mobilenet_v1_0.25_128_quant", (128, 128, 3), "uint8"),
        ("sww_ref_int8", (30, 1, 40), "int8"), ("efficientnet_lite0", (3, 224, 224), "float32"),
    ],
)  # fmt: skip
def test_layout_and_type_are_the_models(
    data: Path, tmp_path: Path, model: str, shape: tuple[int, ...], dtype: str
) -> None:
    for arrays in written(data, model, tmp_path / "out"):
        assert arrays["x"].shape[1:] == shape
        assert arrays["x"].dtype == np.dtype(dtype)
        assert arrays["x"].std() > 0


def test_two_runs_write_the_same_arrays(data: Path, tmp_path: Path) -> None:
    first = written(data, "ad_toycar_ae_int8", tmp_path / "a")
    prepare_data.prepare.cache_clear()
    second = written(data, "ad_toycar_ae_int8", tmp_path / "b")
    assert all(np.array_equal(a["x"], b["x"]) for a, b in zip(first, second, strict=True))


def test_an_unknown_model_or_folder_is_a_usage_error(tmp_path: Path) -> None:
    for arguments in (["nothing"], ["kws_dscnn_fp32", "--data", str(tmp_path / "absent")]):
        with pytest.raises(SystemExit) as caught:
            prepare_data.main(arguments)
        assert caught.value.code == 2
