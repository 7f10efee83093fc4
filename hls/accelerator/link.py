"""Commands to an accelerator on a board: fill its memory, run a program, read back (``gw_accelerator_link.v``)."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["AcceleratorLink", "Line"]

_WRITE, _READ, _RUN = 1, 2, 3
_FAULT = 1 << 31


class Line(Protocol):
    """Bytes to the board and back, e.g. a :class:`~gatewright.hls.lattice.serial_port.SerialPort`."""

    def send(self, data: bytes) -> None:
        """All of them."""
        ...

    def receive(self, count: int) -> bytes:
        """Exactly so many, or an error."""
        ...


class AcceleratorLink:
    """The accelerator's memory at the other end of a line. Addresses and sizes are bytes, whole words each.

    Args:
        line: to the board.
        word_bytes: of a word of the main memory.
        memory_bytes: of all of it.
    """

    def __init__(self, line: Line, word_bytes: int, memory_bytes: int) -> None:
        self._line, self.word_bytes, self.memory_bytes = line, word_bytes, memory_bytes

    def write(self, address: int, data: bytes) -> None:
        """Put ``data`` at ``address``.

        Raises:
            ValueError: that are no whole words of the memory.
        """
        self._line.send(self._command(_WRITE, address, len(data)) + data)

    def read(self, address: int, size: int) -> npt.NDArray[np.uint8]:
        """(size,) bytes from ``address`` on.

        Raises:
            ValueError: that are no whole words of the memory.
        """
        self._line.send(self._command(_READ, address, size))
        return np.frombuffer(self._line.receive(size), np.uint8)

    def run(self, address: int) -> tuple[int, bool]:
        """Run the program at ``address``: its cycles, modulo 2**31, and whether it met an unknown opcode.

        Raises:
            ValueError: that is no word of the memory.
        """
        self._line.send(self._command(_RUN, address, 0))
        status = int.from_bytes(self._line.receive(self.word_bytes), "little")
        return status & (_FAULT - 1), bool(status & _FAULT)

    def _command(self, command: int, address: int, size: int) -> bytes:
        if address % self.word_bytes or size % self.word_bytes or not 0 <= address <= self.memory_bytes - size:
            raise ValueError(f"{size} bytes at {address} are no words of a memory of {self.memory_bytes} bytes")
        numbers = address // self.word_bytes, size // self.word_bytes
        return bytes([command]) + b"".join(number.to_bytes(4, "little") for number in numbers)
