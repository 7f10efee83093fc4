"""The host's end of the serial line: runs a network on a board from Linux, with the standard library and NumPy alone.

The protocol is that of ``rtl/board/gw_uart_link.v``.
"""

from __future__ import annotations

import json
import os
import select
import termios
import time
import tty
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import ToolError, UsageError
from gatewright.hls.ports import Tensors, all_physical, element_bytes, from_bytes, logical, to_bytes

__all__ = ["UartNetwork", "schedule"]

_CREDIT = 0xFF
# What gw_uart_fifo holds, and what a credit gives back, in bytes.
_FIFO = 512
_CHUNK = 128

Port = Mapping[str, Any]
Words = npt.NDArray[np.int32]


def schedule(ports: Sequence[Port]) -> list[tuple[int, int]]:
    """(input, token) in the order they are sent: the inputs progress evenly, so that none waits long for another."""
    order = [((k + 0.5) / port["tokens"], i, k) for i, port in enumerate(ports) for k in range(port["tokens"])]
    return [(i, k) for _, i, k in sorted(order)]


class UartNetwork:
    """A network behind a serial device.

    Args:
        device: the serial device, e.g. ``/dev/ttyUSB1``.
        directory: the design folder the bitstream was built of.
        baud: baud rate, that of ``board.json`` if None.
        timeout_s: seconds of silence after which the network counts as hung.

    Raises:
        ToolError: GW5033 when the device cannot be opened.
        UsageError: GW0406 when the host cannot set the baud rate.
    """

    def __init__(self, device: str, directory: Path, baud: int | None = None, timeout_s: float = 10) -> None:
        design = json.loads((directory / "design.json").read_text(encoding="utf-8"))
        self.inputs: list[dict[str, Any]] = design["inputs"]
        self.outputs: list[dict[str, Any]] = design["outputs"]
        self._device, self._timeout_s = device, timeout_s
        if baud is None:
            baud = int(json.loads((directory / "board.json").read_text(encoding="utf-8"))["baud"])
        speed = getattr(termios, f"B{baud}", None)
        if speed is None:
            raise UsageError("GW0406", "baud", f"this system cannot set {baud} baud", "build with 115200")
        try:
            self._fd = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise ToolError(
                "GW5033", device, f"the serial device cannot be opened: {error.strerror}",
                "connect the board", "ask for the right to use it (Debian: group dialout)",
            ) from None  # fmt: skip
        try:
            self._set_up(speed)
        except termios.error as error:
            os.close(self._fd)
            raise ToolError("GW5033", device, f"it is no serial device: {error.args[-1]}", "name another") from None

    def _set_up(self, speed: int) -> None:
        tty.setraw(self._fd)
        settings = termios.tcgetattr(self._fd)
        settings[2] = (settings[2] | termios.CLOCAL | termios.CREAD) & ~(termios.CRTSCTS | termios.HUPCL)
        settings[4] = settings[5] = speed
        termios.tcsetattr(self._fd, termios.TCSANOW, settings)
        self.restart()

    def restart(self) -> None:
        """Throw away what is on its way and restart the network: a break on the line."""
        termios.tcsendbreak(self._fd, 0)
        time.sleep(0.01)
        termios.tcflush(self._fd, termios.TCIOFLUSH)
        self._credit = _FIFO

    def close(self) -> None:
        """Close the device."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, inputs: Mapping[str, npt.NDArray[np.integer[Any]]]) -> Tensors:
        """Integers in, integers out, as the C simulation does it.

        Args:
            inputs: by input name, in the declared shape or with a leading axis k times the declared one: k samples.

        Returns:
            By output name, in storage dtype, leading axis k times the declared one.

        Raises:
            UsageError: GW0101 on a missing input, GW0102 on a wrong shape.
            ToolError: GW5034 when the network falls silent, GW5035 when it says what no network says.
        """
        fed = all_physical(self.inputs, inputs)
        samples = fed[0].shape[0]
        received = self._exchange(self._stream(fed), samples)
        made = zip(self.outputs, received, strict=True)
        return {port["name"]: logical(port, from_bytes(port, data, samples)) for port, data in made}

    def _stream(self, fed: Sequence[Words]) -> bytes:
        tokens = [to_bytes(port, array) for port, array in zip(self.inputs, fed, strict=True)]
        if len(tokens) == 1:
            return tokens[0].tobytes()
        order = schedule(self.inputs)
        samples = range(tokens[0].shape[0])
        return b"".join(bytes([i]) + tokens[i][sample, k].tobytes() for sample in samples for i, k in order)

    def _exchange(self, stream: bytes, samples: int) -> list[bytearray]:
        """Send ``stream`` as credits allow and take everything the outputs say for ``samples`` samples."""
        size = [port["lanes"] * element_bytes(port["bits"]) for port in self.outputs]
        left = [port["tokens"] * samples for port in self.outputs]
        received = [bytearray() for _ in self.outputs]
        sent, output, missing = 0, 0, 0
        last = time.monotonic()
        while sent < len(stream) or any(left) or missing:
            ready = self._credit > 0 and sent < len(stream)
            readable, writable, _ = select.select([self._fd], [self._fd] if ready else [], [], 0.1)
            if writable:
                count = os.write(self._fd, stream[sent : sent + self._credit])
                sent, self._credit, last = sent + count, self._credit - count, time.monotonic()
            for byte in os.read(self._fd, 4096) if readable else b"":
                last = time.monotonic()
                if missing:
                    received[output].append(byte)
                    missing -= 1
                elif byte == _CREDIT:
                    self._credit += _CHUNK
                elif byte < len(left) and left[byte]:
                    output, missing = byte, size[byte]
                    left[byte] -= 1
                else:
                    raise ToolError("GW5035", self._device, f"the network sent {byte:#04x} out of turn", "restart it")
            if time.monotonic() - last > self._timeout_s:
                reason = f"nothing came for {self._timeout_s:g} s; {sum(left)} tokens are missing"
                raise ToolError("GW5034", self._device, reason, "check that this bitstream is on the board", "restart")
        return received
