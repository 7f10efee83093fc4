"""Giving every tensor of the integer region its scale and zero point."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from gatewright.compiler.errors import QuantizeError
from gatewright.compiler.quantize.blocks import MOVEMENT, Block
from gatewright.compiler.quantize.calibrate import Histogram
from gatewright.compiler.quantize.dialect import Program
from gatewright.compiler.quantize.options import QuantizeOptions
from gatewright.compiler.quantize.parameters import Parameters
from gatewright.compiler.quantize.region import Region
from gatewright.compiler.quantize.scales import choose_parameters

__all__ = ["calibrated_parameters", "is_power_of_two", "require_complete", "stated_parameters", "tensors_of"]


def tensors_of(region: Region) -> tuple[str, ...]:
    """Every tensor of the integer region, in order."""
    names = dict.fromkeys(region.outputs)
    order: dict[str, None] = {}
    for block in region.blocks:
        order.update(dict.fromkeys((*block.inputs, block.name)))
    return tuple({**order, **names})


def stated_parameters(program: Program, region: Region) -> dict[str, Parameters]:
    """Parameters that the model states, carried on by blocks that only move or bound values.

    Integer inputs that nobody dequantizes count as they are: scale 1, zero point 0.

    Raises:
        QuantizeError: GW3307 on an input of a type that no integer tensor has.
    """
    known = {name: program.parameters[name] for name in tensors_of(region) if name in program.parameters}
    known.update({block.name: block.parameters for block in region.blocks if block.parameters is not None})
    _carry(region, known)
    read = set(tensors_of(region))
    for spec in program.source.inputs:
        dtype = np.dtype(spec.dtype)
        if spec.name in known or spec.name not in read or dtype.kind == "f":
            continue
        if dtype.kind not in "iu" or dtype.itemsize > 4:
            raise QuantizeError(
                "GW3307", spec.name, f"an input of type {dtype} cannot be an integer tensor",
                "compile with --profile float", "export the model with an int32 or smaller input",
            )  # fmt: skip
        known[spec.name] = Parameters(dtype.itemsize * 8, dtype.kind == "i", 1.0, 0)
    _carry(region, known)
    return known


def _carry(region: Region, known: dict[str, Parameters]) -> None:
    """Complete ``known``: forward through movements and lone ReLUs; backward through movements, as far as nobody else
    reads the tensor (the maximum of rounded values is the rounded maximum)."""
    readers: dict[str, int] = {}
    for block in region.blocks:
        for name in set(block.inputs):
            readers[name] = readers.get(name, 0) + 1
    changed = True
    while changed:
        changed = False
        for block in region.blocks:
            source = block.inputs[0] if block.inputs else ""
            if block.kind in MOVEMENT | {"clip"} and source in known and block.name not in known:
                known[block.name] = known[source]
                changed = True
        for block in reversed(region.blocks):
            source = block.inputs[0] if block.inputs else ""
            if block.kind in MOVEMENT and block.name in known and source not in known and readers[source] == 1:
                known[source] = known[block.name]
                changed = True


def calibrated_parameters(
    program: Program,
    region: Region,
    known: Mapping[str, Parameters],
    histograms: Mapping[str, Histogram],
    options: QuantizeOptions,
) -> dict[str, Parameters]:
    """Parameters of every tensor of the region: the known ones, and the rest from histograms.

    Tensors joined by movements share parameters, and so do a concatenation and the operands that nobody else reads.
    """
    groups = _groups(region, known)
    parameters = dict(known)
    inputs = {spec.name for spec in program.source.inputs}
    makers = {block.name: block for block in region.blocks}
    for members in groups:
        bits = options.boundary_bits if inputs.intersection(members) else options.activation_bits
        # The one that computes the values; behind a concatenation that is the concatenation, which holds all of them.
        sources = [name for name in members if name not in makers or makers[name].kind not in MOVEMENT]
        histogram = Histogram()
        histogram.merge(histograms[(sources or members)[-1]])
        for name in members:
            if name in makers and makers[name].kind == "pad":
                _count_padding(histogram, makers[name], program)
        chosen = choose_parameters(histogram, bits, options)
        parameters.update(dict.fromkeys(members, chosen))
    return parameters


def _count_padding(histogram: Histogram, block: Block, program: Program) -> None:
    """Add the padding value as often as it stands in the padded tensor, against the values that were seen."""
    value = float(block.anchor.attributes.get("pad_value", 0.0) or 0.0)  # type: ignore[arg-type]
    inside = math.prod(program.shapes[block.inputs[0]])
    if math.isfinite(value):
        added = histogram.total * (math.prod(block.shape) - inside) // max(inside, 1)
        histogram.add(np.array([value]), weight=max(added, 1))


def _groups(region: Region, known: Mapping[str, Parameters]) -> list[tuple[str, ...]]:
    order = [name for name in tensors_of(region) if name not in known]
    leader = {name: name for name in order}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    readers: dict[str, list[Block]] = {}
    for block in region.blocks:
        for name in dict.fromkeys(block.inputs):
            readers.setdefault(name, []).append(block)
    made = {block.name for block in region.blocks}
    for block in region.blocks:
        joined: Sequence[str] = ()
        if block.kind in MOVEMENT:
            joined = block.inputs[:1]
        elif block.kind == "concat":
            joined = [n for n in block.inputs if n in made and len(readers[n]) == 1 and n not in region.outputs]
        for name in joined:
            if name in leader and block.name in leader:
                leader[find(block.name)] = find(name)
    members: dict[str, list[str]] = {}
    for name in order:
        members.setdefault(find(name), []).append(name)
    return [tuple(names) for names in members.values()]


def require_complete(region: Region, known: Mapping[str, Parameters], quantized: bool) -> None:
    """Refuse a model whose integer region is not fully described when there is no calibration data.

    Raises:
        QuantizeError: GW3303, naming the tensors of a partly quantized model, or asking for calibration data.
    """
    missing = [name for name in tensors_of(region) if name not in known]
    if not missing:
        return
    if quantized:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise QuantizeError(
            "GW3303", missing[0], f"the model is quantized in part: no quantize node gives a scale to {shown}",
            "pass calibration data (--calib FILE.npz) for the rest",
            "export the model with every activation quantized",
        )  # fmt: skip
    raise QuantizeError(
        "GW3303", "calibration", "a float model needs representative inputs to find the ranges of its tensors",
        "pass --calib FILE.npz with arrays named as the inputs (or one array x), a few dozen samples or more",
        "compile with --profile float",
    )  # fmt: skip


def is_power_of_two(value: float) -> bool:
    """Whether a positive number is a power of two."""
    return math.frexp(value)[0] == 0.5
