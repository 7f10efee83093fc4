"""Arrays in the layouts people save them in."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gatewright.compiler import samples as samples_module
from gatewright.compiler.errors import LimitError, UsageError
from gatewright.compiler.floatgraph.graph import TensorSpec
from gatewright.compiler.samples import noise, read_samples

IMAGE = TensorSpec("image", (1, 2, 3), "float32")


def _save(path: Path, **arrays: object) -> Path:
    np.savez(path / "a.npz", **arrays)  # type: ignore[arg-type]
    return path / "a.npz"


@pytest.mark.parametrize(
    ("shape", "count"), [((5, 2, 3), 5), ((5, 1, 2, 3), 5), ((1, 2, 3), 1), ((2, 3), 1), ((1, 1, 2, 3), 1)]
)
def test_layouts(shape: tuple[int, ...], count: int, tmp_path: Path) -> None:
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    samples = read_samples(_save(tmp_path, image=values), [IMAGE])
    assert len(samples) == count
    assert samples.inputs["image"].shape == (count, 1, 2, 3)
    assert samples.stacked()["image"].shape == (count, 2, 3)
    assert np.array_equal(np.concatenate([s["image"] for s in samples]).reshape(-1), values.reshape(-1))


def test_batch_larger_than_one_stays_together(tmp_path: Path) -> None:
    spec = TensorSpec("x", (2, 3), "float32")
    assert len(read_samples(_save(tmp_path, x=np.zeros((6, 3), np.float32)), [spec])) == 3
    with pytest.raises(UsageError, match="GW0012"):
        read_samples(_save(tmp_path, x=np.zeros((5, 3), np.float32)), [spec])


def test_one_input_may_be_called_x_and_labels_y(tmp_path: Path) -> None:
    samples = read_samples(_save(tmp_path, x=np.zeros((4, 2, 3)), y=np.arange(4)), [IMAGE])
    assert samples.inputs["image"].dtype == np.float32
    assert samples.labels is not None and samples.labels.tolist() == [0, 1, 2, 3]
    assert samples.head(3).labels is not None and len(samples.head(3)) == 3


def test_an_input_named_y_is_no_label(tmp_path: Path) -> None:
    samples = read_samples(_save(tmp_path, y=np.zeros((4, 3), np.float32)), [TensorSpec("y", (1, 3), "float32")])
    assert samples.labels is None and len(samples) == 4


@pytest.mark.parametrize(
    ("arrays", "code"),
    [
        ({"other": np.zeros((1, 2, 3))}, "GW0011"),
        ({"image": np.zeros((1, 3, 2))}, "GW0012"),
        ({"image": np.zeros((0, 2, 3))}, "GW0012"),
        ({"image": np.zeros((2, 2, 3)), "y": np.zeros(3, int)}, "GW0012"),
        ({"image": np.zeros((2, 2, 3)), "y": np.zeros(2)}, "GW0012"),
        ({"image": np.array(["a"] * 6).reshape(1, 2, 3)}, "GW0012"),
        ({"image": np.array([None] * 6).reshape(1, 2, 3)}, "GW0010"),
    ],
)  # fmt: skip
def test_wrong_arrays(arrays: dict[str, np.ndarray], code: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=code):
        read_samples(_save(tmp_path, **arrays), [IMAGE])


def test_floats_for_an_integer_input_must_be_whole_and_in_range(tmp_path: Path) -> None:
    spec = TensorSpec("x", (1, 2), "int8")
    assert read_samples(_save(tmp_path, x=np.array([[1.0, -128.0]])), [spec]).inputs["x"].dtype == np.int8
    for values in ([[1.5, 0.0]], [[128.0, 0.0]]):
        with pytest.raises(UsageError, match="GW0012"), np.errstate(invalid="ignore"):
            read_samples(_save(tmp_path, x=np.array(values)), [spec])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04broken", b"hello", np.zeros(3).tobytes()])
def test_broken_files(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UsageError, match="GW0010"):
        read_samples(tmp_path / "a.npz", [IMAGE])


def _zipped(**entries: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("_", "."), content)
    return stream.getvalue()


def _overwritten(content: bytes) -> bytes:
    return content[:60] + b"\xff" * 20 + content[80:]


@pytest.mark.parametrize(
    "content",
    [
        _zipped(image=b"hello"),
        _zipped(image_npy=b"\x93NUMPY\x01\x00\x10\x00{'descr': __import"),
        _zipped(image_npy=b"\x93NUMPY\x01\x00" + (60000).to_bytes(2, "little") + b"(" * 60000),
        _overwritten(_zipped(image_npy=np.random.default_rng(0).bytes(500))),
    ],
    ids=["no array", "header ends", "header nested", "damaged stream"],
)
def test_damaged_archives(content: bytes, tmp_path: Path) -> None:
    test_broken_files(content, tmp_path)


def test_the_arrays_of_another_length_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"2 of 'image', 3 of 'y'"):
        read_samples(_save(tmp_path, image=np.zeros((2, 2, 3)), y=np.zeros(3, int)), [IMAGE])


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.npz", tmp_path):
        with pytest.raises(UsageError, match="GW0010"):
            read_samples(path, [IMAGE])


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples_module, "MAXIMUM_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("image.npy", bytes(2000))
    with pytest.raises(LimitError, match="GW6103"):
        read_samples(tmp_path / "a.npz", [IMAGE])


def test_noise_is_seeded() -> None:
    first, again, other = (noise([IMAGE], seed).inputs["image"] for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
