"""Passes over Relax, one a file; :func:`gatewright.compiler.passes.pipeline.simplify` runs them checked."""
