"""A built library: loads in a fresh process without tvm, equals the golden reference, refuses wrong arrays."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gatewright.compiler.errors import TargetError, ToolError, UsageError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Input, Requantize, Reshape
from gatewright.compiler.integer.reference import Reference
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.model import QuantizedModel
from gatewright.targets.cpu import CpuTarget
from tests.strategies import random_graph, random_inputs

GRAPH = random_graph(7, layers=10)


def build(graph: IntegerGraph, folder: Path, target: str = "cpu") -> Path:
    """``folder`` with the built library in it."""
    folder.mkdir(parents=True, exist_ok=True)
    cpu = CpuTarget.named(target)
    cpu.build(cpu.plan(QuantizedModel("m", None, None, graph, None), {}), folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(GRAPH, tmp_path_factory.mktemp("cpu") / "one")


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_equals_the_reference(folder: Path) -> None:
    library, reference = CpuTarget.load(folder), Reference(GRAPH)
    kept = []
    for seed in range(5):
        inputs = random_inputs(GRAPH, seed)
        kept.append((library.run(inputs), reference.run(inputs)))
    for got, expected in kept:  # only now: an earlier result must survive later calls
        assert list(got) == list(expected)
        for name, array in expected.items():
            assert got[name].dtype == array.dtype
            np.testing.assert_array_equal(got[name], array, name)


def test_fresh_process_without_tvm(folder: Path, tmp_path: Path) -> None:
    inputs = random_inputs(GRAPH, 0)
    np.savez(tmp_path / "in.npz", **{f"a{i}": array for i, array in enumerate(inputs.values())})
    program = f"""
import json, sys
from pathlib import Path
import numpy as np
from gatewright.targets.cpu import CpuTarget
names = json.loads({json.dumps(json.dumps(list(inputs)))})
arrays = np.load({str(tmp_path / "in.npz")!r})
result = CpuTarget.load(Path({str(folder)!r})).run({{name: arrays[f"a{{i}}"] for i, name in enumerate(names)}})
np.savez({str(tmp_path / "out.npz")!r}, *result.values())
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("tvm", "onnx", "hls4ml")))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with np.load(tmp_path / "out.npz") as result:
        for i, expected in enumerate(Reference(GRAPH).run(inputs).values()):
            np.testing.assert_array_equal(result[f"arr_{i}"], expected)


def test_same_bytes_twice(folder: Path, tmp_path: Path) -> None:
    assert digests(build(GRAPH, tmp_path / "a longer name")) == digests(folder)


def test_nothing_of_this_machine_inside(folder: Path) -> None:
    for path in folder.iterdir():
        content = path.read_bytes()
        assert str(folder.parent).encode() not in content
        assert b"/tmp/" not in content
        assert b"site-packages" not in content


def test_outputs_that_are_inputs(tmp_path: Path) -> None:
    kind = TensorType((1, 2, 3))
    layers = [
        Input("x", (), kind),
        Reshape("flat", ("x",), TensorType((1, 6))),
        Requantize("y", ("x",), kind, 1 << 30, 29, (-128, 127)),
    ]
    library = CpuTarget.load(build(IntegerGraph(layers, ["x", "flat", "y", "flat"]), tmp_path))
    first = library.run({"x": np.arange(6, dtype=np.int8).reshape(1, 2, 3)})
    library.run({"x": np.full((1, 2, 3), 9, np.int8)})
    assert first["x"].ravel().tolist() == first["flat"].ravel().tolist() == [0, 1, 2, 3, 4, 5]
    assert first["y"].ravel().tolist() == [0, 2, 4, 6, 8, 10]


def test_compiled_again_in_its_place(tmp_path: Path) -> None:
    """As in a notebook: open, compile again, open; the dynamic loader knows the name already."""
    for clamp in (5, 3):
        layers = [
            Input("x", (), TensorType((1, 2))),
            Requantize("y", ("x",), TensorType((1, 2)), 1 << 30, 30, (-128, clamp)),
        ]
        folder = build(IntegerGraph(layers, ["y"]), tmp_path / f"clamp{clamp}")
        folder.rename(tmp_path / "here")
        result = CpuTarget.load(tmp_path / "here").run({"x": np.array([[1, 9]], np.int8)})
        assert result["y"].ravel().tolist() == [1, clamp]
        (tmp_path / "here").rename(tmp_path / f"was{clamp}")


def test_arrays_in_any_memory_order(folder: Path) -> None:
    library, inputs = CpuTarget.load(folder), random_inputs(GRAPH, 1)
    odd = {name: np.asfortranarray(array) for name, array in inputs.items()}
    for name, array in library.run(inputs).items():
        np.testing.assert_array_equal(library.run(odd)[name], array)


@pytest.mark.parametrize("code", ["GW0101", "GW0102", "GW0104"])
def test_wrong_arrays(folder: Path, code: str) -> None:
    inputs = dict(random_inputs(GRAPH, 0))
    name = next(iter(inputs))
    if code == "GW0101":
        del inputs[name]
    else:
        inputs[name] = inputs[name][None] if code == "GW0102" else inputs[name].astype(np.float64)
    with pytest.raises(UsageError, match=f"{code}.*{name}"):
        CpuTarget.load(folder).run(inputs)


def test_a_broken_library(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cpu.json").write_bytes((folder / "cpu.json").read_bytes())
    (tmp_path / "model.so").write_text("no library")
    with pytest.raises(ToolError, match="GW5203"):
        CpuTarget.load(tmp_path)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names x86 instructions")
def test_a_library_for_another_processor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "sse4.2" in json.loads((folder / "cpu.json").read_text())["features"]
    monkeypatch.setattr("gatewright.targets.cpu.features._machine_flags", lambda: frozenset({"fpu", "pni", "ssse3"}))
    with pytest.raises(TargetError, match=r"GW4102.*lacks .*sse4.2"):
        CpuTarget.load(folder)


def test_native_and_named_processors(tmp_path: Path) -> None:
    inputs = random_inputs(GRAPH, 3)
    expected = Reference(GRAPH).run(inputs)
    got = CpuTarget.load(build(GRAPH, tmp_path, "cpu:native")).run(inputs)
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array)
