"""Parts of a gw_rescale."""

from __future__ import annotations

from gatewright.schedules.stream.devices import MULTIPLIER_CYCLES
from gatewright.schedules.stream.hardware import Hardware
from gatewright.schedules.stream.memories import Memory
from gatewright.schedules.stream.rescaling import Scaling
from gatewright.schedules.stream.resources.contents import Columns
from gatewright.schedules.stream.resources.parts import Parts
from gatewright.schedules.stream.resources.storage import constants

__all__ = ["rescale"]


def rescale(parts: Parts, made: Hardware, scaling: Scaling, memory: Memory, columns: Columns) -> None:
    """A gw_rescale and its constants."""
    lanes, acc, total = made.lanes, scaling.acc_bits, scaling.sum_bits
    constants(parts, memory, columns)
    parts.registers(2 * lanes * acc + scaling.latency)
    # Constant constants: the parts of an entry behind the bias that are kept for later.
    kept = columns.kept
    multiply = MULTIPLIER_CYCLES[scaling.style] + scaling.levels if scaling.multiplier_bits else 0
    before = 0 if scaling.mode == "add" else 1
    parts.registers((1 + before) * kept.later)
    parts.registers(multiply * kept.amount)
    if kept.bias or memory.depth > 1:
        parts.ff += total * lanes
        parts.chain("bias", total, lanes)
    else:
        parts.registers(total * lanes)
    if scaling.mode != "add":
        parts.ff += (total + 1) * lanes
        parts.chain("bias", total, lanes)
        parts.registers((multiply + scaling.stages) * lanes if scaling.mode == "toward_zero" else 0)
    product, shifted = total + scaling.multiplier_bits, scaling.scaled_bits
    if scaling.multiplier_bits:
        _wide(parts, scaling, product, kept.multiplier > 0, lanes)
    for stage in range(1, scaling.stages + 1):
        bits = min(2, scaling.amount_bits - 2 * (stage - 1))
        parts.ff += shifted * lanes
        parts.add("shift", shifted * (1 if bits == 1 else 2), lanes)
        parts.registers(max(0, scaling.amount_bits - 2 * stage) * lanes)
    if scaling.mode == "toward_zero":
        parts.ff += shifted * lanes
        parts.chain("round", shifted, lanes)
    elif scaling.multiplier_bits:
        parts.ff += (shifted - 1) * lanes
        parts.chain("round", shifted, lanes)
    out = made.stage.output.bits
    final = shifted - (1 if scaling.multiplier_bits and scaling.mode == "add" else 0)
    parts.ff += min(out, final) * lanes
    low, high = -(1 << final - 1), (1 << final - 1) - 1
    if scaling.wrap or (scaling.low <= low and scaling.high >= high):
        parts.add("plain", min(out, final), lanes)
    else:
        parts.add("clamp", min(out, final), lanes)
        sides = int(scaling.low > low) + int(scaling.high < high)
        parts.add("clamp_compare", final * sides, lanes)


def _wide(parts: Parts, scaling: Scaling, product: int, varying: bool, lanes: int) -> None:
    """A gw_wide_multiplier."""
    na, nm, limb = scaling.limbs_a, scaling.limbs_m, scaling.limb
    if scaling.style == "mult18":  # the registers behind
        for offset in (limb * (i + j) for i in range(na) for j in range(nm)):
            unseen = min(scaling.shift_min, limb if na * nm > 1 else product) if not offset else 0
            parts.registers(max(0, min(2 * limb + 2, product - offset) - unseen) * lanes)
    if scaling.style == "lut":
        for i in range(na):
            a = limb if i < na - 1 else scaling.sum_bits - limb * i
            for j in range(nm):
                m = min(limb, scaling.multiplier_bits - limb * j)
                unseen = max(0, min(scaling.shift_min, limb if na * nm > 1 else product)) if i + j == 0 else 0
                _limb(parts, a, m, varying, unseen, lanes)
    if na * nm == 1:
        return
    # Sums of terms that lie ``limb`` bits apart: what is below SHIFT_MIN and touches no other term is not there.
    terms = [((i + j) * limb, min(product, (i + j) * limb + 2 * limb + 1)) for i in range(na) for j in range(nm)]
    while len(terms) > 1:
        above = []
        last = len(terms) <= 2
        for first, second in zip(terms[::2], terms[1::2], strict=False):
            low, high = min(first[0], second[0]), product
            overlap = max(first[0], second[0])
            seen = scaling.shift_min if last else max(0, min(scaling.shift_min, overlap))
            parts.ff += max(0, high - max(low, seen)) * lanes
            parts.chain("wide_sum", high - overlap, lanes)
            parts.add("plain", max(0, overlap - max(low, seen)), lanes)
            above.append((low, high))
        if len(terms) % 2:
            low, high = terms[-1]
            parts.registers((high - low) * lanes)
            above.append((low, high))
        terms = above


def _limb(parts: Parts, a: int, m: int, varying: bool, unseen: int, lanes: int) -> None:
    """One product of limbs in logic; the lowest ``unseen`` bits of it are not there."""
    rows = -(-m // 2)
    parts.ff += ((a + 2) * rows + a + m - unseen) * lanes
    if varying:
        parts.add("rows", a + 2, rows * lanes)
        parts.add("row_gates", 2 * a + 4, rows * lanes)
    else:  # the rows are constant multiples
        parts.add("constant_rows", a + 2, rows * lanes)
    for j in range(1, rows):
        parts.chain("row_sum", a + m - 2 * j, lanes)
