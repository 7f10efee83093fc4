"""From ONNX file to verified builds through the command itself: the MLPerf Tiny models on a CPU and as HLS projects.

    python -m tests.benchmarks.end_to_end                                   # four models, both profiles
    python -m tests.benchmarks.end_to_end kws_dscnn_fp32 --profile fixed

For every model and profile it compiles for ``cpu`` and ``xilinx:zcu104``, verifies 256 samples on the CPU and 8 in the
HLS C simulation, compiles a second time into another folder and compares every file but report.json, then moves the
folder and verifies again. Models stand in GATEWRIGHT_MODELS, data in GATEWRIGHT_DATA. Exit code: 0 or 5.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from examples.prepare_data import ROOT, data_folder, prepare

MODELS = ("ic_resnet8_fp32", "kws_dscnn_fp32", "vww_mobilenetv1_025_fp32", "ad_toycar_ae_fp32")
BOARD = "xilinx:zcu104"
CPU_SAMPLES, CSIM_SAMPLES = 256, 8


def gatewright(*arguments: object) -> tuple[dict[str, Any], float]:
    """Run the command with ``--json``; its object and the seconds it took.

    Raises:
        RuntimeError: the command failed; the message holds what it said.
    """
    start = time.perf_counter()
    words = [str(Path(sys.executable).with_name("gatewright")), *map(str, arguments), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words[1:])}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return json.loads(done.stdout), time.perf_counter() - start


def files(folder: Path) -> dict[str, str]:
    """sha256 of every file but report.json, by relative path."""
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "report.json"
    }


def run(model: str, profile: str, work: Path) -> dict[str, Any]:
    """Compile twice, verify, move, verify again."""
    folder = Path(os.environ.get("GATEWRIGHT_MODELS", ROOT.parent / "shared" / "models")) / "mlperf_tiny"
    samples = prepare(model, data_folder())
    calib, inputs = work / "calib.npz", work / "inputs.npz"
    np.savez(calib, x=samples.calib)
    labels = {} if samples.y is None else {"y": samples.y[:CPU_SAMPLES]}
    np.savez(inputs, x=samples.x[:CPU_SAMPLES], **labels)
    options = ["-t", "cpu", "-t", BOARD, "--calib", calib, "--profile", profile]
    first, second, moved = work / "first", work / "second", work / "elsewhere" / "moved"
    _, compile_seconds = gatewright("compile", folder / f"{model}.onnx", *options, "-o", first)
    gatewright("compile", folder / f"{model}.onnx", *options, "-o", second)
    one, two = files(first), files(second)
    different = sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
    verify = ["--inputs", inputs, "--samples", f"{BOARD}={CSIM_SAMPLES}"]
    report, verify_seconds = gatewright("verify", first, *verify)
    moved.parent.mkdir()
    first.rename(moved)
    again, _ = gatewright("verify", moved, *verify)
    rows = {row["target"]: row for row in report["results"]}
    return {
        "model": model,
        "profile": profile,
        "compile_seconds": round(compile_seconds, 1),
        "verify_seconds": round(verify_seconds, 1),
        "targets": {
            name: {key: row[key] for key in ("samples", "mismatching_bytes", "compared_bytes", "float_top1_agreement")}
            for name, row in rows.items()
        },
        "files": len(one),
        "different_files": different,
        "moved_verifies": again["results"] == report["results"],
    }


def holds(row: dict[str, Any]) -> bool:
    """Whether a result is what it must be."""
    exact = all(target["mismatching_bytes"] == 0 for target in row["targets"].values())
    counts = {name: target["samples"] for name, target in row["targets"].items()}
    return (
        exact
        and counts == {"cpu": CPU_SAMPLES, BOARD: CSIM_SAMPLES}
        and not row["different_files"]
        and row["moved_verifies"]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the models asked for and print one JSON line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    parser.add_argument("--profile", choices=("scaled", "fixed"), action="append", help="both by default")
    chosen = parser.parse_args(arguments)
    good = True
    for model in chosen.models:
        for profile in chosen.profile or ("scaled", "fixed"):
            with tempfile.TemporaryDirectory() as work:
                row = run(model, profile, Path(work))
            good &= holds(row)
            print(json.dumps(row), flush=True)
    return 0 if good else 5


if __name__ == "__main__":
    sys.exit(main())
