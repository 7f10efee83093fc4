"""From a design folder to a bitstream: top, synthesis, place and route, packing, and what came out of it."""

from __future__ import annotations

import gzip
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gatewright.compiler.errors import ConstraintError, TargetError, ToolError
from gatewright.hls.lattice.board import Arrays, BoardDesign, write_top
from gatewright.hls.lattice.database import ResourceCounts, Site
from gatewright.hls.lattice.toolchain import tools
from gatewright.hls.lattice.toolchain.pack import pack
from gatewright.hls.lattice.toolchain.place import Placement, SeedResult, place_and_route
from gatewright.hls.lattice.toolchain.synthesis import Synthesis, synthesize

__all__ = ["Bitstream", "build_bitstream", "build_board", "check_fits"]

_RESOURCE_NAMES = {
    "lut": "LUTs",
    "ff": "flip-flops",
    "dsp": "multipliers",
    "ebr": "block memories (EBR)",
    "spram": "large memories (SPRAM)",
}
_FOLD = "choose more folding or a larger device"


@dataclass(frozen=True)
class Bitstream:
    """What a build came to; also in ``build/report.json``."""

    path: Path
    board: BoardDesign
    synthesis: Synthesis
    placement: Placement

    @property
    def best(self) -> SeedResult:
        """The seed the bitstream was made of."""
        return self.placement.best


def _check_supported(site: Site) -> None:
    if not site.device.bitstream:
        raise TargetError(
            "GW4212", site.name, f"no bitstream: {site.device.why_no_bitstream}", "choose an ECP5 or iCE40 device"
        )


def check_fits(cells: ResourceCounts, site: Site) -> None:
    """Refuse what cannot fit before nextpnr tries.

    Raises:
        ConstraintError: GW4211 naming every resource there is too little of.
    """
    available = site.device.resources
    over = []
    for name, title in _RESOURCE_NAMES.items():
        used, limit = getattr(cells, name), getattr(available, name)
        if used > limit:
            over.append(f"{used} {title} of {limit}")
    if over:
        raise _does_not_fit(site, " and ".join(over))


def _does_not_fit(site: Site, what: str) -> ConstraintError:
    return ConstraintError("GW4211", site.name, f"the design needs {what}", _FOLD)


def _check(placement: Placement, site: Site) -> None:
    best = placement.best
    if not best.routed:
        if best.overflow is not None:
            resource, used, available = best.overflow
            raise _does_not_fit(site, f"{used} {_RESOURCE_NAMES.get(resource, resource)} of {available}")
        raise ToolError(
            "GW5032", f"nextpnr-{site.device.family}", f"place and route failed: {best.error}",
            f"read {best.log.name}", "try other seeds",
        )  # fmt: skip
    if not best.meets_timing:
        tried = ", ".join(f"{result.fmax_mhz:.1f}" for result in placement.seeds)
        raise ConstraintError(
            "GW4210", site.name,
            f"the clock of {placement.clock_mhz:g} MHz is missed: {tried} MHz with {len(placement.seeds)} "
            f"seed{'s' if len(placement.seeds) > 1 else ''}; the longest path is {best.critical_path}",
            f"choose a clock of {math.floor(best.fmax_mhz)} MHz", "try more seeds",
        )  # fmt: skip


def _report(made: BoardDesign, site: Site, synthesis: Synthesis, placement: Placement) -> dict[str, Any]:
    def seed(result: SeedResult) -> dict[str, Any]:
        fmax = result.fmax_mhz if math.isfinite(result.fmax_mhz) else None
        path = asdict(result.critical_path) if result.critical_path is not None else None
        return {
            "seed": result.seed, "routed": result.routed, "fmax_mhz": fmax, "meets_timing": result.meets_timing,
            "used": dict(result.used), "available": dict(result.available), "critical_path": path,
            "error": result.error,
        }  # fmt: skip

    return {
        "schema_version": 1,
        "site": site.name,
        "device": site.device.name,
        "package": site.package,
        "speed": site.speed,
        "clock_mhz": made.clock_mhz,
        "tools": tools.versions(),
        "synthesis": synthesis.cells.model_dump(),
        "stages": {stage: counts.model_dump() for stage, counts in synthesis.stages.items()},
        "seed": placement.best.seed,
        "seeds": [seed(result) for result in placement.seeds],
    }


def _keep_small(synthesis: Synthesis, placement: Placement) -> Synthesis:
    """Compress the netlist; of the seeds keep the logs. Returns the synthesis with the compressed netlist."""
    packed = synthesis.netlist.with_suffix(".json.gz")
    # No time stamp and no name: the bytes depend on the netlist alone.
    with (
        synthesis.netlist.open("rb") as text,
        packed.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as out,
    ):
        shutil.copyfileobj(text, out)
    synthesis.netlist.unlink()
    for result in placement.seeds:
        result.config.unlink(missing_ok=True)
        result.config.with_name(f"seed{result.seed}.report.json").unlink(missing_ok=True)
    return replace(synthesis, netlist=packed)


def build_bitstream(
    design_dir: Path,
    site: Site,
    clock_mhz: float | None = None,
    seeds: Sequence[int] = (1,),
    jobs: int = 1,
    progress: tools.Progress = tools.quiet,
    *,
    baud: int | None = None,
    self_test: tuple[Arrays, Arrays] | None = None,
    timeout_s: float = 3600,
) -> Bitstream:
    """Make ``build/network.bin`` or ``build/network.bit`` of a design folder.

    Args:
        design_dir: folder with ``design.json`` and ``rtl/``.
        site: board or device.
        clock_mhz: clock to be met, the site's if None.
        seeds: seeds of nextpnr, tried until one meets the clock.
        jobs: seeds at a time.
        progress: told what goes on.
        baud: baud rate of the link, the board's if None.
        self_test: (inputs, expected outputs): a self test instead of the link.
        timeout_s: seconds one tool may take.

    Returns:
        What was made. ``build/`` also holds ``report.json``, ``netlist.json.gz`` and a log of every tool.

    Raises:
        TargetError: GW4212 for a device the open tools make no bitstream for.
        ConstraintError: GW4210 when the clock is missed, GW4211 when the device is too small.
        ToolError: GW5030 when a tool is missing, GW5031 when it is killed, GW5032 when it fails.
        UsageError: GW0405 or GW0406 when the clock or the baud rate cannot be made.
    """
    _check_supported(site)
    made = write_top(design_dir, site, clock_mhz, baud=baud, self_test=self_test)
    return build_board(made, design_dir, site, seeds, jobs, progress, timeout_s=timeout_s)


def build_board(
    made: BoardDesign,
    design_dir: Path,
    site: Site,
    seeds: Sequence[int] = (1,),
    jobs: int = 1,
    progress: tools.Progress = tools.quiet,
    *,
    options: Sequence[str] = (),
    timeout_s: float = 3600,
) -> Bitstream:
    """The same, of a module ``top`` in ``design_dir/rtl`` that was written before, whatever is in it.

    Args:
        made: its files, constraints and clock.
        design_dir: folder with ``rtl/``.
        site: board or device.
        seeds: seeds of nextpnr, tried until one meets the clock.
        jobs: seeds at a time.
        progress: told what goes on.
        options: further arguments of nextpnr.
        timeout_s: seconds one tool may take.

    Raises:
        as :func:`build_bitstream`.
    """
    _check_supported(site)
    rtl, build = (design_dir / "rtl").resolve(), (design_dir / "build").resolve()
    synthesis = synthesize(rtl, made.sources, "top", site.device, build, timeout_s=timeout_s, progress=progress)
    check_fits(synthesis.cells, site)
    constraints = rtl / made.constraints if made.constraints else None
    placement = place_and_route(
        synthesis.netlist, site, constraints, made.clock_mhz, seeds, jobs,
        options=options, timeout_s=timeout_s, progress=progress,
    )  # fmt: skip
    report = json.dumps(_report(made, site, synthesis, placement), indent=1) + "\n"
    (build / "report.json").write_text(report, encoding="utf-8")
    _check(placement, site)
    path = pack(placement.best.config, site, progress=progress)
    return Bitstream(path, made, _keep_small(synthesis, placement), placement)
