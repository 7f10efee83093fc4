"""The hls4ml back end ``Lattice``: an hls4ml model as Verilog, its simulation, and a bitstream, with open tools only.

hls4ml finds :func:`register` through the entry point group ``hls4ml.backends`` while it is imported itself. Importing
this module costs nothing; hardware tools are looked for when they are used.

========================================  ==========================================================
module                                    what it does
========================================  ==========================================================
:mod:`...plugin.backend`                  ``LatticeBackend``: flows, configuration, predict, build
:mod:`...plugin.writer`                   ``LatticeWriter``: ModelGraph -> design folder
:mod:`...plugin.lowering`                 ModelGraph -> stages; every layer that cannot be placed
``linear, pooling, activation, ...``      the layers, a group a module
:mod:`...plugin.fixed`, ``casts``         hls4ml's types and casts as integers
:mod:`...plugin.products`                 stages -> folder, simulation, bitstream
========================================  ==========================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["register"]


def register(*, register_backend: Callable[[str, Any], None], register_writer: Callable[[str, Any], None]) -> None:
    """Make the back end known; hls4ml calls this.

    Args:
        register_backend: hls4ml's.
        register_writer: hls4ml's.
    """
    from gatewright.hls.lattice.plugin.backend import LatticeBackend
    from gatewright.hls.lattice.plugin.writer import LatticeWriter

    register_writer("Lattice", LatticeWriter)  # first: a back end asks for its writer when it is made
    register_backend("Lattice", LatticeBackend)
