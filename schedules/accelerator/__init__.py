"""Simulated accelerators: the instruction set, tiling, memory plans, and timing."""
