"""The host's end of a board with an accelerator: runs a built network on it from Linux."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from gatewright.compiler.errors import TargetError, UsageError
from gatewright.compiler.integer.reference import checked_input
from gatewright.hls.accelerator.bitstream import LINK_FILE
from gatewright.hls.accelerator.link import AcceleratorLink
from gatewright.hls.lattice.serial_port import PortOwner, SerialPort
from gatewright.schedules.accelerator.documents import read_document, validate
from gatewright.targets.accelerator.building import load_package
from gatewright.targets.accelerator.machine.board import BoardExecutor
from gatewright.targets.accelerator.machine.network import Network

__all__ = ["BoardNetwork"]


class _Link(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    baud: int
    memory_bytes: int


class BoardNetwork(PortOwner):
    """A network on an accelerator behind a serial device.

    Args:
        device: the serial device, e.g. ``/dev/ttyUSB0``.
        directory: the target's folder of the artefact, built with ``sim.board``.
        timeout_s: seconds of silence after which the accelerator counts as hung.

    Attributes:
        cycles: that every run of the accelerator took.

    Raises:
        ToolError: GW5033 when the device cannot be opened.
        UsageError: GW0406 when the host cannot set the baud rate.
        TargetError: GW4309 when a file of the artefact is missing or damaged, GW4319 when that is the board's.
    """

    def __init__(self, device: str, directory: Path | str, timeout_s: float = 10) -> None:
        package = load_package(Path(directory))
        link = _read_link(Path(directory) / "board" / LINK_FILE)
        super().__init__(SerialPort(device, link.baud, timeout_s))
        self._network = Network(package)
        try:
            there = AcceleratorLink(self._port, package.spec.matrix.columns, link.memory_bytes)
            self._executor = BoardExecutor(there, package)
        except BaseException:
            self.close()
            raise
        self.cycles = self._executor.cycles

    def run(self, inputs: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, npt.NDArray[np.integer[Any]]]:
        """One inference: integers by input name -> integers by output name, as the golden reference has them.

        After an error open the board again: that restarts its end of the line.

        Raises:
            UsageError: GW0101 on a missing input, GW0102 on a wrong shape, GW0103 on values its type does not have.
            ToolError: GW5034 when the board falls silent, GW5036 when the device has gone.
            TargetError: GW4315 when the accelerator met an instruction that it does not know.
        """
        fed = {layer.name: checked_input(layer, inputs) for layer in self._network.graph.inputs}
        for layer in self._network.graph.inputs:
            if fed[layer.name].shape != layer.output.shape:
                raise UsageError(
                    "GW0102", layer.name, f"the array has shape {fed[layer.name].shape}, the graph wants "
                    f"{layer.output.shape}", "give one sample at a time",
                )  # fmt: skip
        return self._network.run(fed, self._executor)


def _read_link(path: Path) -> _Link:
    try:
        return validate(_Link, json.loads(read_document(path)))
    except ValueError as error:
        raise TargetError(
            "GW4319", str(path), f"what a host has to know of the board: {error}",
            "build the artefact with --set sim.board=...",
        ) from None  # fmt: skip
