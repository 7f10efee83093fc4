"""A stage with its folding: the parameters of the modules it is made of, and the cycles between its events.

The names of the figures are those of the modules in ``hls/rtl``; the cycle counts are theirs too, and simulation holds
them to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

from gatewright.schedules.stream.devices import MULTIPLIER_CYCLES, Fabric
from gatewright.schedules.stream.rescaling import Scaling, scaling_of
from gatewright.schedules.stream.stages import Combine, Concat, Gather, Mac, Map, Pool, Product, Stage, Table, Window

__all__ = [
    "READ_TO_WORD",
    "Fold",
    "Hardware",
    "Loops",
    "Term",
    "array_style",
    "divisors",
    "hardware",
    "legal_folds",
    "loops_of",
    "product_style",
    "signed_digits",
]

READ_TO_WORD = 3
READ_TO_SUM = READ_TO_WORD + 1
"""Cycles from a read to the sum of its turn, without multiplier and adder tree."""
GATHER_LATENCY = 4
DISTRIBUTED_FIFO = 32
"""Tokens a FIFO in distributed memory holds at most."""


@dataclass(frozen=True)
class Fold:
    """How parallel a stage is.

    Attributes:
        pe: results at once: output channels of a Mac (channels where it is depthwise), channels of a Pool, elements of
            any other stage.
        simd: input channels at once (Mac only).
        hard: products of a Mac made by the device's own multipliers; the rest are logic. -1: all of them.
        outside: the weights of a Mac are no ROM: they come as a stream, a word a read.
        kept: they come once, and stay in the device's large memories (SPRAM).
    """

    pe: int = 1
    simd: int = 1
    hard: int = -1
    outside: bool = False
    kept: bool = False


@dataclass(frozen=True)
class Loops:
    """The seven loops of a window reader, see ``gw_window.v``.

    Attributes:
        words: words of a pixel (CW).
        counts: iterations, the innermost first.
        steps: address steps, one more than loops: the last begins the next frame.
        release: words given back at the end of a window, of a row, of the frame.
        demand: words from the first to the last of a window.
        ring: words of the ring, a power of two.
    """

    words: int
    counts: tuple[int, ...]
    steps: tuple[int, ...]
    release: tuple[int, int, int]
    demand: int
    ring: int

    @property
    def turn(self) -> int:
        """Reads of a turn."""
        return math.prod(self.counts[:3])

    @property
    def turns(self) -> int:
        """Turns of a window."""
        return self.counts[3] * self.counts[4]

    @property
    def windows(self) -> int:
        """Windows of a frame."""
        return self.counts[5] * self.counts[6]

    @property
    def reads(self) -> int:
        """Reads of a frame: cycles the reader needs, if it never waits."""
        return self.turn * self.turns * self.windows


@dataclass(frozen=True)
class Term:
    """``+-(operand << shift)``."""

    operand: int
    shift: int
    negative: bool


def divisors(n: int) -> list[int]:
    """All divisors, ascending."""
    return [d for d in range(1, n + 1) if n % d == 0]


def signed_digits(value: int) -> list[tuple[int, bool]]:
    """Canonical signed digits of a constant: (shift, negative), no two adjacent (Avizienis 1961)."""
    digits, shift, rest = [], 0, value
    while rest:
        if rest & 1:
            digit = 2 - (rest & 3)  # 1 or -1, so that the next bit becomes 0
            digits.append((shift, digit < 0))
            rest -= digit
        rest >>= 1
        shift += 1
    return digits


def loops_of(window: Window, words: int, inner: int, outputs: int, groups: int, group_step: int) -> Loops:
    """Loops over ``window`` with ``words`` words a pixel.

    Args:
        window: the geometry.
        words: words of a pixel.
        inner: words a turn reads of every pixel.
        outputs: turns over the same words.
        groups: groups of words, ``group_step`` words apart.
        group_step: see ``groups``.
    """
    rows, columns = window.padded
    out_rows, out_columns = window.output
    counts = (inner, window.kernel[1], window.kernel[0], outputs, groups, out_columns, out_rows)
    row = columns * words
    ahead = (
        1,
        window.dilation[1] * words,
        window.dilation[0] * row,
        0,
        group_step,
        window.strides[1] * words,
        window.strides[0] * row,
    )
    frame = rows * row
    steps, back = [], 0
    for count, step in zip(counts, ahead, strict=True):
        steps.append(step - back)
        back += (count - 1) * step
    steps.append(frame - back)
    release_x = ahead[5]
    release_y = ahead[6] - (out_columns - 1) * ahead[5]
    release_frame = frame - (out_rows - 1) * ahead[6] - (out_columns - 1) * ahead[5]
    span_y, span_x = window.span
    demand = ((span_y - 1) * columns + span_x) * words
    # Room to write what comes next while this is read: the pixels of the next row of windows, and at the end of a frame
    # the whole first window of the next one.
    row_ahead = ((window.strides[0] - 1) * columns + min(columns, span_x)) * words
    ring = 1 << max(1, (demand + max(row_ahead, demand) - 1).bit_length())
    return Loops(words, counts, tuple(steps), (release_x, release_y, release_frame), demand, ring)


@dataclass(frozen=True, eq=False)
class Hardware:
    """One stage as hardware.

    Attributes:
        stage, fold: what and how parallel.
        fabric: what it is made of.
        in_lanes: elements of a token at every input.
        lanes: elements of a token at the output.
        loops: of a Mac or Pool, else None.
        scaling: of its rescale, None where there is none.
        terms: of a Combine.
        fifo: tokens of the FIFO behind the stage.
        latency: cycles from the event that makes a token (the last read of a turn; the start of a token) until the
            token (the first of a turn) enters the FIFO.
    """

    stage: Stage
    fold: Fold
    fabric: Fabric
    in_lanes: tuple[int, ...]
    lanes: int
    loops: Loops | None
    scaling: Scaling | None
    terms: tuple[Term, ...]
    fifo: int
    latency: int

    @property
    def fifo_block(self) -> bool:
        """Whether the FIFO is in block memory: distributed memory of many words is slow to read."""
        return self.fifo > (DISTRIBUTED_FIFO if self.fabric.distributed else 16)

    @property
    def tokens(self) -> int:
        """Tokens of a frame at the output."""
        return self.stage.output.elements // self.lanes

    @property
    def burst(self) -> int:
        """Tokens one turn makes."""
        return self.fold.pe // self.lanes if self.loops is not None else 1

    @property
    def weight_words(self) -> int:
        """Words of weights a window reads: PE * SIMD weights each."""
        return self.loops.turn * self.loops.turns if isinstance(self.stage, Mac) and self.loops is not None else 0

    @property
    def spram(self) -> int:
        """Large memories of the stage."""
        if not self.fold.kept:
            return 0
        assert isinstance(self.stage, Mac)
        return self.fabric.sprams(self.multipliers * self.stage.weight_bits, self.weight_words)

    @property
    def weights_late(self) -> bool:
        """Whether weights come a cycle later than words: from a ROM far away."""
        assert isinstance(self.stage, Mac) and self.loops is not None
        width = self.fold.pe * self.fold.simd * self.stage.weight_bits
        return not self.fold.outside and _far(self.fabric, width, self.loops)

    @property
    def work_cycles(self) -> int:
        """Cycles of a frame, if the stage never waits: its interval."""
        if self.loops is not None:
            assert isinstance(self.stage, Mac | Pool)
            rows, columns = self.stage.window.padded
            return max(self.loops.reads, rows * columns * self.loops.words)
        if isinstance(self.stage, Gather):
            return max(self.tokens, self.stage.x.elements // self.in_lanes[0])
        return self.tokens

    @cached_property
    def acc_bits(self) -> int:
        """Width of the accumulator in front of the rescale."""
        assert self.scaling is not None
        return self.scaling.acc_bits

    @property
    def multipliers(self) -> int:
        """Products of a Mac a cycle."""
        if not isinstance(self.stage, Mac):
            return 0
        return self.fold.pe * self.fold.simd

    @property
    def hard_multipliers(self) -> int:
        """Products of the array that hard multipliers make."""
        if not isinstance(self.stage, Mac) or self.stage.ternary:
            return 0
        if array_style(self.stage, self.fabric) != self.fabric.multiplier:
            return 0
        return self.multipliers if self.fold.hard < 0 else min(self.fold.hard, self.multipliers)

    @property
    def products_each(self) -> int:
        """Products of the array that one hard multiplier makes: 2 where the operands are narrow enough to share it."""
        assert isinstance(self.stage, Mac)
        return 2 if max(self.stage.x.bits, self.stage.weight_bits) <= self.fabric.pair_bits else 1

    @property
    def array_dsp(self) -> int:
        """Hard multipliers of the array."""
        return -(-self.hard_multipliers // self.products_each) if self.hard_multipliers else 0

    @property
    def dsp(self) -> int:
        """Hard multipliers of the stage, those of its rescale included."""
        rescale = 0
        if self.scaling is not None and self.fabric.multiplier:
            rescale = self.scaling.multipliers * self.lanes
        stage, products = self.stage, 0
        if isinstance(stage, Product) and product_style(stage, self.fabric) != "lut":
            products = self.lanes
        return self.array_dsp + rescale + products


def array_style(stage: Mac, fabric: Fabric) -> str:
    """What the multipliers of an array are made of; those in logic beside hard ones take as many cycles."""
    x = stage.x
    if stage.ternary:
        return "ternary"
    fits = max(x.bits + (0 if x.signed else 1), stage.weight_bits) <= fabric.multiplier_bits
    return fabric.multiplier if fits else fabric.soft


def product_style(stage: Product, fabric: Fabric) -> str:
    """What the multipliers of a Product are made of."""
    centred = stage.x.bits + (1 if stage.x.signed else 2)  # an operand less its zero point
    return fabric.style if centred <= fabric.multiplier_bits else "lut"


def hardware(stage: Stage, fold: Fold, fabric: Fabric) -> Hardware:
    """The hardware of ``stage`` folded by ``fold``.

    Raises:
        ValueError: the fold does not divide the stage.
    """
    match stage:
        case Mac():
            return _mac(stage, fold, fabric)
        case Pool():
            return _pool(stage, fold, fabric)
        case Table():
            _divides(fold.pe, stage.output.channels, stage)
            return _pipeline(stage, fold, fabric, fold.pe, None, (), 2)
        case Gather():
            _moves_whole(stage, fold.pe)
            return _pipeline(stage, fold, fabric, fold.pe, None, (), GATHER_LATENCY)
        case Map():
            _divides(fold.pe, stage.output.channels, stage)
            return _pipeline(stage, fold, fabric, fold.pe, scaling_of(stage.rescale, fabric.style), (), 0)
        case Concat():
            for block in stage.blocks:
                _divides(fold.pe, block, stage)
            return _pipeline(stage, fold, fabric, fold.pe, scaling_of(stage.rescale, fabric.style), (), 0)
        case Combine():
            _divides(fold.pe, stage.output.channels, stage)
            terms = tuple(
                Term(operand, shift, negative)
                for operand, weight in enumerate(stage.weights)
                for shift, negative in signed_digits(weight)
            ) or (Term(0, 0, False),)
            levels = math.ceil(math.log2(len(terms)))
            return _pipeline(stage, fold, fabric, fold.pe, scaling_of(stage.rescale, fabric.style), terms, 1 + levels)
        case Product():
            _divides(fold.pe, stage.output.channels, stage)
            cycles = 1 + MULTIPLIER_CYCLES[product_style(stage, fabric)]
            return _pipeline(stage, fold, fabric, fold.pe, scaling_of(stage.rescale, fabric.style), (), cycles)
    raise ValueError(f"no hardware for {type(stage).__name__}")


def legal_folds(stage: Stage) -> list[Fold]:
    """Every folding of a stage, unordered; ``hard`` is left at -1."""
    match stage:
        case Mac() if stage.depthwise:
            return [Fold(pe) for pe in divisors(stage.window.channels)]
        case Mac():
            o, per_group = stage.weight.shape[:2]
            return [Fold(pe, simd) for pe in divisors(o // stage.groups) for simd in divisors(per_group)]
        case Pool():
            return [Fold(pe) for pe in divisors(stage.window.channels)]
        case Concat():
            return [Fold(pe) for pe in divisors(math.gcd(*stage.blocks))]
        case Gather():
            return [Fold(pe) for pe in divisors(stage.output.channels) if _block(stage) % pe == 0]
        case _:
            return [Fold(pe) for pe in divisors(stage.output.channels)]


def _divides(lanes: int, elements: int, stage: Stage) -> None:
    if elements % lanes:
        raise ValueError(f"{stage.name}: {lanes} lanes do not divide {elements}")


def _block(stage: Gather) -> int:
    """The largest number of neighbouring elements the gather always moves together."""
    found = math.gcd(stage.x.elements, stage.output.elements)
    source = stage.source
    for lanes in reversed(divisors(found)):
        groups = source.reshape(-1, lanes)
        first = groups[:, :1]
        moved = (groups == first + range(lanes)).all(axis=1) & (first[:, 0] % lanes == 0)
        if (moved | (groups < 0).all(axis=1)).all():
            return lanes
    return 1


def _moves_whole(stage: Gather, lanes: int) -> None:
    if _block(stage) % lanes:
        raise ValueError(f"{stage.name}: {lanes} neighbouring elements do not move together")


def _with_free_room(loops: Loops, width: int, window: Window, fabric: Fabric) -> Loops:
    """The largest ring that takes no more block memory: what is written ahead need not be waited for."""
    rows, columns = window.padded
    enough = loops.demand + rows * columns * loops.words
    ring = loops.ring
    if width * ring > fabric.block_ring_bits:
        while ring < enough and fabric.blocks(width, 2 * ring) == fabric.blocks(width, ring):
            ring *= 2
    return replace(loops, ring=ring)


def _lanes(parallel: int, cycles: int) -> int:
    """The fewest lanes that carry ``parallel`` results away in ``cycles`` cycles."""
    return next(lanes for lanes in divisors(parallel) if parallel // lanes <= cycles)


def _fifo(turn: int, burst: int, latency: int, fabric: Fabric) -> int:
    """Tokens a FIFO holds so that the stage in front of it never waits for credits while its reader keeps up."""
    flight = turn + latency + burst + 4  # a turn's reads, its pipeline, its tokens, credit back
    tokens = burst * (-(-flight // turn) + 1)
    if fabric.distributed:  # memories are 16 words deep anyway
        return 16 * max(1, -(-tokens // 16))
    return max(2, tokens)


def _far(fabric: Fabric, width: int, loops: Loops) -> bool:
    """Whether weights of ``width`` bits a read come from far away."""
    return fabric.far_roms and fabric.rom_in_block(width, loops.turn * loops.turns)


def _mac(stage: Mac, fold: Fold, fabric: Fabric) -> Hardware:
    o, per_group = stage.weight.shape[:2]
    window = stage.window
    if stage.depthwise:
        _divides(fold.pe, window.channels, stage)
        if fold.simd != 1:
            raise ValueError(f"{stage.name}: a depthwise stage has simd 1")
        words = window.channels // fold.pe
        loops = loops_of(window, words, 1, 1, words, 1)
        in_lanes = fold.pe
    else:
        _divides(fold.pe, o // stage.groups, stage)
        _divides(fold.simd, per_group, stage)
        inner = per_group // fold.simd
        loops = loops_of(window, window.channels // fold.simd, inner, o // stage.groups // fold.pe, stage.groups, inner)
        in_lanes = fold.simd
    loops = _with_free_room(loops, in_lanes * stage.x.bits, window, fabric)
    lanes = _lanes(fold.pe, loops.turn)
    scaling = scaling_of(stage.rescale, fabric.style)
    levels = math.ceil(math.log2(fold.simd))
    cycles = MULTIPLIER_CYCLES[array_style(stage, fabric)]
    late = 0 if fold.outside else _far(fabric, fold.pe * fold.simd * stage.weight_bits, loops)
    latency = READ_TO_SUM + late + cycles + levels + (0 if lanes == fold.pe else 1) + scaling.latency
    fifo = _fifo(loops.turn, fold.pe // lanes, latency, fabric)
    return Hardware(stage, fold, fabric, (in_lanes,), lanes, loops, scaling, (), fifo, latency)


def _pool(stage: Pool, fold: Fold, fabric: Fabric) -> Hardware:
    _divides(fold.pe, stage.window.channels, stage)
    words = stage.window.channels // fold.pe
    loops = _with_free_room(
        loops_of(stage.window, words, 1, 1, words, 1),
        fold.pe * stage.x.bits,
        stage.window,
        fabric,
    )
    lanes = _lanes(fold.pe, loops.turn)
    scaling = scaling_of(stage.rescale, fabric.style)
    latency = READ_TO_SUM + (0 if lanes == fold.pe else 1) + scaling.latency
    fifo = _fifo(loops.turn, fold.pe // lanes, latency, fabric)
    return Hardware(stage, fold, fabric, (fold.pe,), lanes, loops, scaling, (), fifo, latency)


def _pipeline(
    stage: Stage, fold: Fold, fabric: Fabric, lanes: int, scaling: Scaling | None, terms: tuple[Term, ...], front: int
) -> Hardware:
    latency = front + (scaling.latency if scaling is not None else 0)
    inputs = (lanes,) * len(stage.inputs)
    return Hardware(stage, fold, fabric, inputs, lanes, None, scaling, terms, _fifo(1, 1, latency, fabric), latency)
