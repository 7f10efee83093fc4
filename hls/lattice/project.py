"""The folder of a design: Verilog, memories, library modules, and ``design.json``, which says what the ports carry.

Weights that come from outside lie in ``weights.bin``, one region a port, in the order they are read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.hls.lattice.verilog import write_network
from gatewright.hls.ports import element_bytes
from gatewright.schedules.stream.memories import weight_rows
from gatewright.schedules.stream.network import Network, PortNode
from gatewright.schedules.stream.stages import Port

__all__ = ["WEIGHTS", "write"]

WEIGHTS = "weights.bin"


def write(network: Network, directory: Path, extra: Mapping[str, Any] | None = None) -> None:
    """Write ``rtl/`` and ``design.json`` into ``directory``.

    Args:
        network: the network, its FIFO depths found.
        directory: an existing folder.
        extra: plain data for ``design.json``.
    """
    rtl = directory / "rtl"
    rtl.mkdir()
    sources = write_network(network)
    library = sources.library_files()
    for name in library:
        (rtl / name).write_text(files("gatewright.hls").joinpath("rtl", name).read_text("utf-8"), encoding="utf-8")
    (rtl / "network.v").write_text(sources.text, encoding="utf-8")
    for name, text in sources.memories.items():
        (rtl / name).write_text(text, encoding="utf-8")
    weights, regions = _weights(network)
    if weights:
        (directory / WEIGHTS).write_bytes(weights)
    data = {
        "schema_version": 1,
        "name": network.design.name,
        "sources": [*library, "network.v"],
        "inputs": _ports(network, network.design.inputs, "s"),
        "outputs": _ports(network, network.design.outputs, "m"),
        "weights": regions,
        "extra": dict(extra or {}),
    }
    (directory / "design.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def _weights(network: Network) -> tuple[bytes, list[dict[str, Any]]]:
    """Contents of ``weights.bin``, and what each port reads of it: a weight takes whole bytes, lowest first."""
    data, regions = bytearray(), []
    made = {node.name: node.hardware for node in network.stages}
    for node in network.weights:
        (channel,) = node.outputs
        rows = weight_rows(made[node.stage.name])
        size = element_bytes(channel.bits)
        raw = rows.astype("<i8").reshape(-1, 1).view(np.uint8)[:, :size]
        regions.append(
            {
                "port": node.name, "stage": node.stage.name, "bits": channel.bits, "signed": channel.signed,
                "lanes": channel.lanes, "tokens": channel.tokens, "words": node.words, "once": node.once,
                "file": WEIGHTS,
                "offset": len(data), "bytes": raw.size,
            }
        )  # fmt: skip
        data += raw.tobytes()
    return bytes(data), regions


def _ports(network: Network, ports: tuple[Port, ...], side: str) -> list[dict[str, Any]]:
    found = []
    for i, port in enumerate(ports):
        node = next(n for n in network.nodes if isinstance(n, PortNode) and n.name == f"{side}{i}")
        (channel,) = node.outputs or node.inputs
        found.append(
            {
                "name": port.name,
                "port": node.name,
                "shape": list(port.shape),
                "bits": channel.bits,
                "signed": channel.signed,
                "lanes": channel.lanes,
                "tokens": channel.tokens,
                "dtype": port.dtype,
                "index": port.index.tolist(),
            }
        )
    return found
