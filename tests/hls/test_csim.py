"""The C simulation equals the golden reference byte for byte."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewright.compiler.errors import ToolError, UsageError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.reference import Reference
from gatewright.hls import csim, project
from tests.hls.graphs import fixed_graph, serial_graph, settings, small_graph, zoo_graph
from tests.strategies import random_graph, random_inputs

SAMPLES = 5


def rows(graph: IntegerGraph, strategy: str, reuse_factor: int) -> list[dict[str, Any]]:
    return [
        {"layer": layer.name, "op": layer.op, "strategy": strategy, "reuse_factor": reuse_factor} for layer in graph
    ]


def built(graph: IntegerGraph, folder: Path, io_type: str, strategy: str, backend: str = "Vitis") -> Path:
    project.write(graph, rows(graph, strategy, 4), settings(io_type, backend), folder)
    csim.compile(folder)
    return folder


def compare(graph: IntegerGraph, folder: Path) -> None:
    inputs = random_inputs(graph, seed=3, samples=SAMPLES)
    expected = Reference(graph).run(inputs)
    simulation = csim.load(folder)
    for attempt in range(2):  # line buffers live from image to image: the second run must not see the first
        found = simulation.run(inputs)
        assert list(found) == list(expected)
        for name, array in expected.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name], array, err_msg=f"{name}, run {attempt}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "io_type", "strategy"),
    [
        (zoo_graph, "io_stream", "resource"),
        (fixed_graph, "io_parallel", "resource"),
        (fixed_graph, "io_stream", "latency"),
        (lambda: serial_graph("fixed"), "io_stream", "serial"),
        # every operator again, in shapes nobody chose; 2 was once wrong: a reuse factor above n_in
        (lambda: random_graph(2, layers=20, profile="scaled", batch=1), "io_parallel", "resource"),
    ],
    ids=["zoo-stream", "fixed-parallel", "fixed-stream", "serial", "random-parallel"],
)
def test_equals_the_reference(make: Any, io_type: str, strategy: str, tmp_path: Path) -> None:
    graph = make()
    compare(graph, built(graph, tmp_path / "p", io_type, strategy))


@pytest.mark.slow
def test_a_moved_folder_runs_in_a_fresh_process_without_hls4ml(tmp_path: Path) -> None:
    graph = small_graph()
    folder = built(graph, tmp_path / "here", "io_stream", "resource", "VivadoAccelerator")
    moved = tmp_path / "else" / "where"
    moved.parent.mkdir()
    shutil.move(folder, moved)
    inputs = random_inputs(graph, seed=1, samples=2)
    np.savez(tmp_path / "x.npz", **inputs)
    code = (
        "import sys, numpy as np; from pathlib import Path; from gatewright.hls import csim\n"
        "y = csim.load(Path(sys.argv[1])).run(dict(np.load(sys.argv[2])))\n"
        "assert not {'hls4ml', 'tvm', 'onnx'} & set(sys.modules), 'a tool was imported'\n"
        "np.savez(sys.argv[3], **y)"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(moved), str(tmp_path / "x.npz"), str(tmp_path / "y.npz")], check=True, cwd="/"
    )
    found = np.load(tmp_path / "y.npz")
    for name, array in Reference(graph).run(inputs).items():
        np.testing.assert_array_equal(found[name], array)
    with pytest.raises(UsageError, match="GW0101"):
        csim.load(moved).run({})
    with pytest.raises(UsageError, match="GW0102"):
        csim.load(moved).run({"image": np.zeros((1, 4, 4, 3), np.int8)})


def test_a_missing_compiler_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ToolError, match="GW5001") as found:
        csim.compile(tmp_path)
    assert "CXX" in found.value.render()


def test_a_failing_compiler_leaves_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "build_lib.sh").write_text("echo broken code; exit 3\n")
    monkeypatch.setenv("CXX", "sh")
    with pytest.raises(ToolError, match=r"GW5002.*broken code"):
        csim.compile(tmp_path)
    assert (tmp_path / "csim" / "compile.log").read_text() == "broken code\n"


def test_what_is_not_built_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "gatewright.json").write_text('{"inputs": [], "outputs": []}')
    with pytest.raises(ToolError, match="GW5003"):
        csim.load(tmp_path)
