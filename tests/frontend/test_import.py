"""What an imported model looks like: names, shapes, constants, facts; and what is said where something is missing."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gatewright.compiler.errors import FrontendError, GraphError, LimitError
from gatewright.compiler.floatgraph.from_relax import read
from gatewright.compiler.floatgraph.graph import FloatGraph, TensorSpec
from gatewright.compiler.frontend import Limits, import_model
from gatewright.compiler.frontend.operators import SUPPORTED
from tests.frontend.onnx_models import Array, assert_close, build, imported, onnxruntime_results, ours

X: Array = np.random.default_rng(3).standard_normal((1, 3, 6, 6)).astype(np.float32)


def node(op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, outputs, **attributes)


def graph_of(model: onnx.ModelProto, folder: Path) -> FloatGraph:
    return read(imported(model, folder))


def test_names_specs_and_facts(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["in/put:0", "w"], ["c"], name="block1/conv"),
        node("Relu", ["c"], ["out put"], name="block1/relu"),
    ]
    w = np.ones((4, 3, 3, 3), np.float32)
    model = build(nodes, {"in/put:0": X}, ["out put"], {"w": w}, 15)
    model.producer_name, model.producer_version = "tester", "1.2"
    found = imported(model, tmp_path)
    assert found.name == "model"
    assert found.inputs == (TensorSpec("in/put:0", (1, 3, 6, 6), "float32"),)
    assert found.outputs == (TensorSpec("out put", (1, 4, 4, 4), "float32"),)
    assert len(found.module.functions) == 1
    assert [len(found.module["main"].params)] == [1]
    data = (tmp_path / "model.onnx").read_bytes()
    assert found.facts["opset"] == 15
    assert found.facts["ir_version"] == 8
    assert found.facts["producer"] == "tester 1.2"
    assert found.facts["sha256"] == hashlib.sha256(data).hexdigest()
    assert found.facts["operators"] == {"Conv": 1, "Relu": 1}
    assert [n.name for n in read(found).nodes] == ["block1_conv", "block1_relu"]


def test_initializers_among_the_inputs_are_none(tmp_path: Path) -> None:
    model = build(
        [node("MatMul", ["x", "w"], ["y"])],
        {"x": X, "w": np.eye(6, dtype=np.float32)},
        ["y"],
        {"w": np.eye(6, dtype=np.float32)},
        9,
    )
    assert [spec.name for spec in imported(model, tmp_path).inputs] == ["x"]


def symbolic(*dims: int | str | None) -> onnx.ModelProto:
    model = build([node("Relu", ["x"], ["y"])], {"x": X}, ["y"])
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, dims))
    return model


def test_batch_defaults_to_one(tmp_path: Path) -> None:
    assert imported(symbolic("N", 3, 8), tmp_path).inputs[0].shape == (1, 3, 8)
    assert imported(symbolic(None, 3, 8), tmp_path).inputs[0].shape == (1, 3, 8)


def test_other_dimensions_need_input_shape(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(symbolic("N", 3, "height", None).SerializeToString())
    with pytest.raises(FrontendError) as caught:
        import_model(path)
    assert caught.value.code == "GW1050"
    text = caught.value.render()
    assert "input 'x' dimension 2 is symbolic ('height')" in text
    assert "input 'x' dimension 3 is not stated" in text
    assert "--input-shape 'x:[1,3,?,?]'" in text
    assert import_model(path, input_shapes={"x": (2, 3, 4, 5)}).outputs[0].shape == (2, 3, 4, 5)


@pytest.mark.parametrize(
    ("shapes", "code", "text"),
    [
        ({"x": (1, 3, 8)}, "GW1051", "3 dimensions"),
        ({"x": (1, 4, 8, 8)}, "GW1051", "dimension 1 is 4"),
        ({"x": (1, 3, 0, 8)}, "GW1051", "below 1"),
        ({"z": (1, 3, 8, 8)}, "GW1052", "'x'"),
    ],
)
def test_wrong_input_shapes(shapes: dict[str, tuple[int, ...]], code: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(symbolic("N", 3, "h", "w").SerializeToString())
    with pytest.raises(FrontendError, match=code) as caught:
        import_model(path, input_shapes=shapes)
    assert text in caught.value.render()


def test_shape_arithmetic_is_folded(tmp_path: Path) -> None:
    """What torch makes of ``x.view(x.size(0), -1)`` and of a padding computed from shapes."""
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Constant", [], ["zero"], value=numpy_helper.from_array(np.array(0))),
        node("Gather", ["s", "zero"], ["n"], axis=0),
        node("Unsqueeze", ["n", "axis0"], ["n1"]),
        node("Concat", ["n1", "rest"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["flat"]),
        node("ConstantOfShape", ["three"], ["zeros"], value=numpy_helper.from_array(np.array([0]))),
        node("Concat", ["ones2", "zeros"], ["p"], axis=0),
        node("Slice", ["p", "first", "fourth"], ["p4"]),
        node("Cast", ["p4"], ["pads"], to=TensorProto.INT64),
        node("Pad", ["flat", "pads", "value"], ["padded"]),
        node("Identity", ["padded"], ["i"]),
        node("Dropout", ["i"], ["y"]),
    ]
    constants = {
        "axis0": np.array([0]), "rest": np.array([-1]), "three": np.array([3]), "ones2": np.array([1, 1]),
        "first": np.array([0]), "fourth": np.array([4]), "value": np.float32(0.5),
    }  # fmt: skip
    model = build(nodes, {"x": X}, ["y"], constants, 13)
    assert [n.op for n in graph_of(model, tmp_path).nodes] == ["reshape", "nn.pad"]
    assert_close(ours(model, {"x": X}, tmp_path), onnxruntime_results(model.SerializeToString(), {"x": X}))


def test_outputs_that_are_inputs_constants_or_the_same(tmp_path: Path) -> None:
    nodes = [
        node("Identity", ["x"], ["a"]),
        node("Constant", [], ["b"], value=numpy_helper.from_array(np.array([1, 2], np.float32))),
        node("Relu", ["x"], ["c"]),
        node("Identity", ["c"], ["d"]),
    ]
    model = build(nodes, {"x": X}, ["a", "b", "c", "d"])
    assert_close(ours(model, {"x": X}, tmp_path), [X, np.array([1, 2], np.float32), np.maximum(X, 0), np.maximum(X, 0)])


def test_nodes_out_of_order_are_sorted(tmp_path: Path) -> None:
    model = build([node("Relu", ["a"], ["y"]), node("Neg", ["x"], ["a"])], {"x": X}, ["y"])
    assert [n.op for n in graph_of(model, tmp_path).nodes] == ["negative", "nn.relu"]


def test_unused_nodes_and_weights_are_dropped(tmp_path: Path) -> None:
    nodes = [node("Relu", ["x"], ["y"]), node("MatMul", ["x", "w"], ["nobody"])]
    graph = graph_of(build(nodes, {"x": X}, ["y"], {"w": np.eye(6, dtype=np.float32)}), tmp_path)
    assert [n.op for n in graph.nodes] == ["nn.relu"]
    assert not graph.constants


@pytest.mark.parametrize("condition", [True, False])
def test_constant_branch(condition: bool, tmp_path: Path) -> None:
    """The branch reads a tensor of the graph around it, and both name a tensor alike."""
    body = [
        helper.make_graph(
            [node(op, ["x"], ["t"]), node("Mul", ["t", "k"], ["r"])],
            op,
            [],
            [helper.make_tensor_value_info("r", 1, None)],
            [numpy_helper.from_array(np.float32(k), "k")],
        )
        for op, k in (("Relu", 2), ("Abs", 3))
    ]
    nodes = [node("If", ["c"], ["y"], then_branch=body[0], else_branch=body[1])]
    model = build(nodes, {"x": X}, ["y"], {"c": np.array(condition)})
    wanted = np.maximum(X, 0) * 2 if condition else np.abs(X) * 3
    assert_close(ours(model, {"x": X}, tmp_path), [wanted])


def test_functions_are_expanded(tmp_path: Path) -> None:
    """A function with an attribute, called twice, calling another."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    inner = helper.make_function("own", "Twice", ["a"], ["b"], [node("Add", ["a", "a"], ["b"])], opsets)
    leaky = node("LeakyRelu", ["a"], ["t"])
    leaky.attribute.add(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    outer = helper.make_function(
        "own", "Leak", ["a"], ["b"], [leaky, node("Twice", ["t"], ["b"], domain="own")], opsets, ["slope"]
    )
    calls = [node("Leak", ["x"], ["t"], domain="own", slope=0.5), node("Leak", ["t"], ["y"], domain="own", slope=0.25)]
    model = build(calls, {"x": X}, ["y"], {}, 17, ["own"])
    model.functions.extend([inner, outer])

    def leak(x: Array, slope: float) -> Array:
        return 2 * np.where(x < 0, np.float32(slope) * x, x)

    assert_close(ours(model, {"x": X}, tmp_path), [leak(leak(X, 0.5), 0.25)])


def test_external_data_beside_the_model(tmp_path: Path) -> None:
    w = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    model = build([node("MatMul", ["x", "w"], ["y"])], {"x": X}, ["y"], {"w": w})
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "w.bin").write_bytes(b"pad!" + w.tobytes())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in (("location", "data/w.bin"), ("offset", "4"), ("length", str(w.nbytes))):
        tensor.external_data.add(key=key, value=text)
    assert_close(ours(model, {"x": X}, tmp_path), [X @ w])
    path = tmp_path / "model.onnx"
    with pytest.raises(LimitError, match="GW6010"):
        import_model(path, limits=Limits(external_bytes=10))


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(file_bytes=100), "GW6001"),
        (Limits(nesting=2), "GW6002"),
        (Limits(nodes=1), "GW6003"),
        (Limits(tensors=0), "GW6004"),
        (Limits(tensor_bytes=431), "GW6005"),
        (Limits(total_bytes=500), "GW6006"),
        (Limits(rank=3), "GW6007"),
        (Limits(fields=5), "GW6008"),
        (Limits(name_bytes=3), "GW6009"),
    ],
)
def test_limits_are_settable(limits: Limits, code: str, tmp_path: Path) -> None:
    nodes = [node("Conv", ["x", "w", "b"], ["long name"]), node("Relu", ["long name"], ["y"])]
    constants = {"w": np.ones((6, 3, 3, 3), np.float32), "b": np.ones(6, np.float32)}
    path = tmp_path / "model.onnx"
    path.write_bytes(build(nodes, {"x": np.ones((1, 3, 4, 4), np.float32)}, ["y"], constants).SerializeToString())
    import_model(path)
    with pytest.raises(LimitError, match=code) as caught:
        import_model(path, limits=limits)
    assert caught.value.actions


def test_all_unsupported_operators_at_once(tmp_path: Path) -> None:
    nodes = [
        node("LSTM", ["x3", "w", "r"], ["", "h"], name="memory", hidden_size=2),
        node("NonZero", ["h"], ["nz"], name="where"),
        node("Grill", ["nz"], ["y"], name="own", domain="com.example"),
    ]
    constants = {"w": np.zeros((1, 8, 3), np.float32), "r": np.zeros((1, 8, 2), np.float32)}
    model = build(nodes, {"x3": np.zeros((4, 1, 3), np.float32)}, ["y"], constants, 17, ["com.example"])
    with pytest.raises(GraphError) as caught:
        imported(model, tmp_path)
    error = caught.value
    assert error.code == "GW2100"
    assert [finding.place.split("'")[1] for finding in error.findings] == ["memory", "where", "own"]
    assert all(finding.reason and finding.actions for finding in error.findings)
    text = error.render()
    for part in ("LSTM", "recurrent", "depends on the data", "com.example"):
        assert part in text


def test_supported_operators_are_known_to_tvm_or_to_us() -> None:
    from tvm.relax.frontend.onnx import onnx_frontend

    from gatewright.compiler.frontend.relax_forms import FORMS

    assert set(SUPPORTED) <= {*onnx_frontend._get_convert_map(), *FORMS}


def test_infinite_bounds_are_no_broken_weights(tmp_path: Path) -> None:
    constants = {"low": np.float32(-np.inf), "high": np.float32(0.25)}
    model = build([node("Clip", ["x", "low", "high"], ["y"])], {"x": X}, ["y"], constants)
    assert_close(ours(model, {"x": X}, tmp_path), [np.minimum(X, np.float32(0.25))])


def test_tvm_is_imported_only_for_accepted_models(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from gatewright.compiler.errors import GatewrightError
from gatewright.compiler.frontend import import_model
for name in sys.argv[1:]:
    try:
        import_model(Path(name))
    except GatewrightError as error:
        print(error.code)
    print("tvm" in sys.modules)
"""
    good, bad = tmp_path / "good.onnx", tmp_path / "bad.onnx"
    good.write_bytes(build([node("Relu", ["x"], ["y"])], {"x": X}, ["y"]).SerializeToString())
    bad.write_bytes(build([node("Grill", ["x"], ["y"])], {"x": X}, ["y"]).SerializeToString())
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(bad), str(good)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["GW2100", "False", "True"]


def test_identical_input_gives_identical_text(tmp_path: Path) -> None:
    model = build([node("Conv", ["x", "w"], ["y"])], {"x": X}, ["y"], {"w": np.ones((2, 3, 3, 3), np.float32)})
    texts = {imported(model, tmp_path).module.script() for _ in range(2)}
    assert len(texts) == 1
    assert re.search(r"R\.nn\.conv2d", texts.pop())
