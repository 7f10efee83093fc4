"""``simulate`` and ``sweep`` as a user meets them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from gatewright.compiler.artifact.schema import file_digest
from gatewright.compiler.cli.boundary import guarded
from gatewright.compiler.cli.main import cli
from gatewright.compiler.cli.sweep import parse_variations
from gatewright.compiler.errors import UsageError
from tests.cli.conftest import DIGITS, Gatewright

_SIM = "sim:systolic-8x8-ws"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example MLP for the CPU and an accelerator. Read only."""
    directory = tmp_path_factory.mktemp("simulated") / "mlp"
    code = guarded(cli, ["compile", str(DIGITS / "digits_mlp.onnx"), "-t", "cpu", "-t", _SIM, "-o", str(directory),
                         "--quiet", "--calib", str(DIGITS / "digits_mlp_calib.npz")])  # fmt: skip
    assert code == 0
    return directory


def test_totals_and_layers(gatewright: Gatewright, built: Path) -> None:
    ended = gatewright("simulate", built, "--json")
    assert ended.code == 0
    (row,) = ended.results
    assert row["target"] == _SIM  # the only one with a timing model needs no -t
    assert row["cycles"] == sum(row["split"].values()) == sum(layer["cycles"] for layer in row["layers"])
    assert row["energy_table"] == "horowitz45"
    assert row["host_layers"] == {}
    (estimate,) = gatewright("estimate", built, "-t", _SIM, "--json").results
    assert row["cycles"] == estimate["latency_cycles"]
    text = gatewright("simulate", built).out
    assert f"{row['cycles']:,} cycles".replace(",", " ") in text
    assert "energy by table horowitz45" in text
    assert "weight load" in text
    assert "where the figures come from" not in text
    more = gatewright("simulate", built, "--layers").out
    assert text.splitlines()[0] == more.splitlines()[0]
    assert sum("accumulator" in line for line in more.splitlines()) == 1 + sum(
        "accumulator" in line for line in text.splitlines()
    )
    assert "where the figures come from" in more


def test_samples_run_through_the_same_bytes(gatewright: Gatewright, built: Path, tmp_path: Path) -> None:
    samples = dict(np.load(DIGITS / "digits_mlp_test.npz"))
    few = tmp_path / "few.npz"
    np.savez(few, **{name: array[:5] for name, array in samples.items()})
    ended = gatewright("simulate", built, "--inputs", few, "--json")
    assert ended.code == 0
    assert ended.results[0]["samples"] == {
        "count": 5, "mismatching_bytes": 0, "compared_bytes": ended.results[0]["samples"]["compared_bytes"],
        "first_mismatch": None,
    }  # fmt: skip
    assert ended.results[0]["samples"]["compared_bytes"] >= 50
    assert "5 samples through the same command stream: 0 of" in gatewright("simulate", built, "--inputs", few).out


def test_a_changed_constant_is_a_mismatch(gatewright: Gatewright, built: Path, tmp_path: Path) -> None:
    """The artefact is sealed again around other weights: cycles stay, bytes differ, exit code 5."""
    copy = tmp_path / "copy"
    shutil.copytree(built, copy)
    path = copy / "sim-systolic-8x8-ws" / "constants.bin"
    path.write_bytes(bytes(byte ^ 0x55 for byte in path.read_bytes()))
    _reseal(copy, path)
    ended = gatewright("simulate", copy, "--inputs", DIGITS / "digits_mlp_test.npz", "--json")
    assert ended.code == 5
    assert ended.results[0]["samples"]["mismatching_bytes"] > 0
    assert ended.results[0]["samples"]["first_mismatch"]["sample"] == 0
    assert ended.results[0]["cycles"] == gatewright("simulate", built, "--json").results[0]["cycles"]
    assert "first mismatch at sample 0" in gatewright("simulate", copy, "--inputs", DIGITS / "digits_mlp_test.npz").out


def _reseal(directory: Path, changed: Path) -> None:
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text())
    name = changed.relative_to(directory).as_posix()
    assert name in manifest["files"]
    manifest["files"][name] = file_digest(changed)
    path.write_text(json.dumps(manifest))


def test_trace_and_roofline(gatewright: Gatewright, built: Path, tmp_path: Path) -> None:
    trace, plot = tmp_path / "new" / "trace.json", tmp_path / "plot.svg"
    ended = gatewright("simulate", built, "--trace", trace, "--roofline", plot, "--json")
    assert ended.code == 0
    assert ended.results[0]["files"] == {"trace": str(trace), "roofline": str(plot)}
    document = json.loads(trace.read_text())
    assert document["otherData"]["total_cycles"] == ended.results[0]["cycles"]
    named = {event["name"] for event in document["traceEvents"] if event.get("cat") == "layer"}
    assert named == {layer["layer"] for layer in ended.results[0]["layers"]}
    assert ElementTree.parse(plot).getroot().tag.endswith("svg")
    first = trace.read_bytes()
    gatewright("simulate", built, "--trace", trace)
    assert trace.read_bytes() == first
    inside = gatewright("simulate", built, "--trace", built / "trace.json")
    assert inside.code == 2
    assert "GW0033" in inside.err
    assert not (built / "trace.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("-t", "cpu"), "GW0034"), (("-t", "sim:vta-pynq"), "GW0016"), (("--inputs", "nowhere.npz"), "GW0010")],
)
def test_wrong_use(gatewright: Gatewright, built: Path, arguments: tuple[str, ...], code: str) -> None:
    ended = gatewright("simulate", built, *arguments)
    assert ended.code == 2
    assert code in ended.err


def test_no_artefact_and_nothing_to_simulate(gatewright: Gatewright, compiled: Path, tmp_path: Path) -> None:
    assert "GW0032" in gatewright("simulate", tmp_path).err
    ended = gatewright("simulate", compiled)
    assert ended.code == 2
    assert "GW0034" in ended.err


_SWEEP = ("-t", _SIM, "--vary", "matrix.rows,matrix.columns,vector.lanes=8,12,16", "--vary", "dma.bytes_per_cycle=4,16")


def _sweep(gatewright: Gatewright, *more: object) -> list[dict[str, Any]]:
    ended = gatewright("sweep", DIGITS / "digits_mlp.onnx", *_SWEEP, "--calib", DIGITS / "digits_mlp_calib.npz",
                       "--json", *more)  # fmt: skip
    assert ended.code == 0
    return ended.results


def test_sweep(gatewright: Gatewright, built: Path) -> None:
    rows = _sweep(gatewright)
    assert [(row["values"]["matrix.rows"], row["values"]["dma.bytes_per_cycle"]) for row in rows] == [
        (8, 4), (8, 16), (12, 4), (12, 16), (16, 4), (16, 16),
    ]  # fmt: skip
    assert [row["possible"] for row in rows] == [True, True, False, False, True, True]
    assert all(row["reason"] for row in rows if not row["possible"])
    best = [row for row in rows if row["optimal"]]
    assert best
    for row in rows:
        if row["possible"] and not row["optimal"]:
            assert any(all(other[key] <= row[key] for key in ("area_mm2", "latency_us", "energy_uj")) for other in best)
    # An artefact is swept without its file of calibration data.
    again = gatewright("sweep", built, *_SWEEP, "--json")
    assert again.results == rows
    text = gatewright("sweep", built, *_SWEEP).out
    assert text.count("impossible: ") == 2
    assert f"{len(best)} of 6 points are optimal" in text
    assert "area (mm2)" in text
    assert "proxy" in text


@pytest.mark.slow
def test_sweep_in_two_processes_is_the_same(gatewright: Gatewright) -> None:
    assert _sweep(gatewright, "--jobs", "2") == _sweep(gatewright)


def test_nothing_possible_is_a_missed_constraint(gatewright: Gatewright, built: Path) -> None:
    ended = gatewright("sweep", built, "-t", _SIM, "--vary", "vector.lanes=3,5", "--json")
    assert ended.code == 4
    assert [row["possible"] for row in ended.results] == [False, False]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("-t", _SIM), "GW0035"),
        (("--vary", "dma.bytes_per_cycle=4"), "GW0013"),
        (("-t", _SIM, "-t", "cpu", "--vary", "a=4"), "GW0013"),
        (("-t", "cpu", "--vary", "dma.bytes_per_cycle=4"), "GW0036"),
        (("-t", _SIM, "--vary", "dma.nonsense=4"), "GW4301"),
        (("-t", _SIM, "--vary", "dma.bytes_per_cycle"), "GW0035"),
        (("-t", _SIM, "--vary", "dma.bytes_per_cycle=4,,8"), "GW0035"),
        (("-t", _SIM, "--vary", "dma.bytes_per_cycle=4,4"), "GW0035"),
        (("-t", _SIM, "--vary", f"clock_mhz={','.join(map(str, range(1, 5000)))}"), "GW0035"),
        (("-t", _SIM, "--vary", "clock_mhz=4", "--set", "sim.nonsense=1"), "GW0409"),
    ],
)
def test_wrong_sweeps(gatewright: Gatewright, built: Path, arguments: tuple[str, ...], code: str) -> None:
    ended = gatewright("sweep", built, *arguments)
    assert ended.code == 2
    assert code in ended.err


def test_values_are_numbers_words_or_both() -> None:
    (one, two) = parse_variations(["a.b,c=1,2.5,true,ws", "d=x"])
    assert one.names == ("a.b", "c")
    assert one.values == (1, 2.5, True, "ws")
    assert two.values == ("x",)
    with pytest.raises(UsageError):
        parse_variations(["=1"])
