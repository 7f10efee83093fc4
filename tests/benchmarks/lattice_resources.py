"""The resource model of the Lattice back end: measure, fit, and compare with designs that are not in the fit.

    python -m tests.benchmarks.lattice_resources --measure      # synthesize and pack all designs (an hour on two cores)
    python -m tests.benchmarks.lattice_resources --measure --place   # place and route the compared ones as well
    python -m tests.benchmarks.lattice_resources --fit          # coefficients.toml from the designs of the fit
    python -m tests.benchmarks.lattice_resources                # compare; writes schedules/stream/accuracy.toml

Measurements stand in schedules/stream/resources/measurements.toml: the totals of a design as nextpnr counts them, and
the LUTs and flip-flops of every stage of a design of the fit. Cells belong to the stage their name begins with; those
named after a wire of the top module go to the stage most of their neighbours belong to. nextpnr counts when it has
packed; placing and routing change no count.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.hls.lattice import database, project
from gatewright.hls.lattice.toolchain import tools
from gatewright.hls.lattice.toolchain.synthesis import synthesize
from gatewright.schedules.stream.network import ForkNode, Network, StageNode, WidthNode
from gatewright.schedules.stream.resources import Resources, family_of, network_resources
from gatewright.schedules.stream.resources.counting import fork_parts, stage_parts, width_parts
from gatewright.schedules.stream.resources.parts import Parts
from tests.lattice.resource_designs import ROOT, measured_design

FOLDER = ROOT / "schedules" / "stream" / "resources"
MEASUREMENTS = FOLDER / "measurements.toml"
ACCURACY = FOLDER.parent / "accuracy.toml"

TRAINING = (
    *(f"blocks:ecp5:{i}" for i in range(16)),
    *(f"blocks:ice40-up:{i}" for i in (100, 102, 104, 106, 108, 110, 112)),
    *(f"blocks:ice40:{i}" for i in (200, 202, 204, 206, 208, 210, 212)),
    "chain:ecp5:0", "chain:ecp5:4", "chain:ecp5:8", "chain:ecp5:12", "chain:ice40-up:100", "chain:ice40-up:108",
    "graph:ecp5:0", "graph:ecp5:4", "graph:ecp5:8", "graph:ice40-up:100", "graph:ice40-up:104", "graph:ice40:200",
    "graph:ice40:204", "graph:ice40:208",
)  # fmt: skip
COMPARED = (
    "digits_mlp:ice40-up:fixed-1000", "digits_cnn:ice40-up:fixed-4000", "chain:ecp5:300", "digits_mlp:ecp5:fixed-100",
    "chain:ecp5:301", "digits_cnn:ecp5:scaled-2000", "chain:ice40-up:302",
    "digits_mlp:ecp5:scaled-200-soft", "blocks:ecp5:305", "chain:ice40:306",
    "digits_cnn:ecp5:fixed-600-soft", "blocks:ice40-up:308", "chain:ecp5:309",
    "digits_mlp:ice40:fixed-2000", "blocks:ecp5:311", "digits_cnn:ice40:fixed-8000",
    "chain:ecp5:312", "digits_cnn:ecp5:fixed-1000", "digits_mlp:ice40-up:scaled-2000",
    "chain:ice40-up:314", "blocks:ice40:315", "chain:ecp5:316",
)  # fmt: skip
COUNTED = ("lut", "ff", "dsp", "ebr")
SITES = {"ecp5": "ecp5-85k", "ice40-up": "ice40-up5k", "ice40": "ice40-hx8k"}
_PACK = {
    "ecp5": ("nextpnr-ecp5", ["--85k", "--package", "CABGA756", "--lpf-allow-unconstrained"]),
    "ice40-up": ("nextpnr-ice40", ["--up5k", "--package", "sg48", "--pcf-allow-unconstrained"]),
    "ice40": ("nextpnr-ice40", ["--hx8k", "--package", "ct256", "--pcf-allow-unconstrained"]),
}
_COUNTED = {
    "TRELLIS_COMB": "lut", "TRELLIS_FF": "ff", "DP16KD": "ebr", "MULT18X18D": "dsp",
    "ICESTORM_LC": "lut", "ICESTORM_RAM": "ebr", "ICESTORM_DSP": "dsp",
}  # fmt: skip

PRIOR = {
    # What an ideal mapping takes: (ECP5, iCE40). The fit stays near it where the designs say little.
    "plain": (0.02, 1.0), "chains": (4, 1.2), "accumulator": (1, 1), "bias": (1, 1), "compare": (1, 1),
    "counter": (1, 1), "credit": (1.5, 1.5), "negate": (1, 1), "round": (1, 1), "row_sum": (1, 1), "ternary": (1, 1.2),
    "tree": (1, 1), "wide_sum": (1, 1), "clamp": (1.3, 1.5), "clamp_compare": (0.4, 0.5), "constant_rows": (0.5, 0.5),
    "control": (1, 1), "distributed": (6, 0.01), "enable": (1.2, 1.2), "fifo": (6, 6), "fifo_address": (1.3, 1.5),
    "mux": (1, 1), "pad": (1, 1), "rom_bits": (1.3, 1.3), "rom_small": (0.9, 1), "row_gates": (0.01, 0.5),
    "rows": (1, 1), "select": (0.67, 0.67), "shift": (1, 1), "stage": (10, 10), "steps": (0.6, 0.6),
    "ternary_choice": (1, 1), "window": (25, 25),
}  # fmt: skip
NAMES = sorted(PRIOR)
_RIDGE, _DESIGN, _FLOOR = 0.35, 2.0, 60
"""Weight of the prior; of a design's total; LUTs below which errors count as absolute ones."""
_DEAD = 0.15
"""A stage whose flip-flops miss their count by more was cut down (a constant result, in random graphs): not fitted."""

Cells = Mapping[str, Mapping[str, Any]]


# -- measuring ---------------------------------------------------------------------------------------------------------


def _wired(cells: Cells) -> tuple[dict[Any, list[tuple[str, str]]], dict[Any, str]]:
    """(readers, driver) of every net."""
    readers: dict[Any, list[tuple[str, str]]] = defaultdict(list)
    driver: dict[Any, str] = {}
    for name, cell in cells.items():
        for port, bits in cell["connections"].items():
            direction = cell["port_directions"].get(port)
            for bit in bits:
                if direction == "input":
                    readers[bit].append((name, port))
                elif direction == "output":
                    driver[bit] = name
    return readers, driver


def cell_luts(cells: Cells) -> dict[str, int]:
    """LUT cells of nextpnr that every cell of the netlist becomes; without the two constants of an ECP5."""
    readers, driver = _wired(cells)
    found = {}
    for name, cell in cells.items():
        kind, wires = cell["type"], cell["connections"]
        if kind in ("LUT4", "SB_LUT4"):
            found[name] = 1
        elif kind == "TRELLIS_DPR16X4":
            found[name] = 6  # four to store, two to write
        elif kind == "CCU2C":
            source = driver.get(wires["CIN"][0])
            fed = source is None or cells[source]["type"] != "CCU2C"
            users = readers.get(wires.get("COUT", [""])[0], [])
            left = not users or any(port != "CIN" for _, port in users)
            found[name] = 2 + 2 * fed + 2 * left  # a carry enters and leaves a chain through cells of their own
        elif kind.startswith("SB_DFF"):
            bit = wires["D"][0]
            behind = cells.get(driver.get(bit, ""), {}).get("type") == "SB_LUT4" and len(readers[bit]) == 1
            found[name] = 0 if behind else 1
        elif kind == "SB_CARRY":
            found[name] = 0 if _beside_lut(cells, readers, wires) else 1
    return found


def _beside_lut(cells: Cells, readers: Mapping[Any, list[tuple[str, str]]], wires: Mapping[str, Any]) -> bool:
    """Whether a LUT has the inputs of a carry cell, so both are one cell."""
    wanted = (wires["I0"][0], wires["I1"][0], wires["CI"][0])
    signals = [bit for bit in wanted[:2] if not isinstance(bit, str)]
    for name, _ in readers.get(signals[0], []) if signals else []:
        lut = cells[name]["connections"]
        if cells[name]["type"] == "SB_LUT4" and tuple(lut.get(f"I{i}", [None])[0] for i in (1, 2, 3)) == wanted:
            return True
    return False


def stage_luts(cells: Cells) -> dict[str, int]:
    """LUT cells by the instance in the top module."""
    stage = {name: name.split(".")[0] for name in cells if "." in name}
    readers, driver = _wired(cells)
    for _ in range(4):
        new = {}
        for name in cells.keys() - stage.keys():
            votes: Counter[str] = Counter()
            for port, bits in cells[name]["connections"].items():
                outwards = cells[name]["port_directions"].get(port) == "output"
                for bit in bits:
                    if isinstance(bit, str):
                        continue
                    near = [reader for reader, _ in readers.get(bit, [])] if outwards else [driver.get(bit, "")]
                    if outwards or len(readers[bit]) < 30:
                        votes.update(stage[other] for other in near if other in stage)
            if votes:
                new[name] = votes.most_common(1)[0][0]
        stage |= new
    found: Counter[str] = Counter()
    for name, count in cell_luts(cells).items():
        found[stage.get(name, "")] += count
    return dict(found)


def packed(network: Network, build: Path, place: bool) -> Resources:
    """The counts of nextpnr."""
    site = database.devices()[SITES[network.fabric.name]]
    netlist = json.loads((build / "netlist.json").read_text("utf-8"))["modules"]["network"]["cells"]
    ff = sum(cell["type"].startswith(("TRELLIS_FF", "SB_DFF")) for cell in netlist.values())
    name, options = _PACK[network.fabric.name]
    arguments = [*options, "--json", "netlist.json", "--timing-allow-fail"]
    arguments += [] if place else ["--pack-only"]
    run = subprocess.run(
        [*tools.find(name).command, *arguments], cwd=build, capture_output=True, text=True, check=False
    )
    counted = re.findall(r"(\w+): *(\d+)/ *\d+ ", run.stderr + run.stdout)
    found = {_COUNTED[cell]: int(count) for cell, count in counted if cell in _COUNTED}
    assert "lut" in found, (site, run.stderr[-2000:])
    return Resources(**{"ff": ff, **found})


def measure(recipe: str, folder: Path, stages: bool, place: bool) -> dict[str, Any]:
    """Synthesize and pack one design."""
    network = measured_design(recipe)
    project.write(network, folder)
    sources = json.loads((folder / "design.json").read_text("utf-8"))["sources"]
    made = synthesize(
        folder / "rtl", sources, "network", database.devices()[SITES[network.fabric.name]], folder / "build"
    )
    return reduced(recipe, made.netlist, stages, place)


def reduced(recipe: str, netlist: Path, stages: bool, place: bool) -> dict[str, Any]:
    """What is kept of a netlist."""
    network = measured_design(recipe)
    row: dict[str, Any] = asdict(packed(network, netlist.parent, place))
    if stages:
        cells = json.loads(netlist.read_text("utf-8"))["modules"]["network"]["cells"]
        kept = {name: cell for name, cell in cells.items() if not cell["type"].startswith("$")}
        luts = stage_luts(kept)
        registers = Counter(
            name.split(".")[0] for name, cell in kept.items() if cell["type"].startswith(("TRELLIS_FF", "SB_DFF"))
        )
        row["stages"] = {node.name: [luts.get(node.name, 0), registers[node.name]] for node in network.stages}
    return row


def stored() -> dict[str, dict[str, Any]]:
    """Everything measured, by recipe."""
    return tomllib.loads(MEASUREMENTS.read_text("utf-8")) if MEASUREMENTS.exists() else {}


def store(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the measurements."""
    lines = [
        "# Written by tests/benchmarks/lattice_resources.py --measure: totals by nextpnr; of a stage [lut, ff].",
        "",
    ]
    for recipe in sorted(rows):
        row = rows[recipe]
        lines.append(f'["{recipe}"]')
        lines += [f"{name} = {row[name]}" for name in COUNTED]
        if "stages" in row:
            inside = ", ".join(f"{name} = {counts}" for name, counts in row["stages"].items())
            lines.append(f"stages = {{ {inside} }}")
        lines.append("")
    MEASUREMENTS.write_text("\n".join(lines), encoding="utf-8")


# -- fitting -----------------------------------------------------------------------------------------------------------


def _parts(network: Network) -> Iterator[tuple[str, Parts]]:
    for node in network.nodes:
        match node:
            case StageNode():
                yield node.name, stage_parts(node.hardware)
            case ForkNode():
                yield node.name, fork_parts(node, network.fabric)
            case WidthNode():
                yield node.name, width_parts(node, network.fabric)


def _vector(parts: Parts) -> npt.NDArray[np.float64]:
    return np.array([parts.logic.get(name, 0.0) for name in NAMES])


def non_negative(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The x >= 0 with the least |a x - b|, by coordinate descent."""
    square, right = a.T @ a, a.T @ b
    x = np.zeros(a.shape[1])
    for _ in range(4000):
        for j in range(len(x)):
            x[j] = max(0.0, x[j] + (right[j] - square[j] @ x) / square[j, j])
    return x


def fit(family: str, rows: Mapping[str, Mapping[str, Any]], recipes: Iterable[str]) -> dict[str, float]:
    """Coefficients of one family: least squares of relative errors, of stages and of whole designs."""
    features, wanted = [], []
    for recipe in recipes:
        network = measured_design(recipe)
        if family_of(network.fabric) != family or recipe not in rows:
            continue
        row, total, whole = rows[recipe], np.zeros(len(NAMES)), True
        for name, parts in _parts(network):
            total += _vector(parts)
            if name not in row["stages"]:
                continue
            lut, ff = row["stages"][name]
            if abs(parts.ff - ff) > _DEAD * ff + 5:
                whole = False
                continue
            features.append(_vector(parts) / (lut + _FLOOR))
            wanted.append(lut / (lut + _FLOOR))
        if whole:
            features.append(_DESIGN * total / row["lut"])
            wanted.append(_DESIGN)
    prior = np.array([PRIOR[name][0 if family == "ecp5" else 1] for name in NAMES], float)
    a = np.vstack([*features, np.diag(_RIDGE / prior)])
    b = np.concatenate([wanted, np.full(len(NAMES), _RIDGE)])
    return dict(zip(NAMES, non_negative(a, b).round(4).tolist(), strict=True))


def write_coefficients(found: Mapping[str, Mapping[str, float]]) -> None:
    """Write coefficients.toml."""
    lines = [
        "# Fitted by tests/benchmarks/lattice_resources.py --fit: LUT cells of a unit of logic, see counting.py.",
        "",
    ]
    for family, values in found.items():
        lines += [f"[{family}.lut]", *(f"{name} = {value}" for name, value in values.items()), ""]
    (FOLDER / "coefficients.toml").write_text("\n".join(lines), encoding="utf-8")


# -- comparing ---------------------------------------------------------------------------------------------------------


def errors(rows: Mapping[str, Mapping[str, Any]], recipes: Sequence[str]) -> dict[str, list[float]]:
    """Relative error of LUTs and flip-flops of every design; prints a table."""
    found: dict[str, list[float]] = {"lut": [], "ff": []}
    for recipe in recipes:
        row, model = rows[recipe], network_resources(measured_design(recipe))
        for name in found:
            found[name].append(getattr(model, name) / row[name] - 1)
        exact = "" if (model.dsp, model.ebr) == (row["dsp"], row["ebr"]) else "  <<<"
        print(
            f"{recipe:36s} lut {model.lut:6d} {row['lut']:6d} {found['lut'][-1]:+7.1%}  "
            f"ff {model.ff:6d} {row['ff']:6d} {found['ff'][-1]:+7.1%}  "
            f"dsp {model.dsp} {row['dsp']}  ebr {model.ebr} {row['ebr']}{exact}"
        )
    return found


def _text(found: Sequence[float]) -> str:
    mean = float(np.abs(found).mean())
    return f"mean |error| {mean:.1%}, {min(found):+.0%}..{max(found):+.0%} over {len(found)} designs not in the fit"


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--place", action="store_true")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("recipes", nargs="*", help="with --measure: only these")
    options = parser.parse_args()
    rows = stored()
    if options.measure:
        for recipe in options.recipes or (*TRAINING, *COMPARED):
            with tempfile.TemporaryDirectory() as name:
                training = recipe in TRAINING
                rows[recipe] = measure(recipe, Path(name), training, options.place and not training)
            store(rows)
            print(recipe, {name: rows[recipe][name] for name in COUNTED}, flush=True)
    if options.fit:
        write_coefficients({family: fit(family, rows, TRAINING) for family in ("ecp5", "ice40")})
        print("designs of the fit; run again without --fit to compare the others")
        errors(rows, [recipe for recipe in TRAINING if recipe in rows])
        return
    found = errors(rows, [recipe for recipe in COMPARED if recipe in rows])
    texts = {name: _text(values) for name, values in found.items()}
    head = "# Error of the fitted model against place and route; written by tests/benchmarks/lattice_resources.py.\n"
    ACCURACY.write_text(head + "".join(f'{name} = "{text}"\n' for name, text in texts.items()), encoding="utf-8")
    print(texts)


if __name__ == "__main__":
    main()
