"""What `make demo` shows: one trained network, three targets, the same bytes, and a bitstream made with open tools.

python -m examples.demo [folder]        # default: out/demo
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["COMMANDS", "main"]

DIGITS = "examples/digits"
COMMANDS = (
    ("What is in the model, and can both targets take it?",
     f"gatewright check {DIGITS}/digits_cnn.onnx -t cpu -t xilinx:pynq-z2"),
    ("What does 8-bit quantization cost, layer by layer and in accuracy?",
     f"gatewright quantize {DIGITS}/digits_cnn.onnx --calib {DIGITS}/digits_cnn_calib.npz "
     f"--inputs {DIGITS}/digits_cnn_test.npz"),
    ("Build a CPU library and an HLS project from the same integer graph.",
     f"gatewright compile {DIGITS}/digits_cnn.onnx -t cpu -t xilinx:pynq-z2 -o {{out}} "
     f"--calib {DIGITS}/digits_cnn_calib.npz"),
    ("Run the CPU library.",
     f"gatewright run {{out}} -t cpu --inputs {DIGITS}/digits_cnn_test.npz -o {{out}}.outputs.npz"),
    ("Are the CPU library and the HLS C simulation equal to the golden reference, byte for byte?",
     f"gatewright verify {{out}} --inputs {DIGITS}/digits_cnn_test.npz"),
    ("What would the FPGA design cost, layer by layer?",
     "gatewright estimate {out} -t xilinx:pynq-z2 --layers"),
    ("A bitstream for an iCEBreaker board (iCE40 UP5K), with yosys and nextpnr alone: about a minute.",
     f"gatewright compile {DIGITS}/digits_cnn.onnx -t lattice:icebreaker --profile fixed -o {{out}}-lattice "
     f"--calib {DIGITS}/digits_cnn_calib.npz"),
    ("Does the simulated Verilog equal the golden reference too?",
     f"gatewright verify {{out}}-lattice --inputs {DIGITS}/digits_cnn_test.npz"),
    ("What was predicted, and what did place and route measure?",
     "gatewright estimate {out}-lattice --layers"),
)  # fmt: skip


def main(out: str) -> int:
    """Run the commands and show them with their outputs; returns the first exit code that is not 0."""
    started = time.monotonic()
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    for title, template in COMMANDS:
        command = template.format(out=out)
        print(f"\n=== {title}\n$ {command}", flush=True)
        _, *arguments = shlex.split(command)
        code = subprocess.run([sys.executable, "-m", "gatewright.compiler.cli", *arguments], check=False).returncode
        if code:
            return code
    print(f"\nThe artefact lies in {out}: cpu/ holds the library, xilinx-pynq-z2/ the HLS project, graph/ the integer")
    print("graph as text. The bitstream, and the Verilog it was made of, lie in")
    print(f"{out}-lattice/lattice-icebreaker/design. Done in {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "out/demo"))
