"""A network as Verilog: one module a stage, made of the library's modules, and the top module that wires them."""

from gatewright.hls.lattice.verilog.network import write_network
from gatewright.hls.lattice.verilog.sources import Sources

__all__ = ["Sources", "write_network"]
