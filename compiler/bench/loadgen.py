"""The scenarios by the clock, through MLPerf LoadGen (PyPI ``mlcommons-loadgen``)."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gatewright.compiler.artifact.npz import save_arrays
from gatewright.compiler.bench.driver import REQUEST, SAMPLES, SECONDS
from gatewright.compiler.bench.scenarios import SCENARIOS, Load, Result
from gatewright.compiler.errors import ConstraintError, ToolError
from gatewright.compiler.runtime import Artifact
from gatewright.compiler.runtime.boundary import quantize_inputs
from gatewright.compiler.samples import Samples
from gatewright.targets.base import TargetName

__all__ = ["LoadGen", "read_log"]

_LOG = "mlperf_log_detail.txt"
_PREFIX = ":::MLLOG "
_PROBE_SECONDS = 0.5
_PROBE_RUNS = 3
_OFFLINE_MARGIN = 1.2
"""A run of the offline scenario is as many samples as are expected to fill its time; too few make it invalid."""
_OVERLOAD = 2.0
"""Most that the server scenario is offered, as part of what the target can take."""
_SERVER_LOAD = 0.5
"""Part of the target's time that the server scenario takes when nobody names a rate."""


class LoadGen:
    """One built target under LoadGen. Runs a few samples at once, to warm up and to know what to expect.

    Args:
        directory: the artefact.
        built: its target, opened.
        samples: to run, in an order LoadGen chooses.
        load: what is asked. Without a rate the server scenario is offered half of what the target can take, one sample
            after the other; LoadGen says whether it keeps the bound.
        logs: where LoadGen's logs are kept, in a folder per target and scenario; None: nowhere.

    Raises:
        ToolError: GW5301 when LoadGen is not installed.
        UsageError: GW0103 on a sample no integer stands for.
        ConstraintError: GW4391 when the rate of the server scenario is far out of reach.
        GatewrightError: what the target says when it cannot run.
    """

    def __init__(self, directory: Path, built: Artifact, samples: Samples, load: Load, logs: Path | None) -> None:
        if importlib.util.find_spec("mlperf_loadgen") is None:
            raise ToolError(
                "GW5301", "LoadGen", "the Python package mlcommons-loadgen is not installed",
                "pip install 'gatewright[bench]'",
            )  # fmt: skip
        if built.model.integer is not None:
            quantize_inputs(built.model.integer, samples.stacked())  # a NaN is found now, not within a run
        self._directory, self._target = directory, built.target
        self._samples, self._load, self._logs = samples, load, logs
        seconds = list(_probe(built, samples))[1:]  # the first run warms up
        self._fastest, self._mean = min(seconds), sum(seconds) / len(seconds)
        if self._qps * self._fastest > _OVERLOAD:
            # Every query that is offered is generated before the run and answered after it: minutes, and memory.
            raise ConstraintError(
                "GW4391", "--target-qps", f"{self._qps:g} queries per second are out of reach: {self._target} takes "
                f"{1e6 * self._fastest:.4g} us for a sample", f"ask for at most {_OVERLOAD / self._fastest:.0f}",
            )  # fmt: skip

    def run(self, name: str) -> Result:
        """One scenario.

        Raises:
            ToolError: GW5302 when LoadGen ends without a result.
        """
        with tempfile.TemporaryDirectory(prefix="gatewright-bench-") as temporary:
            folder = Path(temporary)
            save_arrays(folder / SAMPLES, self._samples.inputs)
            request = {
                "artifact": str(self._directory.resolve()),
                "target": self._target,
                "scenario": SCENARIOS[name].loadgen,
                "settings": self._settings(name),
            }
            (folder / REQUEST).write_text(json.dumps(request), encoding="utf-8")
            _drive(folder)
            log = read_log(folder / _LOG)
            seconds = float(json.loads((folder / SECONDS).read_text(encoding="utf-8")))
            if self._logs is not None:
                kept = self._logs / TargetName.parse(self._target).folder / name
                kept.mkdir(parents=True, exist_ok=True)
                for path in folder.glob("mlperf_log_*"):
                    shutil.copy(path, kept / path.name)
        try:
            return self._result(name, log, seconds)
        except KeyError as error:
            raise _no_result(f"its log has no {error}") from None

    def _settings(self, name: str) -> dict[str, Any]:
        load = self._load
        common = {
            "min_duration_ms": max(1, round(1000 * load.duration_seconds)),
            "min_query_count": 1,  # the rule of early stopping says whether there were enough
            "qsl_rng_seed": load.seed,
            "sample_index_rng_seed": load.seed,
            "schedule_rng_seed": load.seed,
        }
        own: Mapping[str, Mapping[str, Any]] = {
            "single-stream": {"single_stream_expected_latency_ns": _nanoseconds(self._fastest)},
            "multi-stream": {
                "multi_stream_samples_per_query": load.samples_per_query,
                "multi_stream_expected_latency_ns": _nanoseconds(self._fastest * load.samples_per_query),
            },
            "server": {
                "server_target_qps": self._qps,
                "server_target_latency_ns": _nanoseconds(load.latency_bound_seconds),
            },
            "offline": {"offline_expected_qps": _OFFLINE_MARGIN / self._fastest},
        }
        return {**common, **own[name]}

    @property
    def _qps(self) -> float:
        return self._load.target_qps or _SERVER_LOAD / self._mean

    def _result(self, name: str, log: Mapping[str, Any], seconds: float) -> Result:
        query, per = ("_query", "_per_query") if name == "multi-stream" else ("", "")
        latencies = {"mean": log[f"result_mean{query}_latency_ns"] / 1e9}
        latencies |= {f"p{n}": log[f"result_{n}.00_percentile{per}_latency_ns"] / 1e9 for n in (50, 90, 99)}
        # Early stopping's estimate is an upper bound of the percentile; 0 where the queries were too few for one.
        value = {
            "single-stream": lambda: log["early_stopping_latency_ss"] / 1e9 or latencies["p90"],
            "multi-stream": lambda: log["early_stopping_latency_ms"] / 1e9 or latencies["p99"],
            "server": lambda: log["result_completed_samples_per_sec"],
            "offline": lambda: log["result_samples_per_second"],
        }[name]()
        valid, server = log["result_validity"] == "VALID", name == "server"
        told = [log.get(key, "") for key in ("result_invalid_reason", "early_stopping_result", "error_runtime")]
        return Result(
            name, "wall clock", SCENARIOS[name].metric, float(value), valid, int(log["result_query_count"]),
            int(log["effective_samples_per_query"]), seconds, latencies,
            f"LoadGen {str(log['loadgen_version']).split()[0]}; conversion of inputs, library and host tail",
            () if valid else tuple(_told(told)),
            bool(log["result_perf_constraints_met"]) if server else None, self._qps if server else None,
        )  # fmt: skip


def read_log(path: Path) -> dict[str, Any]:
    """Key -> value of LoadGen's detailed log; the last value of a key counts.

    Raises:
        ToolError: GW5302 when there is none.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise _no_result(f"its log cannot be read ({error})") from None
    found = {}
    for line in lines:
        if not line.startswith(_PREFIX):
            continue
        try:
            entry = json.loads(line.removeprefix(_PREFIX))
            found[str(entry["key"])] = entry["value"]
        except (ValueError, KeyError):  # a message with a quotation mark: LoadGen does not escape it
            continue
    return found


def _drive(folder: Path) -> None:
    """Run LoadGen in a process of its own, see :mod:`gatewright.compiler.bench.driver`. Ctrl-C kills it."""
    command = [sys.executable, "-m", "gatewright.compiler.bench.driver", str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            out, err = process.communicate()
        except BaseException:
            process.kill()
            process.wait()  # gone before the folder is
            raise
    if process.returncode or not (folder / SECONDS).is_file():
        lines = [line.strip() for line in (err or out).splitlines() if line.strip()]
        raise _no_result(lines[-1][:300] if lines else f"exit code {process.returncode}")


def _probe(built: Artifact, samples: Samples) -> Iterator[float]:
    """Seconds of single samples, in turn, until there are enough."""
    rows, spent = list(samples), 0.0
    for count in range(sys.maxsize):
        started = time.perf_counter()
        built.run(rows[count % len(rows)])
        seconds = time.perf_counter() - started
        yield seconds
        spent += seconds
        if count >= _PROBE_RUNS and spent >= _PROBE_SECONDS:
            return


def _told(texts: list[str]) -> Iterator[str]:
    """What LoadGen says, as single lines without its bullets."""
    for text in texts:
        yield from (" ".join(part.split()) for part in str(text).split(" * ") if part.strip())


def _nanoseconds(seconds: float) -> int:
    return max(1, round(1e9 * seconds))


def _no_result(reason: str) -> ToolError:
    return ToolError("GW5302", "LoadGen", f"ended without a result: {reason}", "see its logs with --logs DIR")
