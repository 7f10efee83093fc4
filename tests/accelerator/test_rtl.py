"""The RTL against the functional machine (the same bytes) and against the timing contract (the same cycles)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from gatewright.compiler.errors import TargetError, UsageError
from gatewright.hls.accelerator.isa_header import isa_header
from gatewright.hls.accelerator.simulation import RtlSimulation, build_simulation
from gatewright.hls.accelerator.verilog import check_covered, parameters
from gatewright.schedules.accelerator.isa.encoding import Instruction, decode, encode
from gatewright.schedules.accelerator.isa.fields import UNIT_OF, UNITS, VECTOR_OPS
from gatewright.schedules.accelerator.spec import Spec, read_spec
from tests.accelerator.rtl_programs import (
    Convolution,
    Program,
    contract,
    functional,
    matrix_program,
    random_dram,
    transfer_program,
    vector_program,
)

Built = tuple[Spec, RtlSimulation]

GEMMS = (
    Convolution(), Convolution(small=1), Convolution(width=2, weight_zero=-3), Convolution(width=7, output_blocks=3),
    Convolution(width=13, input_blocks=5, small=1), Convolution(width=17, input_blocks=2, output_blocks=2),
    Convolution(input_blocks=7, output_blocks=3, activation_signed=1), Convolution(width=64, accumulate=1),
    Convolution(width=3, input_blocks=3, output_blocks=4, accumulate=1, small=1),
    Convolution(width=101, activation_signed=1, weight_signed=0, weight_zero=255),
    Convolution(height=97, small=1), Convolution(height=8, width=8, input_blocks=2, output_blocks=2, weight_zero=127),
    Convolution(height=16, output_blocks=2, accumulate=1, activation_signed=1),
    Convolution(width=9, input_blocks=4, output_blocks=5, weight_signed=0, weight_zero=128, small=1),
)  # fmt: skip
CONVOLUTIONS = (
    Convolution(kernel_height=3, kernel_width=3), Convolution(5, 7, 3, 3, small=1),
    Convolution(4, 4, 3, 3, 2, 2, stride=2, activation_signed=1), Convolution(6, 1, 5, 1, accumulate=1),
    Convolution(1, 11, 1, 7, small=1, weight_zero=1), Convolution(3, 3, 2, 2, 3, 2, dilation=3),
    Convolution(7, 5, 3, 2, 1, 3, stride=2, dilation=2, accumulate=1, activation_signed=1),
    Convolution(2, 2, 5, 5, 1, 2, small=1), Convolution(9, 3, 1, 1, 2, 1, stride=3, small=1),
    Convolution(1, 1, 3, 3, 2, 2, accumulate=1), Convolution(1, 1, 7, 1, 1, 1, small=1, weight_signed=0),
    Convolution(13, 2, 1, 3, 1, 1, dilation=2), Convolution(11, 11, 3, 3, small=1, accumulate=1),
    Convolution(2, 17, 2, 3, 1, 2, stride=2), Convolution(5, 1, 3, 3, 2, 1, weight_zero=-128, activation_signed=1),
    Convolution(3, 8, 3, 3, 1, 1, dilation=2, stride=3, small=1), Convolution(1, 5, 2, 2, 2, 2, weight_signed=0),
)  # fmt: skip


def shipped(name: str) -> Spec:
    return read_spec(Path(str(files("gatewright.targets").joinpath("accelerator", "specs", f"{name}.toml"))))


@pytest.fixture(scope="module", params=[4, 8, 16])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    spec = shipped(f"systolic-{request.param}x{request.param}-ws")
    yield spec, build_simulation(spec, tmp_path_factory.mktemp("accelerator"))


def check(built: Built, program: Program, rng: np.random.Generator, stall: float = 0.0) -> None:
    """Bytes and cycles; with stalls bytes alone, and no instruction faster than without."""
    spec, simulation = built
    dram = random_dram(rng)
    words = program.words()
    ran = simulation.run(words, dram, stall=stall, seed=int(rng.integers(1 << 30)), limit_cycles=1_000_000)
    np.testing.assert_array_equal(ran.dram, functional(program, dram))
    times = contract(spec, decode(words))
    if stall:
        assert ran.cycles > times.end[-1]
        return
    assert ran.handed_out.tolist() == times.handed_out
    assert ran.start.tolist() == times.start
    assert ran.end.tolist() == times.end
    assert ran.cycles == times.end[-1]


@pytest.mark.slow
@pytest.mark.parametrize("case", GEMMS + CONVOLUTIONS, ids=lambda case: str(case).partition("(")[2][:-1])
def test_products_are_equal_and_take_the_cycles_of_the_formula(built: Built, case: Convolution) -> None:
    rng = np.random.default_rng(list(repr(case).encode()))
    check(built, matrix_program(built[0], case, rng), rng)


@pytest.mark.slow
def test_random_products(built: Built) -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        sizes = [int(n) for n in rng.integers(1, (7, 9, 4, 4, 4, 4, 3, 3))]
        flags = [int(bit) for bit in rng.integers(0, 2, 3)]
        zero = int(rng.integers(-128, 128) if flags[2] else rng.integers(0, 256))
        case = Convolution(*sizes, *flags, weight_zero=zero, small=int(rng.integers(0, 2)))
        check(built, matrix_program(built[0], case, rng), rng)


@pytest.mark.slow
@pytest.mark.parametrize("operation", VECTOR_OPS)
def test_vector_operations(built: Built, operation: str) -> None:
    rng = np.random.default_rng([VECTOR_OPS[operation], 5])
    for _ in range(20):
        check(built, vector_program(built[0], operation, rng), rng)


@pytest.mark.slow
def test_transfers(built: Built) -> None:
    rng = np.random.default_rng(6)
    for _ in range(20):
        check(built, transfer_program(built[0], rng), rng)


@pytest.mark.slow
def test_a_memory_that_stalls_changes_no_byte(built: Built) -> None:
    rng = np.random.default_rng(7)
    for stall in (0.1, 0.5, 0.8):
        check(built, matrix_program(built[0], GEMMS[5], rng), rng, stall)
        check(built, transfer_program(built[0], rng), rng, stall)
        check(built, vector_program(built[0], "depthwise", rng), rng, stall)


@pytest.mark.slow
def test_queues_and_waits_keep_the_contract(built: Built) -> None:
    """Units side by side, with few waits, and queues that fill up: what they compute is not looked at."""
    spec, simulation = built
    rng = np.random.default_rng(8)
    for _ in range(20):
        words = encode(_crowd(spec, rng))
        ran = simulation.run(words, random_dram(rng), seed=1, limit_cycles=1_000_000)
        times = contract(spec, decode(words))
        assert (ran.handed_out.tolist(), ran.start.tolist(), ran.end.tolist()) == (
            times.handed_out, times.start, times.end,
        )  # fmt: skip


def _crowd(spec: Spec, rng: np.random.Generator) -> list[Instruction]:
    """Many small instructions; each unit keeps to ports and banks of its own."""
    side, bank = spec.matrix.columns, spec.scratchpads.activation.bank_bytes
    half = spec.accumulator_rows // 2
    program = Program(spec)
    favourite = int(rng.integers(0, 4))
    for _ in range(60):
        unit = UNITS[favourite if rng.integers(0, 2) else int(rng.integers(0, 4))]
        size = int(rng.integers(1, 40)) * (1 + 9 * int(rng.integers(0, 4) == 0))
        after = tuple(name for name in UNITS if rng.integers(0, 4) == 0)
        mnemonic = {"load": ("load", "fill")[int(rng.integers(0, 2))], "store": "store", "matrix": "matmul"}.get(
            unit, "vector"
        )
        fields: dict[str, int] = {"height": 1, "width": size, "kernel_height": 1, "kernel_width": 1}
        if unit in ("load", "store"):
            fields = {"row_bytes": size * side, "rows": 1, "planes": 1, "local_address": bank * (unit == "store")}
        elif unit == "matrix":
            fields |= {"activation_address": 2 * bank, "input_blocks": 1, "output_blocks": 1, "pixel_stride": side}
        else:
            fields |= {
                "operation": VECTOR_OPS["rescale"], "from_accumulator": 1, "a_address": half, "a_pixel_stride": 0,
                "blocks": 1, "output_address": 3 * bank, "per_channel": int(rng.integers(0, 2)), "multiplier": 1,
            }  # fmt: skip
        program.add(mnemonic, after=after, **fields)
    program.add("halt")
    return program.instructions


@pytest.mark.slow
def test_faults_are_told(built: Built) -> None:
    spec, simulation = built
    dram = np.zeros(1024, np.uint8)
    unknown = encode([Instruction("halt")])
    unknown[0, 0] = 77
    with pytest.raises(TargetError, match=r"GW4313 cycle .* opcode is unknown"):
        simulation.run(unknown, dram)
    program = Program(spec)
    program.load("activation", 1024, 0, spec.matrix.columns)
    with pytest.raises(TargetError, match=r"GW4313 cycle .* leaves the DRAM"):
        simulation.run(program.words(), dram)
    with pytest.raises(TargetError, match=r"GW4313 cycle 101: .* did not end"):
        simulation.run(encode([Instruction("halt", wait_load=1)]), dram, limit_cycles=100)


# -- what needs no simulation ------------------------------------------------------------------------------------------


def test_the_header_has_every_field_the_units_read() -> None:
    text = isa_header()
    assert "`define GW_MATMUL_WEIGHT_ZERO 16 +: 16\n" in text
    assert "`define GW_VECTOR_ADDEND 832 +: 64\n" in text
    assert "`define GW_OPCODE 0 +: 8\n" in text
    names = set(re.findall(r"^`define (GW_\w+) ", text, re.MULTILINE))
    for path in files("gatewright.hls").joinpath("rtl", "accelerator").iterdir():
        assert set(re.findall(r"`(GW_\w+)", path.read_text("utf-8"))) <= names, path.name


def test_parameters_of_the_shipped_size() -> None:
    found = parameters(shipped("systolic-8x8-ws"))
    assert (found["ACTIVATION_ADDRESS"], found["ACCUMULATOR_ADDRESS"], found["FETCH_DEPTH"]) == (13, 10, 32)


@pytest.mark.parametrize(
    ("section", "change", "place"),
    [
        ("matrix", {"dataflow": "os"}, "matrix.dataflow = 'os'"),
        ("matrix", {"shadow_weights": False}, "matrix.shadow_weights = False"),
        ("matrix", {"rows": 4}, "matrix.rows = 4"),
        ("matrix", {"rows": 32, "columns": 32}, "matrix.columns = 32"),
        ("matrix", {"start_cycles": 0}, "matrix.start_cycles = 0"),
        ("vector", {"lanes": 4}, "vector.lanes = 4"),
        ("dma", {"bytes_per_cycle": 16.0}, "dma.bytes_per_cycle = 16.0"),
        ("dma", {"latency_cycles": 0}, "dma.latency_cycles = 0"),
        ("control", {"shared_compute": True}, "control.shared_compute = True"),
        ("control", {"first_cycles": 0}, "control.first_cycles = 0"),
        ("control", {"issue_cycles": 0}, "control.issue_cycles = 0"),
        ("control", {"refill_cycles": 0}, "control.refill_cycles = 0"),
        ("control", {"halt_cycles": 0}, "control.halt_cycles = 0"),
    ],
)
def test_a_spec_the_rtl_is_not_made_for(section: str, change: dict[str, object], place: str) -> None:
    spec = shipped("systolic-8x8-ws")
    other = spec.model_copy(update={section: getattr(spec, section).model_copy(update=change)})
    with pytest.raises(UsageError, match="GW4310") as caught:
        check_covered(other)
    assert place in str(caught.value)


def test_scratchpads_the_rtl_cannot_address() -> None:
    spec = shipped("systolic-8x8-ws")
    for change in ({"bytes": 3 * 4096}, {"ports": "1rw"}):
        weight = spec.scratchpads.weight.model_copy(update=change)
        pads = spec.scratchpads.model_copy(update={"weight": weight})
        with pytest.raises(UsageError, match=r"GW4310 .*scratchpads\.weight"):
            check_covered(spec.model_copy(update={"scratchpads": pads}))


def test_every_instruction_has_a_unit_the_harness_sees() -> None:
    assert set(UNIT_OF.values()) == set(UNITS)
