"""The lattice family: streaming designs in Verilog, built to bitstreams with open tools alone."""

from gatewright.targets.lattice.target import LatticeTarget

__all__ = ["LatticeTarget"]
