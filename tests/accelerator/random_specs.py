"""Random accelerators: small enough that no tensor fits, with every arbitration there is."""

from __future__ import annotations

from typing import Any

import numpy as np

from gatewright.schedules.accelerator.spec import Spec

DATAFLOWS = ("ws", "os", "is", "gemm", "dot")


def make_spec(**changes: Any) -> Spec:
    """A plain 4 x 4 accelerator; ``changes`` are dotted paths with ``__`` for the dot."""
    data: dict[str, Any] = {
        "name": "test",
        "title": "for tests",
        "family": "systolic",
        "clock_mhz": 100,
        "matrix": {"rows": 4, "columns": 4, "dataflow": "ws", "start_cycles": 4},
        "vector": {"lanes": 4, "start_cycles": 6, "block_cycles": 5},
        "scratchpads": {
            "activation": {"bytes": 4096, "banks": 4},
            "weight": {"bytes": 1024, "banks": 2},
            "constant": {"bytes": 1024},
            "accumulator": {"bytes": 1024, "banks": 2},
        },
        "dma": {"bytes_per_cycle": 4, "latency_cycles": 10, "burst_bytes": 64, "start_cycles": 2},
        "control": {"fetch_cycles": 2, "queue_depth": 4},
    }
    for path, value in changes.items():
        *parents, name = path.split("__")
        inner = data
        for parent in parents:
            inner = inner[parent]
        inner[name] = value
    return Spec.model_validate(data)


def random_spec(seed: int) -> Spec:
    """A possible accelerator, mostly a tight one."""
    rng = np.random.default_rng(seed)

    def pick(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    rows, columns = pick((1, 1), (2, 2), (4, 4), (8, 8), (8, 4), (4, 16), (16, 16), (1, 8), (32, 32))
    align = max(rows, columns)
    banks = pick(1, 2, 4)
    activation = max(128, 4 * align) * pick(1, 2, 8, 64)
    weight = max(64, rows * columns) * pick(1, 2, 4, 32)
    accumulator = max(64, 4 * columns * 2) * pick(1, 2, 8, 64)
    constant = max(256, 9 * columns) * pick(1, 1, 2, 8)
    return make_spec(
        matrix__rows=rows,
        matrix__columns=columns,
        matrix__dataflow=pick(*DATAFLOWS),
        matrix__shadow_weights=pick(True, False),
        vector__lanes=pick(columns, 1),
        scratchpads__activation={"bytes": activation, "banks": banks, "ports": pick("1rw", "1r1w", "multi")},
        scratchpads__weight={"bytes": weight, "banks": pick(1, 2), "ports": pick("1rw", "1r1w")},
        scratchpads__constant={"bytes": constant},
        scratchpads__accumulator={"bytes": accumulator, "banks": pick(1, 2), "ports": pick("1r1w", "multi")},
        dma__bytes_per_cycle=pick(0.5, 1, 3, 8, 64),
        dma__latency_cycles=pick(0, 7, 100),
        dma__channels=pick(1, 2),
        dma__granularity_bytes=pick(1, 1, 1, min(rows, columns)),
        dma__burst_bytes=align * pick(1, 4, 64),
        dma__burst_gap_cycles=pick(0, 2),
        control__fetch_cycles=pick(0, 1, 16),
        control__queue_depth=pick(1, 2, 16),
        control__shared_compute=pick(True, False),
    )
