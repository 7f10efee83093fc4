"""Accelerators as hardware: Verilog of a spec, its simulation, an ECP5 bitstream, a standard-cell map."""
