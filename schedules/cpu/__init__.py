"""What makes the CPU target fast: schedules of TIR kernels."""
