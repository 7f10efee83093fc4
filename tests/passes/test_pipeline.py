"""The pipeline as a whole: checks that catch broken passes, determinism, shared models."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tvm
from tvm import relax

from gatewright.compiler.errors import GatewrightError, GraphError
from gatewright.compiler.floatgraph.from_relax import read
from gatewright.compiler.floatgraph.interpreter import execute
from gatewright.compiler.floatgraph.text import save
from gatewright.compiler.frontend import import_model
from gatewright.compiler.passes import PASSES, pipeline
from gatewright.compiler.passes.documentation import page
from gatewright.compiler.passes.rewriting import rewrite
from gatewright.compiler.passes.structure import RULES, count_nodes, verify
from gatewright.compiler.passes.validation import compare, sample_inputs
from gatewright.compiler.passes.weighted import Weighted
from tests.passes.build import const, make, ops, scalar, text

op = relax.op


def _conv_net() -> Any:
    def body(emit: Any, x: Any) -> Any:
        y = emit(op.nn.conv2d(x, const(4, 2, 3, 3), padding=1, groups=1))
        y = emit(op.nn.relu(emit(op.multiply(emit(op.add(y, const(1, 4, 1, 1))), const(1, 4, 1, 1, seed=1)))))
        y = emit(op.reshape(emit(op.nn.max_pool2d(y, (2, 2), (2, 2))), (2, 16)))
        return emit(op.matmul(y, const(16, 3)))

    return make(body, (2, 2, 4, 4))


def test_records_say_what_happened() -> None:
    model, records = pipeline.simplify(_conv_net(), validate=True)
    modified = [record for record in records if record.modified]
    assert [record.name for record in modified] == ["fold_scales"]
    assert (modified[0].nodes_before, modified[0].nodes_after) == (7, 6)
    assert modified[0].max_abs_error is not None and 0 < modified[0].max_abs_error < 1e-6
    assert all(r.max_abs_error is None for r in records if not r.modified)
    assert count_nodes(model.module) == 6


def test_without_validation_nothing_is_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "outputs", None)
    model, records = pipeline.simplify(_conv_net())
    assert any(record.modified for record in records)
    assert all(record.max_abs_error is None for record in records)
    assert text(model) == text(pipeline.simplify(_conv_net())[0])


def test_a_pass_that_computes_something_else_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutation: scales of output channels fold in reversed order."""
    right = Weighted.scaled_outputs
    monkeypatch.setattr(Weighted, "scaled_outputs", lambda self, factor: right(self, factor[::-1]))
    with pytest.raises(GraphError, match="GW2011 pass fold_scales") as error:
        pipeline.simplify(_conv_net(), validate=True)
    assert error.value.actions
    pipeline.simplify(_conv_net())  # nobody looks


def test_a_pass_that_loses_one_rounding_step_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutation: a quantized model's scale is off by one in 2000."""

    @tvm.transform.module_pass(opt_level=0, name="broken")
    class Broken:
        def transform_module(self, module: Any, context: Any) -> Any:
            def rule(scope: Any, call: Any) -> Any:
                scale = call.args[1].value.numpy()
                if scale > 0.1:
                    return None
                return op.quantize(call.args[0], scalar(scale * 1.0005), call.args[2], axis=1)

            return rewrite(module, {"quantize": rule})

    monkeypatch.setattr(pipeline, "one_round", lambda **_: tvm.transform.Sequential([Broken()]))
    model = make(lambda e, x: e(op.quantize(x, scalar(0.02), scalar(0, "int8"), axis=1)), (64, 64))
    with pytest.raises(GraphError, match=r"GW2011 pass broken.*integers differ"):
        pipeline.simplify(model, validate=True)


def test_a_pass_that_breaks_the_structure_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    @tvm.transform.module_pass(opt_level=0, name="broken")
    class Broken:
        def transform_module(self, module: Any, context: Any) -> Any:
            return rewrite(module, {"nn.relu": lambda scope, call: op.collapse_sum_to(call.args[0], (2, 3))})

    monkeypatch.setattr(pipeline, "one_round", lambda **_: tvm.transform.Sequential([Broken()]))
    with pytest.raises(GraphError, match=r"GW2010 after broken: rule known_operators.*collapse_sum_to"):
        pipeline.simplify(make(lambda e, x: e(op.nn.relu(x)), (2, 3)))


def test_a_rule_may_not_change_a_type() -> None:
    model = make(lambda e, x: e(op.nn.relu(x)), (2, 3))
    with pytest.raises(TypeError, match="changed its type"):
        rewrite(model.module, {"nn.relu": lambda scope, call: op.reshape(call.args[0], (6,))})


def test_structure_rules_find_what_they_are_for() -> None:
    n = tvm.tirx.Var("n", "int64")
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((n, 3), "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            y = builder.emit_output(op.nn.relu(x))
        builder.emit_func_output(y)
    with pytest.raises(GraphError, match="rule static_shapes"):
        verify(builder.get(), "import")
    with pytest.raises(GraphError, match="rule one_main"):
        verify(tvm.IRModule(), "import")
    assert all(rule.__doc__ for rule in RULES.values())


def test_nan_and_infinity_compare() -> None:
    same = {"y": np.array([np.nan, np.inf, 1.0])}
    assert compare(same, {"y": same["y"].copy()}, "p") == 0
    for wrong in ([0.0, np.inf, 1.0], [np.nan, -np.inf, 1.0], [np.nan, 1.0, 1.0], [np.nan, np.inf, np.nan]):
        with pytest.raises(GraphError, match="GW2011"):
            compare(same, {"y": np.array(wrong)}, "p")


def test_every_pass_is_registered_documented_and_a_frozen_dataclass() -> None:
    folder = Path(pipeline.__file__).parent
    files = {path.stem for path in folder.glob("*.py") if "module_pass(" in path.read_text(encoding="utf-8")}
    assert set(PASSES) == files
    for name, thunk in PASSES.items():
        step = thunk()
        assert "::" in step.__doc__ and "->" in step.__doc__, f"{name} shows no before and after"
        instance = step()
        assert instance.info.name == name
        assert is_dataclass(instance._inst if hasattr(instance, "_inst") else instance)
    ordered = [p.info.name for p in pipeline.one_round(rounds_values=False).passes]
    assert ordered == list(PASSES)[: len(ordered)]


def test_the_page_of_passes_is_current(repository: Path) -> None:
    found = (repository / "compiler" / "passes" / "README.md").read_text(encoding="utf-8")
    assert found == page(), "run python -m gatewright.compiler.passes.documentation compiler/passes/README.md"


def test_the_registry_does_not_import_tvm() -> None:
    code = "import sys, gatewright.compiler.passes as p; assert p.PASSES; sys.exit('tvm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_divisions_stay_in_models_that_round() -> None:
    def body(emit: Any, x: Any) -> Any:
        return emit(op.round(emit(op.divide(x, scalar(3.0)))))

    assert ops(pipeline.simplify(make(body, (4,)))[0]) == ["divide", "round"]


def test_simplify_is_idempotent_and_keeps_the_interface() -> None:
    once, _ = pipeline.simplify(_conv_net())
    twice, records = pipeline.simplify(once)
    assert not any(record.modified for record in records)
    assert text(once) == text(twice)
    assert (once.inputs, once.outputs) == (_conv_net().inputs, _conv_net().outputs)


_MODELS = Path(os.environ.get("GATEWRIGHT_MODELS", Path(__file__).parents[3] / "shared" / "models"))
_LEFT = {  # operators a simplified model must not hold any more, by file
    "mlperf_tiny/kws_dscnn_fp32.onnx": {"multiply", "permute_dims"},
    "imagenet/efficientnet_lite0.onnx": {"nn.batch_norm", "multiply", "nn.pad"},
    "detect/version-RFB-320.onnx": {"nn.batch_norm"},
    "hls4ml/qkeras_mnist_cnn.onnx": {"permute_dims"},
}


def _files() -> list[str]:
    return sorted(str(path.relative_to(_MODELS)) for path in _MODELS.rglob("*.onnx")) or ["none"]


@pytest.mark.models
@pytest.mark.parametrize("file", _files())
def test_shared_model(models: Path, file: str) -> None:
    """Every pass validated; QDQ operators all kept; the float32 outputs stay together."""
    try:
        model = import_model(models / file)
    except GatewrightError as error:
        assert file.startswith("qonnx/") or error.code == "GW2100", error
        pytest.skip(f"not importable: {error.code}")
    simplified, records = pipeline.simplify(model, validate=True)
    assert all((r.max_abs_error or 0) < 1e-6 for r in records)
    before, after = read(model), read(simplified)
    kinds = [node.op for node in after.nodes]
    assert not _LEFT.get(file, set()) & set(kinds)
    for kind in ("quantize", "dequantize"):
        assert kinds.count(kind) == len({_key(n, before) for n in before.nodes if n.op == kind})
    text_once, _ = save(after)
    assert save(read(simplified))[0] == text_once
    inputs = sample_inputs(model.inputs, 2)
    expected, found = execute(before, inputs), execute(after, inputs)
    for name, y in expected.items():
        assert found[name].dtype == y.dtype and found[name].shape == y.shape
        if "quantize" not in kinds and "round" not in kinds:
            # float32 sums in another order and weights rounded once
            assert np.max(np.abs(found[name] - y)) <= 1e-5 * max(1, np.max(np.abs(y)))
        elif y.dtype != np.float32:
            assert np.array_equal(found[name], y)


def _key(node: Any, graph: Any) -> tuple[Any, ...]:
    """Equal nodes on equal operands are one after common-subexpression elimination."""
    arrays = [graph.constants[n].tobytes() if n in graph.constants else n for n in node.inputs]
    return (node.op, *arrays, node.shape, node.dtype)
