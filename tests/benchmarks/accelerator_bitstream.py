"""An accelerator's bitstream for an ECP5 board: area by unit, routed clock, critical path.

    python -m tests.benchmarks.accelerator_bitstream                            # 8x8 with memory for ic_resnet8
    python -m tests.benchmarks.accelerator_bitstream --side 4 --clock 60
    python -m tests.benchmarks.accelerator_bitstream --array --board ecp5-85k --clock 80

Takes some 20 minutes, the array alone one. Exit code: 0, or that of the error (a missed clock, a device too small).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from gatewright.compiler.errors import GatewrightError
from gatewright.hls.accelerator.array_bitstream import build_array_bitstream
from gatewright.hls.accelerator.bitstream import build_accelerator_bitstream
from gatewright.hls.lattice.database import resolve
from gatewright.schedules.accelerator.spec import read_spec
from tests.conftest import ROOT


def main(arguments: Sequence[str] | None = None) -> int:
    """Build it and print what it came to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=8, choices=[4, 8, 16], help="rows of the array")
    parser.add_argument("--array", action="store_true", help="the array alone, without memories and control")
    parser.add_argument("--memory", type=int, default=9 << 14, help="bytes of the main memory")
    parser.add_argument("--board", default="ulx3s-85f", help="board or device")
    parser.add_argument("--clock", type=float, default=50, help="MHz")
    parser.add_argument("--seed", type=int, nargs="*", default=[1], help="seeds of nextpnr")
    parser.add_argument("--out", type=Path, help="folder of the build; a temporary one by default")
    chosen = parser.parse_args(arguments)
    spec = read_spec(ROOT / "targets" / "accelerator" / "specs" / f"systolic-{chosen.side}x{chosen.side}-ws.toml")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.out or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            site = resolve(chosen.board)
            build = (
                build_array_bitstream
                if chosen.array
                else partial(build_accelerator_bitstream, memory_bytes=chosen.memory)
            )
            made = build(spec, folder, site, chosen.clock, chosen.seed, lambda text: print(text, flush=True))
        except GatewrightError as error:
            print(error)
            return int(error.exit_code)
        best = made.best
        print("| unit | LUT | flip-flops | DSP | EBR |\n|---|---|---|---|---|")
        for unit, cells in [*made.synthesis.stages.items(), ("all", made.synthesis.cells)]:
            print(f"| {unit} | {cells.lut} | {cells.ff} | {cells.dsp} | {cells.ebr} |")
        print(f"routed: {best.fmax_mhz:.1f} MHz (wanted {made.board.clock_mhz:g}), {dict(best.used)}")
        print(f"critical path: {best.critical_path}")
        print(f"{made.path.name}: {made.path.stat().st_size} bytes, {time.perf_counter() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
