"""Spec -> Verilog: parameters of ``gw_accelerator``, the instruction header, the library modules, ``design.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from gatewright.compiler.errors import UsageError
from gatewright.hls.accelerator.isa_header import isa_header
from gatewright.schedules.accelerator.isa.fields import WORDS
from gatewright.schedules.accelerator.spec import Scratchpad, Spec

__all__ = ["ARRAY", "LIBRARY", "TOP", "check_covered", "copy_library", "parameters", "write_accelerator"]

TOP = "accelerator"
"""Name of the generated module."""

LIBRARY = (
    "gw_memory", "gw_fifo", "gw_delay", "gw_credit", "gw_ccu2c_multiplier",
    "accelerator/gw_loops", "accelerator/gw_loop_address", "accelerator/gw_scratchpad", "accelerator/gw_issue",
    "accelerator/gw_fetch", "accelerator/gw_pe", "accelerator/gw_systolic_array", "accelerator/gw_accumulators",
    "accelerator/gw_matrix_unit", "accelerator/gw_vector_lane", "accelerator/gw_vector_unit",
    "accelerator/gw_load_unit", "accelerator/gw_store_unit", "accelerator/gw_accelerator",
)  # fmt: skip
"""Library modules of an accelerator, below ``hls/rtl``."""
ARRAY = ("gw_delay", "gw_ccu2c_multiplier", "accelerator/gw_pe", "accelerator/gw_systolic_array")
"""Those of the array alone."""

_SIDES = (4, 8, 16)
_TIMING = {
    "matrix.start_cycles": 9, "vector.start_cycles": 16, "vector.block_cycles": 9, "dma.start_cycles": 4,
    "dma.burst_gap_cycles": 0, "dma.channels": 2, "control.issue_cycles": 1, "control.refill_cycles": 2,
    "control.halt_cycles": 1,
}  # fmt: skip
"""What the modules take (README.md, timing contract)."""
_DATA_PORTS = ("fetch", "read", "write")


def check_covered(spec: Spec) -> None:
    """See whether the RTL is what ``spec`` describes.

    Raises:
        UsageError: GW4310 naming the first thing that the RTL does otherwise.
    """
    side = spec.matrix.columns
    wanted: dict[str, object] = {
        "matrix.dataflow": "ws", "matrix.shadow_weights": True, "matrix.rows": side, "matrix.cycles": "",
        "vector.lanes": side, "vector.cycles": type(spec.vector).model_fields["cycles"].default,
        "dma.bytes_per_cycle": side, "dma.granularity_bytes": side,
        "control.fetch_cycles": 4 * WORDS // side, "control.first_cycles": spec.dma.latency_cycles + 1,
        "control.shared_compute": False, **_TIMING,
    }  # fmt: skip
    if spec.dma.latency_cycles < 1:
        raise _uncovered(spec, "dma.latency_cycles", 0, "at least 1")
    if side not in _SIDES:
        raise _uncovered(spec, "matrix.columns", side, f"one of {', '.join(map(str, _SIDES))}")
    for key, value in wanted.items():
        section, name = key.split(".")
        there = getattr(getattr(spec, section), name)
        if there != value:
            raise _uncovered(spec, key, there, repr(value))
    for name, pad in spec.scratchpads:
        if pad.ports != "1r1w":
            raise _uncovered(spec, f"scratchpads.{name}.ports", pad.ports, "'1r1w'")
        words = pad.bank_bytes // (4 * side if name == "accumulator" else side)
        if pad.banks & (pad.banks - 1) or words & (words - 1) or words < 2:
            raise _uncovered(spec, f"scratchpads.{name}", f"{pad.banks} banks of {pad.bank_bytes} bytes",
                             "powers of two")  # fmt: skip


def _uncovered(spec: Spec, key: str, there: object, wanted: str) -> UsageError:
    return UsageError(
        "GW4310", spec.name, f"the RTL is not made for {key} = {there!r}; it wants {wanted}",
        "start from systolic-8x8-ws", "simulate this spec without RTL",
    )  # fmt: skip


def parameters(spec: Spec) -> Mapping[str, int]:
    """Parameters of ``gw_accelerator``."""
    side = spec.matrix.columns
    found = {"SIDE": side, "LOG_SIDE": _log2(side)}
    for name, pad in spec.scratchpads:
        found |= _scratchpad(name.upper(), pad, 4 * side if name == "accumulator" else side)
    found["LOCAL_ADDRESS"] = max(found[f"{name}_ADDRESS"] for name in ("ACTIVATION", "WEIGHT", "CONSTANT"))
    queue = spec.control.queue_depth
    # Words are read ahead for the memory's latency, the FIFO and the credit's way back, and one instruction.
    ahead = 1 << (spec.dma.latency_cycles + 6 - 1).bit_length()
    found |= {"QUEUE_DEPTH": queue, "LOG_QUEUE": max(1, (queue - 1).bit_length())}
    return found | {"FETCH_DEPTH": ahead, "LOG_FETCH": _log2(ahead)}


def _log2(value: int) -> int:
    return value.bit_length() - 1


def _scratchpad(name: str, pad: Scratchpad, word_bytes: int) -> dict[str, int]:
    bank = _log2(pad.bank_bytes // word_bytes)
    return {f"{name}_BANKS": pad.banks, f"{name}_BANK": bank, f"{name}_ADDRESS": bank + _log2(pad.banks)}


def _top(spec: Spec) -> str:
    """Module ``accelerator``: ``gw_accelerator`` with the numbers of the spec."""
    high = 8 * spec.matrix.columns - 1
    ports = ["input  wire clk", "input  wire rst"]
    for port in _DATA_PORTS:
        way = "output wire" if port == "write" else "input  wire"
        ports += [
            f"output wire {port}_valid", f"input  wire {port}_ready", f"output wire [31:0] {port}_address",
            f"input  wire {port}_response", f"{way} [{high}:0] {port}_data",
        ]  # fmt: skip
    ports += [f"output wire {name}" for name in ("halted", "fault", "[3:0] hand_out", "[3:0] start", "[3:0] done")]
    names = [port.split()[-1] for port in ports]
    given = ",\n".join(f"        .{key}({value})" for key, value in parameters(spec).items())
    return "\n".join(
        [
            f"// {spec.name}: generated by gatewright.",
            f"module {TOP} (",
            ",\n".join(f"    {port}" for port in ports),
            ");",
            "    gw_accelerator #(",
            given,
            "    ) accelerator (",
            ",\n".join(f"        .{name}({name})" for name in names),
            "    );",
            "endmodule",
            "",
        ]
    )


def copy_library(modules: Sequence[str], directory: Path) -> tuple[str, ...]:
    """Copy library modules, named below ``hls/rtl``, into ``directory``; returns the files' names."""
    names = []
    for module in modules:
        source = files("gatewright.hls").joinpath("rtl", *f"{module}.v".split("/"))
        names.append(f"{module.rpartition('/')[2]}.v")
        (directory / names[-1]).write_text(source.read_text("utf-8"), encoding="utf-8")
    return tuple(names)


def write_accelerator(spec: Spec, directory: Path) -> tuple[str, ...]:
    """Write ``rtl/`` and ``design.json`` of an accelerator.

    Args:
        spec: what is built.
        directory: an existing folder.

    Returns:
        The Verilog files in ``rtl/``, the top module ``accelerator`` in the last one.

    Raises:
        UsageError: GW4310 when the RTL does not cover the spec.
    """
    check_covered(spec)
    rtl = directory / "rtl"
    rtl.mkdir(exist_ok=True)
    sources = list(copy_library(LIBRARY, rtl))
    (rtl / "gw_isa.vh").write_text(isa_header(), encoding="utf-8")
    sources.append(f"{TOP}.v")
    (rtl / sources[-1]).write_text(_top(spec), encoding="utf-8")
    data = {"schema_version": 1, "name": spec.name, "sources": sources, "top": TOP, "parameters": parameters(spec)}
    (directory / "design.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return tuple(sources)
