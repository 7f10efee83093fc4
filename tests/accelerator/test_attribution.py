"""Every cycle of a program has one layer and one kind; counts equal those of machines that count as they go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.schedules.accelerator.isa.encoding import Instruction, Words, decode, encode
from gatewright.schedules.accelerator.isa.fields import SPACES, VECTOR_OPS
from gatewright.schedules.accelerator.planner import plan_network
from gatewright.schedules.accelerator.program import Program
from gatewright.schedules.accelerator.ranges import ABSENT, program_ranges
from gatewright.schedules.accelerator.search.convolution import Budget
from gatewright.schedules.accelerator.spec import Spec
from gatewright.schedules.accelerator.timing.attribution import (
    PARTS,
    LayerCycles,
    attribute,
    instruction_parts,
    joined,
    utilisation,
)
from gatewright.schedules.accelerator.timing.counts import Counts, by_layer, total_counts
from gatewright.schedules.accelerator.timing.critical import critical_path
from gatewright.schedules.accelerator.timing.durations import instruction_cycles
from gatewright.schedules.accelerator.timing.event import simulate
from tests.accelerator.footprints import footprint
from tests.accelerator.random_layers import random_layer
from tests.accelerator.random_specs import make_spec
from tests.accelerator.timed_layers import random_accelerator
from tests.strategies import random_graph

SEEDS = st.integers(0, 1 << 32)


def program(spec: Spec, seed: int, layers: int = 0) -> Program:
    graph = random_graph(seed, layers=layers, max_bits=8) if layers else random_layer(seed)
    return plan_network(spec, graph, Budget(candidates=1)).program


def words_of(*instructions: Instruction) -> Words:
    return encode(instructions)


@settings(max_examples=25)
@given(seed=SEEDS)
def test_the_parts_of_all_layers_sum_to_the_cycles(seed: int) -> None:
    spec = random_accelerator(np.random.default_rng(seed))
    for run in program(spec, seed, layers=3).runs:
        timeline = simulate(spec, run.words)
        layers = attribute(spec, run.words, run.layers, timeline)
        assert sum(layer.cycles for layer in layers.values()) == timeline.total_cycles
        assert set(layers) == {name for name in run.layers if name}
        for unit, cycles in timeline.busy_cycles.items():
            assert sum(layer.busy[unit] for layer in layers.values()) == cycles
        assert min(layer.first_cycle for layer in layers.values()) == timeline.start.min()
        assert max(layer.last_cycle for layer in layers.values()) == timeline.total_cycles
        for part in PARTS:
            assert all(getattr(layer, part) >= 0 for layer in layers.values())


@settings(max_examples=25)
@given(seed=SEEDS)
def test_the_critical_path_has_no_gap(seed: int) -> None:
    spec = random_accelerator(np.random.default_rng(seed))
    for run in program(spec, seed).runs:
        timeline = simulate(spec, run.words)
        path = critical_path(spec, timeline)
        spans = [(int(timeline.start[i]), int(timeline.end[i])) for i in path.work]
        for index in np.flatnonzero(path.fetched):
            # An instruction of the path is handed out when its fetch ends.
            spans.append((int(timeline.handed[index]) - spec.control.fetch_cycles, int(timeline.handed[index])))
        at = gaps = 0
        for begin, end in sorted(spans):
            assert begin >= at
            gaps += begin - at
            at = end
        assert at == timeline.total_cycles
        # What is left lies around fetches: the first one, refilling a queue, issuing.
        around = path.sequencing - path.fetched * spec.control.fetch_cycles
        assert (around >= 0).all() and around.sum() == gaps


@settings(max_examples=20)
@given(seed=SEEDS)
def test_parts_of_every_instruction(seed: int) -> None:
    spec = random_accelerator(np.random.default_rng(seed))
    for run in program(spec, seed).runs:
        parts = instruction_parts(spec, run.words)
        assert (parts.sum(axis=1) == instruction_cycles(spec, run.words)).all()
        assert (parts >= 0).all()


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        # 6 pixels, 3 x 2 folds of 4 x 4: 24 - 36 multiply-accumulates a cell.
        ({"matrix__dataflow": "ws"}, (36, 4, 0, 0, 4 + 4 - 2 + 4)),
        ({"matrix__dataflow": "ws", "matrix__shadow_weights": False}, (36, 6 * 4, 0, 0, 6 * (4 + 4 - 2) + 4)),
        ({"matrix__dataflow": "os"}, (2 * 2 * 11, 0, 0, 0, 2 * 2 * (4 + 4 - 2) + 4 + 4)),
        ({"matrix__dataflow": "is"}, (3 * 2 * 8, 4, 0, 0, 4 + 4 - 2 + 4)),
        ({"matrix__dataflow": "gemm"}, (36, 0, 0, 0, 4)),
        ({"matrix__dataflow": "dot"}, (36, 0, 0, 0, 4)),
        ({"matrix__cycles": "100 + m"}, (36, 0, 0, 0, 70 + 4)),
    ],
)
def test_parts_of_a_product(changes: dict[str, object], wanted: tuple[int, ...]) -> None:
    spec = make_spec(**changes)
    product = Instruction("matmul", height=2, width=3, kernel_height=1, kernel_width=1, input_blocks=3,
                          output_blocks=2, input_channels=11, output_channels=7)  # fmt: skip
    assert tuple(instruction_parts(spec, words_of(product))[0]) == wanted


def test_few_pixels_wait_for_weights() -> None:
    product = Instruction("matmul", height=1, width=1, kernel_height=1, kernel_width=1, input_blocks=5,
                          output_blocks=1, input_channels=20, output_channels=4)  # fmt: skip
    compute, weights, *_ = instruction_parts(make_spec(), words_of(product))[0]
    assert (compute, weights) == (5, 4 + 5 * 3)


def test_a_port_is_a_dependency() -> None:
    spec = make_spec()
    first = Instruction("load", space=SPACES["activation"], local_address=0, row_bytes=64, rows=1, planes=1)
    # The product reads no byte that was loaded, but the same bank of one read and one write port.
    other = Instruction("matmul", activation_address=512, height=1, width=1, kernel_height=1, kernel_width=1,
                        input_blocks=1, output_blocks=1, input_channels=4, output_channels=4, wait_load=1)  # fmt: skip
    words = words_of(first, other, Instruction("halt", wait_matrix=1, wait_load=1))
    (layer,) = attribute(spec, words, ["a", "a", ""], simulate(spec, words)).values()
    # 2 cycles of fetch before the load, and the load itself: 2 + 10 + 16.
    assert (layer.dma, layer.dependency) == (0, 2 + 28)
    other["activation_address"] = 0
    words = words_of(first, other, Instruction("halt", wait_matrix=1, wait_load=1))
    (layer,) = attribute(spec, words, ["a", "a", ""], simulate(spec, words)).values()
    assert (layer.dma, layer.dependency) == (28, 2)


def test_runs_are_joined() -> None:
    busy = {"load": 1, "store": 2, "matrix": 3, "vector": 4}
    one = LayerCycles(1, 2, 3, 4, 5, busy, 0, 20)
    both = joined([{"a": one}, {"a": one, "b": one}])
    assert both["a"].cycles == 30 and both["b"] == one
    assert both["a"].busy == {"load": 2, "store": 4, "matrix": 6, "vector": 8}


def test_utilisation() -> None:
    assert utilisation(make_spec(), Counts(matrix_macs=80, vector_macs=80), 20) == 0.5
    assert utilisation(make_spec(), Counts(), 0) == 0.0


@settings(max_examples=20)
@given(seed=SEEDS)
def test_ranges_of_a_program_are_the_footprints(seed: int) -> None:
    spec = random_accelerator(np.random.default_rng(seed))
    for run in program(spec, seed, layers=3).runs:
        ranges = program_ranges(spec, run.words)
        for index, instruction in enumerate(decode(run.words)):
            row = zip(ranges.space[index], ranges.low[index], ranges.high[index], ranges.write[index], strict=True)
            assert [access for access in row if access[0] != ABSENT] == footprint(spec, instruction)


def _walked(spec: Spec, words: Words) -> dict[str, int]:
    """Counts by going through the loops of every instruction as the machine does."""
    found = dict.fromkeys(Counts().to_json(), 0)
    columns, rows = spec.matrix.columns, spec.matrix.rows
    for i in decode(words):
        if i.mnemonic == "halt":
            continue
        found["instructions"] += 1
        if i.mnemonic == "matmul":
            for _ in range(i["output_blocks"]):
                for fold in range(i["kernel_height"] * i["kernel_width"] * i["input_blocks"]):
                    found["weight_read"] += rows * columns
                    for _ in range(i["height"] * i["width"]):
                        found["activation_read"] += rows
                        found["array_macs"] += rows * columns
                        found["accumulator_read"] += 4 * columns if fold or i["accumulate"] else 0
                        found["accumulator_written"] += 4 * columns
            window = i["kernel_height"] * i["kernel_width"] * i["input_channels"]
            found["matrix_macs"] += i["height"] * i["width"] * window * i["output_channels"]
        elif i.mnemonic == "vector":
            _walk_vector(spec, i, found)
        else:
            space = next(name for name, code in SPACES.items() if code == i["space"])
            for _ in range(i["rows"] * i["planes"]):
                if i.mnemonic == "store":
                    found["dram_activation_written"] += i["row_bytes"]
                    found["activation_read"] += i["row_bytes"]
                    continue
                found[f"{space}_written"] += i["row_bytes"]
                found[f"dram_{space}_read"] += i["row_bytes"] if i.mnemonic == "load" else 0
    return found


def _walk_vector(spec: Spec, i: Instruction, found: dict[str, int]) -> None:
    columns = spec.matrix.columns
    operation = next(name for name, code in VECTOR_OPS.items() if code == i["operation"])
    for _ in range(i["blocks"]):
        found["constant_read"] += spec.parameter_bytes if i["per_channel"] else 0
        for _ in range(i["height"] * i["width"]):
            for _ in range(i["kernel_height"] * i["kernel_width"]):
                if i["from_accumulator"]:
                    found["accumulator_read"] += 4 * columns
                else:
                    found["activation_read"] += columns
                found["constant_read"] += columns if operation == "depthwise" else 0
                found["vector_operations"] += columns
            if operation in ("add", "multiply"):
                found["activation_read"] += columns
                found["vector_operations"] += columns
            found["constant_read"] += columns if operation == "table" else 0
            found["rescales"] += columns if operation not in ("max", "table") else 0
            found["activation_written"] += columns
    if operation == "depthwise":
        found["vector_macs"] += i["height"] * i["width"] * i["kernel_height"] * i["kernel_width"] * i["channels"]


@settings(max_examples=20)
@given(seed=SEEDS)
def test_counts_equal_a_walk_through_the_loops(seed: int) -> None:
    spec = random_accelerator(np.random.default_rng(seed))
    spec = spec.model_copy(update={"matrix": spec.matrix.model_copy(update={"dataflow": "ws"})})
    for run in program(spec, seed, layers=2).runs:
        counts = by_layer(spec, run.words, run.layers)
        assert total_counts(counts).to_json() == _walked(spec, run.words)


def test_counts_of_a_product_by_dataflow() -> None:
    product = Instruction("matmul", height=2, width=3, kernel_height=1, kernel_width=1, input_blocks=3, accumulate=1,
                          output_blocks=2, input_channels=11, output_channels=7)  # fmt: skip
    wanted = {
        # (activations, weights, accumulators read, written): bytes.
        "ws": (6 * 6 * 4, 6 * 16, 6 * 6 * 16, 6 * 6 * 16),
        "dot": (6 * 6 * 4, 6 * 16, 6 * 6 * 16, 6 * 6 * 16),
        "gemm": (6 * 6 * 4, 6 * 6 * 16, 6 * 6 * 16, 6 * 6 * 16),
        "is": (3 * 6 * 4, 2 * 6 * 16, 6 * 6 * 16, 6 * 6 * 16),
        "os": (6 * 11 * 2, 2 * 2 * 11 * 4, 6 * 2 * 16, 6 * 2 * 16),
    }
    for dataflow, numbers in wanted.items():
        (counts,) = by_layer(make_spec(matrix__dataflow=dataflow), words_of(product), ["a"]).values()
        assert counts.matrix_macs == 6 * 11 * 7 and counts.array_macs == 6 * 6 * 16
        found = (
            counts.activation_read, counts.weight_read, counts.accumulator_read, counts.accumulator_written
        )  # fmt: skip
        assert found == numbers, dataflow


def test_a_large_program_is_attributed() -> None:
    spec = make_spec()
    steps = [
        Instruction("load", row_bytes=64, rows=1, planes=1),
        Instruction("matmul", height=2, width=3, kernel_height=1, kernel_width=1, input_blocks=3, output_blocks=2,
                    input_channels=11, output_channels=7),
    ]  # fmt: skip
    words = np.tile(encode(steps), (25_000, 1))
    words[1::2, 1] = np.arange(1, 25_001)  # the product waits for the load before it
    timeline = simulate(spec, words)
    layers = attribute(spec, words, ["a"] * len(words), timeline)
    assert layers["a"].cycles == timeline.total_cycles
