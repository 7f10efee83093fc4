"""The host's driver against a pseudo terminal that plays the board."""

from __future__ import annotations

import os
import pty
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from gatewright.compiler.errors import ToolError, UsageError
from gatewright.hls.lattice.host import UartNetwork, schedule
from gatewright.hls.ports import from_bytes, to_bytes
from tests.lattice import echo

Play = Callable[[Callable[[int], None]], str]


@pytest.fixture
def play() -> Iterator[Play]:
    """Starts a board: a function of the descriptor at its end of the line."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    threads: list[threading.Thread] = []

    def start(board: Callable[[int], None]) -> str:
        threads.append(threading.Thread(target=board, args=(master,), daemon=True))
        threads[0].start()
        return os.ttyname(slave)

    yield start
    for thread in threads:
        thread.join(5)
    os.close(slave)
    os.close(master)


def _triple(frames: int, grudging: bool = False) -> Callable[[int], None]:
    """The board of the echo network with one stream; takes no byte without credit."""

    def board(line: int) -> None:
        for taken in range(1, frames * 8 + 1):
            value = int.from_bytes(os.read(line, 1), signed=True) * 3
            if taken % 128 == 0:
                os.write(line, b"\xff")
            answer = (value & 0xFFF).to_bytes(2, "little")
            for piece in (b"\0" + answer[:1], answer[1:]) if grudging else (b"\0" + answer,):
                os.write(line, piece)

    return board


@pytest.mark.parametrize("grudging", [False, True])
def test_frames_come_back(tmp_path: Path, play: Play, grudging: bool) -> None:
    design = echo.design(tmp_path / "design")
    fed, expected = echo.vectors(200)
    with UartNetwork(play(_triple(200, grudging)), design, 115_200) as network:
        made = network.run(fed)
    np.testing.assert_array_equal(made["u"], expected["u"])


def test_without_credit_no_more_is_sent_than_fits(tmp_path: Path, play: Play) -> None:
    design = echo.design(tmp_path / "design")
    arrived: list[int] = []

    def board(line: int) -> None:
        while len(arrived) < 512:
            arrived.extend(os.read(line, 4096))

    fed, _ = echo.vectors(100)
    network = UartNetwork(play(board), design, 115_200, timeout_s=0.3)
    with network, pytest.raises(ToolError, match=r"GW5034.*800 tokens"):
        network.run(fed)
    assert len(arrived) == 512


def test_noise_is_noticed(tmp_path: Path, play: Play) -> None:
    design = echo.design(tmp_path / "design")
    fed, _ = echo.vectors(1)

    def board(line: int) -> None:
        os.read(line, 8)
        os.write(line, b"\x07")

    with UartNetwork(play(board), design, 115_200) as network, pytest.raises(ToolError, match=r"GW5035.*0x07"):
        network.run(fed)


def test_devices_that_are_none(tmp_path: Path) -> None:
    design = echo.design(tmp_path / "design")
    with pytest.raises(ToolError, match="GW5033"):
        UartNetwork(str(tmp_path / "tty"), design, 115_200)
    with pytest.raises(ToolError, match="GW5033"):
        UartNetwork("/dev/null", design, 115_200)
    with pytest.raises(UsageError, match="GW0406"):
        UartNetwork("/dev/null", design, 123_456)


@pytest.mark.parametrize(
    ("bits", "signed"),
    # Arrays are int32: there are no 32 bits without a sign.
    [(bits, signed) for bits in (1, 5, 8, 9, 16, 17) for signed in (False, True)] + [(32, True)],
)
def test_bytes_and_back(bits: int, signed: bool) -> None:
    low = -(1 << (bits - 1)) if signed else 0
    values = np.linspace(low, low + (1 << bits) - 1, 12).astype(np.int64).astype(np.int32).reshape(2, 6)
    port = {"bits": bits, "signed": signed, "lanes": 3, "tokens": 2}
    line = to_bytes(port, values)
    assert line.shape == (2, 2, 3 * ((bits + 7) // 8))
    np.testing.assert_array_equal(from_bytes(port, line.tobytes(), 2), values)


def test_inputs_are_sent_evenly() -> None:
    assert schedule([{"tokens": 4}, {"tokens": 2}]) == [(0, 0), (1, 0), (0, 1), (0, 2), (1, 1), (0, 3)]
