"""FPGA folding: which strategy and reuse factor every layer of an hls4ml design gets, and what that costs."""
