"""Flip-flops behind ECP5 block memories move into the memories: Yosys does not map their output registers.

    DP16KD.DOB[i] --> TRELLIS_FF --> net        becomes        DP16KD (REGMODE_B = OUTREG).DOB[i] --> net

A DP16KD without its register takes 5.7 ns from clock to output, with it 1 ns (nextpnr's timing database), and its bits
need no flip-flops. A port is changed only if every output bit that is read goes to one flip-flop on the port's clock,
without enable and without reset, and if the port's own enable is always on: then both circuits are the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["absorb_output_registers"]

Cell = dict[str, Any]
Netlist = Mapping[str, Any]


@dataclass(frozen=True)
class _Port:
    """A port of a memory that can be read.

    Attributes:
        outputs: prefixes of its output pins.
        clock, enable: its pins.
        output_enables: pins of the registers' own enables.
        modes: parameters that switch its registers on.
    """

    outputs: tuple[str, ...]
    clock: str
    enable: str
    output_enables: tuple[str, ...]
    modes: tuple[str, ...]


_A = _Port(("DOA",), "CLKA", "CEA", ("OCEA",), ("REGMODE_A",))
_B = _Port(("DOB",), "CLKB", "CEB", ("OCEB",), ("REGMODE_B",))
# 36 bits wide, A writes and B reads; the words leave by the pins of both, each half with a register of its own. Vendor
# bitstreams have both modes at OUTREG then, and nextpnr times all outputs by CLKB.
_WIDE = _Port(("DOA", "DOB"), "CLKB", "CEB", ("OCEA", "OCEB"), ("REGMODE_A", "REGMODE_B"))
_PDPW = _Port(("DO",), "CLKR", "CER", ("OCER",), ("REGMODE",))


def _ports(cell: Cell) -> tuple[_Port, ...]:
    if cell["type"] == "PDPW16KD":
        return (_PDPW,)
    if cell["type"] != "DP16KD":
        return ()
    return (_WIDE,) if int(cell["parameters"]["DATA_WIDTH_B"], 2) == 36 else (_A, _B)


def absorb_output_registers(netlist: Netlist, top: str) -> int:
    """Change ``netlist`` (Yosys's JSON) in place.

    Returns:
        Number of flip-flops that went into memories.
    """
    module = netlist["modules"][top]
    cells: dict[str, Cell] = module["cells"]
    readers: dict[Any, list[tuple[str, str]]] = defaultdict(list)
    for name, cell in cells.items():
        if cell["type"].startswith("$"):
            continue
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) == "input":
                for bit in bits:
                    readers[bit].append((name, port))
    for pins in module["ports"].values():
        for bit in pins["bits"]:
            readers[bit].append(("", ""))
    absorbed = 0
    for cell in list(cells.values()):
        for port in _ports(cell):
            registers = _registers(cell, port, cells, readers)
            if registers is None:
                continue
            for pin, name in registers:
                cell["connections"][pin] = cells[name]["connections"]["Q"]
                del cells[name]
            cell["parameters"] |= dict.fromkeys(port.modes, "OUTREG")
            cell["connections"] |= {pin: ["1"] for pin in port.output_enables}
            absorbed += len(registers)
    return absorbed


def _outputs(cell: Cell, port: _Port) -> Iterator[tuple[str, Any]]:
    for prefix in port.outputs:
        for pin, bits in cell["connections"].items():
            if pin.startswith(prefix) and pin[len(prefix) :].isdigit():
                yield pin, bits[0]


def _registers(
    cell: Cell, port: _Port, cells: Mapping[str, Cell], readers: Mapping[Any, list[tuple[str, str]]]
) -> list[tuple[str, str]] | None:
    """(output pin, flip-flop behind it) of every pin of a port that is read, or None if the port must stay."""
    if cell["connections"].get(port.enable, ["1"]) != ["1"]:
        return None
    found = []
    for pin, bit in _outputs(cell, port):
        reading = readers.get(bit, [])
        if not reading:
            continue
        if len(reading) != 1 or reading[0][1] != "DI":
            return None
        register = cells[reading[0][0]]
        if not _plain(register, cell["connections"][port.clock]):
            return None
        found.append((pin, reading[0][0]))
    return found or None


def _plain(cell: Cell, clock: list[Any]) -> bool:
    """A flip-flop on the rising edge of ``clock`` that nothing holds or resets."""
    if cell["type"] != "TRELLIS_FF" or cell["connections"]["CLK"] != clock:
        return False
    parameters, connections = cell["parameters"], cell["connections"]
    held = parameters.get("CEMUX", "CE").strip() != "1" and connections.get("CE", ["1"]) != ["1"]
    reset = connections.get("LSR", ["0"]) != ["0"]
    return not held and not reset and parameters.get("CLKMUX", "CLK") == "CLK"
