"""The host's end of a board: against the functional machine behind a line, and behind a pseudo terminal."""

from __future__ import annotations

import json
import os
import pty
import threading
import tty
from pathlib import Path

import numpy as np
import pytest

from gatewright.compiler.errors import TargetError, ToolError, UsageError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.reference import Reference
from gatewright.hls.accelerator.bitstream import LINK_FILE
from gatewright.hls.accelerator.link import AcceleratorLink
from gatewright.schedules.accelerator.image import packaged
from gatewright.schedules.accelerator.isa.encoding import decode
from gatewright.schedules.accelerator.planner import plan_network
from gatewright.schedules.accelerator.search.convolution import Budget
from gatewright.schedules.accelerator.serialization import Package
from gatewright.schedules.accelerator.spec import Spec
from gatewright.targets.accelerator.building import load_package
from gatewright.targets.accelerator.database import shipped
from gatewright.targets.accelerator.host import BoardNetwork
from gatewright.targets.accelerator.machine.board import BoardExecutor, memory_needed
from gatewright.targets.accelerator.machine.executor import execute
from gatewright.targets.accelerator.machine.memories import Memories
from gatewright.targets.accelerator.machine.network import Network
from tests.accelerator.test_target import built
from tests.strategies import random_graph, random_inputs

SPEC = shipped()["systolic-8x8-ws"]
GRAPH = 23  # has constants, and a tensor that stays on the board


class Board:
    """Takes the commands of gw_accelerator_link.v; its memory wakes up with anything in it."""

    def __init__(self, spec: Spec, memory_bytes: int, *, faulty: bool = False) -> None:
        self.memory = np.random.default_rng(0).integers(0, 256, memory_bytes, np.uint8)
        self.answer, self.written, self.read, self.runs = b"", 0, 0, 0
        self._spec, self._faulty, self._pending = spec, faulty, b""

    def send(self, data: bytes) -> None:
        self._pending += data
        word = self._spec.matrix.columns
        while len(self._pending) >= 9:
            command, (place, count) = self._pending[0], np.frombuffer(self._pending[1:9], "<u4").astype(int) * word
            size = 9 + (count if command == 1 else 0)
            if len(self._pending) < size:
                return
            content, self._pending = self._pending[9:size], self._pending[size:]
            if command == 1:
                self.memory[place : place + count] = np.frombuffer(content, np.uint8)
                self.written += count
            elif command == 2:
                self.answer += self.memory[place : place + count].tobytes()
                self.read += count
            else:
                assert command == 3
                self._run(place)
                self.answer += (1000 + (self._faulty << 31)).to_bytes(word, "little")

    def _run(self, place: int) -> None:
        self.runs += 1
        words = np.frombuffer(self.memory[place : (len(self.memory) - place) // 128 * 128 + place].tobytes(), "<u4")
        table = words.reshape(-1, 32)
        halt = int(np.flatnonzero((table[:, 0] & 0xFF) == 0)[0])
        execute(self._spec, Memories.of(self._spec, self.memory), decode(table[: halt + 1]))

    def receive(self, count: int) -> bytes:
        assert len(self.answer) >= count
        data, self.answer = self.answer[:count], self.answer[count:]
        return data


def package_of(spec: Spec, graph: IntegerGraph) -> Package:
    return packaged(spec, plan_network(spec, graph, Budget(candidates=1)))


def link_to(board: Board, package: Package) -> AcceleratorLink:
    return AcceleratorLink(board, package.spec.matrix.columns, len(board.memory))


@pytest.mark.parametrize(
    ("side", "seed", "layers"),
    # The last ones are those of some hundred whose programs write over what the host made, in or between inferences.
    [*((side, seed, 8) for side in (4, 8, 16) for seed in range(8)),
     *((8, seed, layers) for seed, layers in ((24, 6), (26, 10), (130, 10), (139, 10), (222, 10), (240, 6)))],
)  # fmt: skip
def test_networks_run_again_and_again(side: int, seed: int, layers: int) -> None:
    """Host layers between, inputs in memory that programs reuse, a board that held something else before."""
    spec, graph = shipped()[f"systolic-{side}x{side}-ws"], random_graph(seed, layers=layers)
    package = package_of(spec, graph)
    board = Board(spec, memory_needed(package))
    executor = BoardExecutor(link_to(board, package), package)
    network = Network(package)
    for sample in (seed, seed + 1, seed):
        inputs = random_inputs(graph, sample)
        got = network.run(inputs, executor)
        for name, want in Reference(graph).run(inputs).items():
            assert np.array_equal(got[name], want), (seed, name)
    assert board.runs == len(executor.cycles) == 3 * len(package.program.runs)


@pytest.mark.parametrize(("seed", "runs"), [(GRAPH, 1), (0, 2), (7, 2)])
def test_only_what_changed_is_sent(seed: int, runs: int) -> None:
    graph = random_graph(seed, layers=6, max_bits=8)
    package = package_of(SPEC, graph)
    assert len(package.program.runs) == runs
    board = Board(SPEC, memory_needed(package))
    network, executor = Network(package), BoardExecutor(link_to(board, package), package)
    inputs = random_inputs(graph, 1)
    network.run(inputs, executor)
    programs = sum(run.words.nbytes for run in package.program.runs)
    first, read = board.written, board.read
    assert first >= len(package.constants) + programs
    sizes = {name: -(-there.storage.size_bytes // 8) * 8 for name, there in package.program.tensors.items()}
    assert 0 < read <= sum(sizes[name] for name in sizes if name not in {layer.name for layer in graph.inputs})
    network.run(random_inputs(graph, 2), executor)
    assert 0 < board.written - first < programs and board.read == 2 * read


def test_a_network_too_large_for_the_board() -> None:
    package = package_of(SPEC, random_graph(GRAPH, layers=6, max_bits=8))
    board = Board(package.spec, memory_needed(package) - package.spec.matrix.columns)
    with pytest.raises(UsageError, match=r"GW4314 .* needs \d+ bytes of main memory, the board has \d+"):
        BoardExecutor(link_to(board, package), package)


def test_a_board_that_knows_other_instructions() -> None:
    graph = random_graph(GRAPH, layers=6, max_bits=8)
    package = package_of(SPEC, graph)
    executor = BoardExecutor(link_to(Board(package.spec, 1 << 20, faulty=True), package), package)
    with pytest.raises(TargetError, match=r"GW4315 .* does not know"):
        Network(package).run(random_inputs(graph, 0), executor)


def test_words_of_the_memory() -> None:
    package = package_of(SPEC, random_graph(0))
    link = AcceleratorLink(Board(package.spec, 64), 8, 64)
    for address, size in ((4, 8), (8, 4), (64, 8), (-8, 8)):
        with pytest.raises(ValueError, match="no words"):
            link.read(address, size)


class Serial:
    """An artefact with a board, and a device that plays it in a thread."""

    def __init__(self, folder: Path, *, silent: bool = False) -> None:
        self.graph = random_graph(GRAPH, layers=6, max_bits=8)
        self.folder = built(self.graph, folder)
        package = load_package(self.folder)
        self.runs = len(package.program.runs)
        (self.folder / "board").mkdir()
        link = {"baud": 115_200, "memory_bytes": memory_needed(package)}
        (self.folder / "board" / LINK_FILE).write_text(json.dumps(link))
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.device = os.ttyname(self._slave)
        self._board, self._silent, self._ended = Board(package.spec, memory_needed(package)), silent, False
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def _play(self) -> None:
        while not self._ended:
            self._board.send(os.read(self._master, 4096))
            if self._board.answer and not self._silent:
                os.write(self._master, self._board.receive(len(self._board.answer)))

    def end(self) -> None:
        """Unplug it."""
        self._ended = True
        os.write(self._slave, bytes(1))
        self._thread.join(5)
        os.close(self._slave)
        os.close(self._master)


@pytest.mark.parametrize("kind", [Path, str])
def test_a_built_network_over_a_serial_device(tmp_path: Path, kind: type[Path | str]) -> None:
    serial = Serial(tmp_path / "a")
    with BoardNetwork(serial.device, kind(serial.folder)) as network:
        for sample in (3, 4):
            inputs = random_inputs(serial.graph, sample)
            got = network.run(inputs)
            for name, want in Reference(serial.graph).run(inputs).items():
                assert got[name].dtype == want.dtype and np.array_equal(got[name], want)
        assert network.cycles == [1000] * 2 * serial.runs
        name = serial.graph.inputs[0].name
        for code, wrong in (
            ("GW0101", {}), ("GW0102", {name: inputs[name][..., :1]}), ("GW0103", {name: inputs[name] + 0.5}),
            ("GW0103", {name: inputs[name].astype(np.int64) + 1000}),
            ("GW0102", {name: np.concatenate([inputs[name]] * 2)}),
        ):  # fmt: skip
            with pytest.raises(UsageError, match=code):
                network.run({**{key: inputs[key] for key in inputs if key != name}, **wrong})
        serial.end()
        with pytest.raises(ToolError, match=r"GW5036 .* has gone"):
            network.run(inputs)


def test_a_silent_board(tmp_path: Path) -> None:
    serial = Serial(tmp_path / "a", silent=True)
    with BoardNetwork(serial.device, serial.folder, timeout_s=0.5) as network:
        with pytest.raises(ToolError, match=r"GW5034 .* bytes are missing"):
            network.run(random_inputs(serial.graph, 3))
        serial.end()


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"baud": "fast", "memory_bytes": 9}'])
def test_damaged_descriptions_of_boards(tmp_path: Path, text: str | None) -> None:
    serial = Serial(tmp_path / "a")
    link = serial.folder / "board" / LINK_FILE
    link.unlink() if text is None else link.write_text(text)
    with pytest.raises(TargetError, match=r"GW4319 .*link\.json"):
        BoardNetwork(serial.device, serial.folder)
    serial.end()


def test_a_board_that_is_too_small_stays_free(tmp_path: Path) -> None:
    serial = Serial(tmp_path / "a")
    (serial.folder / "board" / LINK_FILE).write_text('{"baud": 115200, "memory_bytes": 64}')
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(UsageError, match="GW4314"):
        BoardNetwork(serial.device, serial.folder)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    serial.end()
