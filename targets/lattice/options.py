"""Options of the lattice family, as ``--set lattice.KEY=VALUE`` gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewright.targets.settings import parse_options

__all__ = ["LatticeOptions", "parse"]

_Fold = Annotated[int, Field(ge=1, strict=True)]


class LatticeOptions(BaseModel):
    """What a user may set.

    Attributes:
        clock_mhz: the clock to meet; a build that misses it ends with exit code 4. The board's own by default.
        target_fps: inferences per second to reach with as little hardware as possible; without it: as many as fit.
        pe: results a layer computes at once, by layer name; the others are planned.
        simd: inputs a convolution or matrix product multiplies at once, by layer name.
        flash: layers whose weights the board's flash chip streams into the network, frame by frame; auto: some where
            block memory runs out, once into SPRAM where the device has it and it suffices; false: none.
        utilisation: share of the device's LUTs and flip-flops the plan may take; auto: 70 %, more where nothing fits.
        bitstream: run yosys and nextpnr; auto builds a bitstream where the open tools can.
        simulate: compile the RTL simulation; auto does, and warns where a compiler or Verilator is missing.
        self_test: build the self-test image instead of the serial link: it checks built-in vectors and lights LEDs.
        seeds: seeds of place and route that are tried; the first that meets the clock wins.
        jobs: seeds tried at a time.
        baud: baud rate of the serial link; the board's own by default.
        timeout_s: seconds one tool may take.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    clock_mhz: Annotated[float, Field(gt=0, le=400)] | None = None
    target_fps: Annotated[float, Field(gt=0)] | None = None
    pe: dict[str, _Fold] = Field(default_factory=dict)
    simd: dict[str, _Fold] = Field(default_factory=dict)
    flash: tuple[str, ...] | Literal["auto", False] = "auto"
    utilisation: Annotated[float, Field(gt=0, le=1)] | Literal["auto"] = "auto"
    bitstream: bool | Literal["auto"] = "auto"
    simulate: bool | Literal["auto"] = "auto"
    self_test: bool = False
    seeds: Annotated[int, Field(ge=1, le=64)] = 3
    jobs: Annotated[int, Field(ge=1, le=64)] = 1
    baud: Annotated[int, Field(ge=300)] | None = None
    timeout_s: Annotated[float, Field(gt=0)] = 4 * 3600.0


def parse(options: Mapping[str, Any]) -> LatticeOptions:
    """Options from plain data.

    Raises:
        UsageError: GW0407 on an unknown option or a value it does not take.
    """
    return parse_options(LatticeOptions, options, "lattice", "GW0407")
