"""Real models through the RTL of the weight-stationary arrays: bytes, and cycles against the timing models.

    python -m tests.benchmarks.accelerator_rtl                                  # the MLPerf Tiny models on 8x8
    python -m tests.benchmarks.accelerator_rtl ic_resnet8_int8 --side 4 8 16

Models stand in GATEWRIGHT_MODELS. Exit code: 0, or 5 when a byte differs or an instruction is off the timing contract.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from gatewright.hls.accelerator.simulation import build_simulation
from gatewright.targets.accelerator import AcceleratorTarget
from gatewright.targets.accelerator.building import load_package
from tests.accelerator.rtl_networks import compare
from tests.benchmarks.accelerator_models import MODELS, prepared

TINY = tuple(name for name, folder in MODELS.items() if folder == "mlperf_tiny")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=list(TINY), metavar="MODEL", help=f"of {', '.join(MODELS)}")
    parser.add_argument("--side", type=int, nargs="*", default=[8], choices=[4, 8, 16], help="rows of the array")
    chosen = parser.parse_args(arguments)
    failed = False
    print("| model | array | instructions | wrong bytes | wrong durations | off contract | RTL | event model | s |")
    print("|---|---|---|---|---|---|---|---|---|")
    for side in chosen.side:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            target = AcceleratorTarget.named(f"sim:systolic-{side}x{side}-ws")
            simulation = None
            for model in chosen.models:
                ready, (sample,) = prepared(model, 1, folder)
                artefact = folder / model
                artefact.mkdir()
                target.build(target.plan(ready.model, {}), artefact)
                package = load_package(artefact)
                simulation = simulation or build_simulation(package.spec, folder / "rtl")
                start = time.perf_counter()
                found = compare(package, simulation, sample)
                took = time.perf_counter() - start
                failed |= bool(found.wrong_bytes or found.off_contract)
                print(
                    f"| {model} | {side}x{side} | {found.instructions} | {found.wrong_bytes} | {found.wrong_durations} "
                    f"| {found.off_contract} | {found.cycles} | {found.modelled_cycles} "
                    f"({found.modelled_cycles / found.cycles - 1:+.3%}) | {took:.1f} |",
                    flush=True,
                )
    return 5 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
