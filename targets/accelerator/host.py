"""The host's end of a board with an accelerator: runs a built network on it from Linux."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gatewright.hls.accelerator.bitstream import LINK_FILE
from gatewright.hls.accelerator.link import AcceleratorLink
from gatewright.hls.lattice.serial_port import SerialPort
from gatewright.targets.accelerator.building import load_package
from gatewright.targets.accelerator.machine.board import BoardExecutor
from gatewright.targets.accelerator.machine.network import Network

__all__ = ["BoardNetwork"]


class BoardNetwork:
    """A network on an accelerator behind a serial device.

    Args:
        device: the serial device, e.g. ``/dev/ttyUSB0``.
        directory: the target's folder of the artefact, built with ``sim.board``.
        timeout_s: seconds of silence after which the accelerator counts as hung.

    Attributes:
        cycles: that every run of the accelerator took.

    Raises:
        ToolError: GW5033 when the device cannot be opened.
        UsageError: GW0406 when the host cannot set the baud rate, GW4314 when the board is one for a smaller network.
        TargetError: GW4309 when a file of the artefact is missing or damaged.
    """

    def __init__(self, device: str, directory: Path, timeout_s: float = 10) -> None:
        package = load_package(directory)
        link = json.loads((directory / "board" / LINK_FILE).read_text(encoding="utf-8"))
        self._network = Network(package)
        self._port = SerialPort(device, link["baud"], timeout_s)
        there = AcceleratorLink(self._port, link["word_bytes"], link["memory_bytes"])
        self._executor = BoardExecutor(there, package)
        self.cycles = self._executor.cycles

    def run(self, inputs: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, npt.NDArray[np.integer[Any]]]:
        """One inference: integers by input name -> integers by output name, as the golden reference has them.

        After an error open the board again: that restarts its end of the line.

        Raises:
            ToolError: GW5034 when the board falls silent.
            TargetError: GW4315 when the accelerator met an instruction that it does not know.
        """
        return self._network.run(inputs, self._executor)

    def close(self) -> None:
        """Close the device."""
        self._port.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()
