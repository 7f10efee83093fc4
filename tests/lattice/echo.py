"""A stand-in for a network: output m0 is three times input s0, output m1 is input s1 plus one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

_VERILOG = """
module echo_triple(
    input clk, input rst, input s_valid, output s_ready, input [15:0] s_data,
    output reg m_valid, input m_ready, output [11:0] m_data);
    reg [15:0] held; reg second;
    wire signed [7:0] now = held[7:0];
    wire signed [11:0] triple = now * 3;
    assign s_ready = !m_valid;
    assign m_data = triple;
    always @(posedge clk) begin
        if (s_valid && s_ready) begin held <= s_data; m_valid <= 1; second <= 0; end
        if (m_valid && m_ready) begin held <= held >> 8; second <= 1; m_valid <= !second; end
        if (rst) m_valid <= 0;
    end
endmodule
module echo_plus(
    input clk, input rst, input s_valid, output s_ready, input [4:0] s_data,
    output reg m_valid, input m_ready, output reg [4:0] m_data);
    assign s_ready = !m_valid;
    always @(posedge clk) begin
        if (s_valid && s_ready) begin m_data <= s_data + 1; m_valid <= 1; end
        if (m_valid && m_ready) m_valid <= 0;
        if (rst) m_valid <= 0;
    end
endmodule
module network(
    input clk, input rst,
    input s0_valid, output s0_ready, input [15:0] s0_data,
    SECOND_INPUT
    output m0_valid, input m0_ready, output [11:0] m0_data
    SECOND_OUTPUT);
    echo_triple stage_triple(clk, rst, s0_valid, s0_ready, s0_data, m0_valid, m0_ready, m0_data);
    SECOND_STAGE
endmodule
"""
_SECOND = {
    "SECOND_INPUT": "input s1_valid, output s1_ready, input [4:0] s1_data,",
    "SECOND_OUTPUT": ", output m1_valid, input m1_ready, output [4:0] m1_data",
    "SECOND_STAGE": "echo_plus stage_plus(clk, rst, s1_valid, s1_ready, s1_data, m1_valid, m1_ready, m1_data);",
}
SIGNED = {"signed": True, "axes": [0, 1]}
INPUTS = [
    {"name": "x", "port": "s0", "shape": [1, 8], "bits": 8, "lanes": 2, "tokens": 4, "dtype": "int8", **SIGNED},
    {"name": "y", "port": "s1", "shape": [1, 3], "bits": 5, "lanes": 1, "tokens": 3, "dtype": "int8", **SIGNED},
]
OUTPUTS = [
    {"name": "u", "port": "m0", "shape": [1, 8], "bits": 12, "lanes": 1, "tokens": 8, "dtype": "int16", **SIGNED},
    {"name": "v", "port": "m1", "shape": [1, 3], "bits": 5, "lanes": 1, "tokens": 3, "dtype": "int8", **SIGNED},
]


def design(directory: Path, streams: int = 1) -> Path:
    """Write the design folder, with one or two streams each way."""
    text = _VERILOG
    for mark, second in _SECOND.items():
        text = text.replace(mark, second if streams == 2 else "")
    (directory / "rtl").mkdir(parents=True)
    (directory / "rtl" / "network.v").write_text(text)
    data = {
        "schema_version": 1,
        "name": "echo",
        "sources": ["network.v"],
        "inputs": INPUTS[:streams],
        "outputs": OUTPUTS[:streams],
        "extra": {},
    }
    (directory / "design.json").write_text(json.dumps(data))
    return directory


def vectors(frames: int, streams: int = 1, seed: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """(inputs, outputs) of ``frames`` frames."""
    random = np.random.default_rng(seed)
    x = random.integers(-128, 128, (frames, 8)).astype(np.int8)
    y = random.integers(-16, 15, (frames, 3)).astype(np.int8)
    fed, made = {"x": x}, {"u": 3 * x.astype(np.int16)}
    return (fed, made) if streams == 1 else (fed | {"y": y}, made | {"v": y + np.int8(1)})
