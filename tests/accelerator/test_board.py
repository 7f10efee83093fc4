"""The accelerator with its memory behind a serial line, simulated at the pins of the board."""

from __future__ import annotations

import ctypes
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from gatewright.hls.accelerator.bitstream import MEMORY_LATENCY_CYCLES, write_board
from gatewright.hls.lattice.database import resolve
from gatewright.hls.lattice.simulation.building import build_library
from gatewright.schedules.accelerator.isa.encoding import Words, decode, encode
from gatewright.schedules.accelerator.spec import read_spec
from tests.accelerator.rtl_programs import OUTPUT, Convolution, contract, functional, matrix_program, random_dram

CLOCKS = 10
WRITE, READ, RUN = 1, 2, 3
PROGRAM = 3 << 16  # byte address


class Link:
    """What a host does: the commands of gw_accelerator_link.v."""

    def __init__(self, library: Path, word_bytes: int) -> None:
        self._library, self._word_bytes = ctypes.CDLL(str(library)), word_bytes
        self._library.bench_open.restype = ctypes.c_void_p
        self._library.bench_receive.restype = ctypes.c_int64
        self._bench = ctypes.c_void_p(self._library.bench_open(CLOCKS))

    def _send(self, command: int, address: int, count: int, data: bytes = b"") -> None:
        head = bytes([command]) + np.array([address // self._word_bytes, count // self._word_bytes], "<u4").tobytes()
        self._library.bench_send(self._bench, head + data, ctypes.c_int64(len(head + data)))

    def _receive(self, count: int) -> bytes:
        buffer = ctypes.create_string_buffer(count)
        came = self._library.bench_receive(self._bench, buffer, ctypes.c_int64(count), ctypes.c_int64(100_000))
        assert came == count
        return buffer.raw

    def write(self, address: int, data: bytes) -> None:
        self._send(WRITE, address, len(data), data)

    def read(self, address: int, count: int) -> npt.NDArray[np.uint8]:
        self._send(READ, address, count)
        return np.frombuffer(self._receive(count), np.uint8)

    def run(self, program: Words) -> tuple[int, bool]:
        """Cycles, and whether an opcode was unknown."""
        self.write(PROGRAM, program.astype("<u4").tobytes())
        self._send(RUN, PROGRAM, 0)
        cycles, fault = np.frombuffer(self._receive(self._word_bytes), "<u4")
        return int(cycles), bool(fault)

    def close(self) -> None:
        self._library.bench_close(self._bench)


@pytest.mark.slow
def test_a_host_fills_runs_and_reads_the_accelerator(tmp_path: Path) -> None:
    spec = read_spec(Path(str(files("gatewright.targets").joinpath("accelerator", "specs", "systolic-8x8-ws.toml"))))
    made = write_board(spec, tmp_path, resolve("ulx3s-85f"), clock_mhz=25, baud=2_500_000, memory_bytes=1 << 18)
    assert (made.clock_mhz, made.constraints) == (25, "top.lpf")
    library = tmp_path / "sim" / "bench.so"
    build_library(tmp_path / "rtl", made.sources, "top", Path(__file__).parent / "link_bench.hpp", library)
    rng = np.random.default_rng(9)
    program = matrix_program(spec, Convolution(3, 3, 2, 2, 1, 2), rng)
    dram = random_dram(rng)
    link = Link(library.resolve(), spec.matrix.columns)
    link.write(0, dram[:2048].tobytes())
    np.testing.assert_array_equal(link.read(512, 64), dram[512:576])
    words = program.words()
    cycles, fault = link.run(words)
    stored = program.stored - OUTPUT
    np.testing.assert_array_equal(link.read(OUTPUT, stored), functional(program, dram)[OUTPUT : OUTPUT + stored])
    # Ten cycles more than with ports of their own: instructions give way to loads at the memory's one read port.
    near = spec.model_copy(update={"dma": spec.dma.model_copy(update={"latency_cycles": MEMORY_LATENCY_CYCLES})})
    assert not fault and (cycles, int(contract(near, decode(words)).end[-1])) == (465, 455)
    unknown = encode(program.instructions[:1])
    unknown[0, 0] = 99
    assert link.run(unknown)[1]
    link.close()
