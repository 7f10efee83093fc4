"""NumPy kernels shared by the float interpreter and the integer semantics."""
