"""The last step: nextpnr's configuration to a bitstream (icepack, ecppack)."""

from __future__ import annotations

from pathlib import Path

from gatewright.compiler.errors import ToolError
from gatewright.hls.lattice.database import Site
from gatewright.hls.lattice.toolchain import tools

__all__ = ["pack"]


def pack(
    config: Path, site: Site, name: str = "network", *, timeout_s: float = 600, progress: tools.Progress = tools.quiet
) -> Path:
    """Make ``NAME.bin`` (iCE40) or ``NAME.bit`` (ECP5, compressed) beside ``config``.

    Raises:
        ToolError: GW5030 without the packer, GW5031 when it is killed, GW5032 when it fails.
    """
    ice40 = site.device.family == "ice40"
    tool = tools.find("icepack" if ice40 else "ecppack")
    tools.warm_up(tool, progress)
    bitstream = config.with_name(f"{name}.bin" if ice40 else f"{name}.bit")
    bitstream.unlink(missing_ok=True)
    log = config.with_name(f"{tool.name}.log")
    arguments = [config.name, bitstream.name] if ice40 else ["--compress", config.name, bitstream.name]
    progress(f"bitstream {bitstream.name}")
    if tools.run(tool, arguments, config.parent, log, timeout_s) != 0 or not bitstream.exists():
        raise ToolError("GW5032", tool.name, f"no bitstream: {tools.last_line(log)}", f"read {log.name}")
    return bitstream
