"""Xilinx FPGAs through hls4ml: Vitis HLS, Vivado HLS and VivadoAccelerator projects with a C simulation.

Tools: g++ for the C simulation; AMD Vitis (``vitis-run`` or ``vitis_hls``) or Vivado HLS (``vivado_hls``) for
high-level synthesis, ``vivado`` for logic synthesis. None of them is needed to plan, estimate or write a project.
"""

from __future__ import annotations

from gatewright.targets.xilinx.target import XilinxTarget

__all__ = ["XilinxTarget"]
