"""Random layers on random accelerators against the golden reference, byte for byte.

    python -m tests.benchmarks.accelerator_fuzz 2000            # seeds 0..1999
    python -m tests.benchmarks.accelerator_fuzz 500 --first 9000

Each seed is one layer (tests/accelerator/random_layers.py) on one accelerator (random_specs.py), run in program order
and in a random order that the waits allow. Exit code: 0, or 5 on any difference.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.accelerator.random_layers import random_layer
from tests.accelerator.random_specs import random_spec
from tests.accelerator.test_functional import compare


def main() -> int:
    """Run the seeds and print what differed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    start, placed, bad = time.perf_counter(), 0, 0
    for seed in range(arguments.first, arguments.first + arguments.count):
        try:
            placed += compare(random_spec(seed), random_layer(seed), seed)
        except Exception as error:
            bad += 1
            print(f"seed {seed}: {type(error).__name__}: {error}", flush=True)
    seconds = time.perf_counter() - start
    print(f"{arguments.count} layers, {placed} on the accelerator, {arguments.count - placed} on the host: {bad} differ"
          f" ({seconds:.0f} s)")  # fmt: skip
    return 5 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
