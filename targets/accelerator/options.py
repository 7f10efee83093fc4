"""Options of the sim family, as ``--set sim.KEY=VALUE`` gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from gatewright.targets.settings import parse_options

__all__ = ["AcceleratorOptions", "parse"]


class AcceleratorOptions(BaseModel):
    """What a user may set.

    Attributes:
        candidates: tilings of a layer that are simulated, best bound first.
        search_seconds: seconds the search may take for one layer; one that is cut short may differ from run to run.
        rtl: write the accelerator's Verilog, build its simulation, run one inference in it, compare bytes and cycles.
        board: an ECP5 board or device to build a bitstream of the accelerator for, e.g. ulx3s-85f; the network's data
            and program lie in block memory, which a host fills over the serial line. 8x8 takes some 20 minutes.
        liberty: a liberty file; the array is mapped to its cells, and cells and area are reported.
        seeds: seeds of place and route that are tried; the first that meets the clock wins.
        timeout_s: seconds one tool may take.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidates: Annotated[int, Field(ge=1, le=1_000_000)] = 6
    search_seconds: Annotated[float, Field(gt=0)] = 60.0
    rtl: bool = False
    board: str = ""
    liberty: str = ""
    seeds: Annotated[int, Field(ge=1, le=64)] = 3
    timeout_s: Annotated[float, Field(gt=0)] = 4 * 3600.0


def parse(options: Mapping[str, Any]) -> AcceleratorOptions:
    """Options from plain data.

    Raises:
        UsageError: GW0409 on an unknown option or a value it does not take.
    """
    return parse_options(AcceleratorOptions, options, "sim", "GW0409")
