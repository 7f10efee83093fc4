"""The systolic array by itself on an ECP5: what its cells cost and how fast they are, without memories and control."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gatewright.hls.accelerator.verilog import ARRAY, check_covered, copy_library
from gatewright.hls.lattice.board import BoardDesign
from gatewright.hls.lattice.database import Site
from gatewright.hls.lattice.toolchain import tools
from gatewright.hls.lattice.toolchain.build import Bitstream, build_board
from gatewright.schedules.accelerator.spec import Spec

__all__ = ["build_array_bitstream", "write_array"]


def write_array(spec: Spec, directory: Path, site: Site, clock_mhz: float) -> BoardDesign:
    """Write ``rtl/`` with module ``top``: the array between a shift register and the parity of its sums.

    Three pins suffice, and nothing of the array can be optimized away.

    Raises:
        UsageError: GW4310 when the RTL does not cover the spec.
    """
    check_covered(spec)
    rtl = directory / "rtl"
    rtl.mkdir(parents=True, exist_ok=True)
    sources = copy_library(ARRAY, rtl)
    (rtl / "top.v").write_text(_top(spec), encoding="utf-8")
    return BoardDesign(site.name, (*sources, "top.v"), "", clock_mhz, 0, "")


def _top(spec: Spec) -> str:
    rows, columns = spec.matrix.rows, spec.matrix.columns
    pixel, weights = 9 * rows, 9 * columns
    width = 1 + pixel + rows + weights
    at = [1, 1 + pixel, 1 + pixel + rows, width]
    return f"""// The array of {spec.name}: inputs shifted in bit by bit, outputs as one parity. Made by gatewright.
module top (
    input  wire clk,
    input  wire data_in,
    output reg  parity
);
    reg [{width - 1}:0] operands;
    always @(posedge clk) operands <= {{operands[{width - 2}:0], data_in}};

    wire [{32 * columns - 1}:0] sums;
    gw_systolic_array #(.ROWS({rows}), .COLUMNS({columns})) network (
        .clk(clk), .swap(operands[0]),
        .pixel(operands[{at[1] - 1}:{at[0]}]),
        .weight_row(operands[{at[2] - 1}:{at[1]}]),
        .weights(operands[{at[3] - 1}:{at[2]}]),
        .sums(sums)
    );

    reg [{32 * columns - 1}:0] caught;
    always @(posedge clk) begin
        caught <= sums;
        parity <= ^caught;
    end
endmodule
"""


def build_array_bitstream(
    spec: Spec, directory: Path, site: Site, clock_mhz: float, seeds: Sequence[int] = (1,),
    progress: tools.Progress = tools.quiet,
) -> Bitstream:  # fmt: skip
    """Bitstream of :func:`write_array`; its report says area, clock and critical path.

    Raises:
        as :func:`write_array` and :func:`gatewright.hls.lattice.toolchain.build.build_board`.
    """
    made = write_array(spec, directory, site, clock_mhz)
    return build_board(made, directory, site, seeds, progress=progress)
