"""Imports the files named on standard input, each in a child process of its own, and prints what happened as JSON.

Started by test_corpus.py. The children are forked after ``import onnx``, so that its cost is paid once; what they
report of memory includes it.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    import onnx.reference  # noqa: F401 - what the front end imports, before the clock starts

    from gatewright.compiler.frontend import importer

    assert importer is not None
    for line in sys.stdin:
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read_end)
            with os.fdopen(write_end, "w") as pipe:
                json.dump(attempt(Path(json.loads(line))), pipe)
            os._exit(0)
        os.close(write_end)
        with os.fdopen(read_end) as pipe:
            text = pipe.read()
        _, status = os.waitpid(child, 0)
        report = json.loads(text) if text else {"error": None, "crash": f"the child ended with status {status}"}
        print(json.dumps(report), flush=True)


def attempt(path: Path) -> dict[str, Any]:
    from gatewright.compiler.errors import GatewrightError
    from gatewright.compiler.frontend import import_model

    # What is counted as memory must also be all there is.
    resource.setrlimit(resource.RLIMIT_DATA, (512 << 20, 512 << 20))
    opened: list[list[Any]] = []
    sys.addaudithook(lambda event, args: opened.append([str(args[0]), args[2]]) if event == "open" else None)
    report: dict[str, Any] = {"error": None, "crash": None}
    start = time.process_time()  # the wall clock of a loaded test machine says nothing
    try:
        import_model(path)
    except GatewrightError as error:
        report["error"] = {**error.to_json(), "exit_code": int(error.exit_code), "text": error.render()}
    except BaseException as error:
        report["crash"] = f"{type(error).__name__}: {error}"
    report["seconds"] = time.process_time() - start
    report["opened"] = list(opened)
    # Not ru_maxrss, which a process inherits from the one that started it: here a test runner of any size.
    report["peak_bytes"] = int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) * 1024
    report["tvm"] = any(name == "tvm" or name.startswith("tvm.") for name in sys.modules)
    return report


if __name__ == "__main__":
    main()
