"""The whole road on the example models: compile, run, verify, inspect, report, and what can go wrong on it."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gatewright.compiler.artifact.npz import load_arrays, save_arrays
from gatewright.compiler.artifact.schema import MANIFEST_NAME, REPORT_NAME, file_digest
from gatewright.compiler.errors import ExitCode
from tests.cli.conftest import Gatewright


def _digests(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): file_digest(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != REPORT_NAME
    }


def _tree(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*"))


def test_check_reports_the_model(gatewright: Gatewright, digits: Path) -> None:
    ended = gatewright("check", digits / "digits_cnn.onnx", "-t", "cpu", "--json")
    assert ended.code == 0
    (row,) = ended.results
    assert row["target"] == "cpu" and row["ok"] and row["operators"]["Conv"] == 4
    assert row["inputs"] == [{"name": "x", "shape": [1, 1, 8, 8], "dtype": "float32"}]


def test_quantize_prints_every_layer_and_the_accuracy(gatewright: Gatewright, digits: Path) -> None:
    arguments = ("--calib", digits / "digits_mlp_calib.npz", "--inputs", digits / "digits_mlp_test.npz")
    ended = gatewright("quantize", digits / "digits_mlp.onnx", *arguments, "--json")
    (row,) = ended.results
    assert row["accuracy"] >= row["float_accuracy"] - 0.01  # 500 samples: 5 of them
    assert row["float_top1_agreement"] >= 0.98
    assert [layer["op"] for layer in row["layers"]].count("dense") == 3
    assert all(layer["sqnr_db"] > 25 for layer in row["layers"])  # 8 bits: about 6 dB a bit, less what clipping takes
    table = gatewright("quantize", digits / "digits_mlp.onnx", *arguments)
    assert "SQNR" in table.out and "accuracy" in table.out


def test_quantize_without_data_says_what_to_do(gatewright: Gatewright, digits: Path, tmp_path: Path) -> None:
    ended = gatewright("quantize", digits / "digits_mlp.onnx", "-o", tmp_path / "out")
    assert ended.code == ExitCode.UNSUPPORTED
    assert "--calib" in ended.err
    assert not _tree(tmp_path)


def test_run_writes_outputs_by_name(gatewright: Gatewright, compiled: Path, digits: Path, tmp_path: Path) -> None:
    inputs = digits / "digits_mlp_test.npz"
    ended = gatewright("run", compiled, "--inputs", inputs, "-o", tmp_path / "y.npz", "--json")
    assert ended.code == 0
    assert ended.results[0]["outputs"] == [{"name": "scores", "shape": [500, 10], "dtype": "float32"}]
    scores = load_arrays(tmp_path / "y.npz")["scores"]
    labels = load_arrays(inputs)["y"]
    assert np.mean(scores.argmax(axis=1) == labels) > 0.9
    assert gatewright("run", compiled, "--inputs", inputs, "-o", tmp_path / "q.npz", "--raw", "--quiet").out == ""
    (raw,) = load_arrays(tmp_path / "q.npz").values()
    assert raw.dtype == np.int8 and raw.shape == (500, 10)


def test_outputs_are_not_written_into_the_artefact(gatewright: Gatewright, compiled: Path, digits: Path) -> None:
    before = _digests(compiled)
    ended = gatewright("run", compiled, "--inputs", digits / "digits_mlp_test.npz", "-o", compiled / MANIFEST_NAME)
    assert ended.code == ExitCode.USAGE and "GW0033" in ended.err
    assert _digests(compiled) == before


def test_verify_finds_a_changed_graph(gatewright: Gatewright, compiled: Path, digits: Path, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(compiled, tmp_path / "copy"))
    content = bytearray((directory / "graph" / "integer.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (directory / "graph" / "integer.npz").write_bytes(content)
    ended = gatewright("verify", directory, "--inputs", digits / "digits_mlp_test.npz")
    assert ended.code == ExitCode.UNSUPPORTED and "GW1903" in ended.err


def test_verify_compares_every_byte(gatewright: Gatewright, compiled: Path, digits: Path) -> None:
    ended = gatewright("verify", compiled, "--inputs", digits / "digits_mlp_test.npz", "--json")
    assert ended.code == 0
    (row,) = ended.results
    assert row["target"] == "cpu" and row["samples"] == 500 and row["compared_bytes"] == 5000
    assert row["mismatching_bytes"] == 0 and row["first_mismatch"] is None
    for key in ("float_max_abs_error", "float_top1_agreement", "accuracy"):
        assert isinstance(row[key], float)
    few = gatewright("verify", compiled, "--inputs", digits / "digits_mlp_test.npz", "--samples", "cpu=7", "--json")
    assert few.results[0]["samples"] == 7


def _reseal(directory: Path) -> None:
    manifest = json.loads((directory / MANIFEST_NAME).read_text())
    manifest["files"] = {name: file_digest(directory / name) for name in manifest["files"]}
    (directory / MANIFEST_NAME).write_text(json.dumps(manifest))


def test_verify_finds_one_wrong_weight(gatewright: Gatewright, compiled: Path, digits: Path, tmp_path: Path) -> None:
    """The reference is given another bias than the library was built with."""
    broken = Path(shutil.copytree(compiled, tmp_path / "broken"))
    arrays = load_arrays(broken / "graph" / "integer.npz")
    bias = [name for name in arrays if name.endswith(".bias")][-1]
    arrays[bias] = arrays[bias].copy()
    arrays[bias][3] += 4000
    save_arrays(broken / "graph" / "integer.npz", arrays)
    inputs = digits / "digits_mlp_test.npz"
    assert "GW1903" in gatewright("verify", broken, "--inputs", inputs).err
    _reseal(broken)
    ended = gatewright("verify", broken, "--inputs", inputs, "--json")
    assert ended.code == ExitCode.MISMATCH
    (row,) = ended.results
    assert row["mismatching_bytes"] > 100 and not row["passed"]
    assert row["first_mismatch"]["index"][-1] == 3
    assert "first mismatch at sample 0" in gatewright("verify", broken, "--inputs", inputs).out


def test_a_moved_folder_verifies(gatewright: Gatewright, compiled: Path, digits: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(compiled, tmp_path / "elsewhere" / "moved"))
    assert gatewright("verify", moved, "--inputs", digits / "digits_mlp_test.npz", "--samples", "20").code == 0
    assert not [name for name, text in _texts(moved) if str(compiled.parent) in text or str(digits) in text]


def _texts(directory: Path) -> list[tuple[str, str]]:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return [(path.name, path.read_bytes().decode("latin-1")) for path in files]


def _command(digits: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "gatewright.compiler.cli", "compile", str(digits / "digits_cnn.onnx"), "-t", "cpu",
            "-o", str(out), "--calib", str(digits / "digits_cnn_calib.npz")]  # fmt: skip


@pytest.mark.slow
def test_same_input_same_bytes(digits: Path, tmp_path: Path) -> None:
    """In two processes, so that no order of hashing or memory survives from one to the other."""
    for name, seed in (("one", "1"), ("two", "2")):
        command = [*_command(digits, tmp_path / name / "out"), "-t", "xilinx:pynq-z2"]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True)
    one, two = (_digests(tmp_path / name / "out") for name in ("one", "two"))
    assert one == two
    manifest = json.loads((tmp_path / "one" / "out" / MANIFEST_NAME).read_text())
    assert {**manifest["files"], MANIFEST_NAME: one[MANIFEST_NAME]} == one
    assert manifest["facts"]["sha256"] == hashlib.sha256((digits / "digits_cnn.onnx").read_bytes()).hexdigest()
    assert not [name for name, text in _texts(tmp_path / "one" / "out") if str(tmp_path) in text]


def test_float_profile(gatewright: Gatewright, digits: Path, tmp_path: Path) -> None:
    out = tmp_path / "float"
    assert gatewright("compile", digits / "digits_cnn.onnx", "-t", "cpu", "-o", out, "--profile", "float").code == 0
    assert not (out / "graph" / "integer.txt").exists()
    ended = gatewright("verify", out, "--inputs", digits / "digits_cnn_test.npz", "--samples", "50", "--json")
    (row,) = ended.results
    assert ended.code == 0 and row["mismatching_bytes"] is None and row["float_max_abs_error"] < 1e-5


def test_inspect_and_report(gatewright: Gatewright, compiled: Path, digits: Path) -> None:
    assert "nn.conv2d" in gatewright("inspect", digits / "digits_cnn.onnx").out
    assert "target cpu" in gatewright("inspect", compiled).out
    assert gatewright("inspect", compiled, "--graph", "integer").out == (compiled / "graph" / "integer.txt").read_text()
    assert gatewright("inspect", compiled, "--json").results[0]["targets"] == {"cpu": "cpu"}
    assert "SQNR" in gatewright("report", compiled).out
    (report,) = gatewright("report", compiled, "--json").results
    assert report["seconds"]["quantize"] > 0 and report["targets"][0]["target"] == "cpu"


def test_estimate_of_an_artifact_is_the_models(gatewright: Gatewright, compiled: Path, digits: Path) -> None:
    target = ("-t", "xilinx:pynq-z2")
    (folder,) = gatewright("estimate", compiled, *target, "--json").results
    model = gatewright(
        "estimate", digits / "digits_mlp.onnx", *target, "--calib", digits / "digits_mlp_calib.npz", "--json"
    )
    (file,) = model.results
    keys = ("target", "latency_cycles", "interval_cycles", "clock_mhz", "latency_us", "inferences_per_second",
            "resources", "layers", "models")  # fmt: skip
    assert {key: folder[key] for key in keys} == {key: file[key] for key in keys}
    assert folder["resources"]["lut"] > 0 and folder["latency_cycles"] > 0


def test_the_good_target_is_kept(gatewright: Gatewright, digits: Path, tmp_path: Path) -> None:
    ended = gatewright(
        "compile", digits / "digits_mlp.onnx", "-t", "xilinx:pynq-z2", "-t", "cpu", "-o", tmp_path / "out", "--json",
        "--set", "xilinx.utilisation=0.001", "--calib", digits / "digits_mlp_calib.npz",
    )  # fmt: skip
    assert ended.code == ExitCode.CONSTRAINT
    assert [row["ok"] for row in ended.results] == [False, True]
    assert ended.results[0]["error"]["code"].startswith("GW4")
    assert list(json.loads((tmp_path / "out" / MANIFEST_NAME).read_text())["targets"]) == ["cpu"]
    assert not (tmp_path / "out" / "xilinx-pynq-z2").exists()


def test_no_target_builds_nothing(gatewright: Gatewright, digits: Path, tmp_path: Path) -> None:
    ended = gatewright("compile", digits / "digits_mlp.onnx", "-t", "xilinx:pynq-z2", "-o", tmp_path / "out",
                       "--set", "utilisation=0.001", "--calib", digits / "digits_mlp_calib.npz")  # fmt: skip
    assert ended.code == ExitCode.CONSTRAINT and "try: " in ended.err
    assert not _tree(tmp_path)


def _compile(gatewright: Gatewright, digits: Path, out: Path) -> int:
    return gatewright("compile", digits / "digits_mlp.onnx", "-t", "cpu", "-o", out,
                      "--calib", digits / "digits_mlp_calib.npz").code  # fmt: skip


def test_a_full_disk_changes_nothing(gatewright: Gatewright, digits: Path, compiled: Path, tmp_path: Path,
                                     monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    shutil.copytree(compiled, tmp_path / "old")
    before = _digests(tmp_path / "old")

    def full(path: Path, arrays: object) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("gatewright.compiler.artifact.graphs.save_arrays", full)
    for name in ("old", "new"):
        assert _compile(gatewright, digits, tmp_path / name) == ExitCode.LIMIT
    assert _digests(tmp_path / "old") == before
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # hls4ml leaves files open
@pytest.mark.parametrize("size", ["16k", "120k", "700k"])
def test_a_disk_that_is_really_full(size: str, gatewright: Gatewright, digits: Path, tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(tmp_path)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        ended = gatewright("compile", digits / "digits_mlp.onnx", "-t", "cpu", "-t", "xilinx:pynq-z2",
                           "-o", tmp_path / "out", "--calib", digits / "digits_mlp_calib.npz")  # fmt: skip
        assert ended.code == ExitCode.LIMIT and "full" in ended.err
        assert not _tree(tmp_path)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_place_that_cannot_be_written(gatewright: Gatewright, digits: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert _compile(gatewright, digits, tmp_path / "file" / "out") == ExitCode.USAGE
    assert _compile(gatewright, digits, Path("/proc/gatewright")) == ExitCode.USAGE
    assert (tmp_path / "file").read_text() == "mine"


def test_bytes_of_a_user_are_never_replaced(gatewright: Gatewright, digits: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("mine")
    assert _compile(gatewright, digits, tmp_path / "thesis") == ExitCode.USAGE
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "mine"


# A shell starts background jobs with SIGINT ignored, and children inherit it; the user at a terminal has the default.
_SLOW_BUILD = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from gatewright.compiler.cli.main import main
from gatewright.targets.cpu.target import CpuTarget

def build(self, plan, directory):
    (directory / "half").write_text("written")
    time.sleep(100)

CpuTarget.build = build
main(sys.argv[1:])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_builds_leave_nothing(number: int, digits: Path, tmp_path: Path) -> None:
    """The signal comes in the middle of a build, when a file of it has been written."""
    arguments = _command(digits, tmp_path / "out")[3:]
    with subprocess.Popen(
        [sys.executable, "-c", _SLOW_BUILD, *arguments], stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 90
        while not list(tmp_path.glob(".*/cpu/half")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        try:
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()  # of no effect on one that has ended
    assert process.returncode == ExitCode.INTERRUPTED
    assert err.strip() == "interrupted: nothing was written"
    assert not _tree(tmp_path)
