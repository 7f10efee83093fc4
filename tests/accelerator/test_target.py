"""The sim target keeps the contract: deterministic plans, artefacts that move, errors a user can act on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gatewright.compiler.errors import GatewrightError, TargetError, UsageError
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import Add, Input
from gatewright.compiler.integer.reference import Reference
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.model import QuantizedModel
from gatewright.hls.accelerator import bitstream
from gatewright.hls.lattice.database import Site
from gatewright.schedules.accelerator.isa.encoding import read_words
from gatewright.schedules.accelerator.isa.text import assemble
from gatewright.schedules.accelerator.spec import Spec
from gatewright.targets.accelerator import AcceleratorTarget
from gatewright.targets.accelerator.building import load_package
from gatewright.targets.accelerator.machine.board import memory_needed
from tests.accelerator.random_layers import random_layer
from tests.strategies import random_graph, random_inputs

TARGET = "sim:systolic-8x8-ws"


def model_of(graph: IntegerGraph | None) -> QuantizedModel:
    return QuantizedModel("m", None, None, graph, None)


def built(graph: IntegerGraph, folder: Path, name: str = TARGET) -> Path:
    target = AcceleratorTarget.named(name)
    folder.mkdir()
    target.build(target.plan(model_of(graph), {}), folder)
    return folder


def test_same_plan_same_bytes(tmp_path: Path) -> None:
    graph = random_graph(11, layers=6, max_bits=8)
    first, second = built(graph, tmp_path / "a"), built(graph, tmp_path / "b")
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in second.iterdir())
    assert {"program.bin", "program.asm", "constants.bin", "program.json", "plan.json"} <= set(names)
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_a_moved_artefact_runs(tmp_path: Path) -> None:
    graph = random_graph(5, layers=6, max_bits=16)
    folder = built(graph, tmp_path / "a")
    shutil.move(folder, tmp_path / "elsewhere")
    inputs = random_inputs(graph, 1)
    got = AcceleratorTarget.load(tmp_path / "elsewhere").run(inputs)
    for name, want in Reference(graph).run(inputs).items():
        assert got[name].dtype == want.dtype
        assert np.array_equal(got[name], want)


def test_the_listing_is_the_program(tmp_path: Path) -> None:
    folder = built(random_layer(4), tmp_path / "a")
    words = read_words((folder / "program.bin").read_bytes(), "program.bin")
    assert np.array_equal(assemble((folder / "program.asm").read_text("utf-8")), words)


def test_estimates_are_those_of_the_built_program(tmp_path: Path) -> None:
    graph = random_layer(4)
    target = AcceleratorTarget.named(TARGET)
    estimate = target.estimate(target.plan(model_of(graph), {}))
    modelled = AcceleratorTarget.modelled(built(graph, tmp_path / "a"))
    assert modelled is not None
    cycles, clock_mhz = estimate.totals["latency_cycles"].value, estimate.totals["clock_mhz"].value
    assert cycles / (clock_mhz * 1e6) == modelled.latency_seconds
    tiers = [estimate.totals[name].value for name in ("roofline_cycles", "closed_form_cycles")]
    assert min(tiers) > 0 and max(tiers) <= cycles
    assert all(figure.model in estimate.models for figure in estimate.totals.values())


def test_what_the_host_does_is_said_and_counted() -> None:
    kind = TensorType((1, 4), 8, True, 1.0, 0)
    inputs = [Input(name, (), kind) for name in "abc"]
    add = Add("sum", ("a", "b", "c"), kind, np.array([1 << 20, 1 << 20, 1 << 20]), 20, (-128, 127))
    graph = IntegerGraph([*inputs, add], ["sum"])
    target = AcceleratorTarget.named(TARGET)
    (finding,) = target.check(model_of(graph))
    assert (finding.severity, finding.code, finding.place) == ("note", "GW4331", "sum")
    assert "3 operands" in finding.reason
    plan = target.plan(model_of(graph), {})
    assert plan.settings["host_layers"] == {"sum": "3 operands; an instruction takes 2"}
    assert target.estimate(plan).totals["host_layers"].value == 1


def test_without_an_integer_graph() -> None:
    target = AcceleratorTarget.named(TARGET)
    (finding,) = target.check(model_of(None))
    assert finding.severity == "error"
    with pytest.raises(TargetError) as caught:
        target.plan(model_of(None), {})
    assert caught.value.code == finding.code == "GW4330"


@pytest.mark.parametrize("options", [{"colour": 1}, {"candidates": 0}, {"search_seconds": "long"}])
def test_options(options: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        AcceleratorTarget.named(TARGET).plan(model_of(random_layer(1)), options)
    assert caught.value.code == "GW0409"


@pytest.mark.parametrize("name", ["program.bin", "constants.bin", "program.json", "graph.txt", "graph.npz"])
def test_damaged_artefacts(name: str, tmp_path: Path) -> None:
    folder = built(random_layer(4), tmp_path / "a")
    good = (folder / name).read_bytes()
    for content in (None, good[: len(good) // 2], b"\x00" * len(good), good[:-3] + b"\xff\xff\xff"):
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content)
        if name in ("constants.bin", "program.bin") and content is not None and len(content) == len(good):
            continue  # any bytes are weights, most are instructions; checksums in the manifest see it
        with pytest.raises(GatewrightError):
            AcceleratorTarget.load(folder)


def test_user_specs(tmp_path: Path) -> None:
    from gatewright.targets.accelerator.database import shipped_text

    text = (
        shipped_text("vta-pynq")
        .replace('name = "vta-pynq"', 'name = "mine"')
        .replace("bytes = 32768", "bytes = 2048", 1)
    )
    (tmp_path / "mine.toml").write_text(text)
    graph = random_layer(4)
    folder = built(graph, tmp_path / "a", f"sim:{tmp_path / 'mine.toml'}")
    (tmp_path / "mine.toml").unlink()  # the artefact needs it no more
    inputs = random_inputs(graph, 1)
    assert np.array_equal(AcceleratorTarget.load(folder).run(inputs)["y"], Reference(graph).run(inputs)["y"])
    assert json.loads((folder / "program.json").read_text())["spec"]["name"] == "mine"


def test_a_board_has_memory_for_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Place and route take minutes: what is asked of them, and what becomes of their answer."""
    asked: dict[str, object] = {}
    best = SimpleNamespace(fmax_mhz=51.234, used={"lut": 5, "ebr": 7, "io": 3})

    def build(spec: Spec, folder: Path, site: Site, clock_mhz: float, seeds: range, **others: object) -> object:
        asked.update(others, folder=folder, site=site.name, clock_mhz=clock_mhz, seeds=list(seeds))
        return SimpleNamespace(best=best)

    monkeypatch.setattr(bitstream, "build_accelerator_bitstream", build)
    target = AcceleratorTarget.named(TARGET)
    options = {"board": "ulx3s-85f", "seeds": 2, "timeout_s": 60}
    (tmp_path / "a").mkdir()
    target.build(target.plan(model_of(random_graph(11, layers=6, max_bits=8)), options), tmp_path / "a")
    needed = memory_needed(load_package(tmp_path / "a"))
    memory = asked.pop("memory_bytes")
    assert isinstance(memory, int) and needed <= memory < needed + (1 << 14) and memory % (1 << 14) == 0
    assert asked == {
        "folder": tmp_path / "a" / "board", "site": "ulx3s-85f", "clock_mhz": 50.0, "seeds": [1, 2], "timeout_s": 60.0
    }  # fmt: skip
    measured = json.loads((tmp_path / "a" / "measured.json").read_text())
    assert measured == {"clock_mhz": 51.23, "lut": 5, "ebr": 7}
    (tmp_path / "b").mkdir()
    with pytest.raises(UsageError, match=r"GW4318 .* no layer"):
        target.build(target.plan(model_of(random_graph(1, layers=2)), options), tmp_path / "b")
