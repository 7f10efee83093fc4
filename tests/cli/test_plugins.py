"""A target of another package: found through its entry point, its figures and failures shown like anybody's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewright.compiler import plugins
from gatewright.compiler.artifact.graphs import read_graphs
from gatewright.compiler.errors import ExitCode, ToolError, UsageError
from gatewright.compiler.integer.reference import Reference
from gatewright.compiler.model import QuantizedModel
from gatewright.targets.base import BuildPlan, Estimate, Figure, Finding, Target
from tests.cli.conftest import Gatewright


class _Library:
    """Runs the reference, and with ``wrong`` lies about the first output."""

    def __init__(self, directory: Path, wrong: bool) -> None:
        model = read_graphs(directory.parent, "model")
        assert model.integer is not None
        self.reference, self.wrong = Reference(model.integer), wrong

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        outputs: dict[str, np.ndarray] = dict(self.reference.run(inputs))
        if self.wrong:
            first = next(iter(outputs))
            outputs[first] = outputs[first].copy()
            outputs[first].flat[0] ^= 1
        return outputs


class ToyTarget(Target):
    """``toy``: does what its option says."""

    @classmethod
    def variants(cls) -> Sequence[tuple[str, str]]:
        return (("toy", "a target of the tests"),)

    @classmethod
    def supported_layers(cls) -> Mapping[str, str]:
        return {"dense": "small ones"}

    @classmethod
    def options(cls) -> Mapping[str, str]:
        return {"mode": "good, wrong, broken or refuses", "synth": "measure"}

    def check(self, model: QuantizedModel) -> list[Finding]:
        place = ("change the layer",)
        refusals = [Finding("error", "GW4991", layer, "too large", place) for layer in ("one", "two")]
        return refusals if self.name.variant == "refuses" else [Finding("note", "GW4990", "one", "is slow", place)]

    def plan(self, model: QuantizedModel, options: Mapping[str, Any]) -> BuildPlan:
        assert model.integer is not None
        return BuildPlan(str(self.name), model.integer.digest(), dict(options), (), {}, model)

    def estimate(self, plan: BuildPlan) -> Estimate:
        totals = {"latency_cycles": Figure(100, "cycles", "guess"), "lut": Figure(7, "LUT", "guess", "+-50 %")}
        return Estimate(plan.target, totals, (), {"guess": "this test"})

    def build(self, plan: BuildPlan, directory: Path) -> None:
        (directory / "mode").write_text(str(plan.options.get("mode", "good")))
        if plan.options.get("mode") == "broken":
            raise ToolError("GW5999", "toy", "the tool fell over", "pick it up")

    @classmethod
    def load(cls, directory: Path) -> _Library:
        return _Library(directory, (directory / "mode").read_text() == "wrong")

    @classmethod
    def measured(cls, directory: Path) -> Mapping[str, float]:
        return {"lut": 9.0}


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {**plugins.families(), "toy": EntryPoint("toy", f"{__name__}:ToyTarget", "gatewright.targets")}
    monkeypatch.setattr(plugins, "families", lambda: entries)
    load = plugins.family_class
    for place in ("gatewright.compiler.plugins", "gatewright.compiler.runtime.artifact"):
        monkeypatch.setattr(f"{place}.family_class", lambda family: ToyTarget if family == "toy" else load(family))


def _compile(gatewright: Gatewright, digits: Path, out: Path, *more: str) -> Any:
    return gatewright("compile", digits / "digits_mlp.onnx", "-o", out, "--calib", digits / "digits_mlp_calib.npz",
                      "--json", *more)  # fmt: skip


def test_its_estimate_stands_beside_what_was_measured(gatewright: Gatewright, digits: Path, tmp_path: Path) -> None:
    (row,) = _compile(gatewright, digits, tmp_path / "out", "-t", "toy").results
    assert (row["latency_cycles"], row["resources"], row["measured_lut"]) == (100, {"lut": 7}, 9.0)
    assert row["errors"] == {"latency_cycles": "unmeasured", "lut": "+-50 %"}
    assert row["findings"][0]["code"] == "GW4990"
    text = gatewright("report", tmp_path / "out").out
    assert "measured 9" in text and "guess: this test" in text
    ended = gatewright("verify", tmp_path / "out", "--inputs", digits / "digits_mlp_test.npz", "--json")
    assert ended.code == 0 and ended.results[0]["mismatching_bytes"] == 0


def test_a_wrong_byte_a_sample_is_found(gatewright: Gatewright, digits: Path, tmp_path: Path) -> None:
    _compile(gatewright, digits, tmp_path / "out", "-t", "toy", "-t", "cpu", "--set", "mode=wrong")
    ended = gatewright(
        "verify", tmp_path / "out", "--inputs", digits / "digits_mlp_test.npz", "--samples", "9", "--json"
    )
    assert ended.code == ExitCode.MISMATCH
    assert {row["target"]: row["mismatching_bytes"] for row in ended.results} == {"toy": 9, "cpu": 0}
    assert ended.results[0]["first_mismatch"]["sample"] == 0


def test_a_build_that_fails_leaves_the_others(gatewright: Gatewright, digits: Path, tmp_path: Path) -> None:
    ended = _compile(gatewright, digits, tmp_path / "out", "-t", "toy", "-t", "cpu", "--set", "toy.mode=broken")
    assert ended.code == ExitCode.TOOL
    assert ended.results[0]["error"]["code"] == "GW5999" and ended.results[1]["ok"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "cpu",
        "graph",
        "manifest.json",
        "report.json",
    ]


def test_all_refusals_are_shown_at_once(gatewright: Gatewright, digits: Path, tmp_path: Path) -> None:
    ended = gatewright("check", digits / "digits_mlp.onnx", "-t", "toy:refuses", "-t", "cpu", "--json")
    assert ended.code == ExitCode.UNSUPPORTED
    assert [finding["place"] for finding in ended.results[0]["findings"]] == ["one", "two"]
    assert ended.results[1]["ok"]
    error = _compile(gatewright, digits, tmp_path / "out", "-t", "toy:refuses")
    assert error.code == ExitCode.UNSUPPORTED
    assert "one: too large" in error.err and "two: too large" in error.err
    assert not list(tmp_path.iterdir())


def test_it_is_listed(gatewright: Gatewright) -> None:
    assert "toy" in [row["target"] for row in gatewright("targets", "--json").results]
    (row,) = gatewright("targets", "toy", "--json").results
    assert row["layers"] == {"dense": "small ones"} and set(row["options"]) == {"mode", "synth"}


def test_two_packages_with_one_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    twice = [EntryPoint("toy", f"package{i}:Toy", "gatewright.targets") for i in range(2)]
    monkeypatch.setattr(plugins, "entry_points", lambda group: twice)
    with pytest.raises(UsageError, match="GW0021"):
        plugins.families.__wrapped__()
