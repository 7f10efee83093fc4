"""Where the integer graph ends and the host tail begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gatewright.compiler.errors import QuantizeError
from gatewright.compiler.quantize.blocks import HEAVY, Block
from gatewright.compiler.quantize.dialect import Program

__all__ = ["Region", "split"]

# What moves to the host when nothing but the host reads it: float precision for free, and no hardware for reshaping.
_TRAILING = frozenset({"table", "clip", "scale", "reshape", "permute", "slice", "concat", "requantize"})


@dataclass(frozen=True)
class Region:
    """The integer part of a program.

    Attributes:
        blocks: blocks of the integer graph, in topological order.
        outputs: tensors that enter the host tail, in order.
    """

    blocks: tuple[Block, ...]
    outputs: tuple[str, ...]


def split(program: Program, blocks: Sequence[Block]) -> Region:
    """Cut ``blocks`` into the integer region and the rest, which the host computes in float.

    The host gets every block without integer semantics and all that depends on one, and the functions and movements
    at the very end.

    Raises:
        QuantizeError: GW3302 when a convolution or matrix product depends on an operator without integer semantics.
    """
    host = _without_semantics(blocks)
    _refuse_heavy(blocks, host)
    users: dict[str, list[str]] = {}
    for block in blocks:
        for name in dict.fromkeys(block.inputs):
            users.setdefault(name, []).append(block.name)
    light = _light(blocks)
    for block in reversed(blocks):
        if block.name not in host and block.name in light and all(u in host for u in users.get(block.name, ())):
            host[block.name] = block.name
    inside = tuple(block for block in blocks if block.name not in host)
    made = {block.name for block in inside} | {spec.name for spec in program.source.inputs}
    wanted = [name for block in blocks if block.name in host for name in block.inputs]
    reached = {name for name in [*wanted, *program.results] if name in made}
    order = [*(spec.name for spec in program.source.inputs), *(block.name for block in inside)]
    return Region(_needed(inside, reached), tuple(name for name in order if name in reached))


def _light(blocks: Sequence[Block]) -> set[str]:
    """Blocks that may move to the host when nothing but the host reads them: functions and movements, and sums and
    products of nothing but such (the decoding of boxes; a residual sum reads a convolution and stays)."""
    light: set[str] = set()
    for block in blocks:
        arithmetic = block.kind in ("add", "multiply") and all(name in light for name in block.inputs)
        if block.kind in _TRAILING or arithmetic:
            light.add(block.name)
    return light


def _without_semantics(blocks: Sequence[Block]) -> dict[str, str]:
    """Every block that cannot be integer -> the ``float`` block that is the cause."""
    host: dict[str, str] = {}
    for block in blocks:
        if block.kind == "float":
            host[block.name] = block.name
        else:
            cause = next((host[name] for name in block.inputs if name in host), None)
            if cause is not None:
                host[block.name] = cause
    return host


def _refuse_heavy(blocks: Sequence[Block], host: Mapping[str, str]) -> None:
    by_name = {block.name: block for block in blocks}
    forced: dict[str, list[str]] = {}
    for block in blocks:
        if block.name in host and block.kind in HEAVY:
            forced.setdefault(host[block.name], []).append(block.name)
    if not forced:
        return
    actions = ("compile with --profile float", "replace the operator in the model, or cut the model in front of it")
    findings = [
        QuantizeError(
            "GW3302",
            cause,
            f"{by_name[cause].reason}, and {', '.join(layers[:3])}{' ...' if len(layers) > 3 else ''} "
            f"depend{'s' if len(layers) == 1 else ''} on it",
            *actions,
        )
        for cause, layers in forced.items()
    ]
    if len(findings) == 1:
        raise findings[0]
    reason = f"{len(findings)} operators in front of convolutions or matrix products have no integer form"
    raise QuantizeError("GW3302", findings[0].place, reason, *actions, findings=findings)


def _needed(blocks: Sequence[Block], outputs: set[str]) -> tuple[Block, ...]:
    """Blocks that an output depends on: the host may compute from further up than a moved block did."""
    wanted, kept = set(outputs), []
    for block in reversed(blocks):
        if block.name in wanted:
            wanted.update(block.inputs)
            kept.append(block)
    return tuple(reversed(kept))
