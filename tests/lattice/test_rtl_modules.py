"""Every module of the Verilog library beside what it should do: self-checking benches (tests/rtl) in one simulation.

Every bench runs a second time with a fault in the module it is for, and has to see it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from gatewright.hls.lattice.memories import rescale_words
from gatewright.hls.lattice.simulation.building import _verilator_root
from gatewright.hls.lattice.verilog.windows import window_parameters
from gatewright.schedules.stream.devices import FABRICS, MULTIPLIER_CYCLES
from gatewright.schedules.stream.hardware import Fold, hardware
from gatewright.schedules.stream.network import Channel
from gatewright.schedules.stream.rescaling import scaling_of
from gatewright.schedules.stream.stages import Mac, Map, Rescale, Stream, Window

pytestmark = pytest.mark.slow

BENCHES = Path(__file__).parent.parent / "rtl"


@dataclass(frozen=True)
class Bench:
    """One instance of a module of tests/rtl; ``memories`` are files it reads."""

    module: str
    parameters: dict[str, object] = field(default_factory=dict)
    memories: dict[str, str] = field(default_factory=dict)


def bench(module: str, **parameters: object) -> Bench:
    return Bench(f"bench_{module}", parameters)


# -- requantization --------------------------------------------------------------------------------------------------


def rescale_bench(
    name: str, bias: list[int], multiplier: list[int], shift: list[int], zero_point: int = 0, low: int = -128,
    high: int = 127, acc: tuple[int, int] = (-30000, 30000), out: int = 8, lanes: int = 1, fabric: str = "ecp5",
    rounding: str = "half_up", wrap: bool = False,
) -> Bench:  # fmt: skip
    rescale = Rescale(
        np.array(bias), np.array(multiplier), np.array(shift), zero_point, low, high, *acc,
        min(0, acc[0] + min(bias)), max(0, acc[1] + max(bias)), rounding, wrap,
    )  # fmt: skip
    signed = low < 0
    stream = Stream(1, lanes * len(bias), 8, True, *acc)
    stage = Map("m", ("x",), Stream(1, lanes * len(bias), out, signed, low, high), "m", stream, rescale)
    made = hardware(stage, Fold(lanes), FABRICS[fabric])
    scaling = scaling_of(rescale, FABRICS[fabric].style)
    words, width = rescale_words(made), lanes * scaling.entry_bits
    entries = np.broadcast_arrays(*(np.array(a, object) for a in (bias, multiplier, shift)))
    rows = [
        int(n) << 96 | int(m) << 64 | int(b) & (1 << 64) - 1 for b, m, n in zip(*entries, strict=True)
    ] * (1 if len(bias) > 1 else lanes)  # fmt: skip
    address = max(1, (len(words) - 1).bit_length())
    parameters: dict[str, object] = {
        "LANES": lanes, "ACC": scaling.acc_bits, "BIAS": scaling.bias_bits, "SUM": scaling.sum_bits,
        "M": scaling.multiplier_bits, "LIMB": scaling.limb, "NA": scaling.limbs_a, "NM": scaling.limbs_m,
        "LEVELS": scaling.levels, "STYLE": f'"{scaling.style}"', "AMOUNT": scaling.amount_bits,
        "STAGES": scaling.stages, "SHIFT_MIN": scaling.shift_min, "SCALED": scaling.scaled_bits,
        "MODE": f'"{scaling.mode}"', "ROUND": _literal(scaling.round), "OUT": out, "LOW": _literal(low),
        "HIGH": _literal(high), "WRAP": int(wrap), "POSITIONS": len(words), "ADDRESS": address,
        "LIMB_CYCLES": MULTIPLIER_CYCLES[scaling.style], "FILE": f'"{name}.hex"',
        "CONSTANTS": f'"{name}_plain.hex"', "ROUNDING": f'"{rounding}"', "ZERO_POINT": _literal(zero_point),
        "ACC_LOW": _literal(acc[0]), "ACC_HIGH": _literal(acc[1]),
        "LATENCY": scaling.latency,
    }  # fmt: skip
    return Bench(
        "bench_rescale", parameters, {f"{name}.hex": lines(words, width), f"{name}_plain.hex": lines(rows, 104)}
    )


def lines(words: Sequence[int], bits: int) -> str:
    return "".join(f"{word:0{-(-bits // 4)}x}\n" for word in words)


def _literal(value: int) -> str:
    return f"-64'sd{-value}" if value < 0 else f"64'sd{value}"


def rescale_benches() -> Iterator[tuple[str, Bench]]:
    cases: dict[str, dict[str, object]] = {
        "power": {"bias": [5], "multiplier": [1], "shift": [7], "zero_point": -3},
        "powers": {"bias": [5, -9000, 0, 77], "multiplier": [64, 1, 2, 1], "shift": [12, 0, 9, 15], "lanes": 2},
        "wide_zero": {"bias": [-16], "multiplier": [85], "shift": [8], "zero_point": 24141, "low": 0, "high": 65535,
                      "acc": (0, 40), "out": 16},
        "narrow_in": {"bias": [0], "multiplier": [1], "shift": [0], "acc": (-2, 1), "out": 16, "low": -32768,
                      "high": 32767},
        "multiply": {"bias": [100, -2000], "multiplier": [40001, 65535], "shift": [22, 24], "zero_point": 12},
        "multiply_0": {"bias": [1, 2], "multiplier": [3, 0], "shift": [0, 5], "acc": (-50, 50), "zero_point": 100},
        "multiply_31": {"bias": [7, -7, 40000], "multiplier": [1344391461, 2**31 - 1, 3], "shift": [38, 40, 20],
                        "zero_point": -51, "acc": (-(1 << 34), 1 << 34), "low": -30000, "high": 30000, "out": 16},
        "lut": {"bias": [100, -2000], "multiplier": [40001, 65535], "shift": [22, 24], "fabric": "ice40", "lanes": 2},
        "mac16": {"bias": [100], "multiplier": [1344391461], "shift": [40], "fabric": "ice40-up",
                  "acc": (-(1 << 20), 1 << 20)},
        "unsigned": {"bias": [0], "multiplier": [1], "shift": [6], "low": 0, "high": 255},
        "floor": {"bias": [0], "multiplier": [1], "shift": [5], "rounding": "floor", "acc": (-4096, 4095)},
        "floor_multiply": {"bias": [9], "multiplier": [40001], "shift": [22], "rounding": "floor", "zero_point": -5},
        "even": {"bias": [3], "multiplier": [1], "shift": [5], "rounding": "half_even", "acc": (-4096, 4095)},
        "even_zero_point": {"bias": [3, -70], "multiplier": [4, 4], "shift": [3, 3], "rounding": "half_even",
                            "acc": (-300, 300), "zero_point": 17, "lanes": 2},
        "even_0": {"bias": [3], "multiplier": [1], "shift": [0], "rounding": "half_even", "acc": (-300, 300)},
        "zero": {"bias": [3], "multiplier": [1], "shift": [5], "rounding": "toward_zero", "acc": (-4096, 4095)},
        "zero_shifts": {"bias": [3, -70], "multiplier": [1, 1], "shift": [3, 6], "rounding": "toward_zero",
                        "zero_point": -20},
        "zero_multiply": {"bias": [9, -9], "multiplier": [40001, 1234], "shift": [22, 17], "rounding": "toward_zero",
                          "zero_point": 3},
        "wrap": {"bias": [3], "multiplier": [1], "shift": [5], "rounding": "floor", "wrap": True},
    }  # fmt: skip
    for name, case in cases.items():
        yield f"rescale_{name}", rescale_bench(f"rescale_{name}", **case)


# -- windows ---------------------------------------------------------------------------------------------------------


SERIAL = Fold()


def window_bench(
    window: Window, fold: Fold = SERIAL, outputs: int = 1, groups: int = 1, push: int = 256, turn: int = 256,
    fabric: str = "ecp5", read: int = 256,
) -> Bench:  # fmt: skip
    """A reader in words of one element; ``fold.simd`` is 1, only the loops matter."""
    weight = np.ones((outputs, window.channels // groups, *window.kernel), np.int64)
    zero = np.zeros(1, np.int64)
    rescale = Rescale(zero, zero + 1, zero, 0, 0, 255, 0, 1 << 20, 0, 1 << 20)
    pixels = window.output[0] * window.output[1]
    x = Stream(window.height * window.width, window.channels, 8, False, 0, 255)
    stage = Mac("m", ("x",), Stream(pixels, outputs, 8, False, 0, 255), "m", x, window, weight, groups, rescale)
    made = hardware(stage, fold, FABRICS[fabric])
    assert made.loops is not None
    parameters = dict(window_parameters(stage, made.loops, made, Channel("x", 1, 8, False, x.elements)))
    del parameters["WORD"], parameters["PAD"]
    group = 1 if stage.depthwise else window.channels // groups
    more = {"DILATION_Y": window.dilation[0], "DILATION_X": window.dilation[1], "GROUP": group}
    return Bench("bench_window", {**parameters, **more, "PUSH": push, "TURN": turn, "READ": read})


def window_benches() -> dict[str, Bench]:
    return {
        "window_1x1": window_bench(Window(1, 1, 1)),
        "window_dense": window_bench(Window(1, 3, 7), outputs=4, fold=Fold(2), turn=100),
        "window_3x3": window_bench(Window(5, 6, 2, (3, 3), padding=(1, 1, 1, 1), pad=0xA5), outputs=3),
        "window_stall": window_bench(Window(5, 6, 2, (3, 3), padding=(1, 1, 1, 1), pad=0xA5), push=100, turn=60),
        "window_words": window_bench(Window(5, 6, 2, (3, 3), padding=(1, 1, 1, 1), pad=0xA5), turn=200, read=90),
        "window_stride": window_bench(Window(7, 9, 3, (3, 2), (2, 3), padding=(0, 1, 2, 0), pad=0xA5), turn=128),
        "window_skip": window_bench(Window(8, 8, 2, (1, 1), (3, 3)), push=128),
        "window_dilated": window_bench(Window(9, 8, 1, (3, 2), (1, 2), (2, 3), (2, 0, 1, 1), 0xA5), outputs=2),
        "window_groups": window_bench(Window(4, 4, 6, (2, 2)), outputs=6, groups=3, turn=90),
        "window_depthwise": window_bench(Window(4, 5, 4, (3, 3), padding=(1, 1, 1, 1), pad=0xA5), SERIAL, 4, 4),
        "window_early": window_bench(Window(3, 3, 1, (1, 1), padding=(2, 1, 1, 2), pad=0xA5), push=90),
        "window_flip_flops": window_bench(Window(3, 3, 1, (2, 2)), fabric="ice40"),
    }


# -- all benches, and the faults they have to see ----------------------------------------------------------------------

LINE = "".join(f"{(37 * i + 11) & 255:02x}\n" for i in range(64))
FOUR = "".join("".join(f"{(37 * (i + 16 * k) + 11) & 255:02x}" for k in (3, 2, 1, 0)) + "\n" for i in range(16))
ORDER = "".join(f"{word:x}\n" for word in (3, 8, 0, 5, 5, 1, 9, 2, 4))

INSTANCES: dict[str, Bench] = {
    "fifo_even": bench("fifo", PUSH=128, POP=128),
    "fifo_fast": bench("fifo"),
    "fifo_stalled": bench("fifo", DEPTH=5, ADDRESS=3, PUSH=200, POP=60),
    "fifo_one": bench("fifo", DEPTH=1, ADDRESS=1, PUSH=200, POP=200),
    "fifo_reset": bench("fifo_reset"),
    "fifo_block_even": bench("fifo", BLOCK=1, PUSH=128, POP=128),
    "fifo_block_fast": bench("fifo", BLOCK=1, DEPTH=6, ADDRESS=3),
    "fifo_block_stalled": bench("fifo", BLOCK=1, DEPTH=5, ADDRESS=3, PUSH=200, POP=60),
    "fifo_block_reset": bench("fifo_reset", BLOCK=1),
    "width_1_4": bench("width", IN=1, OUT=4, COUNT=2),
    "width_4_1": bench("width", IN=4, OUT=1, COUNT=2),
    "width_2_6": bench("width", IN=2, OUT=6, COUNT=2),
    "width_6_2": bench("width", IN=6, OUT=2, COUNT=2, PUSH=256, POP=100),
    "width_1_4_fast": bench("width", IN=1, OUT=4, COUNT=2, PUSH=256, POP=256, LAST=4 * 299 + 5),
    "width_4_1_fast": bench("width", IN=4, OUT=1, COUNT=2, PUSH=256, POP=256, LAST=300),
    "fork_3": bench("fork", READERS=3),
    "credit_fast": bench("credit", CREDITS=8, FLIGHT=5, ADDRESS=3, LAST=400 + 5 + 1),
    "credit_few": bench("credit", CREDITS=3, FLIGHT=5, ADDRESS=2, PUSH=200, POP=140),
    "credit_stalled": bench("credit", PUSH=200, POP=60),
    "credit_burst": bench("credit", PE=6, LANES=2, COUNT=2, CREDITS=10, PUSH=200, POP=90),
    "serialize_4_1": bench("credit", PE=4, LANES=1, COUNT=3, CREDITS=16, ADDRESS=4, LAST=400 + 5 + 2),
    "interleave": bench("interleave"),
    "interleave_fast": bench("interleave", PUSH=256, POP=256),
    "multiplier_lut_8x8": bench("multiplier"),
    "multiplier_lut_u8x8": bench("multiplier", A_SIGNED=0),
    "multiplier_lut_5x2": bench("multiplier", A=5, B=2),
    "multiplier_lut_4x1": bench("multiplier", A=4, B=1),
    "multiplier_lut_3x7": bench("multiplier", A=3, B=7),
    "multiplier_lut_1x4": bench("multiplier", A=1, B=4, A_SIGNED=0),
    "multiplier_lut_17x17": bench("multiplier", A=17, B=17),
    "multiplier_mult18_8x8": bench("multiplier", CYCLES=3, STYLE='"mult18"'),
    "multiplier_mult18_u8x8": bench("multiplier", CYCLES=3, STYLE='"mult18"', A_SIGNED=0),
    "multiplier_mult18_18x18": bench("multiplier", CYCLES=3, STYLE='"mult18"', A=18, B=18),
    "multiplier_mac16_8x8": bench("multiplier", STYLE='"mac16"'),
    "multiplier_mac16_u15x16": bench("multiplier", STYLE='"mac16"', A=15, B=16, A_SIGNED=0),
    "multiplier_ccu2c_8x8": bench("multiplier", CYCLES=3, STYLE='"ccu2c"'),
    "multiplier_adds_8x8": bench("multiplier", CYCLES=3, STYLE='"adds"'),
    "multiplier_ternary_8x2": bench("multiplier", STYLE='"ternary"', B=2, TERNARY=1),
    "multiplier_ternary_u8x2": bench("multiplier", STYLE='"ternary"', B=2, A_SIGNED=0, TERNARY=1),
    "wide_multiplier": bench("wide_multiplier"),
    "wide_multiplier_narrow": bench("wide_multiplier", A=9, M=7, NA=1, NM=1, LEVELS=0),
    "wide_multiplier_mac16": bench(
        "wide_multiplier", A=40, M=31, LIMB=15, NA=3, NM=3, LEVELS=4, CYCLES=2, STYLE='"mac16"'
    ),
    "wide_multiplier_lut": bench("wide_multiplier", A=25, M=16, LIMB=12, NA=2, NM=2, LEVELS=2, CYCLES=2, STYLE='"lut"'),
    "adder_tree_1": bench("adder_tree", N=1, LEVELS=0),
    "adder_tree_2": bench("adder_tree", N=2, LEVELS=1),
    "adder_tree_5": bench("adder_tree", N=5),
    "adder_tree_8": bench("adder_tree", N=8),
    "adder_tree_9": bench("adder_tree", N=9, LEVELS=4),
    "shift_0": bench("shift", AMOUNT=1, STAGES=0),
    "shift_1": bench("shift", AMOUNT=1, STAGES=1),
    "shift_3": bench("shift"),
    "shift_5": bench("shift", AMOUNT=5, STAGES=3),
    "pool_maximum": bench("pool"),
    "pool_maximum_unsigned": bench("pool", X_SIGNED=0),
    "pool_sum": bench("pool", MAXIMUM=0),
    "pool_sum_unsigned": bench("pool", MAXIMUM=0, X_SIGNED=0),
    "combine": bench("combine"),
    "product_lut": bench("product"),
    "product_mult18": bench("product", CYCLES=4, STYLE='"mult18"'),
    "table_signed": Bench("bench_table", {"FILE": '"line.hex"'}, {"line.hex": LINE}),
    "table_unsigned": Bench("bench_table", {"FILE": '"line.hex"', "X_SIGNED": 0, "BLOCK": 1}, {"line.hex": LINE}),
    "memory_block": bench("memory"),
    "memory_distributed": bench("memory", BLOCK=0),
    "rom_block": Bench("bench_rom", {"FILE": '"line.hex"'}, {"line.hex": LINE}),
    "rom_columns": Bench("bench_rom", {"FILE": '"four.hex"', "ROWS": 16, "COLUMNS": 4, "ROW": 4}, {"four.hex": FOUR}),
    "rom_late": Bench(
        "bench_rom", {"FILE": '"four.hex"', "ROWS": 16, "COLUMNS": 4, "ROW": 4, "LATE": 1}, {"four.hex": FOUR}
    ),
    "rom_lut": Bench("bench_rom", {"FILE": '"line.hex"', "BLOCK": 0}, {"line.hex": LINE}),
    "keep_fast": bench("keep"),
    "keep_stalled": bench("keep", WORDS=8, PUSH=150, POP=120),
    "keep_one": bench("keep", WORDS=1, ADDRESS=1, PUSH=100, POP=100),
    "sequence_one": bench("sequence", WORDS=1, ADDRESS=1, COPIES=1),
    "sequence_odd": bench("sequence", COPIES=1),
    "sequence_even": bench("sequence", WORDS=16, COPIES=1),
    "sequence_copies": bench("sequence"),
    "sequence_even_copies": bench("sequence", WORDS=16, COPIES=2),
    "gather_fast": Bench("bench_gather", {"FILE": '"order.hex"'}, {"order.hex": ORDER}),
    "gather_stalled": Bench("bench_gather", {"FILE": '"order.hex"', "PUSH": 150, "POP": 150}, {"order.hex": ORDER}),
    **dict(rescale_benches()),
    **window_benches(),
}

# module: what stands in it, what stands there instead, a bench that has to see it
FAULTS: dict[str, tuple[str, str, str, str]] = {
    "fifo_wraps_late": ("gw_fifo", "DEPTH - 1;", "DEPTH;", "fifo_stalled"),
    "fifo_never_full": ("gw_fifo", "assign push_ready = !full;", "assign push_ready = 1;", "fifo_even"),
    "fifo_forgets_reset": ("gw_fifo", "            empty <= 1;\n", "", "fifo_reset"),
    "fifo_block_drops": ("gw_fifo_block", "(!pop_valid || pop_ready)", "1'b1", "fifo_block_even"),
    "fifo_block_slow": ("gw_fifo_block", "(!pop_valid || pop_ready)", "!pop_valid", "fifo_block_fast"),
    "width_order": ("gw_width", "{in_data, word[OUT*BITS-1:IN*BITS]}", "{word, in_data}", "width_1_4"),
    "width_early": ("gw_width", "in_ready = out_ready && count == LAST", "in_ready = out_ready", "width_4_1"),
    "width_slow": ("gw_width", "assign in_ready = !valid || out_ready", "assign in_ready = !valid", "width_1_4_fast"),
    "fork_alone": ("gw_fork", "{READERS{in_valid && in_ready}}", "{READERS{in_valid}}", "fork_3"),
    "fork_any": ("gw_fork", "&out_ready", "|out_ready", "fork_3"),
    "credit_too_many": ("gw_credit", "ALL = CREDITS", "ALL = CREDITS + 1", "credit_stalled"),
    "credit_lost": ("gw_credit", "credits + {", "credits - {", "credit_stalled"),
    "credit_of_one": ("gw_credit", "next >= NEED", "next >= 1", "credit_burst"),
    "serialize_backwards": ("gw_serialize", "held[LANES*WIDTH-1:0]", "held[PE*WIDTH-1 -: WIDTH]", "serialize_4_1"),
    "serialize_short": ("gw_serialize", "PE / LANES - 1;", "PE / LANES - 2;", "serialize_4_1"),
    "interleave_burst": ("gw_interleave", "count == burst - 1", "count == burst", "interleave"),
    "interleave_greedy": ("gw_interleave", "out_ready && stream == i", "out_ready", "interleave"),
    "lut_sign": ("gw_lut_multiplier", "- (wide_b[2*i+1] ? twice : 0)", "+ (wide_b[2*i+1] ? twice : 0)",
                 "multiplier_lut_8x8"),
    "lut_unsigned": ("gw_lut_multiplier", "A_SIGNED ? a[A-1] : 1'b0", "a[A-1]", "multiplier_lut_u8x8"),
    "mult18_sign": ("gw_multiplier", "{{(18-B){b[B-1]}}, b}", "{{(18-B){1'b0}}, b}", "multiplier_mult18_8x8"),
    "mac16_sign": ("gw_multiplier", "{(16-A){A_SIGNED ? a[A-1] : 1'b0}}", "{(16-A){a[A-1]}}",
                   "multiplier_mac16_u15x16"),
    "ternary_sign": ("gw_multiplier", "b[B-1] ? -wide_a : wide_a", "wide_a", "multiplier_ternary_8x2"),
    "wide_limb": ("gw_wide_multiplier", "(i + j) * LIMB", "(i + j) * LIMB + (i == j) * (i != 0)",
                  "wide_multiplier_mac16"),
    "wide_sign": ("gw_wide_multiplier", "i == NA - 1 ?", "0 ?", "wide_multiplier"),
    "tree_odd": ("gw_adder_tree", "result <= a;", "result <= 0;", "adder_tree_5"),
    "tree_unsigned": ("gw_adder_tree", "wire signed [BITS-2:0] a", "wire [BITS-2:0] a", "adder_tree_2"),
    "shift_logical": ("gw_shift", "stage[s-1].value >>> (2 << (2 * s - 2))", "stage[s-1].value >> (2 << (2 * s - 2))",
                      "shift_3"),
    "rescale_half": ("gw_rescale", "shifted + ROUND", "shifted + ROUND - 1", "rescale_multiply"),
    "rescale_even": ("gw_rescale", "biased[SHIFT_MIN]", "1'b1", "rescale_even"),
    "rescale_sign": ("gw_rescale", "negative ? -shifted", "negative ? ~shifted", "rescale_zero_multiply"),
    "rescale_floor": ("gw_rescale", "product >>> SHIFT_MIN", "product / (64'sd1 << SHIFT_MIN)", "rescale_floor"),
    "rescale_clamp": ("gw_rescale", "rounded > HIGH", "rounded >= HIGH - 1", "rescale_power"),
    "rescale_wrap": ("gw_rescale", "if (WRAP)", "if (0)", "rescale_wrap"),
    "rescale_cut": ("gw_rescale", "reg signed [SCALED-1:0] sum;", "reg signed [SCALED-3:0] sum;", "rescale_wide_zero"),
    "rescale_amount": ("gw_rescale", ".CYCLES(MULTIPLY)) wait_for_product", ".CYCLES(MULTIPLY + 1)) wait_for_product",
                       "rescale_multiply"),
    "pool_minimum": ("gw_pool", "x > result", "x < result", "pool_maximum"),
    "pool_keeps": ("gw_pool", "word_first ? x : result + x", "result + x", "pool_sum"),
    "combine_sign": ("gw_combine", "NEGATIVE[t] ?", "0 ?", "combine"),
    "combine_operand": ("gw_combine", "(SOURCE*LANES+k)", "(SOURCE+k*OPERANDS)", "combine"),
    "product_zero": ("gw_product", "raw_b - ZERO_B", "raw_b - ZERO_A", "product_lut"),
    "table_sign": ("gw_table", "x ^ {1'b1, {(X-1){1'b0}}}", "x", "table_signed"),
    "memory_enable": ("gw_memory", "if (read_enable)", "if (1)", "memory_block"),
    "rom_early": ("gw_rom", "row_late <= row;", "row_late <= row + 1;", "rom_block"),
    "rom_column": ("gw_rom", "column_late <= column;", "column_late <= address[ADDRESS-1:ROW];", "rom_columns"),
    "keep_drops": ("gw_keep", "fetched && (!held_valid || out_ready)", "fetched", "keep_stalled"),
    "keep_slow": ("gw_keep", "(!fetched || move)", "!fetched", "keep_fast"),
    "keep_takes_more": ("gw_keep", "in_ready = !filled && out_ready", "in_ready = out_ready", "keep_fast"),
    "sequence_wraps_late": ("gw_sequence", "position == WORDS - 1", "position == WORDS", "sequence_odd"),
    "sequence_copy_late": ("gw_sequence", "coming == WORDS - 1", "coming == WORDS", "sequence_copies"),
    "sequence_never_waits": ("gw_sequence", "else if (next)", "else", "sequence_even_copies"),
    "gather_bank": ("gw_gather", "{bank_late, source}", "{1'b0, source}", "gather_fast"),
    "gather_fill": ("gw_gather", "fill_late ? FILL : stored", "stored", "gather_fast"),
    "gather_overrun": ("gw_gather", "!full[write_bank]", "1'b1", "gather_stalled"),
    "window_pad": ("gw_window", "write_pad ? PAD : in_data", "in_data", "window_3x3"),
    "window_release": ("gw_window", "!e5 ? RELEASE_X", "!e5 ? RELEASE_X + 1", "window_stall"),
    "window_ready": ("gw_window", "turn_ready && (inside", "(inside", "window_stall"),
    "window_ahead": ("gw_window", "px == hit_x && py == hit_y", "px == hit_x - 1 && py == hit_y", "window_3x3"),
    "window_reads_early": ("gw_window", "wire read = read_ready && (", "wire read = (", "window_words"),
    "window_early": ("gw_window", "(write_pad && !(EARLY && frame_begins) || in_valid)", "(write_pad || 1'b1)",
                     "window_early"),
}  # fmt: skip


def library() -> str:
    folder = files("gatewright.hls").joinpath("rtl")
    modules = sorted((path for path in folder.iterdir() if path.name.endswith(".v")), key=lambda path: path.name)
    return "\n".join(path.read_text("utf-8") for path in modules)


def benches() -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted(BENCHES.glob("*.v")))


def with_fault(text: str, fault: str) -> str:
    """All modules once more, by other names, one of them broken."""
    module, right, wrong, _ = FAULTS[fault]
    pattern = re.compile(rf"(?<=\n)module {module} .*?\nendmodule", re.DOTALL)
    (found,) = pattern.findall(text)
    assert right in found, f"{module}.v no longer holds {right!r}"
    text = text.replace(found, found.replace(right, wrong))
    return re.sub(r"\b((?:gw|bench)_\w+)\b(?=\s*(?:#|\w+\s*(?:#\s*)?\(|\())", rf"\1__{fault}", text)


def top(instances: dict[str, Bench]) -> str:
    """The module ``benches``: all instances, and their verdicts at the end."""
    count = len(instances)
    lines = [
        "module benches (input wire clk, input wire rst, output wire finished);",
        f"wire [{count - 1}:0] done, failed;",
        "assign finished = &(done | failed);",
    ]
    for i, (name, made) in enumerate(instances.items()):
        parameters = ", ".join(f".{key}({value})" for key, value in made.parameters.items())
        lines.append(f"{made.module} #({parameters}) t_{name} (clk, rst, done[{i}], failed[{i}]);")
    lines.append("final begin")
    lines += [f'$display("{name} %b %b", done[{i}], failed[{i}]);' for i, name in enumerate(instances)]
    return "\n".join([*lines, "end", "endmodule", ""])


@pytest.fixture(scope="session")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """``passed``, ``failed`` or ``stuck`` for every instance and every fault."""
    folder = tmp_path_factory.mktemp("benches")
    text = f"\n{library()}\n{benches()}"
    instances = dict(INSTANCES)
    sources = [text]
    for fault, (*_, name) in FAULTS.items():
        made = INSTANCES[name]
        shorter = {"CYCLES": 4000} if made.module == "bench_rescale" else {}
        instances[f"fault_{fault}"] = Bench(f"{made.module}__{fault}", {**made.parameters, **shorter})
        sources.append(with_fault(text, fault))
    (folder / "benches.v").write_text("\n".join([*sources, top(instances)]))
    (folder / "mix.vh").write_text((BENCHES / "mix.vh").read_text())
    (folder / "bench_main.cpp").write_text((BENCHES / "bench_main.cpp").read_text())
    for made in INSTANCES.values():
        for name, content in made.memories.items():
            (folder / name).write_text(content)
    root = _verilator_root()
    environment = {**os.environ, "VERILATOR_ROOT": str(root)}
    translate = [
        str(root / "bin" / "verilator_bin"), "--cc", "-O3", "--x-initial", "fast", "--no-timing", "-Wno-fatal",
        "-Wno-lint", "-Wno-style", "--top-module", "benches", "--prefix", "Vbenches", "--Mdir", ".", "benches.v",
    ]  # fmt: skip
    subprocess.run(translate, cwd=folder, env=environment, check=True, capture_output=True)
    include = root / "include"
    units = [path.name for path in sorted(folder.glob("Vbenches*.cpp"))] + ["bench_main.cpp"]
    (folder / "all.cc").write_text("".join(f'#include "{unit}"\n' for unit in units))
    flags = ["-std=c++17", "-w", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0", "-DVM_TRACE=0", "-DVL_TIME_CONTEXT"]
    runtime = [str(include / name) for name in ("verilated.cpp", "verilated_threads.cpp")]
    command = [
        os.environ.get("CXX", "g++"), *flags, "-O0", "-I.", f"-I{include}", f"-I{include / 'vltstd'}", "all.cc",
        *runtime, "-pthread", "-o", "benches",
    ]  # fmt: skip
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    said = subprocess.run([str(folder / "benches")], cwd=folder, check=True, capture_output=True, text=True).stdout
    meaning = {"1 0": "passed", "0 0": "stuck"}
    rows = (line.partition(" ") for line in said.splitlines())
    return {name: meaning.get(verdict, "failed") for name, _, verdict in rows}


@pytest.mark.parametrize("name", INSTANCES)
def test_the_module_does_what_it_should(verdicts: dict[str, str], name: str) -> None:
    assert verdicts[name] == "passed"


@pytest.mark.parametrize("fault", FAULTS)
def test_the_bench_sees_a_fault(verdicts: dict[str, str], fault: str) -> None:
    assert verdicts[f"fault_{fault}"] in ("failed", "stuck")


def test_every_module_has_a_bench_that_can_fail() -> None:
    modules = {path.name.removesuffix(".v") for path in files("gatewright.hls").joinpath("rtl").iterdir()
               if path.name.endswith(".v")}  # fmt: skip
    through_others = {"gw_delay", "gw_mult18x18d", "gw_sb_mac16", "gw_ccu2c_multiplier", "gw_spram"}
    whole_designs = {"gw_mac", "gw_sb_mac16_dual"}  # test_fuzz.py, test_proofs.py
    assert modules == {module for module, *_ in FAULTS.values()} | through_others | whole_designs
