"""Place and route with nextpnr: several seeds at a time, and what its report says about clock, area, critical path."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatewright.hls.lattice.database import Site
from gatewright.hls.lattice.toolchain import tools
from gatewright.hls.lattice.toolchain.synthesis import stage_of

__all__ = ["CriticalPath", "Placement", "SeedResult", "overflow", "parse_report", "place_and_route"]

# Architecture -> option that names the constraint file, option that names the product, suffix of the product.
_OPTIONS = {"ice40": ("--pcf", "--asc", ".asc"), "ecp5": ("--lpf", "--textcfg", ".config")}
# Cells of nextpnr's report -> resources; a logic cell of iCE40 is a LUT and a flip-flop.
_RESOURCES = {
    "ICESTORM_LC": "lut",
    "ICESTORM_RAM": "ebr",
    "ICESTORM_DSP": "dsp",
    "ICESTORM_SPRAM": "spram",
    "TRELLIS_COMB": "lut",
    "TRELLIS_FF": "ff",
    "DP16KD": "ebr",
    "MULT18X18D": "dsp",
}


@dataclass(frozen=True)
class CriticalPath:
    """The longest path from register to register.

    Attributes:
        delay_ns: its delay.
        stages: the stages it runs through, in order.
        start, end: cells at its ends.
    """

    delay_ns: float
    stages: tuple[str, ...]
    start: str
    end: str

    def __str__(self) -> str:
        where = " -> ".join(self.stages)
        return f"{self.delay_ns:.1f} ns in {where} (from {self.start} to {self.end})"


@dataclass(frozen=True)
class SeedResult:
    """What one seed came to.

    Attributes:
        seed: the seed.
        routed: whether nextpnr finished.
        fmax_mhz: clock it reaches by nextpnr's estimate, 0 if it did not finish; infinite without registers.
        meets_timing: every clock meets its constraint.
        used, available: cells by resource (lut, ff, dsp, ebr, spram), those that the report names.
        critical_path: the longest path of the slowest clock, None without registers.
        overflow: (resource, used, available) that there are too few of, if nextpnr failed at that.
        error: why it did not finish, "" if it did.
        config, log: product and log.
    """

    seed: int
    routed: bool
    config: Path
    log: Path
    fmax_mhz: float = 0.0
    meets_timing: bool = False
    used: Mapping[str, int] = field(default_factory=dict)
    available: Mapping[str, int] = field(default_factory=dict)
    critical_path: CriticalPath | None = None
    overflow: tuple[str, int, int] | None = None
    error: str = ""


@dataclass(frozen=True)
class Placement:
    """All seeds, and the one to use: the first that meets the clock, else the fastest."""

    clock_mhz: float
    seeds: tuple[SeedResult, ...]

    @property
    def best(self) -> SeedResult:
        """The seed to use."""
        meeting = [result for result in self.seeds if result.meets_timing]
        return meeting[0] if meeting else max(self.seeds, key=lambda result: (result.routed, result.fmax_mhz))


def _critical_path(report: Mapping[str, Any], clock: str, top: str) -> CriticalPath | None:
    for path in report["critical_paths"]:
        if not path["from"].endswith(clock) or not path["to"].endswith(clock):
            continue
        cells = [arc[end]["cell"] for arc in path["path"] for end in ("from", "to")]
        stages: list[str] = []
        for stage in (stage_of(cell, top) for cell in cells):
            if not stages or stages[-1] != stage:
                stages.append(stage)
        delay_ns = sum(arc["delay"] for arc in path["path"])
        return CriticalPath(delay_ns, tuple(stages), cells[0], cells[-1])
    return None


def parse_report(
    report: Mapping[str, Any], top: str = "top"
) -> tuple[float, bool, dict[str, int], dict[str, int], CriticalPath | None]:
    """(Fmax in MHz, meets timing, used, available, critical path) of nextpnr's JSON report.

    With several clocks: those of the one that misses by most.
    """
    used, available = {}, {}
    for cell, counts in report["utilization"].items():
        if cell in _RESOURCES:
            used[_RESOURCES[cell]], available[_RESOURCES[cell]] = counts["used"], counts["available"]
    clocks = report["fmax"]
    if not clocks:
        return float("inf"), True, used, available, None
    slowest = min(clocks, key=lambda clock: clocks[clock]["achieved"] / clocks[clock]["constraint"])
    meets = all(clock["achieved"] >= clock["constraint"] for clock in clocks.values())
    return clocks[slowest]["achieved"], meets, used, available, _critical_path(report, slowest, top)


def overflow(log: str) -> tuple[str, int, int] | None:
    """(resource, used, available) of the first cell the log counts more of than there are."""
    for line in log.splitlines():
        name, separator, rest = line.removeprefix("Info:").strip().partition(":")
        numbers = rest.replace("%", "").replace("/", " ").split()
        if separator and len(numbers) == 3 and all(number.isdigit() for number in numbers):
            used, available = int(numbers[0]), int(numbers[1])
            if used > available:
                return _RESOURCES.get(name, name), used, available
    return None


def _run_seed(
    tool: tools.Tool,
    build: Path,
    common: Sequence[str],
    product: tuple[str, str],
    seed: int,
    top: str,
    timeout_s: float,
) -> SeedResult:
    option, suffix = product
    config, report = build / f"seed{seed}{suffix}", build / f"seed{seed}.report.json"
    log = build / f"nextpnr-seed{seed}.log"
    for old in (config, report):
        old.unlink(missing_ok=True)
    arguments = [*common, option, config.name, "--report", report.name, "--seed", str(seed)]
    status = tools.run(tool, arguments, build, log, timeout_s)
    if status != 0 or not config.exists():
        text = log.read_text(encoding="utf-8", errors="replace")
        return SeedResult(seed, False, config, log, overflow=overflow(text), error=tools.last_line(log))
    parsed = parse_report(json.loads(report.read_text(encoding="utf-8")), top)
    fmax, meets, used, available, path = parsed
    return SeedResult(seed, True, config, log, fmax, meets, used, available, path)


def place_and_route(
    netlist: Path,
    site: Site,
    constraints: Path | None,
    clock_mhz: float,
    seeds: Sequence[int] = (1,),
    jobs: int = 1,
    *,
    top: str = "top",
    options: Sequence[str] = (),
    timeout_s: float = 3600,
    progress: tools.Progress = tools.quiet,
) -> Placement:
    """Place and route ``netlist``, up to ``jobs`` seeds at a time.

    Batches of ``jobs`` seeds are tried until one meets the clock. Products lie beside the netlist.

    Args:
        netlist: what :func:`synthesize` made.
        site: device, package and speed grade.
        constraints: ``.pcf`` or ``.lpf`` file, None to leave all pins to nextpnr.
        clock_mhz: clock that every path has to meet where the constraints say nothing else.
        seeds: seeds to try, in this order.
        jobs: processes at a time.
        top: name of the top module.
        options: further arguments of nextpnr.
        timeout_s: seconds one seed may take.
        progress: told what goes on.

    Raises:
        ToolError: GW5030 without nextpnr, GW5031 when it is killed. That nextpnr fails is a result, not an error.
    """
    family = site.device.family
    build = netlist.parent
    tool = tools.find(f"nextpnr-{family}")
    tools.warm_up(tool, progress)
    file_option, *product = _OPTIONS[family]
    common = [*site.nextpnr, *options, "--json", netlist.name, "--top", top, "--freq", f"{clock_mhz:g}"]
    common += ["--timing-allow-fail", f"{file_option}-allow-unconstrained"]
    if constraints is not None:
        common += [file_option, os.path.relpath(constraints, build)]
    results: list[SeedResult] = []
    batch = max(1, jobs)
    for start in range(0, len(seeds), batch):
        chosen = seeds[start : start + batch]
        progress(f"place and route, seed {', '.join(map(str, chosen))}")
        with ThreadPoolExecutor(batch) as pool:
            pending = [
                pool.submit(_run_seed, tool, build, common, (product[0], product[1]), seed, top, timeout_s)
                for seed in chosen
            ]
            results += [each.result() for each in pending]
        if any(result.meets_timing or result.overflow for result in results):
            break
    return Placement(clock_mhz, tuple(results))
