"""The page of the instruction set, written from the table of fields.

python -m gatewright.schedules.accelerator.isa.documentation schedules/accelerator/isa/README.md     # rewrites the file
"""

from __future__ import annotations

import sys
from pathlib import Path

from gatewright.schedules.accelerator.isa.fields import FIELDS, OPCODES, SPACES, UNIT_OF, VECTOR_OPS, WORDS, Field

__all__ = ["main", "page"]

_HEAD = f"""# The instruction set of the simulated accelerators

Written by `python -m gatewright.schedules.accelerator.isa.documentation schedules/accelerator/isa/README.md` from
`fields.py`; a test keeps it current. Assembler and disassembler (`text.py`), encoder (`encoding.py`), the functional
executor (`targets/accelerator/machine`), the timing model (`schedules/accelerator/timing`) and the Verilog decoder
(`hls/accelerator`) read the same table and the same bytes.

A program is a row of instructions of {WORDS} words of 32 bits, little endian, {4 * WORDS} bytes each. Instructions are
macros: one moves a strided block, multiplies a whole tile, or rescales one. They go into four queues, one a unit, and
each unit works its queue in order.

**Waits.** Units run ahead of each other as far as data allow. Words 1 to 4 say how many instructions the load, store,
matrix and vector unit must have completed since the program began before this one may start; 0 waits for nothing. A
program waits only for instructions before it, so it cannot deadlock. The compiler derives the counts from the address
ranges of all instructions (read after write, write after write, write after read) and from the ports of memory banks:
two units never use the same port of a bank at the same time, so the hardware needs no arbiter.

**Memories.** DRAM and four scratchpads: activations (pixel after pixel, channels innermost, padded to whole blocks),
weights (folds of R rows of C bytes), constants (records of bias, multiplier and shift; depthwise weights; tables), and
accumulators (rows of C numbers of 32 bits). Addresses are bytes, for accumulators rows.

**Arithmetic.** Operands are bytes, signed or not; `weight_zero` is subtracted from weights as they are loaded, so
products have 9-bit operands. Sums are kept modulo 2^32, which is exact where the true sum fits 32 bits; the compiler
places no layer whose sum may not. There is one rounding: `q = clamp(((t * M + k) >> n) + z)` with `>>` arithmetic and
the product in 64 bits; by channel `t = acc + bias` and `k = 2^(n-1)` (0 when n = 0).

| instruction | opcode | unit | what it does |
|---|---|---|---|
| `load` | {OPCODES["load"]} | load | `pad[plane, row, byte] = dram[plane, row, byte]`, strided on both sides |
| `store` | {OPCODES["store"]} | store | the other way round |
| `fill` | {OPCODES["fill"]} | load | `pad[plane, row, byte] = value`: what stands outside an image |
| `matmul` | {OPCODES["matmul"]} | matrix | every window of a tile of pixels times every fold of weights |
| `vector` | {OPCODES["vector"]} | vector | {", ".join(f"`{n}`" for n in VECTOR_OPS)}; results are activations |
| `halt` | {OPCODES["halt"]} | | ends the program when its waits are met |

Scratchpad numbers (`space`): {", ".join(f"{number} {name}" for name, number in SPACES.items())}.
Operations of `vector`: {", ".join(f"{number} {name}" for name, number in VECTOR_OPS.items())}.

A `matmul` computes, for output block nb, pixel p = (y, x) and lane c,
`acc[accumulator_address + nb*height*width + p][c] (+)= sum x[p, u, v, kb*R + r] * (w[nb, u, v, kb][r][c] - zero)` over
the window (u, v), the input blocks kb and the rows r of the array. The window's pixel lies at
`activation_address + y*row_stride + x*pixel_stride + u*kernel_row_stride + v*kernel_pixel_stride`.
"""


def page() -> str:
    """The whole page, Markdown."""
    parts = [_HEAD]
    common = set(FIELDS["halt"])
    parts.append("\n## Every instruction\n\n" + _table({name: FIELDS["halt"][name] for name in FIELDS["halt"]}))
    for mnemonic, layout in FIELDS.items():
        own = {name: field for name, field in layout.items() if name not in common}
        if own:
            parts.append(f"\n## {mnemonic} (unit: {UNIT_OF[mnemonic]})\n\n" + _table(own))
    return "".join(parts)


def _table(fields: dict[str, Field]) -> str:
    lines = ["| field | word | bits | | meaning |", "|---|---|---|---|---|"]
    for name, field in fields.items():
        top = field.low + field.width - 1
        bits = "63:0 (two words)" if field.width == 64 else f"{top}:{field.low}"
        lines.append(f"| {name} | {field.word} | {bits} | {'signed' if field.signed else ''} | {field.meaning} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Write the page into the file that is named."""
    Path(arguments[0]).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
