"""The functional executor: what the instructions do, byte for byte."""
