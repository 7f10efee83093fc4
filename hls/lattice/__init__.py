"""Lattice FPGAs through Verilog and open tools: lowering, writer, simulation, place and route, boards."""
