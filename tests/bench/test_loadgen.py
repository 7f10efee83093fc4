"""The verb on a CPU library, under LoadGen."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gatewright.compiler.bench import loadgen
from gatewright.compiler.bench.scenarios import SCENARIOS
from gatewright.compiler.errors import ExitCode, ToolError
from tests.cli.conftest import Gatewright

ROW = {
    "target", "scenario", "time", "metric", "value", "valid", "reasons", "queries", "samples_per_query", "source",
    "duration_seconds", "latency_mean_seconds", "latency_p50_seconds", "latency_p90_seconds", "latency_p99_seconds",
    "bound_met", "target_qps", "latency_bound_seconds", "seed",
}  # fmt: skip


def test_single_stream_by_the_clock(gatewright: Gatewright, compiled: Path, digits: Path, tmp_path: Path) -> None:
    arguments = ("--scenario", "single-stream", "--duration", 0.2, "--seed", 3, "--logs", tmp_path / "logs")
    ended = gatewright("bench", compiled, *arguments, "--inputs", digits / "digits_mlp_test.npz", "--json")
    assert ended.code == 0 and ended.document["command"] == "bench"
    (row,) = ended.results
    assert set(row) == ROW
    assert row["target"] == "cpu" and row["scenario"] == "single-stream" and row["time"] == "wall clock"
    assert row["valid"] and not row["reasons"] and row["queries"] >= 64 and row["duration_seconds"] >= 0.2
    assert row["metric"] == "latency_p90_seconds" and row["value"] >= row["latency_p90_seconds"]  # early stopping
    assert row["queries"] * row["latency_mean_seconds"] <= row["duration_seconds"]
    assert "LoadGen 6.0.17" in row["source"] and row["seed"] == 3
    kept = tmp_path / "logs" / "cpu" / "single-stream"
    log = loadgen.read_log(kept / "mlperf_log_detail.txt")
    assert log["effective_scenario"] == "SingleStream" and log["result_query_count"] == row["queries"]
    assert log["effective_qsl_rng_seed"] == 3 and log["qsl_reported_total_count"] == 500
    assert "Result is : VALID" in (kept / "mlperf_log_summary.txt").read_text()


@pytest.mark.slow
def test_all_scenarios_by_the_clock(gatewright: Gatewright, compiled: Path) -> None:
    ended = gatewright("bench", compiled, "--duration", 1, "--json", "--samples-per-query", 4)
    rows = {row["scenario"]: row for row in ended.results}
    assert ended.code == 0 and list(rows) == list(SCENARIOS)
    assert all(set(row) == ROW and row["time"] == "wall clock" for row in rows.values())
    single, multi, server, offline = rows.values()
    # How fast the machine is nobody knows; a query of four samples is none of one, and a server answers at its rate.
    assert single["samples_per_query"] == 1 and multi["samples_per_query"] == 4
    assert all(row["latency_p50_seconds"] > 0 and row["value"] > 0 for row in rows.values())
    assert server["target_qps"] > 0 and server["latency_bound_seconds"] == 0.015
    assert server["metric"] == "queries_per_second" and offline["metric"] == "samples_per_second"
    assert offline["queries"] == 1
    table = gatewright("bench", compiled, "--duration", 0.1, "--scenario", "offline").out
    assert "wall clock" in table and "samples/s" in table and "no MLPerf submission" in table and "600 s" in table


def test_a_run_too_short_is_not_valid(gatewright: Gatewright, compiled: Path) -> None:
    arguments = ("--scenario", "multi-stream", "--samples-per-query", 100, "--duration", 0.01)
    ended = gatewright("bench", compiled, *arguments, "--json")
    (row,) = ended.results
    assert ended.code == 0 and not row["valid"]
    assert any("662 queries" in reason for reason in row["reasons"])


def test_a_missed_bound_ends_with_its_own_code(gatewright: Gatewright, compiled: Path) -> None:
    """A microsecond is not kept by anything; the same without being asked for is a finding, not a failure."""
    arguments = ("bench", compiled, "--scenario", "server", "--duration", 0.1, "--json")
    ended = gatewright(*arguments, "--latency-bound-ms", 0.001)
    (row,) = ended.results
    assert ended.code == ExitCode.CONSTRAINT and row["bound_met"] is False and row["reasons"]
    ended = gatewright(*arguments, "--target-qps", 1e9)
    assert ended.code == ExitCode.CONSTRAINT and "GW4391" in ended.err and ended.results == []


def test_loadgen_is_a_tool(gatewright: Gatewright, compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if "mlperf" in name else find(name, *rest)
    )
    ended = gatewright("bench", compiled, "--json")
    assert ended.code == ExitCode.TOOL and ended.document["error"]["code"] == "GW5301"
    assert "gatewright[bench]" in ended.err


def test_a_process_that_fails_is_told(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text(json.dumps({"artifact": str(tmp_path), "target": "cpu"}))
    with pytest.raises(ToolError, match=r"GW5302 .*GW0032 .*is no artefact folder"):
        loadgen._drive(tmp_path)
    with pytest.raises(ToolError, match="GW5302"):
        loadgen.read_log(tmp_path / "mlperf_log_detail.txt")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("-t", "gpu"), ExitCode.USAGE, "GW0016"),
        (("--scenario", "batch"), ExitCode.USAGE, "single-stream"),
        (("--duration", "0"), ExitCode.USAGE, "--duration"),
        (("--duration", "inf"), ExitCode.USAGE, "--duration"),
        (("--target-qps", "nan"), ExitCode.USAGE, "--target-qps"),
        (("--samples-per-query", "0"), ExitCode.USAGE, "--samples-per-query"),
        (("--inputs", "nowhere.npz"), ExitCode.USAGE, "GW0010"),
    ],
)
def test_wrong_options(
    arguments: tuple[str, ...], code: ExitCode, said: str, gatewright: Gatewright, compiled: Path
) -> None:
    ended = gatewright("bench", compiled, *arguments)
    assert ended.code == code and said in ended.err and not ended.out


def test_wrong_inputs(gatewright: Gatewright, compiled: Path, digits: Path, tmp_path: Path) -> None:
    x = np.load(digits / "digits_mlp_test.npz")["x"]
    np.savez(tmp_path / "none.npz", x=x[:0])
    assert "GW0012" in gatewright("bench", compiled, "--inputs", tmp_path / "none.npz").err
    x = x.copy()
    x[-1].flat[0] = np.nan  # the last sample, which no warm-up may reach
    np.savez(tmp_path / "nan.npz", x=x)
    ended = gatewright("bench", compiled, "--inputs", tmp_path / "nan.npz")
    assert ended.code == ExitCode.USAGE and "GW0103" in ended.err
    assert "GW0032" in gatewright("bench", tmp_path).err


# A shell starts background jobs with SIGINT ignored, and children inherit it; the user at a terminal has the default.
_BENCH = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from gatewright.compiler.cli.main import main
main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.parametrize("everybody", [False, True], ids=["kill", "terminal"])
def test_interrupted_runs_end_at_once(everybody: bool, compiled: Path, tmp_path: Path) -> None:
    """The signal comes while LoadGen runs: to this process alone, or to all that belong to the terminal."""
    command = [sys.executable, "-c", _BENCH, "bench", str(compiled), "--duration", "100"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("*/mlperf_log_detail.txt")) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.05)
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGINT) if everybody else process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=20)
        finally:
            process.kill()  # of no effect on one that has ended
    assert process.returncode == ExitCode.INTERRUPTED
    assert err.strip() == "interrupted: nothing was written"
    assert not Path(f"/proc/{child}").exists()
    assert not list(tmp_path.iterdir())
