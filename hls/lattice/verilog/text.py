"""Verilog text: instances, literals, widths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gatewright.schedules.stream.network import Channel

__all__ = ["Connections", "Parameters", "clog2", "extend", "instance", "plain", "quoted", "signed"]

Parameters = Mapping[str, "int | str"]
Connections = Sequence[tuple[str, str]]


def instance(module: str, name: str, parameters: Parameters, connections: Connections) -> str:
    """Text of one instance, wrapped at some 110 columns."""
    given = [f".{key}({value})" for key, value in parameters.items()]
    wired = [f".{port}({wire})" for port, wire in connections]
    head = f"    {module} " + ("#(\n" + _wrapped(given) + "\n    ) " if given else "")
    return head + f"{name} (\n" + _wrapped(wired) + "\n    );"


def _wrapped(items: Sequence[str]) -> str:
    lines, line = [], ""
    for i, item in enumerate(items):
        piece = item + ("," if i + 1 < len(items) else "")
        if line and len(line) + len(piece) + 1 > 104:
            lines.append(line)
            line = piece
        else:
            line = f"{line} {piece}" if line else piece
    return "\n".join(f"        {text}" for text in [*lines, line] if text)


def quoted(text: str) -> str:
    """A string parameter."""
    return f'"{text}"'


def signed(value: int) -> str:
    """A decimal literal wide enough for 64-bit bounds."""
    return f"-64'sd{-value}" if value < 0 else f"64'sd{value}"


def plain(value: int) -> str:
    """A literal of 32 bits."""
    return f"-32'sd{-value}" if value < 0 else f"32'sd{value}"


def clog2(value: int) -> int:
    """Address bits of ``value`` words, at least one."""
    return max(1, (value - 1).bit_length())


def extend(target: str, source: str, channel: Channel, bits: int) -> str:
    """Assign every lane of ``source``, extended (or cut) to ``bits`` bits, to ``target``."""
    parts = []
    for lane in reversed(range(channel.lanes)):
        low, high = lane * channel.bits, (lane + 1) * channel.bits - 1
        if bits <= channel.bits:
            parts.append(f"{source}[{low + bits - 1}:{low}]")
        else:
            fill = f"{source}[{high}]" if channel.signed else "1'b0"
            parts.append(f"{{{bits - channel.bits}{{{fill}}}}}, {source}[{high}:{low}]")
    return f"    assign {target} = {{\n        " + ",\n        ".join(parts) + "\n    };"
