"""The process LoadGen runs in: ``python -m gatewright.compiler.bench.driver FOLDER``.

LoadGen's threads survive no exception and cannot be stopped: in the user's process Ctrl-C would end in a crash. This
one is killed instead. ``FOLDER`` holds ``request.json`` and ``samples.npz``; LoadGen's logs and ``seconds.json`` are
written into it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["SAMPLES", "SECONDS", "Request", "drive"]

SAMPLES = "samples.npz"
SECONDS = "seconds.json"
REQUEST = "request.json"

Request = dict[str, Any]
"""``artifact``, ``target``, ``scenario`` (LoadGen's name) and ``settings``: attributes of ``TestSettings``."""


def drive(folder: Path) -> None:
    """Run one scenario."""
    import mlperf_loadgen

    from gatewright.compiler.artifact.npz import load_arrays
    from gatewright.compiler.runtime import open_artifact
    from gatewright.compiler.samples import Samples

    request: Request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    built = open_artifact(request["artifact"], request["target"])
    samples = list(Samples(load_arrays(folder / SAMPLES)))

    def issue(queries: Sequence[Any]) -> None:
        # One after the other, here: the target takes one sample at a time, and later queries wait for it as they would
        # in a queue. LoadGen counts latency from the time a query was due.
        try:
            for query in queries:
                built.run(samples[query.index])
                mlperf_loadgen.QuerySamplesComplete([mlperf_loadgen.QuerySampleResponse(query.id, 0, 0)])
        except BaseException:  # must not reach LoadGen
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)

    settings = mlperf_loadgen.TestSettings()
    settings.scenario = getattr(mlperf_loadgen.TestScenario, request["scenario"])
    settings.mode = mlperf_loadgen.TestMode.PerformanceOnly
    for name, value in request["settings"].items():
        setattr(settings, name, value)
    output = mlperf_loadgen.LogOutputSettings()
    output.outdir = str(folder)
    output.copy_summary_to_stdout = False
    log = mlperf_loadgen.LogSettings()
    log.log_output = output
    log.enable_trace = False
    system = mlperf_loadgen.ConstructSUT(issue, _nothing)
    library = mlperf_loadgen.ConstructQSL(len(samples), len(samples), _nothing, _nothing)
    started = time.perf_counter()
    mlperf_loadgen.StartTestWithLogSettings(system, library, settings, log, "")
    (folder / SECONDS).write_text(json.dumps(time.perf_counter() - started), encoding="utf-8")
    mlperf_loadgen.DestroyQSL(library)
    mlperf_loadgen.DestroySUT(system)


def _nothing(*_: Any) -> None:
    """All samples are in memory, and no query is held back."""


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    drive(Path(sys.argv[1]))
