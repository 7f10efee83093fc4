"""Flip-flops behind ECP5 block memories move into the memories: Yosys does not map their output registers.

    DP16KD.DOB[i] --> TRELLIS_FF --> net        becomes        DP16KD (REGMODE_B = OUTREG).DOB[i] --> net

A DP16KD without its register takes 5.7 ns from clock to output, with it 1 ns (nextpnr's timing database), and its bits
need no flip-flops. A port is changed only if every output bit that is read goes to one flip-flop on the port's clock,
without enable and without reset, and if the port's own enable is always on: then both circuits are the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["absorb_output_registers"]

Cell = dict[str, Any]
Netlist = Mapping[str, Any]

_PORTS = {
    # kind -> (prefix of the output bits, clock, enable, output enable, parameter) of every readable port
    "DP16KD": (("DOA", "CLKA", "CEA", "OCEA", "REGMODE_A"), ("DOB", "CLKB", "CEB", "OCEB", "REGMODE_B")),
    "PDPW16KD": (("DO", "CLKR", "CER", "OCER", "REGMODE"),),
}


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
    for port in module["ports"].values():
        for bit in port["bits"]:
            readers[bit].append(("", ""))
    absorbed = 0
    for cell in list(cells.values()):
        for prefix, clock, enable, output_enable, parameter in _PORTS.get(cell["type"], ()):
            registers = _registers(cell, prefix, clock, enable, cells, readers)
            if registers is None:
                continue
            for pin, name in registers:
                cell["connections"][pin] = cells[name]["connections"]["Q"]
                del cells[name]
            cell["parameters"][parameter] = "OUTREG"
            cell["connections"][output_enable] = ["1"]
            absorbed += len(registers)
    return absorbed


def _outputs(cell: Cell, prefix: str) -> Iterator[tuple[str, Any]]:
    for pin, bits in cell["connections"].items():
        if pin.startswith(prefix) and pin[len(prefix) :].isdigit():
            yield pin, bits[0]


def _registers(
    cell: Cell,
    prefix: str,
    clock: str,
    enable: str,
    cells: Mapping[str, Cell],
    readers: Mapping[Any, list[tuple[str, str]]],
) -> list[tuple[str, str]] | None:
    """(output pin, flip-flop behind it) of every pin of a port that is read, or None if the port must stay."""
    if cell["connections"].get(enable, ["1"]) != ["1"]:
        return None
    found = []
    for pin, bit in _outputs(cell, prefix):
        reading = readers.get(bit, [])
        if not reading:
            continue
        if len(reading) != 1 or reading[0][1] != "DI":
            return None
        register = cells[reading[0][0]]
        if not _plain(register, cell["connections"][clock]):
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
