"""What the modules of the library become: registers counted one by one, logic as quantities that have coefficients.

Every function adds the parts of one module. ``Parts.ff`` is a count of flip-flops that follows the text of the module,
less what synthesis takes away: bits of a ROM that are constant or alike, registers that move into block memory. A
quantity of logic (``tree``, ``bias``, ...: bits of carry chains; ``chains``: how many there are; ``mux``: two-to-one
multiplexers of a bit; ``plain``: registers with no logic in front) counts the LUTs of an ideal mapping, so that
coefficients lie near 1.
"""

from __future__ import annotations

import math

from gatewright.schedules.stream.devices import MULTIPLIER_CYCLES, Fabric
from gatewright.schedules.stream.hardware import READ_TO_WORD, Hardware, Loops, array_style, product_style
from gatewright.schedules.stream.memories import Memory, memories_of
from gatewright.schedules.stream.network import ForkNode, KeepNode, WidthNode
from gatewright.schedules.stream.rescaling import unsigned_bits
from gatewright.schedules.stream.resources.contents import Columns, rom_columns
from gatewright.schedules.stream.resources.parts import Parts, clog2
from gatewright.schedules.stream.resources.requantizing import rescale
from gatewright.schedules.stream.resources.storage import constants, fifo, rom, storage
from gatewright.schedules.stream.stages import Combine, Concat, Gather, Mac, Pool, Product, Table

__all__ = ["fork_parts", "keep_parts", "stage_parts", "width_parts"]


def stage_parts(made: Hardware) -> Parts:
    """Of one stage."""
    parts, stage = Parts(made.fabric), made.stage
    memories = {memory.part: memory for memory in memories_of(made)}
    columns = {part: rom_columns(made, part) for part, memory in memories.items() if not memory.writable}
    for part, memory in memories.items():
        if memory.block:
            found = columns.get(part)
            parts.ebr += found.blocks(made.fabric, memory) if found is not None else memory.blocks
    match stage:
        case Mac():
            _window(parts, made, memories["ring"])
            _mac(parts, made, stage)
            _weights(parts, made, stage, memories.get("weights"), columns.get("weights"))
        case Pool():
            _window(parts, made, memories["ring"])
            _pool(parts, made, stage)
        case Table():
            rom(parts, memories["table"], columns["table"], made.lanes)
            parts.registers(2)
        case Gather():
            _gather(parts, made, stage, memories["frames"], memories["addresses"], columns["addresses"])
        case Combine():
            _combine(parts, made, stage)
        case Product():
            _product(parts, made, stage)
        case Concat():
            _interleave(parts, made, stage)
    if made.scaling is not None:
        rescale(parts, made, made.scaling, memories["rescale"], columns["rescale"])
    _credit(parts, made.fifo, made.burst)
    fifo(parts, made.lanes * stage.output.bits, made.fifo, made.fifo_block)
    parts.add("stage", 1)
    return parts


def fork_parts(node: ForkNode, fabric: Fabric) -> Parts:
    """Of a fork with its FIFOs."""
    parts = Parts(fabric)
    width = node.inputs[0].width
    for depth, block in zip(node.depths, node.blocks, strict=True):
        if block:
            parts.ebr += fabric.blocks(width, 1 << (depth - 1).bit_length())
        fifo(parts, width, depth, block)
    return parts


def keep_parts(node: KeepNode, fabric: Fabric) -> Parts:
    """Of what keeps weights."""
    parts = Parts(fabric)
    width, address = node.outputs[0].width, clog2(node.words)
    parts.ff += address + 3
    parts.registers(width)
    parts.chain("counter", address)
    parts.add("control", address + 6)
    parts.add("mux", width)
    return parts


def width_parts(node: WidthNode, fabric: Fabric) -> Parts:
    """Of a width adapter."""
    parts = Parts(fabric)
    narrow, wide = sorted((node.inputs[0].width, node.outputs[0].width))
    ratio = wide // narrow
    count = unsigned_bits(ratio - 1)
    parts.ff += count
    parts.add("control", 2 * count + 2)
    if node.inputs[0].width < node.outputs[0].width:
        parts.ff += 1
        parts.registers(wide)
    else:
        parts.add("select", narrow * (ratio - 1))
    return parts


def _credit(parts: Parts, credits: int, take: int) -> None:
    bits = unsigned_bits(credits)
    parts.ff += bits + 1
    parts.chain("credit", bits, 2)
    parts.add("control", bits if take > 1 else 0)


# -- readers -----------------------------------------------------------------------------------------------------------


def _window(parts: Parts, made: Hardware, ring: Memory) -> None:
    loops, window = made.loops, made.stage.window  # type: ignore[attr-defined]
    assert isinstance(loops, Loops)
    rows, columns = window.padded
    word, address = ring.width, loops.ring.bit_length() - 1
    space = unsigned_bits(loops.ring + max(loops.release))
    windows = unsigned_bits(loops.ring // loops.words + 1)

    mask, steps, counts = loops.ring - 1, loops.steps, loops.counts
    # Synthesis does not see that a counter to one stands still; it drops those nobody asks.
    rows_matter = (steps[6] ^ steps[7]) & mask or loops.release[1] != loops.release[2]
    columns_matter = rows_matter or (steps[5] ^ steps[6]) & mask or loops.release[0] != loops.release[1]
    used = [True] * 5 + [bool(columns_matter), bool(rows_matter)]
    loop_bits = [count.bit_length() if wanted else 0 for count, wanted in zip(counts, used, strict=True)]
    px, py = (columns + window.strides[1]).bit_length(), (rows + window.strides[0]).bit_length()
    counters = [loops.words.bit_length(), px, py, *loop_bits]
    stepping, releases = _unlike([step & mask for step in steps]), _unlike([0, *loops.release])
    parts.ff += sum(counters) + px + py + 2 * address + space + windows + stepping + releases + 16
    parts.add("plain", 6)
    for bits in counters:
        parts.chain("counter", bits if bits > 1 else 0)
    parts.add("control", sum(counters) + 2 * (px + py))
    parts.chain("counter", px)
    parts.chain("counter", py)
    for bits in (address, address, windows, space, space):
        parts.chain("counter", bits)
    parts.add("steps", stepping * max(1, sum(count > 1 for count in counts) - 1))
    parts.add("steps", releases)
    if window.padded != (window.height, window.width):
        parts.add("pad", word)
    parts.add("window", 1)
    if ring.block:
        if not parts.fabric.distributed:
            parts.registers(word)
    else:
        storage(parts, word, loops.ring, False)
        parts.registers(word)


def _unlike(values: list[int]) -> int:
    """Bits of a register that takes one of ``values``: those that differ, and no two of them alike."""
    found = set()
    for bit in range(max(value.bit_length() for value in values)):
        column = tuple(value >> bit & 1 for value in values)
        if any(column):
            found.add(column)
    return len(found)


# -- arithmetic --------------------------------------------------------------------------------------------------------


def _tree(parts: Parts, leaves: int, width: int, times: int) -> None:
    """A gw_adder_tree."""
    bits = width
    while leaves > 1:
        pairs, single = leaves // 2, leaves % 2
        parts.chain("tree", bits + 1, pairs * times)
        parts.ff += (bits + 1) * pairs * times
        parts.registers(bits * single * times)
        leaves, bits = pairs + single, bits + 1


def _multiplier(parts: Parts, a: int, signed: bool, b: int, style: str, times: int) -> None:
    """A gw_multiplier in logic."""
    if style == "ternary":
        bits = a + (1 if signed else 2)
        parts.ff += 2 * bits * times
        parts.add("plain", bits, times)
        parts.chain("ternary", a + 1, times)
        parts.add("ternary_choice", bits, times)
        return
    rows, product = -(-b // 2), a + b
    row = a + 2
    if style == "ccu2c":
        parts.add("rows", 2 * ((a + 5) // 2), rows * times)
        parts.add("chains", 1, rows * times)
        parts.ff += (a + 3) * rows * times
        _pairs_of_rows(parts, a, rows, product, times)
        return
    parts.add("rows", row, rows * times)
    parts.add("row_gates", 2 * row, rows * times)
    parts.ff += (row * rows + product) * times
    for j in range(1, rows):
        parts.chain("row_sum", product - 2 * j, times)


def _pairs_of_rows(parts: Parts, a: int, rows: int, product: int, times: int) -> None:
    """The adders of a gw_ccu2c_multiplier: two rows each, then all pairs."""
    pairs = -(-rows // 2)
    for j in range(pairs):
        width = min(product - 4 * j, a + 6)
        if 2 * j + 1 < rows:
            parts.ff += width * times
            parts.chain("row_sum", width - 2, times)
        else:
            parts.registers(min(width, a + 3) * times)
    parts.ff += product * times
    parts.add("plain", product if pairs == 1 else 0, times)
    for j in range(1, pairs):
        parts.chain("row_sum", product - 4 * j, times)


def _mac(parts: Parts, made: Hardware, stage: Mac) -> None:
    scaling = made.scaling
    assert scaling is not None
    pe, simd, x, w = made.fold.pe, made.fold.simd, stage.x.bits, stage.weight_bits
    levels = (simd - 1).bit_length()
    cycles = MULTIPLIER_CYCLES[array_style(stage, parts.fabric)]
    parts.registers((3 if made.weight_words > 1 else 1) * (cycles + levels))
    parts.ff += 1
    if parts.fabric.multiplier == "mult18":
        parts.registers((x + w) * made.hard_multipliers)
    soft = made.multipliers - made.hard_multipliers
    _multiplier(parts, x, stage.x.signed, w, "ternary" if stage.ternary else parts.fabric.soft, soft)
    _tree(parts, simd, x + w, pe)
    acc = scaling.acc_bits
    parts.ff += pe * acc
    if made.loops is not None and made.loops.turn > 1:
        parts.chain("accumulator", acc, pe)
        parts.add("mux", acc, pe)
    else:
        parts.add("plain", acc, pe)
    _serialize(parts, made, acc)


def _weights(parts: Parts, made: Hardware, stage: Mac, memory: Memory | None, columns: Columns | None) -> None:
    """Where the weights of an array come from."""
    if memory is None or columns is None:
        parts.registers(READ_TO_WORD * made.multipliers * stage.weight_bits)
        return
    constants(parts, memory, columns)
    if made.weights_late:
        parts.registers(columns.varying // memory.columns)
        parts.registers(made.in_lanes[0] * stage.x.bits + 3)


def _serialize(parts: Parts, made: Hardware, width: int) -> None:
    pe, lanes = made.fold.pe, made.lanes
    if pe == lanes:
        return
    count = unsigned_bits(pe // lanes)
    parts.ff += pe * width + count + 1
    parts.add("mux", pe * width)
    parts.add("control", 3 * count)


def _pool(parts: Parts, made: Hardware, stage: Pool) -> None:
    assert made.scaling is not None
    acc, channels = made.scaling.acc_bits, made.fold.pe
    parts.ff += 1 + acc * channels
    if stage.maximum:
        parts.chain("compare", stage.x.bits + 1, channels)
        parts.add("plain", acc, channels)
        parts.add("control", channels)
    else:
        parts.chain("accumulator", acc, channels)
        parts.add("mux", acc, channels)
    _serialize(parts, made, acc)


def _combine(parts: Parts, made: Hardware, stage: Combine) -> None:
    lanes, terms = made.lanes, made.terms
    bits = stage.x.bits + (0 if stage.x.signed else 1)
    widest = max(bits + term.shift for term in terms) + 1
    levels = math.ceil(math.log2(len(terms)))
    parts.registers(1 + levels)
    # One lowest bit and one width for every term, the leaves of the tree.
    nodes = []
    for term in terms:
        own = widest - term.shift if term.negative else bits - (0 if stage.x.signed else 1)
        parts.ff += own * lanes
        if term.negative:
            parts.chain("negate", own, lanes)
        else:
            parts.add("plain", own, lanes)
        nodes.append((term.shift, bits + term.shift + int(term.negative)))
    level = 0
    while len(nodes) > 1:
        above: list[tuple[int, int]] = []
        for pair in zip(nodes[::2], nodes[1::2], strict=False):
            level += 1 if not above else 0
            low, high = min(n[0] for n in pair), min(widest + level, made.acc_bits)
            parts.ff += (high - low) * lanes
            parts.chain("tree", high - max(n[0] for n in pair), lanes)
            parts.add("plain", max(n[0] for n in pair) - low, lanes)
            above.append((low, high))
        if len(nodes) % 2:
            low, high = nodes[-1]
            parts.registers((high - low) * lanes)
            above.append((low, high))
        nodes = above


def _product(parts: Parts, made: Hardware, stage: Product) -> None:
    bits = stage.x.bits + (0 if stage.x.signed else 1)
    parts.registers(1 + MULTIPLIER_CYCLES[product_style(stage, parts.fabric)])
    for zero in stage.zero_points:
        own = bits + 1 if zero else bits - (0 if stage.x.signed else 1)
        parts.ff += own * made.lanes
        if zero:
            parts.chain("negate", own, made.lanes)
        else:
            parts.add("plain", own, made.lanes)
    if product_style(stage, made.fabric) == "mult18":
        parts.registers(min(2 * bits + 2, made.acc_bits) * made.lanes)
    if product_style(stage, made.fabric) == "lut":
        _multiplier(parts, bits + 1, True, bits + 1, "lut", made.lanes)


def _interleave(parts: Parts, made: Hardware, stage: Concat) -> None:
    bursts = [block // made.lanes for block in stage.blocks]
    streams = len(bursts)
    count = 0 if max(bursts) == 1 else unsigned_bits(max(bursts))
    index = unsigned_bits(streams - 1)
    parts.ff += count + index
    parts.chain("counter", count)
    parts.chain("counter", 32 if len(set(bursts)) > 1 else 0)
    parts.add("control", 2 * count + 3 * index + 2 * streams)
    parts.add("select", made.lanes * stage.x.bits * (streams - 1))


def _gather(parts: Parts, made: Hardware, stage: Gather, frames: Memory, addresses: Memory, columns: Columns) -> None:
    tokens_in, tokens_out = stage.x.elements // made.lanes, addresses.depth
    write, read = (0 if n == 1 else clog2(n) for n in (tokens_in, tokens_out))
    parts.ff += write + read + 4
    parts.registers(2 + 4 + 2)
    parts.chain("counter", write)
    parts.chain("counter", read)
    parts.add("control", write + read + 12)
    constants(parts, addresses, columns)
    filled = bool((stage.source < 0).any())
    parts.ff += int(filled) + frames.width
    parts.add("mux" if filled else "plain", frames.width)
    if not frames.block:
        storage(parts, frames.width, frames.depth, False)
