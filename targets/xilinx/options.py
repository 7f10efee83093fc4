"""Options of the xilinx family, as ``--set xilinx.KEY=VALUE`` gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gatewright.targets.settings import parse_options

__all__ = ["XilinxOptions", "parse"]

_Reuse = Annotated[int, Field(ge=1, strict=True)]
_Strategy = Literal["latency", "resource", "serial"]


def _no_namespace(name: str) -> str:
    """The top function must not bear the name of a namespace or function of the generated code."""
    if name in ("gatewright", "hls", "main", "nnet", "std"):
        raise ValueError("the generated code uses this name")
    return name


class XilinxOptions(BaseModel):
    """What a user may set.

    Attributes:
        backend: hls4ml back end; ``vitis`` unless VivadoAccelerator is asked for (it knows few boards).
        io_type: ``io_stream`` or ``io_parallel``; ``auto``: streams for images, arrays for plain vectors.
        strategy: of every product, or by layer name; absent: chosen. ``latency`` and ``resource`` are hls4ml's,
            unrolled and folded; ``serial`` convolutions are gatewright's, folded, with rows, windows and weights in
            memories (streams only; depthwise and 1x1 convolutions in streams have no other folded form).
        reuse_factor: of every product (the closest hls4ml accepts), or by layer name (exactly); absent: chosen.
        clock_mhz: target clock; absent: the board's or device's.
        utilisation: share of every resource the design may take; ``auto``: 0.8, and where nothing fits that, the
            least share something fits into, with a warning.
        csim: compile the C simulation with g++: ``auto`` only warns where g++ is missing.
        synth: run the vendor's tools in the built project and measure.
        vsynth: with synth, logic synthesis too.
        synth_timeout_s: seconds the vendor's tools may take.
        project_name: name of the top function.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: Literal["vitis", "vivado", "vivado_accelerator"] = "vitis"
    io_type: Literal["auto", "io_stream", "io_parallel"] = "auto"
    strategy: _Strategy | dict[str, _Strategy] | None = None
    reuse_factor: _Reuse | dict[str, _Reuse] | None = None
    clock_mhz: Annotated[float, Field(gt=0, le=1000)] | None = None
    utilisation: Annotated[float, Field(gt=0, le=1)] | Literal["auto"] = "auto"
    csim: bool | Literal["auto"] = "auto"
    synth: bool = False
    vsynth: bool = False
    synth_timeout_s: Annotated[float, Field(gt=0)] = 4 * 3600.0
    project_name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$"), AfterValidator(_no_namespace)] = "network"

    def strategy_of(self, layer: str) -> _Strategy | None:
        """The strategy set for ``layer``, or None."""
        return self.strategy.get(layer) if isinstance(self.strategy, dict) else self.strategy

    def reuse_factor_of(self, layer: str) -> int | None:
        """The reuse factor set for ``layer`` by name, or None."""
        return self.reuse_factor.get(layer) if isinstance(self.reuse_factor, dict) else None


def parse(options: Mapping[str, Any]) -> XilinxOptions:
    """Options from plain data.

    Raises:
        UsageError: GW0402 on an unknown option or a value it does not take.
    """

    def default(name: str) -> str:
        return f"the default is {XilinxOptions.model_fields[name].default!r}"

    return parse_options(XilinxOptions, options, "xilinx", "GW0402", default)
