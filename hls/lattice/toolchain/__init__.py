"""From the Verilog of a design to a bitstream: Yosys, nextpnr and the packers, each in a process of its own."""
