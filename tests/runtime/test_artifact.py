"""Opening and running artefact folders: samples, tail, moved folders, damage of every kind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewright.compiler.errors import FrontendError, GatewrightError, UsageError
from gatewright.compiler.integer.reference import Reference
from gatewright.compiler.runtime import open_artifact
from gatewright.compiler.runtime.boundary import quantize_inputs
from tests.runtime.artefact import SCALE, ZERO, integer_graph, write


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("artefact") / "DIR")


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    return shutil.copytree(built, tmp_path / "copy of DIR")


def samples(count: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "x": rng.uniform(-16, 16, (count, 3)).astype(np.float32),
        "side": rng.integers(-128, 127, (count, 4)).astype(np.int8),
    }


def test_runs_boundary_target_and_tail(built: Path) -> None:
    artifact = open_artifact(built)
    inputs = samples(1)
    expected = Reference(integer_graph()).run(quantize_inputs(integer_graph(), inputs))["total"]
    assert (artifact.run_integer(inputs)["total"] == expected).all()
    outputs = artifact.run(inputs)
    assert list(outputs) == ["scores", "best"]
    assert outputs["scores"].dtype == np.float32
    assert (outputs["scores"] == (expected.astype(np.float32) - ZERO) * SCALE).all()
    assert outputs["best"].dtype == np.int64
    assert outputs["best"].tolist() == [int(expected.argmax())]


def test_golden_reference_is_a_target_of_its_own(built: Path) -> None:
    artifact, inputs = open_artifact(built, "cpu"), samples(9)
    got, expected = artifact.run_integer(inputs), artifact.golden().run_integer(inputs)
    assert got["total"].shape == (9, 4)
    assert (got["total"] == expected["total"]).all()


@pytest.mark.parametrize("shape", ["in place of the batch", "in front of it"])
def test_many_samples(built: Path, shape: str) -> None:
    artifact, inputs = open_artifact(built), samples(5)
    one_by_one = [artifact.run({name: a[i : i + 1] for name, a in inputs.items()}) for i in range(5)]
    if shape == "in front of it":
        inputs = {name: array[:, None] for name, array in inputs.items()}
    together = artifact.run(inputs)
    for name in ("scores", "best"):
        assert (together[name] == np.concatenate([result[name] for result in one_by_one])).all()


def test_wrong_samples(built: Path) -> None:
    artifact, inputs = open_artifact(built), samples(2)
    with pytest.raises(UsageError, match="side"):
        artifact.run({"x": inputs["x"]})
    with pytest.raises(UsageError, match="x"):
        artifact.run({**inputs, "x": inputs["x"][:, :2]})
    with pytest.raises(UsageError, match="samples"):
        artifact.run({**inputs, "x": inputs["x"][:1]})
    with pytest.raises(UsageError, match="NaN"):
        artifact.run({**inputs, "x": inputs["x"] * np.float32(np.nan)})


def test_moved_folder_in_a_fresh_process_without_tvm(copy: Path) -> None:
    program = f"""
import sys
import numpy as np
from gatewright.compiler.runtime import open_artifact
artifact = open_artifact({str(copy)!r})
print(artifact.run({{"x": np.ones((1, 3), np.float32), "side": np.ones((1, 4), np.int8)}})["scores"].tolist())
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("tvm", "onnx", "hls4ml")))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    scores, modules = done.stdout.splitlines()
    expected = open_artifact(copy).golden().run({"x": np.ones((1, 3), np.float32), "side": np.ones((1, 4), np.int8)})
    assert json.loads(scores) == expected["scores"].tolist()
    assert modules == "[]"


def test_several_targets_want_a_name(tmp_path: Path) -> None:
    directory = write(tmp_path / "two", ("cpu", "cpu:x86-64-v2"))
    with pytest.raises(UsageError, match=r"GW0016.*cpu, cpu:x86-64-v2"):
        open_artifact(directory)
    assert open_artifact(directory, "cpu:x86-64-v2").target == "cpu:x86-64-v2"
    with pytest.raises(UsageError, match=r"GW0016 cpu:native"):
        open_artifact(directory, "cpu:native")


def _change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _manifest(directory: Path, change: Callable[[dict[str, object]], None]) -> None:
    path = directory / "manifest.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def _first(directory: Path, kind: str, **changes: object) -> None:
    def change(manifest: Any) -> None:
        manifest[kind][0].update(changes)

    _manifest(directory, change)


def _link_out(directory: Path) -> None:
    library = directory / "cpu" / "model.so"
    outside = directory.parent / "outside.so"
    shutil.move(library, outside)
    library.symlink_to(outside)


DAMAGE: dict[str, tuple[Callable[[Path], object], type[GatewrightError], str]] = {
    "changed library": (lambda d: _change(d / "cpu" / "model.so"), FrontendError, r"GW1903.*cpu/model.so \(changed\)"),
    "changed graph": (
        lambda d: _change(d / "graph" / "integer.npz"),
        FrontendError,
        r"GW1903.*integer.npz \(changed\)",
    ),
    "lost tail": (lambda d: (d / "graph" / "tail.txt").unlink(), FrontendError, r"GW1903.*tail.txt \(missing\)"),
    "lost folder": (lambda d: shutil.rmtree(d / "cpu"), FrontendError, "GW1903.*missing"),
    "link out": (_link_out, FrontendError, "GW1903.*link out of the folder"),
    "no manifest": (lambda d: (d / "manifest.json").unlink(), UsageError, "GW0032"),
    "no folder": (shutil.rmtree, UsageError, "GW0032"),
    "no json": (lambda d: (d / "manifest.json").write_text("{"), FrontendError, "GW1901"),
    "no text": (lambda d: (d / "manifest.json").write_bytes(b"\xff\xfe"), FrontendError, "GW1901"),
    "newer schema": (lambda d: _manifest(d, lambda m: m.update(schema_version=2)), FrontendError, "GW1901"),
    "target outside": (lambda d: _manifest(d, lambda m: m.update(targets={"cpu": "../cpu"})), FrontendError, "GW1901"),
    "absolute target": (lambda d: _manifest(d, lambda m: m.update(targets={"cpu": "/cpu"})), FrontendError, "GW1901"),
    "file outside": (
        lambda d: _manifest(d, lambda m: m.update(files={"a/../../b": "0" * 64})),
        FrontendError,
        "GW1901",
    ),
    "no targets": (lambda d: _manifest(d, lambda m: m.update(targets={})), UsageError, "GW0016.*none"),
    "unknown family": (lambda d: _manifest(d, lambda m: m.update(targets={"tpu": "cpu"})), UsageError, "GW0020"),
    "other input": (lambda d: _first(d, "inputs", name="z"), FrontendError, "GW1903.*'x'"),
    "other input shape": (lambda d: _first(d, "inputs", shape=[1, 9]), FrontendError, "GW1903.*'x'"),
    "other output": (lambda d: _first(d, "outputs", name="z"), FrontendError, "GW1903.*'z'"),
    "other output shape": (lambda d: _first(d, "outputs", shape=[3, 7]), FrontendError, "GW1903.*'scores'"),
    "no type": (lambda d: _first(d, "inputs", dtype="banana"), FrontendError, "GW1901"),
    "type of objects": (lambda d: _first(d, "outputs", dtype="object"), FrontendError, "GW1901"),
    "other profile": (lambda d: _manifest(d, lambda m: m.update(profile="float")), FrontendError, "GW1903"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_a_clear_error(copy: Path, damage: str) -> None:
    change, kind, message = DAMAGE[damage]
    change(copy)
    with pytest.raises(kind, match=message) as caught:
        open_artifact(copy)
    assert caught.value.actions


def test_unlisted_files_do_no_harm(copy: Path) -> None:
    (copy / "cpu" / "notes.txt").write_text("mine")
    assert open_artifact(copy).target == "cpu"
