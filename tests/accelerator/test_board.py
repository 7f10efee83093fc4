"""The accelerator with its memory behind a serial line: its RTL at the pins of the board, and the host's end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gatewright.compiler.errors import ConstraintError, UsageError
from gatewright.hls.accelerator.bitstream import MEMORY_LATENCY_CYCLES, write_board
from gatewright.hls.lattice.database import resolve
from gatewright.schedules.accelerator.isa.encoding import decode, encode
from gatewright.targets.accelerator.database import shipped
from tests.accelerator.board_link import simulated_board
from tests.accelerator.rtl_programs import OUTPUT, Convolution, contract, functional, matrix_program, random_dram

PROGRAM = 3 << 16  # byte address
# Cycles on the board, and with ports of their own: instructions give way to loads at the memory's one read port.
CYCLES = {"systolic-8x8-ws": (465, 455), "systolic-4x4-ws": (469, 436)}


@pytest.mark.slow
@pytest.mark.parametrize("name", CYCLES)
def test_a_host_fills_runs_and_reads_the_accelerator(name: str, tmp_path: Path) -> None:
    spec = shipped()[name]
    # No power of two.
    link, line = simulated_board(spec, tmp_path, 13 << 14)
    rng = np.random.default_rng(9)
    program = matrix_program(spec, Convolution(3, 3, 2, 2, 1, 2), rng)
    dram = random_dram(rng)
    link.write(0, dram[:2048].tobytes())
    np.testing.assert_array_equal(link.read(512, 64), dram[512:576])
    words = program.words()
    link.write(PROGRAM, words.astype("<u4").tobytes())
    cycles, fault = link.run(PROGRAM)
    stored = program.stored - OUTPUT
    np.testing.assert_array_equal(link.read(OUTPUT, stored), functional(program, dram)[OUTPUT : OUTPUT + stored])
    near = spec.model_copy(update={"dma": spec.dma.model_copy(update={"latency_cycles": MEMORY_LATENCY_CYCLES})})
    assert not fault and (cycles, int(contract(near, decode(words)).end[-1])) == CYCLES[name]
    unknown = encode(program.instructions[:1])
    unknown[0, 0] = 99
    link.write(PROGRAM, unknown.astype("<u4").tobytes())
    assert link.run(PROGRAM)[1]
    line.close()


@pytest.mark.parametrize(
    ("site", "memory_bytes", "error", "text"),
    [("icebreaker", 1 << 14, UsageError, r"GW4316 .*ECP5"), ("ulx3s-85f", 9 << 15, ConstraintError, "GW4317 .*479,232"),
     ("ulx3s-85f", 100, ValueError, "100 bytes"), ("ulx3s-85f", 0, ValueError, "0 bytes")],
)  # fmt: skip
def test_boards_that_cannot_be(site: str, memory_bytes: int, error: type[Exception], text: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=text):
        write_board(shipped()["systolic-8x8-ws"], tmp_path, resolve(site), memory_bytes=memory_bytes)
    assert not list(tmp_path.iterdir())
