"""The folder of a design: Verilog, memories, library modules, and ``design.json``, which says what the ports carry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from gatewright.hls.lattice.verilog import write_network
from gatewright.schedules.stream.network import Network, PortNode
from gatewright.schedules.stream.stages import Port

__all__ = ["write"]


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
    data = {
        "schema_version": 1,
        "name": network.design.name,
        "sources": [*library, "network.v"],
        "inputs": _ports(network, network.design.inputs, "s"),
        "outputs": _ports(network, network.design.outputs, "m"),
        "extra": dict(extra or {}),
    }
    (directory / "design.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


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
