"""The event-driven model against its rules written out, one instruction after the other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from gatewright.compiler.errors import TargetError
from gatewright.schedules.accelerator.isa.encoding import Instruction, Words, encode
from gatewright.schedules.accelerator.isa.fields import UNIT_OF, UNITS
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.timing.event import queue_of_units, simulate
from gatewright.targets.accelerator.database import shipped

_KINDS = ("load", "store", "matmul", "vector", "fill")


def _program(rng: np.random.Generator, count: int) -> tuple[list[Instruction], npt.NDArray[np.int64]]:
    """Instructions that wait for any before them, those of their own unit too, and how long each takes."""
    issued = dict.fromkeys(UNITS, 0)
    program = []
    for mnemonic in rng.choice(_KINDS, count):
        waits = {f"wait_{u}": int(rng.integers(n + 1)) for u, n in issued.items() if rng.random() < 0.4}
        program.append(Instruction(str(mnemonic), **waits))
        issued[UNIT_OF[str(mnemonic)]] += 1
    program.append(Instruction("halt", **{f"wait_{u}": n for u, n in issued.items()}))
    # Short ones, too, and none at all: so that the queue's length, the supply and ties count.
    return program, rng.choice([0, 1, 7, 30, 200], count + 1)


def _written_out(spec: Spec, program: list[Instruction], durations: npt.NDArray[np.int64]) -> list[tuple[int, ...]]:
    """(handed, start, end, cause) of every instruction."""
    control, queue_of = spec.control, queue_of_units(spec)
    of_unit: list[list[int]] = [[] for _ in UNITS]
    of_queue: list[list[int]] = [[] for _ in UNITS]
    times: list[tuple[int, ...]] = []
    handed = control.first_cycles
    for index, instruction in enumerate(program):
        handed += control.fetch_cycles
        reasons = []
        if instruction.mnemonic == "halt":
            start, cycles = handed, control.halt_cycles
        else:
            unit = UNITS.index(UNIT_OF[instruction.mnemonic])
            queue = of_queue[queue_of[unit]]
            if len(queue) >= control.queue_depth:
                handed = max(handed, times[queue[-control.queue_depth]][1] + control.refill_cycles)
            start, cycles = handed + control.issue_cycles, int(durations[index])
            reasons = [(times[queue[-1]][2], queue[-1])] if queue else []
            of_unit[unit].append(index)
            queue.append(index)
        cause = ~index
        if reasons and reasons[0][0] >= start:
            start, cause = reasons[0]
        for other, name in enumerate(UNITS):
            if instruction[f"wait_{name}"]:
                before = of_unit[other][instruction[f"wait_{name}"] - 1]
                if times[before][2] > start:
                    start, cause = times[before][2], before
        times.append((handed, start, start + cycles, cause))
    return times


@pytest.mark.parametrize("name", sorted(shipped()))
@pytest.mark.parametrize("seed", range(6))
def test_the_scan_is_the_rules_written_out(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    spec = shipped()[name]
    program, durations = _program(rng, int(rng.integers(1, 120)))
    timeline = simulate(spec, encode(program), durations)
    expected = _written_out(spec, program, durations)
    found = np.stack([timeline.handed, timeline.start, timeline.end, timeline.cause], axis=1)
    np.testing.assert_array_equal(found, expected)
    assert timeline.total_cycles == max(end for _, _, end, _ in expected)


def test_no_instruction() -> None:
    nothing: Words = np.zeros((0, 32), np.uint32)
    assert simulate(shipped()["vta-pynq"], nothing).total_cycles == 0


@pytest.mark.parametrize("count", [1, 3])
def test_a_wait_that_is_never_met(count: int) -> None:
    """For itself, and for more than the program has."""
    program = encode([Instruction("load"), Instruction("store", wait_store=count), Instruction("store")])
    with pytest.raises(TargetError, match=r"GW4304.*instruction 1.*waits for .* store unit behind it"):
        simulate(shipped()["vta-pynq"], program)
