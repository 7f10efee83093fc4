"""Target ``cpu``: a native shared library made by TVM and LLVM.

Tools: a C++ compiler driver to link with (``CXX``, else g++, clang++ or c++).
Variants: ``cpu`` (runs on every machine of this architecture of the last 15 years), ``cpu:native`` (this machine's
processor), ``cpu:<mcpu>`` (any processor LLVM knows).
Products: ``model.so``, ``cpu.json`` (what the loader needs), ``relax.txt`` and ``tir.txt`` (the program before and
after TVM's lowering, to read).
"""

from gatewright.targets.cpu.target import CpuTarget

__all__ = ["CpuTarget"]
