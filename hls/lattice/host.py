"""The host's end of the serial line: runs a network on a board from Linux.

The protocol is that of ``rtl/board/gw_uart_link.v``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.compiler.errors import ToolError
from gatewright.hls.lattice.serial_port import PortOwner, SerialPort
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


class UartNetwork(PortOwner):
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

    def __init__(self, device: str, directory: Path | str, baud: int | None = None, timeout_s: float = 10) -> None:
        directory = Path(directory)
        design = json.loads((directory / "design.json").read_text(encoding="utf-8"))
        self.inputs: list[dict[str, Any]] = design["inputs"]
        self.outputs: list[dict[str, Any]] = design["outputs"]
        if baud is None:
            baud = int(json.loads((directory / "board.json").read_text(encoding="utf-8"))["baud"])
        super().__init__(SerialPort(device, baud, timeout_s))
        self._credit = _FIFO

    def restart(self) -> None:
        """Throw away what is on its way and restart the network."""
        self._port.restart()
        self._credit = _FIFO

    def run(self, inputs: Mapping[str, npt.NDArray[np.integer[Any]]]) -> Tensors:
        """Integers in, integers out, as the C simulation does it.

        Args:
            inputs: by input name, in the declared shape or with a leading axis k times the declared one: k samples.

        Returns:
            By output name, in storage dtype, leading axis k times the declared one.

        Raises:
            UsageError: GW0101 on a missing input, GW0102 on a wrong shape.
            ToolError: GW5034 when the network falls silent, GW5035 when it says what no network says, GW5036 when the
                device has gone.
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
            readable, writable = self._port.ready(sending=self._credit > 0 and sent < len(stream))
            if writable:
                count = self._port.write(stream[sent : sent + self._credit])
                sent, self._credit, last = sent + count, self._credit - count, time.monotonic()
            for byte in self._port.read() if readable else b"":
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
                    device = self._port.device
                    raise ToolError("GW5035", device, f"the network sent {byte:#04x} out of turn", "restart it")
            self._port.check_silence(last, f"{sum(left)} tokens are missing")
        return received
