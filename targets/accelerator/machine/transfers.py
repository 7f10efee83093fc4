"""LOAD, STORE and FILL."""

from __future__ import annotations

import numpy as np

from gatewright.compiler.errors import TargetError
from gatewright.schedules.accelerator.isa.encoding import Instruction
from gatewright.targets.accelerator.machine.memories import Bytes, Memories, window

__all__ = ["fill", "load", "store"]


def _local(memories: Memories, i: Instruction) -> Bytes:
    if i["space"] not in memories.scratchpads:
        raise TargetError("GW4306", i.mnemonic, f"transfers do not reach space {i['space']}",
                          "build the artefact again; the file is damaged")  # fmt: skip
    strides = (i["local_plane_stride"], i["local_row_stride"], 1)
    shape = (i["planes"], i["rows"], i["row_bytes"])
    return window(memories.scratchpads[i["space"]], i["local_address"], shape, strides, i.mnemonic).view(np.uint8)


def _dram(memories: Memories, i: Instruction) -> Bytes:
    strides = (i["dram_plane_stride"], i["dram_row_stride"], 1)
    shape = (i["planes"], i["rows"], i["row_bytes"])
    return window(memories.dram, i["dram_address"], shape, strides, i.mnemonic).view(np.uint8)


def load(memories: Memories, i: Instruction) -> None:
    """local[plane, row, byte] = dram[plane, row, byte]."""
    _local(memories, i)[...] = _dram(memories, i)


def store(memories: Memories, i: Instruction) -> None:
    """dram[plane, row, byte] = local[plane, row, byte]."""
    _dram(memories, i)[...] = _local(memories, i)


def fill(memories: Memories, i: Instruction) -> None:
    """local[plane, row, byte] = value."""
    _local(memories, i)[...] = i["value"]
