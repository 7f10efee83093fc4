"""The accelerator with its memory behind a serial line, simulated at the pins of the board."""

from __future__ import annotations

import ctypes
from pathlib import Path

from gatewright.hls.accelerator.bitstream import write_board
from gatewright.hls.accelerator.link import AcceleratorLink
from gatewright.hls.lattice.database import resolve
from gatewright.hls.lattice.simulation.building import build_library
from gatewright.schedules.accelerator.spec import Spec

_CLOCKS = 10
_CLOCK_MHZ = 25
_PATIENCE_CYCLES = 10_000_000


class SimulatedLine:
    """The host's pins of the simulated board, ten cycles a bit.

    Args:
        library: of :func:`simulated_board`.
    """

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library.resolve()))
        self._library.bench_open.restype = ctypes.c_void_p
        self._library.bench_receive.restype = ctypes.c_int64
        self._bench = ctypes.c_void_p(self._library.bench_open(_CLOCKS))

    def send(self, data: bytes) -> None:
        self._library.bench_send(self._bench, data, ctypes.c_int64(len(data)))

    def receive(self, count: int) -> bytes:
        buffer = ctypes.create_string_buffer(count)
        patience = ctypes.c_int64(_PATIENCE_CYCLES)
        came = self._library.bench_receive(self._bench, buffer, ctypes.c_int64(count), patience)
        assert came == count
        return buffer.raw

    def close(self) -> None:
        self._library.bench_close(self._bench)


def simulated_board(spec: Spec, directory: Path, memory_bytes: int) -> tuple[AcceleratorLink, SimulatedLine]:
    """A running simulation of the ULX3S's top, and the line to it."""
    baud = _CLOCK_MHZ * 1_000_000 // _CLOCKS
    made = write_board(
        spec, directory, resolve("ulx3s-85f"), clock_mhz=_CLOCK_MHZ, baud=baud, memory_bytes=memory_bytes
    )
    assert (made.clock_mhz, made.constraints) == (_CLOCK_MHZ, "top.lpf")
    library = directory / "sim" / "bench.so"
    build_library(directory / "rtl", made.sources, "top", Path(__file__).parent / "link_bench.hpp", library)
    line = SimulatedLine(library)
    return AcceleratorLink(line, spec.matrix.columns, memory_bytes), line
