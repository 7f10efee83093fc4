"""Synthesis with Yosys: Verilog to a netlist of the device's cells, and what every stage of the network became.

Names: the hierarchy is flattened, a cell is called after the instance it came from (``network.stage.adder...``); what
Yosys invents is named after the wires around it (``autoname``), so that stages stay visible down to the timing report.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewright.compiler.errors import ToolError
from gatewright.hls.lattice.database import Device, ResourceCounts
from gatewright.hls.lattice.toolchain import tools
from gatewright.hls.lattice.toolchain.output_registers import absorb_output_registers

__all__ = ["Synthesis", "count_cells", "script", "stage_of", "synthesize"]

# By experiment: without PFU muxes an ECP5 design takes a third less logic and is as fast.
_OPTIONS = {"ice40": "-dsp", "ecp5": "-nowidelut", "nexus": "-nowidelut"}
_KINDS = {
    "SB_LUT4": {"lut": 1},
    "SB_MAC16": {"dsp": 1},
    "SB_RAM40_4K": {"ebr": 1},
    "SB_SPRAM256KA": {"spram": 1},
    "LUT4": {"lut": 1},
    "CCU2C": {"lut": 2},
    "TRELLIS_FF": {"ff": 1},
    "TRELLIS_DPR16X4": {"lut": 4},
    "MULT18X18D": {"dsp": 1},
    "DP16KD": {"ebr": 1},
    "PDPW16KD": {"ebr": 1},
    "CCU2": {"lut": 2},
    "DPR16X4": {"lut": 4},
    "DP16K": {"ebr": 1},
    "PDP16K": {"ebr": 1},
    "PDPSC16K": {"ebr": 1},
    "SP512K": {"spram": 1},
    "DPSC512K": {"spram": 1},
    # In multipliers of 18 bits, of which two make one of 36.
    "MULT9X9": {"dsp": 1},
    "MULT18X18": {"dsp": 1},
    "MULT18X36": {"dsp": 2},
    "MULT36X36": {"dsp": 4},
    "MULTPREADD9X9": {"dsp": 1},
    "MULTPREADD18X18": {"dsp": 1},
}
_FLIP_FLOPS = ("SB_DFF", "FD1P3")


@dataclass(frozen=True)
class Synthesis:
    """What Yosys made.

    Attributes:
        netlist: the JSON file for nextpnr.
        cells: resources of the whole design.
        stages: the same by stage.
    """

    netlist: Path
    cells: ResourceCounts
    stages: Mapping[str, ResourceCounts]


def stage_of(cell: str, top: str = "top") -> str:
    """The stage a cell belongs to.

    The instance right below the module ``network``, be that the top or an instance in it; "network" for what lies in
    the network and in no stage, "board" for what lies around it.
    """
    parts = cell.split(".")
    if top != "network":
        if parts[0] != "network" or len(parts) < 2:
            return "board"
        parts = parts[1:]
    return parts[0] if len(parts) > 1 else "network"


def _kind(kind: str) -> Mapping[str, int]:
    if kind.startswith(_FLIP_FLOPS):
        return {"ff": 1}
    return _KINDS.get(kind, {})


def count_cells(netlist: Mapping[str, Any], top: str) -> tuple[ResourceCounts, dict[str, ResourceCounts]]:
    """Resources of the design and of each stage, from a netlist in the JSON of Yosys."""
    names = tuple(ResourceCounts.model_fields)
    counted: dict[str, dict[str, int]] = {}
    for name, cell in netlist["modules"][top]["cells"].items():
        for resource, count in _kind(cell["type"]).items():
            stage = counted.setdefault(stage_of(name, top), dict.fromkeys(names, 0))
            stage[resource] += count
    stages = {stage: ResourceCounts(**counts) for stage, counts in sorted(counted.items())}
    total = {name: sum(getattr(counts, name) for counts in stages.values()) for name in names}
    return ResourceCounts(**total), stages


def script(sources: Sequence[str], top: str, device: Device, netlist: str, options: str | None = None) -> str:
    """The Yosys script of a synthesis."""
    chosen = _OPTIONS[device.family] if options is None else options
    if device.dsp is None and options is None:
        chosen = chosen.replace("-dsp", "").strip()
    return "\n".join(
        [
            *(f"read_verilog -defer {source}" for source in sources),
            f"synth_{device.family} -top {top} {chosen}".rstrip(),
            f"write_json {netlist}",
            "",
        ]
    )


def synthesize(
    rtl_dir: Path,
    sources: Sequence[str],
    top: str,
    device: Device,
    build: Path | None = None,
    *,
    options: str | None = None,
    timeout_s: float = 3600,
    progress: tools.Progress = tools.quiet,
) -> Synthesis:
    """Synthesize ``sources`` in ``rtl_dir``.

    Args:
        rtl_dir: folder of the Verilog files and of the memory contents they read.
        sources: Verilog files in it.
        top: name of the top module.
        device: device to synthesize for.
        build: folder of the products ``netlist.json`` and ``yosys.log``; ``rtl_dir/../build`` if None.
        options: arguments of ``synth_*`` instead of the ones found best.
        timeout_s: seconds Yosys may take.
        progress: told what goes on.

    Raises:
        ToolError: GW5030 without Yosys, GW5031 when it is killed, GW5032 when it fails.
    """
    rtl_dir = rtl_dir.resolve()
    build = (rtl_dir.parent / "build" if build is None else build).resolve()
    build.mkdir(parents=True, exist_ok=True)
    netlist, log, commands = build / "netlist.json", build / "yosys.log", build / "synthesis.ys"
    relative = os.path.relpath(build, rtl_dir)
    commands.write_text(script(sources, top, device, f"{relative}/netlist.json", options), encoding="utf-8")
    netlist.unlink(missing_ok=True)
    tool = tools.yosys()
    tools.warm_up(tool, progress)
    progress(f"synthesis for {device.name}")
    status = tools.run(tool, [f"{relative}/synthesis.ys"], rtl_dir, log, timeout_s)
    if status != 0 or not netlist.exists():
        raise ToolError("GW5032", "yosys", f"synthesis failed: {tools.last_line(log)}", f"read {log.name}")
    with netlist.open(encoding="utf-8") as text:
        found = json.load(text)
    if device.family == "ecp5" and absorb_output_registers(found, top):
        with netlist.open("w", encoding="utf-8") as text:
            json.dump(found, text, separators=(",", ":"))
    cells, stages = count_cells(found, top)
    return Synthesis(netlist, cells, stages)
