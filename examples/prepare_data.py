"""Turn the shared data sets into the calibration and evaluation files that ``gatewright`` commands take.

Run from the repository root::

    python -m examples.prepare_data --out data                      # every model
    python -m examples.prepare_data --out data kws_dscnn_fp32       # one

For each model M it writes ``M_calib.npz`` (array ``x``) and ``M_eval.npz`` (``x``, and labels ``y`` where there are
any). The data folder is ``--data``, else the environment variable GATEWRIGHT_DATA, else ``../shared/data`` beside the
repository. Normalisation and layout are those of each model's training.

Where no licensed evaluation data is at hand the inputs are natural-looking substitutes without labels: CIFAR images
enlarged for the vision models, smooth random spectra for the audio models. They compare float with integer; they say
nothing about accuracy.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["SETS", "Samples", "data_folder", "prepare"]

Array = npt.NDArray[Any]
ROOT = Path(__file__).resolve().parent.parent

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SUBSTITUTES = 256
"""Evaluation samples where there are no labels."""


@dataclass(frozen=True)
class Samples:
    """Arrays of one model; ``y`` is None without labels."""

    calib: Array
    x: Array
    y: Array | None = None

    def mapped(self, function: Callable[[Array], Array]) -> Samples:
        """The same samples behind a transformation of the inputs."""
        return Samples(function(self.calib), function(self.x), self.y)


def data_folder(given: Path | None = None) -> Path:
    """The folder of data sets: ``given``, GATEWRIGHT_DATA, or ``../shared/data``."""
    return given or Path(os.environ.get("GATEWRIGHT_DATA", ROOT.parent / "shared" / "data"))


def mnist(folder: Path) -> Samples:
    """(N, 28, 28) in 0..1: 1000 training images for calibration, all 10 000 test images."""
    with np.load(folder / "mnist_train.npz") as train, np.load(folder / "mnist_test.npz") as test:
        pixels = Samples(train["x"][:1000], test["x"], test["y"])
    return pixels.mapped(lambda x: (x / np.float32(255)).astype(np.float32))


def cifar(folder: Path) -> Samples:
    """(N, 32, 32, 3) uint8, JPEG-compressed: 1000 training and 2000 test images."""
    with (
        np.load(folder / "cifar10_jpeg_train1000.npz") as train,
        np.load(folder / "cifar10_jpeg_test2000.npz") as test,
    ):
        return Samples(train["x_uint8_nhwc"], test["x_uint8_nhwc"], test["y"])


def cifar_normalised(folder: Path) -> Samples:
    """(N, 3, 32, 32) float32, torchvision's normalisation."""
    mean, std = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
    return cifar(folder).mapped(lambda x: ((x / np.float32(255) - mean) / std).transpose(0, 3, 1, 2).astype(np.float32))


def keywords(folder: Path) -> Samples:
    """(N, 49, 10, 1) float32 MFCC: calibrate on the first 100 clips, score on the other 900."""
    with np.load(folder / "kws_w3a3_eval1000.npz") as clips:
        x = (clips["x_int8"] * np.float32(0.33674)).reshape(-1, 10, 49).transpose(0, 2, 1)[..., None]
        return Samples(x[:100].astype(np.float32), x[100:].astype(np.float32), clips["y"][100:])


def enlarged(height: int, width: int, calib: int = 64, count: int = SUBSTITUTES) -> Callable[[Path], Samples]:
    """CIFAR images as (N, height, width, 3) float32 in 0..255, bilinear; no labels."""

    def load(folder: Path) -> Samples:
        images = cifar(folder)
        small = Samples(images.calib[:calib], images.x[:count])
        return small.mapped(lambda x: _bilinear(x.astype(np.float32), height, width))

    return load


def _bilinear(images: Array, height: int, width: int) -> Array:
    """(N, H, W, C) -> (N, height, width, C), half-pixel centres, border repeated."""

    def matrix(size: int, target: int) -> Array:
        at = np.clip((np.arange(target) + 0.5) * size / target - 0.5, 0, size - 1)
        low = np.minimum(np.floor(at).astype(int), size - 2)
        rows = np.zeros((target, size), np.float32)
        rows[np.arange(target), low] = 1 - (at - low)
        rows[np.arange(target), low + 1] = at - low
        return rows

    vertical, horizontal = matrix(images.shape[1], height), matrix(images.shape[2], width)
    return np.einsum("yh,nhwc,xw->nyxc", vertical, images, horizontal, optimize=True).astype(np.float32)


def spectra(shape: tuple[int, ...], low: float, high: float) -> Callable[[Path], Samples]:
    """Smooth random spectra (frames, ..., bands) between ``low`` and ``high``: sums of slow cosines, seeded."""

    def load(folder: Path) -> Samples:
        rng = np.random.default_rng(0)
        frames, bands = shape[0], shape[-1]
        t, f = np.linspace(0, 1, frames), np.linspace(0, 1, bands)
        count = 100 + SUBSTITUTES
        level = rng.uniform(0.25, 0.6, (count, 1, 1)) - 0.3 * f
        for k in range(1, 7):
            amplitude, phase = rng.normal(0, 0.12 / k**0.5, (count, 1, 1)), rng.uniform(0, 2 * np.pi, (count, 2, 1, 1))
            ripple = np.cos(2 * np.pi * k * f + phase[:, 0]) * np.cos(np.pi * (k - 1) / 2 * t[:, None] + phase[:, 1])
            level = level + amplitude * ripple
        level = level + rng.normal(0, 0.02, level.shape)
        x = (low + np.clip(level, 0, 1) * (high - low)).astype(np.float32).reshape(count, *shape)
        return Samples(x[:100], x[100:])

    return load


def _quantized(scale: float, zero_point: int) -> Callable[[Array], Array]:
    return lambda x: np.clip(np.rint(x / np.float32(scale)) + zero_point, -128, 127).astype(np.int8)


def _signed_pixels(x: Array) -> Array:
    return (np.rint(x) - 128).astype(np.int8)


def _pixels(x: Array) -> Array:
    return np.rint(x).astype(np.uint8)


def _nchw(x: Array) -> Array:
    return np.ascontiguousarray(((x - 127) / 128).transpose(0, 3, 1, 2), np.float32)


def _features(folder: Path) -> Samples:
    rng = np.random.default_rng(0)
    return Samples(rng.normal(size=(512, 16)).astype(np.float32), rng.normal(size=(SUBSTITUTES, 16)).astype(np.float32))


def _then(load: Callable[[Path], Samples], function: Callable[[Array], Array]) -> Callable[[Path], Samples]:
    return lambda folder: load(folder).mapped(function)


_AUDIO = spectra((5, 128), -85.0, 15.0)

SETS: Mapping[str, tuple[str, Callable[[Path], Samples]]] = {
    "qkeras_mnist_cnn": ("hls4ml", _then(mnist, lambda x: x[..., None])),
    "qkeras_mnist_dense": ("hls4ml", _then(mnist, lambda x: x.reshape(len(x), -1))),
    "kws_dscnn_fp32": ("mlperf_tiny", keywords),
    "kws_dscnn_int8": ("mlperf_tiny", _then(keywords, _quantized(0.58470, 83))),
    "resnet20_cifar10": ("cifar10", cifar_normalised),
    "resnet56_cifar10": ("cifar10", cifar_normalised),
    "ic_resnet8_fp32": ("mlperf_tiny", _then(cifar, lambda x: x.astype(np.float32))),
    "ic_resnet8_int8": ("mlperf_tiny", _then(cifar, _signed_pixels)),
    "ic_resnet_large_fp32": ("mlperf_tiny", _then(cifar, lambda x: x.astype(np.float32))),
    "ic_resnet_large_int8": ("mlperf_tiny", _then(cifar, _signed_pixels)),
    "vww_mobilenetv1_025_fp32": ("mlperf_tiny", _then(enlarged(96, 96), lambda x: x / np.float32(255))),
    "vww_mobilenetv1_025_int8": ("mlperf_tiny", _then(enlarged(96, 96), _signed_pixels)),
    "person_detect": (
        "mlperf_tiny",
        _then(enlarged(96, 96), lambda x: _signed_pixels(x.mean(axis=3, keepdims=True))),
    ),
    "ad_toycar_ae_fp32": ("mlperf_tiny", _then(_AUDIO, lambda x: x.reshape(len(x), -1))),
    "ad_toycar_ae_int8": (
        "mlperf_tiny",
        _then(_AUDIO, lambda x: _quantized(0.3910152, 89)(x.reshape(len(x), -1))),
    ),
    "sww_ref_int8": ("mlperf_tiny", _then(spectra((30, 1, 40), 0.0, 0.94), _quantized(0.00370104, -128))),
    "micro_speech_quantized": (
        "mlperf_tiny",
        _then(spectra((49, 40), 0.0, 25.9), lambda x: _quantized(0.10171568, -128)(x.reshape(len(x), -1))),
    ),
    "mobilenet_v1_0.25_128_quant": ("imagenet", _then(enlarged(128, 128, 16, 64), _pixels)),
    "mobilenet_v2_1.0_224_quant": ("imagenet", _then(enlarged(224, 224, 16, 16), _pixels)),
    "efficientnet_lite0": ("imagenet", _then(enlarged(224, 224, 16, 16), _nchw)),
    "version-RFB-320": ("detect", _then(enlarged(240, 320, 16, 16), _nchw)),
    "yunet_n_320_320": (
        "detect",
        _then(enlarged(320, 320, 16, 16), lambda x: np.ascontiguousarray(x[..., ::-1].transpose(0, 3, 1, 2))),
    ),
    "KERAS_3layer": ("hls4ml", _features),
    "KERAS_3layer_70pruned_retrained": ("hls4ml", _features),
    "KERAS_3layer_95pruned_retrained": ("hls4ml", _features),
    "KERAS_3layer_ternary_small": ("hls4ml", _features),
    "keras_bnn": ("hls4ml", _features),
    "qkeras_3layer": ("hls4ml", _features),
}  # fmt: skip
"""Model file stem -> (folder under the models folder, how its samples are made)."""


@cache
def prepare(model: str, folder: Path) -> Samples:
    """Samples of one model of :data:`SETS`."""
    return SETS[model][1](folder)


def main(arguments: list[str] | None = None) -> int:
    """Write the npz files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="file stems; all of them by default")
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--out", type=Path, default=Path("data"), help="where the npz files go (default: data)")
    options = parser.parse_args(arguments)
    folder = data_folder(options.data)
    unknown = sorted(set(options.models) - set(SETS))
    if unknown:
        parser.error(f"unknown model {', '.join(unknown)}; choose from {', '.join(SETS)}")
    if not folder.is_dir():
        parser.error(f"no data at {folder}: pass --data or set GATEWRIGHT_DATA")
    options.out.mkdir(parents=True, exist_ok=True)
    for model in options.models or SETS:
        samples = prepare(model, folder)
        np.savez_compressed(options.out / f"{model}_calib.npz", x=samples.calib)
        if samples.y is None:
            np.savez_compressed(options.out / f"{model}_eval.npz", x=samples.x)
        else:
            np.savez_compressed(options.out / f"{model}_eval.npz", x=samples.x, y=samples.y)
        print(f"{model}: {len(samples.calib)} samples to calibrate, {len(samples.x)} to evaluate")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
