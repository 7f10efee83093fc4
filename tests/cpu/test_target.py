"""The CPU target's contract: variants, plan, estimate, errors, the float profile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gatewright.compiler.errors import TargetError, ToolError, UsageError
from gatewright.compiler.floatgraph.graph import FloatGraph, Node, TensorSpec
from gatewright.compiler.integer.graph import IntegerGraph
from gatewright.compiler.integer.layers import LAYER_TYPES, Conv2d, Dense, Input
from gatewright.compiler.integer.tensor import TensorType
from gatewright.compiler.integer.verifier import verify
from gatewright.compiler.model import QuantizedModel
from gatewright.compiler.plugins import get_target
from gatewright.targets.cpu import CpuTarget
from tests.strategies import random_graph


def model(graph: IntegerGraph | None = None) -> QuantizedModel:
    return QuantizedModel("m", None, None, graph or random_graph(1), None)


def counted() -> IntegerGraph:
    """One grouped convolution and one dense layer with round figures."""
    common = {"weight_zero_point": np.zeros(6, np.int64), "bias": np.zeros(6, np.int64),
              "weight_scale": np.ones(6, np.float32), "multiplier": np.full(6, 1 << 30),
              "shift": np.full(6, 40), "clamp": (-128, 127)}  # fmt: skip
    kind = TensorType((2, 6, 8, 9))
    return verify(
        IntegerGraph(
            [
                Input("x", (), TensorType((2, 4, 8, 9))),
                Conv2d(
                    "c", ("x",), kind, weight=np.ones((6, 2, 3, 5), np.int8), **common, padding=(1, 2, 1, 2), groups=2
                ),
                Dense("d", ("c",), TensorType((2, 6, 8, 6)), weight=np.ones((6, 9), np.int8), **common),
            ],
            ["d"],
        )
    )


def test_registered_and_lazy() -> None:
    program = """
import sys
from gatewright.compiler.plugins import get_target
target = get_target("cpu")
print(target.name, len(target.variants()), "tvm" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cpu", "3", "False"]


def test_supports_every_layer_type() -> None:
    assert {*CpuTarget.supported_layers()} == {*LAYER_TYPES} - {"input"}
    assert get_target("cpu").check(model()) == []


def test_plan_counts_work_and_bytes() -> None:
    plan = get_target("cpu").plan(model(counted()), {})
    conv, dense = plan.layers
    assert conv["macs"] == 2 * 6 * 8 * 9 * 2 * 3 * 5
    assert dense["macs"] == 2 * 6 * 8 * 6 * 9
    assert conv["activation_bytes"] == 2 * 4 * 8 * 9 + 2 * 6 * 8 * 9
    assert conv["accumulator_bits"] == 13  # 30 terms of -128 .. 127
    assert plan.settings["profile"] == "scaled"
    totals = get_target("cpu").estimate(plan).totals
    assert totals["macs"].value == conv["macs"] + dense["macs"]
    assert totals["macs"].error == "exact"


def test_plan_is_deterministic() -> None:
    first, second = (get_target("cpu").plan(model(counted()), {}) for _ in range(2))
    assert first.digest() == second.digest()
    assert first.digest() != get_target("cpu:x86-64-v3").plan(model(counted()), {}).digest()


def test_unknown_settings() -> None:
    with pytest.raises(UsageError, match=r"GW0211.*reuse_factor"):
        get_target("cpu").plan(model(), {"reuse_factor": 4})


@pytest.mark.parametrize("step", ["check", "plan"])
def test_unknown_processor_names_similar_ones(step: str) -> None:
    target = get_target("cpu:skylak")
    with pytest.raises(UsageError, match=r"GW0210.*skylak") as caught:
        target.check(model()) if step == "check" else target.plan(model(), {})
    assert any("cpu:skylake" in action for action in caught.value.actions)


def test_nothing_to_compile() -> None:
    with pytest.raises(TargetError, match="GW4101"):
        get_target("cpu").plan(QuantizedModel("m", None, None, None, None), {})


@pytest.mark.parametrize(("variable", "path"), [("", "nowhere"), ("no-such-compiler -O2", None)])
def test_no_linker(variable: str, path: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", variable)
    if path is not None:
        monkeypatch.setenv("PATH", str(tmp_path / path))
    target = get_target("cpu")
    with pytest.raises(ToolError, match="GW5201") as caught:
        target.build(target.plan(model(), {}), tmp_path)
    assert caught.value.exit_code == 6
    assert any("CXX" in action for action in caught.value.actions)


def test_failing_linker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "linker"
    script.write_text("#!/bin/sh\necho 'no space left' >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))
    target = get_target("cpu")
    (tmp_path / "out").mkdir()
    with pytest.raises(ToolError, match=r"GW5202.*no space left"):
        target.build(target.plan(model(), {}), tmp_path / "out")


def test_float_profile(tmp_path: Path) -> None:
    from tvm import relax

    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((2, 3), "float32"))
    weight = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    with builder.function("main", [x]):
        with builder.dataflow():
            product = builder.emit(relax.op.matmul(x, relax.const(weight, "float32")))
            result = builder.emit_output(relax.op.nn.relu(product))
        builder.emit_func_output(result)
    spec = TensorSpec("x", (2, 3), "float32")
    nodes = (
        Node("p", "matmul", ("x", "w"), {}, (2, 2), "float32"),
        Node("y", "nn.relu", ("p",), {}, (2, 2), "float32"),
    )
    graph = FloatGraph((spec,), (TensorSpec("out put", (2, 2), "float32"),), ("y",), nodes, {"w": weight})
    target = get_target("cpu")
    plan = target.plan(QuantizedModel("m", builder.get(), graph, None, None), {})
    assert plan.settings["profile"] == "float"
    target.build(plan, tmp_path)
    sample = np.array([[1, -1, 2], [-4, 1, 0]], np.float32)
    got = type(target).load(tmp_path).run({"x": sample})
    np.testing.assert_array_equal(got["out put"], np.maximum(sample @ weight, 0))  # small integers: exact in float32
