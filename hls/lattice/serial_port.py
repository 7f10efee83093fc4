"""A serial device on Linux, raw, with the standard library alone."""

from __future__ import annotations

import os
import select
import termios
import time
import tty
from typing import Self

from gatewright.compiler.errors import ToolError, UsageError

__all__ = ["PortOwner", "SerialPort"]

_POLL_S = 0.1


class SerialPort:
    """An open device.

    Args:
        device: e.g. ``/dev/ttyUSB1``.
        baud: baud rate.
        timeout_s: seconds of silence after which whatever is at the other end counts as hung.

    Raises:
        ToolError: GW5033 when the device cannot be opened.
        UsageError: GW0406 when the host cannot set the baud rate.
    """

    def __init__(self, device: str, baud: int, timeout_s: float = 10) -> None:
        self.device, self.timeout_s = device, timeout_s
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
            tty.setraw(self._fd)
            settings = termios.tcgetattr(self._fd)
            settings[2] = (settings[2] | termios.CLOCAL | termios.CREAD) & ~(termios.CRTSCTS | termios.HUPCL)
            settings[4] = settings[5] = speed
            termios.tcsetattr(self._fd, termios.TCSANOW, settings)
            self.restart()
        except termios.error as error:
            os.close(self._fd)
            raise ToolError("GW5033", device, f"it is no serial device: {error.args[-1]}", "name another") from None

    def restart(self) -> None:
        """Throw away what is on its way and send a break, which restarts what is at the other end."""
        termios.tcsendbreak(self._fd, 0)
        time.sleep(0.01)
        termios.tcflush(self._fd, termios.TCIOFLUSH)

    def ready(self, sending: bool) -> tuple[bool, bool]:
        """Whether there is something to read and, where ``sending``, room to write; waits for either a moment."""
        readable, writable, _ = select.select([self._fd], [self._fd] if sending else [], [], _POLL_S)
        return bool(readable), bool(writable)

    def read(self, most: int = 4096) -> bytes:
        """What has come, up to ``most`` bytes; after :meth:`ready` said so.

        Raises:
            ToolError: GW5036 when the device has gone.
        """
        try:
            data = os.read(self._fd, most)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._gone(error.strerror or "it cannot be read") from None
        if not data:
            raise self._gone("it was hung up")
        return data

    def write(self, data: bytes | memoryview) -> int:
        """Write what there is room for; returns how many bytes that was.

        Raises:
            ToolError: GW5036 when the device has gone.
        """
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._gone(error.strerror or "it cannot be written") from None

    def send(self, data: bytes) -> None:
        """Write everything.

        Raises:
            ToolError: GW5034 when the device takes nothing for ``timeout_s``, GW5036 when it has gone.
        """
        left, last = memoryview(data), time.monotonic()
        while left:
            if select.select([], [self._fd], [], _POLL_S)[1]:
                written = self.write(left)
                left, last = left[written:], time.monotonic() if written else last
            self.check_silence(last, f"{len(left)} bytes could not be sent")

    def receive(self, count: int) -> bytes:
        """Exactly so many bytes.

        Raises:
            ToolError: GW5034 when fewer come, GW5036 when the device has gone.
        """
        data, last = b"", time.monotonic()
        while len(data) < count:
            if self.ready(sending=False)[0]:
                data, last = data + self.read(count - len(data)), time.monotonic()
            self.check_silence(last, f"{count - len(data)} of {count} bytes are missing")
        return data

    def check_silence(self, last: float, what: str) -> None:
        """See that ``time.monotonic() - last`` is below the time after which the other end counts as hung.

        Raises:
            ToolError: GW5034, saying ``what``.
        """
        if time.monotonic() - last > self.timeout_s:
            raise ToolError(
                "GW5034", self.device, f"nothing happened for {self.timeout_s:g} s; {what}",
                "check that this bitstream is on the board", "open it again, which restarts it",
            )  # fmt: skip

    def _gone(self, reason: str) -> ToolError:
        return ToolError(
            "GW5036", self.device, f"the device has gone: {reason}", "connect it, and open it again"
        )  # fmt: skip

    def close(self) -> None:
        """Close the device."""
        os.close(self._fd)


class PortOwner:
    """What is at the other end of a port, closed at the end of a ``with`` statement.

    Args:
        port: to it.
    """

    def __init__(self, port: SerialPort) -> None:
        self._port = port

    def close(self) -> None:
        """Close the device."""
        self._port.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()
