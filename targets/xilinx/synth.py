"""Synthesis with the vendor's tools, where they are installed.

Tools: ``vitis-run`` (Vitis 2024.2 and later) or ``vitis_hls``; ``vivado_hls`` for the Vivado back ends; ``vivado`` for
logic synthesis. They are looked for on PATH. Products: the tools' own, ``synth.log``, and the measured figures.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gatewright.compiler.errors import ToolError

__all__ = ["command", "measure", "synthesize"]

LOG = "synth.log"
_STEPS = ("reset", "csim", "synth", "cosim", "validation", "export", "vsynth", "fifo_opt")

_TOOLS: Mapping[str, Sequence[tuple[str, Callable[[str], list[str]]]]] = {
    "Vitis": (
        ("vitis-run", lambda _: ["vitis-run", "--mode", "hls", "--tcl", "build_prj.tcl"]),
        ("vitis_hls", lambda _: ["vitis_hls", "-f", "build_prj.tcl"]),
    ),
    "Vivado": (("vivado_hls", lambda steps: ["vivado_hls", "-f", "build_prj.tcl", steps]),),
    "VivadoAccelerator": (("vivado_hls", lambda steps: ["vivado_hls", "-f", "build_prj.tcl", steps]),),
}
"""hls4ml back end -> (tool, command line of the steps), the preferred tool first."""

_REPORTED = {
    "latency_cycles": "WorstLatency",
    "interval_cycles": "IntervalMax",
    "csynth_lut": "LUT",
    "ff": "FF",
    "dsp": "DSP",
    "bram_18k": "BRAM_18K",
    "uram": "URAM",
}
"""Total -> key of hls4ml's CSynthesisReport."""


def command(backend: str, vsynth: bool) -> tuple[list[str], str]:
    """The command line that synthesizes, and the steps it runs.

    Raises:
        ToolError: GW5101 when a tool it needs is not on PATH.
    """
    steps = {step: int(step == "synth" or (step == "vsynth" and vsynth)) for step in _STEPS}
    if vsynth and shutil.which("vivado") is None:
        raise _missing("vivado", "logic synthesis")
    for tool, line in _TOOLS[backend]:
        if shutil.which(tool) is not None:
            text = " ".join(f"{step}={on}" for step, on in steps.items())
            options = "array set opt {\n" + "".join(f"    {step:<10} {on}\n" for step, on in steps.items()) + "}\n"
            return line(text), options
    raise _missing(" or ".join(tool for tool, _ in _TOOLS[backend]), f"synthesis of a {backend} project")


def _missing(tool: str, purpose: str) -> ToolError:
    return ToolError(
        "GW5101", tool, f"{purpose} needs it, and it is not on PATH",
        "source settings64.sh of the installed AMD tools (it extends PATH and sets XILINX_VITIS, XILINX_VIVADO)",
        "compile without --synth: the project can be synthesized on another machine, its README.md says how",
    )  # fmt: skip


def synthesize(folder: Path, settings: Mapping[str, Any], timeout_s: float, vsynth: bool = False) -> dict[str, float]:
    """Run the tools in the project and read what they measured.

    Args:
        folder: the HLS project.
        settings: of the plan: ``backend``, ``project_name``, ``clock_mhz``.
        timeout_s: seconds the tools may take.
        vsynth: logic synthesis too; its resource counts then stand for those of high-level synthesis.

    Returns:
        Measured figures by the name of the total.

    Raises:
        ToolError: GW5101 missing, GW5102 failed, GW5103 took too long, GW5104 left no readable report.
    """
    line, options = command(str(settings["backend"]), vsynth)
    (folder / "build_opt.tcl").write_text(options, encoding="utf-8")
    log = folder / LOG
    with log.open("wb") as output:
        process = subprocess.Popen(
            line, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ToolError(
                "GW5103", line[0], f"it took more than {timeout_s:g} s and was stopped",
                "raise xilinx.synth_timeout_s", "raise reuse factors: large unrolled loops make the tools slow",
            ) from None  # fmt: skip
        finally:
            _stop(process)
    if status != 0:
        reason = f"exit status {status}: {_last_error(log)}"
        raise ToolError("GW5102", line[0], reason, f"run it by hand in {folder.name}/: README.md says how")
    return measure(folder, vsynth)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the tool and what it started: its process group, which is its own."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_error(log: Path) -> str:
    lines = log.read_text("utf-8", errors="replace").splitlines()
    errors = [line.strip() for line in lines if "ERROR" in line] or [line.strip() for line in lines if line.strip()]
    return errors[-1][:300] if errors else "it printed nothing"


def measure(folder: Path, vsynth: bool = False) -> dict[str, float]:
    """Read the reports in ``folder`` with hls4ml's parser.

    Raises:
        ToolError: GW5104 when a report is missing or cannot be read.
    """
    from hls4ml.report import parse_vivado_report

    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints which reports it does not find
            report = parse_vivado_report(str(folder)) or {}
    except Exception as error:  # the parser indexes and converts without looking
        raise _unread(f"the reports cannot be read ({type(error).__name__}: {error})") from error
    found = report.get("CSynthesisReport")
    if not found:
        raise _unread("there is no C synthesis report")
    try:
        measured = {name: float(found[key]) for name, key in _REPORTED.items() if key in found}
        measured["clock_mhz"] = round(1000 / float(found["EstimatedClockPeriod"]), 3)
        if vsynth:
            logic = report.get("VivadoSynthReport") or {}
            if not logic:
                raise _unread("there is no logic synthesis report")
            # Block RAM is counted in 36 Kbit tiles there, halves included
            factors = {"LUT": ("lut", 1), "FF": ("ff", 1), "DSP48E": ("dsp", 1), "BRAM_18K": ("bram_18k", 2)}
            measured |= {name: float(logic[key]) * by for key, (name, by) in factors.items() if key in logic}
    except (KeyError, TypeError, ValueError) as error:
        raise _unread(f"a report holds no number where one belongs ({error})") from error
    measured["latency_us"] = round(measured["latency_cycles"] / measured["clock_mhz"], 4)
    measured["inferences_per_second"] = round(1e6 * measured["clock_mhz"] / max(1.0, measured["interval_cycles"]), 2)
    return measured


def _unread(reason: str) -> ToolError:
    return ToolError("GW5104", "synthesis", f"the tool ended well, but {reason}", f"read hls/{LOG}")
